//! Every decision of the operator as a function of values. Nothing here waits, logs, reads a clock
//! or names Kubernetes or AWS: what a name may be, what is desired, what was observed, what to
//! change, and what an image reference becomes.

pub mod access;
pub mod admission;
pub mod facts;
mod json;
pub mod lifecycle;
pub mod moment;
pub mod names;
pub mod origin;
pub mod owner;
pub mod policy;
pub mod preflight;
pub mod prewarm;
pub mod pull_through;
pub mod reference;
pub mod registry;
pub mod repository;
pub mod retrofit;
pub mod rewrite;
pub mod rights;
pub mod template;
pub mod usage;

pub use moment::Moment;
pub use names::{AccountId, Region, Registry, RepositoryName};
