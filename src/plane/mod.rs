//! A real Kubernetes control plane as plain processes: etcd, kube-apiserver and
//! kube-controller-manager on loopback, with RBAC, real service-account tokens and the admission
//! plugins of a real cluster. For the demo and for tests: no container engine, no nodes, so Pods
//! are objects that nobody runs. It must never outlive the process that started it, and never touch
//! a cluster that the user has not named.
//!
//! [`Cluster::obtain`] is the way in; it starts a [`Plane`], or takes the user's own cluster.

mod authority;
mod binaries;
mod build;
mod cluster;
mod error;
mod guard;
mod kubeconfig;
mod process;
mod progress;
mod start;

pub use binaries::{Binaries, acquire};
pub use build::cache;
pub use cluster::{Choice, Cluster};
pub use error::Error;
pub use progress::{Progress, Step};
pub use start::{Options, Plane, start};

#[cfg(test)]
mod tests;
