//! The binary `container-app`: reads the command line and the environment, runs, ends with a status.

use std::process::ExitCode;

use container_app::{Cli, Parser, run};

fn main() -> ExitCode {
    run(Cli::parse())
}
