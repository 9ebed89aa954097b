//! # ecr-operator
//!
//! Every image a cluster runs comes from your own Amazon ECR: provisioned, governed and kept in
//! step in every environment account, rewritten at admission, and never at the price of a broken
//! rollout. This page is the architecture; `README.md` is for people who run it.
//!
//! ## One direction
//!
//! ```text
//! object -> resolve references (stores, no I/O) -> desired (pure) -> observe -> plan (pure)
//!        -> apply (one AWS call per change) -> status (pure) -> patch if changed -> next action
//! ```
//!
//! Deciding is pure, doing is dumb: [`domain`] holds every decision as a function of values, and
//! nothing in it waits, logs, reads a clock or names Kubernetes or AWS. The same plan value serves
//! the controller and Observe mode; the same rewrite serves the webhook and `explain`.
//!
//! ## Modules and arrows
//!
//! | module | what it is for | may name |
//! |---|---|---|
//! | [`domain`] | names, references, desired/observed/change/plan per kind, lifecycle, access, rewrite | std, serde, serde_json, thiserror, sha2 |
//! | [`manifest`] | find and edit image references in text, every other byte kept | domain |
//! | [`api`] | the custom resources, wire types only | nothing of ours |
//! | [`desired`] | spec and references to domain values; every validation error | domain, api |
//! | [`ecr`] | the only place that names an AWS crate: sessions, registry snapshots, facts, writes | domain |
//! | [`controllers`] | watches, the driver, status, the outcome table | domain, api, desired, ecr |
//! | [`server`] | a listener with limits on everything that a stranger can send; for admission and health | nothing of ours |
//! | [`webhook`] | TLS, AdmissionReview, pod patch; is handed rules and facts, calls nobody | domain, api, desired, server |
//! | [`commands`] | the command line: run, explain, crds, emulator, demo | all of the above |
//! | [`emulator`] | ECR, STS and tagging in a pocket; only the demo and tests name it | nothing of ours |
//! | [`plane`] | etcd, kube-apiserver and controller-manager as plain processes, for the demo and tests | nothing of ours |
//!
//! `e2e/architecture.rs` reads the sources and fails on an arrow that is not in this table.
//!
//! ## What must hold
//!
//! * A repository is written or deleted only with our owner tag on it; another owner is a Conflict.
//! * Targets are recorded in status before anything is made there; cleanup reads only that record.
//! * Only the holder of the lease writes to AWS, and it stops before its lease ends. What serves
//!   admission answers from rules and facts it loaded itself; "not loaded yet" is not ready.
//! * What pods can connect to needs no right to write: `run --role webhook` serves and is never a
//!   candidate for the lease, `run --role controller` leads and does not listen for admission.
//! * The admission path does no I/O, and an image is rewritten only to what is known pullable.
//! * A converged world sees no writes.

pub mod api;
pub mod commands;
pub mod controllers;
pub mod desired;
pub mod domain;
pub mod ecr;
pub mod emulator;
pub mod manifest;
pub mod plane;
pub mod server;
pub mod webhook;
