//! `container-app` in a container: as a service that stays, and a command at a time.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Ovs, Vpp,
    binary::container_app,
    call::Service,
    daemon::TellOnPanic,
    host::Container,
    netns::Netns,
    wait::{Finished, run},
};

/// For one command.
const LIMIT: Duration = Duration::from_secs(60);

/// See the module. Ends when dropped.
#[derive(Debug)]
pub struct App {
    netns: Arc<Netns>,
    binary: Option<PathBuf>,
    arguments: Vec<String>,
    service: Option<Service>,
    dir: TempDir,
}

impl App {
    /// In the container, which sees `shared` as its shared directory. Not running as yet.
    pub fn new(container: &Container, shared: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("us-app-").tempdir_in("/tmp").expect("make a directory");
        let netns = Arc::clone(&container.netns);
        let mut new = Self { netns, binary: None, arguments: Vec::new(), service: None, dir };
        let none = new.path("none").display().to_string();
        // What the machine itself has is not for tests.
        for flag in ["--annotations", "--vpp-socket", "--ovs-socket"] {
            new.set(flag, &none);
        }
        new.set("--dir", &shared.display().to_string());
        new
    }

    /// With a VPP of the container's own.
    pub fn vpp(mut self, vpp: &Vpp) -> Self {
        self.set("--vpp-socket", &vpp.api_socket().display().to_string());
        self
    }

    /// With an Open vSwitch of the container's own.
    pub fn ovs(mut self, ovs: &Ovs) -> Self {
        self.set("--ovs-socket", &ovs.db_socket().display().to_string());
        self
    }

    /// With another option, or in the place of what it was.
    pub fn with(mut self, flag: &str, value: &str) -> Self {
        self.set(flag, value);
        self
    }

    /// Of another binary than that which the tests build.
    pub fn binary(self, path: &Path) -> Self {
        Self { binary: Some(path.to_owned()), ..self }
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.service.as_ref().map(|service| service.0.id())
    }

    /// A path in a directory of its own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Begins `container-app run`.
    pub fn start(&mut self) {
        self.start_with("");
    }

    /// The same with more words.
    pub fn start_with(&mut self, words: &str) {
        assert!(self.service.is_none(), "container-app is running");
        let log = OpenOptions::new().append(true).create(true).open(self.path("log")).expect("open a log");
        let mut command = self.program(&format!("run {words}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = self.netns.inside(|| command.spawn()).expect("start container-app");
        self.service = Some(Service(child));
    }

    /// Sends it SIGTERM, and waits: its exit status.
    pub fn stop(&mut self) -> Option<i32> {
        self.service.take().expect("container-app is running").terminate()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.service.as_mut().is_some_and(|service| matches!(service.0.try_wait(), Ok(None)))
    }

    /// Runs a command to its end.
    pub fn command(&self, words: &str) -> Finished {
        let mut command = self.program(words);
        self.netns.inside(|| run(&mut command, b"", LIMIT))
    }

    /// Waits until as many interfaces are up, and no other is not.
    pub fn wait_up(&self, count: usize) {
        let _told = TellOnPanic(&self.path("log"));
        self.command(&format!("wait --timeout 30 --expect {count}")).success("container-app wait");
    }

    /// Makes what is published, once; that must succeed.
    pub fn once(&self) {
        self.command("once").success("container-app once");
    }

    /// `show --json`: the interfaces.
    pub fn show(&self) -> Vec<Value> {
        let text = self.command("show --json").success("container-app show");
        let all: Value = serde_json::from_str(&text).expect("JSON");
        all["interfaces"].as_array().expect("a list").clone()
    }

    /// What the service has logged since the beginning.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn set(&mut self, flag: &str, value: &str) {
        self.arguments.retain(|argument| !argument.starts_with(&format!("{flag}=")));
        self.arguments.push(format!("{flag}={value}"));
    }

    fn program(&self, words: &str) -> Command {
        let mut command = Command::new(self.binary.as_deref().unwrap_or_else(|| container_app()));
        command.args(&self.arguments).args(words.split_whitespace());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }
}
