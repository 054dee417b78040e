//! One call of the plugin, as a container runtime makes it.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    binary,
    host::{Container, Host},
    wait::{Finished, run, until},
};

/// Longer than the plugin's own default deadline.
const LIMIT: Duration = Duration::from_secs(60);

/// A call that is being put together.
#[derive(Clone)]
pub struct Call<'h> {
    host: &'h Host,
    binary: PathBuf,
    env: BTreeMap<String, String>,
    stdin: Vec<u8>,
}

impl Host {
    /// A call of `command` with `config` on standard input, about no attachment yet.
    pub fn call(&self, command: &str, config: &Value) -> Call<'_> {
        let call = Call {
            host: self,
            binary: binary::plugin().to_owned(),
            env: BTreeMap::new(),
            stdin: config.to_string().into_bytes(),
        };
        call.env("CNI_COMMAND", command)
            .env("CNI_PATH", &self.cni_path())
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    }

    /// Runs the binary in the host's namespace as a person does: no runtime's variables, words on the command line, and this host's state
    /// directory.
    pub fn command(&self, words: &str) -> Finished {
        let mut command = self.command_line(words);
        self.netns().inside(|| run(&mut command, b"", LIMIT))
    }

    /// The binary with these words alone.
    pub fn words(&self, words: &str) -> Finished {
        let mut command = Command::new(binary::plugin());
        command.args(words.split_whitespace()).env_clear();
        self.netns().inside(|| run(&mut command, b"", LIMIT))
    }

    /// [`Host::command`] as a service, whose standard output goes to `log`.
    pub fn service(&self, words: &str, log: &Path) -> Service {
        let log = File::create(log).expect("make a file");
        let mut command = self.command_line(words);
        command.stdin(Stdio::null()).stdout(log);
        Service(self.netns().inside(|| command.spawn()).expect("start the service"))
    }

    fn command_line(&self, words: &str) -> Command {
        let mut command = Command::new(binary::plugin());
        command.args(words.split_whitespace()).arg("--state-dir").arg(self.state_dir());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// ADD of `eth0`, which must succeed; its result.
    pub fn add(&self, container: &Container, config: &Value) -> Value {
        self.call("ADD", config).of(container).run().result()
    }

    /// DEL of `eth0`, which must succeed.
    pub fn del(&self, container: &Container, config: &Value) {
        self.call("DEL", config).of(container).run().silent();
    }

    /// CHECK of `eth0`.
    pub fn check(&self, container: &Container, config: &Value) -> Output {
        self.call("CHECK", config).of(container).run()
    }
}

impl Call<'_> {
    /// About the container's `eth0`.
    pub fn of(self, container: &Container) -> Self {
        self.env("CNI_CONTAINERID", &container.id)
            .env("CNI_NETNS", &container.path())
            .env("CNI_IFNAME", "eth0")
    }

    /// About another interface than `eth0`.
    pub fn ifname(self, name: &str) -> Self {
        self.env("CNI_IFNAME", name)
    }

    /// With a variable set.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Without a variable.
    pub fn without(mut self, key: &str) -> Self {
        self.env.remove(key);
        self
    }

    /// With these bytes on standard input, in place of a configuration.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// By another binary.
    pub fn binary(mut self, path: &Path) -> Self {
        self.binary = path.to_owned();
        self
    }

    /// By the binary with failpoints, which does `action` (`fail` or `kill`) at `point`.
    pub fn fault(self, point: &str, action: &str) -> Self {
        self.binary(binary::plugin_with_failpoints()).env("USERSPACE_FAILPOINT", &format!("{point}={action}"))
    }

    /// By the binary with failpoints, which writes the points that it passes to `file`.
    pub fn trace(self, file: &Path) -> Self {
        self.binary(binary::plugin_with_failpoints())
            .env("USERSPACE_FAILPOINT_TRACE", &file.display().to_string())
    }

    /// What the plugin's environment will be.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Runs it; it must fail with that code, and its message or details must hold all of `words`.
    pub fn fails(&self, code: u64, words: &[&str]) {
        let text = self.run().error(code);
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {text:?}");
        }
    }

    /// Runs it in the host's namespace.
    pub fn run(&self) -> Output {
        let mut command = Command::new(&self.binary);
        command.env_clear().envs(&self.env);
        let finished = self.host.netns().inside(|| run(&mut command, &self.stdin, LIMIT));
        Output { command: self.env.get("CNI_COMMAND").cloned().unwrap_or_default(), finished }
    }
}

/// A process that stays; killed when dropped.
#[derive(Debug)]
pub struct Service(pub(crate) Child);

impl Service {
    /// Starts it, with nothing on its standard input; its output goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).expect("make a log");
        let errors = log.try_clone().expect("share a file");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Self(child.expect("start the service"))
    }

    /// Sends it SIGTERM, and waits: its exit status, none when the signal killed it.
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = i32::try_from(self.0.id()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("send SIGTERM");
        let mut code = None;
        until("the service ends", LIMIT, || {
            let ended = self.0.try_wait().expect("wait for a child");
            code = ended.and_then(|status| status.code());
            ended.is_some()
        });
        code
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What came of a call.
#[derive(Debug, Clone)]
pub struct Output {
    command: String,
    /// The ended process.
    pub finished: Finished,
}

impl Output {
    /// The result of a success: standard output must be exactly one JSON object.
    pub fn result(&self) -> Value {
        assert_eq!(self.finished.code, Some(0), "{self:#?}");
        self.object()
    }

    /// A success that prints nothing.
    pub fn silent(&self) {
        assert_eq!((self.finished.code, self.finished.stdout.as_str()), (Some(0), ""), "{self:#?}");
    }

    /// A failure with that code: standard output must be an error object. Its message and details, in one text.
    pub fn error(&self, code: u64) -> String {
        let (found, text) = self.failure();
        assert_eq!(found, code, "{self:#?}");
        text
    }

    /// A failure of whatever code: standard output must be an error object. The code, and the message and details in one text.
    pub fn failure(&self) -> (u64, String) {
        assert!(self.finished.code.is_some_and(|code| code != 0), "{self:#?}");
        let object = self.object();
        let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let msg = text("msg");
        assert!(!msg.is_empty() && !text("cniVersion").is_empty(), "{self:#?}");
        let code = object["code"].as_u64().unwrap_or_else(|| panic!("no code: {self:#?}"));
        (code, format!("{msg}\n{}", text("details")))
    }

    fn object(&self) -> Value {
        let value = serde_json::from_str(&self.finished.stdout);
        let value: Value =
            value.unwrap_or_else(|error| panic!("{error} on the output of {}: {self:#?}", self.command));
        assert!(value.is_object(), "{self:#?}");
        value
    }
}
