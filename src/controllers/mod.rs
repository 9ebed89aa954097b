//! Being built.

pub mod certificates;
