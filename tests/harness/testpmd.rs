//! DPDK's testpmd as the application of a container: it has the other end of a vhost-user or memif socket, sends packets and counts
//! those that it gets. It is spoken to at its prompt.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{hugepages::Hugepages, netns::Netns, wait::until};

/// What one takes: it is told so, and needs less.
pub(crate) const HUGEPAGES_MIB: u64 = 64;

const PROMPT: &str = "testpmd> ";

/// For the program to start, and for a command to end.
const LIMIT: Duration = Duration::from_secs(30);

/// A testpmd that is being put together.
#[derive(Debug, Clone)]
pub struct TestpmdBuilder {
    netns: PathBuf,
    devices: Vec<String>,
    forward: String,
    peer: Option<String>,
    queues: u32,
    huge: bool,
}

/// A running one. Its ports have the order in which the builder was given them.
#[derive(Debug)]
pub struct Testpmd {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    // In the order in which they can go when the process has ended.
    dir: TempDir,
    _hugepages: Option<Hugepages>,
}

impl TestpmdBuilder {
    /// With a port that listens at `path` for a vhost-user back end: the peer of `dpdkvhostuserclient`.
    pub fn vhost_server(self, path: &Path, mac: &str) -> Self {
        let path = path.display();
        self.device("virtio_user", &format!("path={path},server=1,queues=1,queue_size=256,mac={mac}"))
    }

    /// With a port that connects to a vhost-user back end which listens at `path`: the peer of `dpdkvhostuser`. The file must be
    /// there.
    pub fn vhost_client(self, path: &Path, mac: &str) -> Self {
        let path = path.display();
        self.device("virtio_user", &format!("path={path},queues=1,queue_size=256,mac={mac}"))
    }

    /// With a port that connects to a memif server which listens at `path`.
    pub fn memif_client(self, path: &Path, mac: &str) -> Self {
        let path = path.display();
        self.device("memif", &format!("role=client,id=0,socket-abstract=no,socket={path},mac={mac}"))
    }

    /// With a port that connects to a memif server which listens at the abstract name.
    pub fn memif_client_at_name(self, name: &str, mac: &str) -> Self {
        self.device("memif", &format!("role=client,id=0,socket-abstract=yes,socket={name},mac={mac}"))
    }

    /// What it does with a packet: `rxonly` (without this call), `macswap`, `io`, `icmpecho`, `txonly`.
    pub fn forward(mut self, mode: &str) -> Self {
        mode.clone_into(&mut self.forward);
        self
    }

    /// To whom it sends from its first port. To no one in particular, without this call.
    pub fn peer(mut self, mac: &str) -> Self {
        self.peer = Some(mac.to_owned());
        self
    }

    /// With so many queues each way; each sends what [`Testpmd::send`] says. A memif to OVS needs one more than OVS has PMD threads (two
    /// here, and `options:n_rxq=2` in OVS): each thread sends on a queue of its own, and what is for one without a ring is lost.
    pub fn queues(mut self, number: u32) -> Self {
        self.queues = number;
        self
    }

    /// With ordinary pages in place of hugepages.
    pub fn no_huge(mut self) -> Self {
        self.huge = false;
        self
    }

    /// Starts it, and waits for its prompt. Its ports are started then; it forwards nothing before [`Testpmd::start`].
    ///
    /// A port that listens waits for its peer before that: the vswitch must have the other end. See [`TestpmdBuilder::spawn`].
    pub fn launch(self) -> Testpmd {
        let mut made = self.spawn();
        made.wait_ready();
        made
    }

    /// Starts it and waits for nothing. [`Testpmd::wait_ready`] comes before any command.
    pub fn spawn(self) -> Testpmd {
        let dir = tempfile::Builder::new().prefix("us-pmd-").tempdir_in("/tmp").expect("make a directory");
        let hugepages = self.huge.then(|| Hugepages::reserve(HUGEPAGES_MIB));
        let log = File::create(dir.path().join("log")).expect("make a log");
        let mut command = self.command();
        // Without the variable a directory stays in /run.
        command.env("RUNTIME_DIRECTORY", dir.path()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("run {command:?}: {error}"));
        let output = chunks_of(child.stdout.take().expect("it is a pipe"));
        let stdin = child.stdin.take();
        Testpmd { child, stdin, output, dir, _hugepages: hugepages }
    }

    fn device(mut self, driver: &str, arguments: &str) -> Self {
        let number = self.devices.len();
        self.devices.push(format!("--vdev=net_{driver}{number},{arguments}"));
        self
    }

