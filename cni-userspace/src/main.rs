//! The binary `userspace`: collects the outside world, runs, writes the answer once.

use std::{
    io::{Write, stdout},
    process::ExitCode,
};

use cni_userspace::{Io, run};

/// musl's own maps and unmaps a page for almost everything, which is most of what the kernel would be asked for in a call.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let answer = run(Io::from_process());
    // A closed pipe loses the answer: the runtime then sees empty output, and no panic.
    let written = stdout().write_all(&answer.stdout);
    match (answer.status, written) {
        (0, Err(_)) => ExitCode::FAILURE,
        (status, _) => ExitCode::from(status),
    }
}
