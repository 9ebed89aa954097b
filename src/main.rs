//! The program: see `ecr-operator --help`.

fn main() {}