    fn command(&self) -> Command {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let cpus = if thread::available_parallelism().is_ok_and(|n| n.get() > 1) { "(0-1)" } else { "0" };
        // virtio_user hands its memory over as files: those of single segments are few enough for a message.
        let huge: &[_] = &["--in-memory", "--single-file-segments"];
        let memory = if self.huge { huge } else { &["--no-huge"] };
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.netns.display()))
            .args(["stdbuf", "-oL", "-eL", "dpdk-testpmd"])
            .arg(format!("--lcores=0@{cpus},1@{cpus}"))
            .args(["--main-lcore=0", "--no-pci", "--no-telemetry"])
            .args(memory)
            .arg(format!("--file-prefix=us-pmd-{}-{number}", std::process::id()))
            .args(["-m", &HUGEPAGES_MIB.to_string()])
            .args(&self.devices)
            .args(["--", "-i", "--total-num-mbufs=4096", "--mbuf-size=2176", "--nb-cores=1"])
            .arg(format!("--forward-mode={}", self.forward))
            .arg("--txpkts=64")
            .args([format!("--rxq={}", self.queues), format!("--txq={}", self.queues)])
            .args(self.peer.iter().map(|mac| format!("--eth-peer=0,{mac}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }
}

impl Testpmd {
    /// A new one that will run in `netns`: sockets of files are in no namespace, but a container's program is.
    pub fn build(netns: &Netns) -> TestpmdBuilder {
        TestpmdBuilder {
            netns: netns.path(),
            devices: Vec::new(),
            forward: "rxonly".into(),
            peer: None,
            queues: 1,
            huge: true,
        }
    }

    /// Waits for the first prompt, of a program that was only spawned.
    pub fn wait_ready(&mut self) {
        self.until_prompt("start testpmd");
    }

    /// Runs a command at the prompt; what it printed.
    pub fn command(&mut self, text: &str) -> String {
        self.write(text).unwrap_or_else(|error| panic!("{text}: {error}:\n{}", self.log()));
        self.until_prompt(text)
    }

    /// Begins to forward packets. This takes a core until [`Testpmd::stop`].
    pub fn start(&mut self) {
        self.command("start");
    }

    /// Sends `bursts` times 32 packets of 64 bytes from the first port, and begins to forward.
    pub fn send(&mut self, bursts: u32) {
        self.command(&format!("start tx_first {bursts}"));
    }

    /// Ends forwarding.
    pub fn stop(&mut self) {
        self.command("stop");
    }

    /// How many packets its first port has got.
    pub fn received(&mut self) -> u64 {
        self.statistic("RX-packets:")
    }

    /// How many packets its first port has sent: those that its peer took.
    pub fn sent(&mut self) -> u64 {
        self.statistic("TX-packets:")
    }

    /// Waits until the first port got `packets` in all.
    pub fn wait_received(&mut self, packets: u64, limit: Duration) {
        until(&format!("{packets} packets received"), limit, || self.received() >= packets);
    }

    /// Whether the peer of the first port is connected.
    pub fn link_is_up(&mut self) -> bool {
        self.command("show port info 0").contains("Link status: up")
    }

    /// Waits until the peer of the first port is connected.
    pub fn wait_link_up(&mut self, limit: Duration) {
        until("the link of testpmd is up", limit, || self.link_is_up());
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a crash does: a socket that it listens at stays.
    pub fn kill(mut self) {
        self.end();
    }

    /// Ends it as a user does.
    pub fn quit(mut self) {
        self.write("quit").unwrap_or_else(|error| panic!("quit: {error}:\n{}", self.log()));
        until("testpmd ends", LIMIT, || matches!(self.child.try_wait(), Ok(Some(_))));
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(format!("{text}\n").as_bytes())
    }

    fn statistic(&mut self, name: &str) -> u64 {
        let text = self.command("show port stats 0");
        let mut words = text.split_whitespace().skip_while(|word| *word != name).skip(1);
        let value = words.next().and_then(|word| word.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    /// All output until the next prompt, without the prompt.
    fn until_prompt(&mut self, doing: &str) -> String {
        let end = Instant::now() + LIMIT;
        let mut text = String::new();
        loop {
            if let Some(before) = text.strip_suffix(PROMPT) {
                return before.to_owned();
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{doing}: {error} after:\n{}\n{}", tail(&text), self.log()),
            }
        }
    }

    fn log(&self) -> String {
        let text = fs::read(self.dir.path().join("log")).unwrap_or_default();
        tail(&String::from_utf8_lossy(&text))
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        self.end();
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// What comes out of the pipe, read by a thread so that waiting for it can have a limit. The thread ends with the process.
fn chunks_of(mut pipe: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut bytes) {
            if sender.send(bytes[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
