//! Tests from the outside: the sources themselves, the program, and a real control plane.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod admission;
mod architecture;
mod chart;
mod complaints;
mod crds;
mod dependencies;
mod docs;
mod ecr;
mod emulator;
mod explain;
mod faults;
mod import;
mod operator;
mod plan;
mod plane;
mod readme;
mod rewrite;
mod rights;
mod security;
mod token;
mod usage;

/// The longest that anything is waited for. What is awaited comes in seconds on an idle machine; a
/// test that fails on a busy one says nothing about the program.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(10);
