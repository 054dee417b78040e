//! The binary `userspace`: collects the outside world, runs, writes the answer once.

use std::{
    io::{Write, stdout},
    process::ExitCode,
};

use cni_userspace::{Io, run};

fn main() -> ExitCode {
    let answer = run(Io::from_process());
    // A closed pipe loses the answer: the runtime then sees empty output, and no panic.
    let written = stdout().write_all(&answer.stdout);
    match (answer.succeeded, written) {
        (true, Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
