//! The program: see `ecr-operator --help`.

use std::process::ExitCode;

use clap::Parser;
use ecr_operator::commands::Program;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One provider in the whole process; a second one would make rustls panic at first use.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .expect("nothing else has installed a provider before main began");
    match Program::try_parse() {
        Ok(program) => program.run(),
        Err(told) => Program::usage(&told),
    }
}
