//! A daemon as a child of the test, which knows when it has ended. Nothing of the test is open in it.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A running process, killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    control: PathBuf,
}

/// A command that will become `program` in the namespace at `netns`, under the process id that it is started with, and writes to
/// `log`.
pub(crate) fn daemon(netns: &Path, program: &str, log: &Path) -> Command {
    let log = OpenOptions::new().append(true).create(true).open(log).expect("open a log");
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net={}", netns.display()))
        .arg(program)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("share a file"))
        .stderr(log);
    command
}

impl Daemon {
    pub(crate) fn spawn(command: &mut Command, control: &Path) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("run {command:?}: {error}"));
        Self { child, control: control.to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and kills it when it does not.
    pub(crate) fn exit(mut self, words: &[&str]) {
        let mut command = Command::new("ovs-appctl");
        command.args(["--timeout=5", "--target"]).arg(&self.control).args(words);
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let begin = Instant::now();
        while self.runs() && begin.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Shows the end of a log when the test fails while this is there.
pub(crate) struct TellOnPanic<'p>(pub(crate) &'p Path);

impl Drop for TellOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the end of {}:\n{}", self.0.display(), tail(self.0));
        }
    }
}
