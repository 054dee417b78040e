//! Waiting with a bound: for a process to end, for a condition to come true.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A process that has ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its exit status; none when a signal killed it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Finished {
    /// The standard output of a success; anything else fails the test.
    pub fn success(self, doing: &str) -> String {
        assert_eq!(self.code, Some(0), "{doing}: {}{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Runs `command` with `stdin` on its standard input, for at most `limit`; longer fails the test.
///
/// Its output goes to files, so that what it leaves running cannot hold a pipe open.
pub fn run(command: &mut Command, stdin: &[u8], limit: Duration) -> Finished {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().expect("make a file"));
    let share = |file: &File| Stdio::from(file.try_clone().expect("share a file"));
    let begin = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(share(&stdout))
        .stderr(share(&stderr))
        .spawn()
        .unwrap_or_else(|error| panic!("run {command:?}: {error}"));
    if let Some(mut pipe) = child.stdin.take() {
        // A program may answer without reading its input.
        let _ = pipe.write_all(stdin);
    }
    let code = wait(&mut child, limit, &format!("{command:?}"));
    Finished { code, took: begin.elapsed(), stdout: text(&mut stdout), stderr: text(&mut stderr) }
}

fn wait(child: &mut Child, limit: Duration, what: &str) -> Option<i32> {
    let begin = Instant::now();
    loop {
        match child.try_wait().expect("wait for a child") {
            Some(status) => return status.code(),
            None if begin.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{what} ran for more than {limit:?}");
            }
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).expect("rewind a file");
    file.read_to_end(&mut bytes).expect("read a file");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks `condition` until it holds, for at most `limit`; longer fails the test.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Writes an executable file by another process. Written by this one, a thread that forks meanwhile would hold it open for writing,
/// and running it would fail ("text file busy").
pub fn install(path: &Path, content: &[u8]) {
    let mut command = Command::new("install");
    command.args(["--mode", "755", "/dev/stdin"]).arg(path);
    run(&mut command, content, Duration::from_secs(10)).success("install a file");
}
