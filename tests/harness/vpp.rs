//! A private VPP in a given network namespace, with a directory of its own: the real one, when it is on PATH, or the fake one of
//! vpp-api-client, which speaks the same protocol. A test runs on either, so that the fake cannot lie.

mod config;
mod dump;

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use vpp_api_client::{Client, Options, messages::vpe::CliInband};

use crate::{
    binary,
    daemon::{self, Daemon, daemon},
    netns::Netns,
    places::Place,
    wait::until,
};

/// For one command, and for a VPP to be ready: about 1 s when nothing else runs.
const LIMIT: Duration = Duration::from_secs(30);

/// Which VPP a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// The fake one: a model in memory, no packets.
    Fake,
    /// `vpp` on PATH.
    Real,
}

impl Flavour {
    /// What the machine must have for it.
    pub fn need(self) -> Option<&'static str> {
        match self {
            Self::Fake => None,
            Self::Real => Some("vpp"),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Vpp {
    flavour: Flavour,
    name: String,
    netns: PathBuf,
    arguments: Vec<String>,
    process: Option<Daemon>,
    // Goes when the process has ended.
    dir: TempDir,
    _place: Option<Place>,
}

impl Vpp {
    /// A new one, running. Waits while too many other vswitches run in this process.
    ///
    /// A test must not call this while it has one: it could wait for a place that it holds itself. See [`Vpp::start_another`].
    pub fn start(netns: &Netns, flavour: Flavour) -> Self {
        Self::started(netns, flavour, &[], Some(Place::wait()))
    }

    /// The same with arguments of the fake's: a plugin that it lacks, an older release. The real one has none of them.
    pub fn start_fake(netns: &Netns, arguments: &[&str]) -> Self {
        Self::started(netns, Flavour::Fake, arguments, Some(Place::wait()))
    }

    /// One more in a test that has one already, say that of a container. Does not wait for others.
    pub fn start_another(netns: &Netns, flavour: Flavour) -> Self {
        Self::started(netns, flavour, &[], None)
    }

    fn started(netns: &Netns, flavour: Flavour, arguments: &[&str], place: Option<Place>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // VPP takes only plain characters in a socket's path, and 107 of them, so `TMPDIR` has no say in this.
        let dir = tempfile::Builder::new().prefix("us-vpp-").tempdir_in("/tmp").expect("make a directory");
        let mut made = Self {
            flavour,
            name: format!("us-vpp-{}-{number}", std::process::id()),
            netns: netns.path(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            process: None,
            dir,
            _place: place,
        };
        made.restart();
        made
    }

    /// `host.socket`.
    pub fn api_socket(&self) -> PathBuf {
        self.dir.path().join("api.sock")
    }

    /// A path beside its sockets.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Which one it is.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Daemon::pid)
    }

    /// Kills it as a crash does. Its sockets stay.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it, which must not be running, and waits until its API answers; how long that took.
    pub fn restart(&mut self) -> Duration {
        let begin = Instant::now();
        self.spawn();
        let _told = daemon::TellOnPanic(&self.path("log"));
        until("VPP answers", LIMIT, || {
            assert!(self.process.as_mut().is_some_and(Daemon::runs), "VPP has ended");
            self.try_cli("show version").is_ok()
        });
        begin.elapsed()
    }

    /// Starts it, which must not be running. It answers a moment later.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "VPP is running");
        let log = self.path("log");
        let mut command = match self.flavour {
            Flavour::Real => {
                let file = self.path("startup.conf");
                fs::write(&file, config::startup(self.dir.path(), &self.name)).expect("write a file");
                let mut command = daemon(&self.netns, "vpp", &log);
                command.arg("-c").arg(file);
                command
            }
            Flavour::Fake => {
                let program = binary::fake_vpp().display().to_string();
                let mut command = daemon(&self.netns, &program, &log);
                command.arg(self.api_socket()).args(&self.arguments);
                command
            }
        };
        self.process = Some(Daemon::spawn(&mut command, &self.path("cli.sock")));
    }

    /// Stops its process: it keeps its connections, and answers nothing until [`Vpp::resume`].
    pub fn suspend(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// See [`Vpp::suspend`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// What a command of VPP's command line prints.
    pub fn cli(&self, words: &str) -> String {
        self.try_cli(words).unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    /// The same for commands that wait, such as a ping: by `vppctl`, which the real one alone listens to.
    pub fn vppctl(&self, words: &str) -> String {
        let mut command = Command::new("vppctl");
        command.arg("-s").arg(self.path("cli.sock")).args(words.split_whitespace());
        crate::wait::run(&mut command, b"", LIMIT).success(&format!("vppctl {words}"))
    }

    /// Whether `target` answers one of some pings within a second each. `words` come behind the address.
    pub fn ping(&self, target: &str, words: &str) -> bool {
        let text = self.vppctl(&format!("ping {target} {words} repeat 2 interval 0.3"));
        text.contains("bytes from")
    }

    /// What it has, as lines that can be compared. Numbers that differ from run to run are left out.
    pub fn dump(&self) -> BTreeSet<String> {
        self.with_client(async |client| dump::lines(&client).await).expect("list what VPP has")
    }

    /// Does something over the API, on a connection of its own.
    pub fn with_client<T>(
        &self,
        work: impl AsyncFnOnce(Client) -> Result<T, vpp_api_client::Error>,
    ) -> Result<T, vpp_api_client::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = Options { name: "test".to_owned(), ..Options::at(self.api_socket()) };
        runtime.block_on(async {
            let client = Client::connect(options).await?;
            work(client).await
        })
    }

    fn try_cli(&self, words: &str) -> Result<String, vpp_api_client::Error> {
        let request = CliInband { cmd: words.into() };
        self.with_client(async |client| Ok(client.request(&request).await?.reply.to_string()))
    }

    fn signal(&self, signal: Signal) {
        let pid = self.pid().expect("VPP runs");
        kill(Pid::from_raw(pid.cast_signed()), signal).expect("send a signal");
    }
}

impl Drop for Vpp {
    fn drop(&mut self) {
        // The failure of a test is told with what VPP said last.
        if thread::panicking() {
            eprintln!("the end of VPP's log:\n{}", daemon::tail(&self.path("log")));
        }
    }
}
