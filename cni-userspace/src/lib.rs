//! The CNI protocol over userspace-core: environment and stdin in, a result or an error object out.
//!
//! The only crate that knows `CNI_*`, stdin, stdout, error codes and versions of the specification. It knows no message of any
//! vswitch: the engines are behind the trait of the core.

mod args;
mod cli;
mod command;
mod commands;
mod device_info;
mod engines;
mod error;
mod ipam_exec;
#[cfg(feature = "kube")]
mod kube;
mod log;
pub mod netconf;
mod request;
mod result;
mod verbs;
mod version;

use std::{collections::BTreeMap, ffi::OsString, io::Read};

use crate::error::CniError;

/// Everything that comes from outside.
pub struct Io {
    /// The environment. Values that are not UTF-8 are read lossily: no CNI variable has a meaning for them.
    pub env: BTreeMap<String, String>,
    /// The command line, without the program's name.
    pub args: Vec<OsString>,
    /// Where the configuration comes from; not read before it is needed.
    pub stdin: Box<dyn Read>,
}

impl Io {
    /// This process's.
    pub fn from_process() -> Self {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        Self {
            env: std::env::vars_os().map(|(key, value)| (lossy(key), lossy(value))).collect(),
            args: std::env::args_os().skip(1).collect(),
            stdin: Box::new(std::io::stdin()),
        }
    }
}

/// What goes outside.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// All of standard output: one JSON object, the text of `--help`, or nothing. A person's commands have told their lines by then.
    pub stdout: Vec<u8>,
    /// The exit status: 0 for success, 1 for a failure, 2 for a command line that cannot be.
    pub status: u8,
}

impl Answer {
    fn ok(stdout: Vec<u8>) -> Self {
        Self { stdout, status: 0 }
    }
}

/// One run of the plugin.
pub fn run(mut io: Io) -> Answer {
    let command = match request::command(&io.env) {
        Ok(Some(command)) => command,
        Ok(None) => {
            share_what_is_made();
            arm_failpoints(&io.env);
            return cli::run(&io.args, &io.env);
        }
        Err(error) => return error.answer(version::LATEST),
    };
    share_what_is_made();
    arm_failpoints(&io.env);
    match verbs::run(command, &mut io) {
        Ok(stdout) => Answer::ok(stdout),
        Err((version, error)) => error.answer(version),
    }
}

/// What is made is for others to use; a caller's umask is for its own files.
fn share_what_is_made() {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
}

#[cfg(not(feature = "failpoints"))]
fn arm_failpoints(_env: &BTreeMap<String, String>) {}

/// `USERSPACE_FAILPOINT="after record=kill"`, and `USERSPACE_FAILPOINT_TRACE=FILE`.
#[cfg(feature = "failpoints")]
fn arm_failpoints(env: &BTreeMap<String, String>) {
    use userspace_core::fault::{Action, Plan, arm};
    let at = env.get("USERSPACE_FAILPOINT").and_then(|text| {
        let (name, action) = text.split_once('=')?;
        let action = match action {
            "kill" => Action::Kill,
            _ => Action::Fail,
        };
        Some((name.to_owned(), action))
    });
    let trace = env.get("USERSPACE_FAILPOINT_TRACE").and_then(|path| {
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true).open(path).ok()
    });
    arm(Plan { at, trace });
}

type Outcome<T> = Result<T, CniError>;
