//! Being built.

pub mod crds;
