//! A private Open vSwitch with DPDK: an ovsdb-server and an ovs-vswitchd-dpdk in a given network namespace, with a directory of
//! their own. What a test does with it goes through the stock tools, so that a mistake of the engine cannot hide in the harness.

mod dump;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::FileTypeExt,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    daemon::{Daemon, TellOnPanic, daemon},
    hugepages::Hugepages,
    netns::Netns,
    places::Place,
    wait::{Finished, run, until},
};

/// Debian's vswitchd that is linked with DPDK; `ovs-vswitchd` may be the plain one.
pub(crate) const VSWITCHD: &str = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// For one call of a tool, and for a daemon to be ready: about 0.5 s when nothing else runs.
const LIMIT: Duration = Duration::from_secs(30);

/// What a vswitchd with hugepages may take. The default, 754 MiB for the first mempool alone, is more than a test host has.
pub(crate) const HUGEPAGES_MIB: u64 = 256;

/// What a vswitchd has its packets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// 2 MiB pages, in segments that another process can map whole.
    Hugepages,
    /// Ordinary pages.
    NoHuge,
    /// None: DPDK is not initialised, the datapath `netdev` is there without it.
    NoDpdk,
}

/// See the module.
#[derive(Debug)]
pub struct Ovs {
    memory: Memory,
    file_prefix: String,
    netns: PathBuf,
    server: Option<Daemon>,
    vswitchd: Option<Daemon>,
    // In the order in which they can go when both daemons have ended.
    dir: TempDir,
    _hugepages: Option<Hugepages>,
    _place: Option<Place>,
}

impl Ovs {
    /// A new one, running. Waits while too many others run in this process.
    ///
    /// A test must not call this while it has one: it could wait for a place that it holds itself. See [`Ovs::start_another`].
    pub fn start(netns: &Netns, memory: Memory) -> Self {
        Self::started(netns, memory, Some(Place::wait()))
    }

    /// One more in a test that has one already, say that of a container. Does not wait for others.
    pub fn start_another(netns: &Netns, memory: Memory) -> Self {
        Self::started(netns, memory, None)
    }

    fn started(netns: &Netns, memory: Memory, place: Option<Place>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // A socket's path has 107 characters at most, so `TMPDIR` has no say in this.
        let dir = tempfile::Builder::new().prefix("us-ovs-").tempdir_in("/tmp").expect("make a directory");
        for name in ["run", "etc", "log"] {
            fs::create_dir(dir.path().join(name)).expect("make a directory");
        }
        let hugepages = (memory == Memory::Hugepages).then(|| Hugepages::reserve(HUGEPAGES_MIB));
        let mut made = Self {
            memory,
            file_prefix: format!("us-ovs-{}-{number}", std::process::id()),
            netns: netns.path(),
            server: None,
            vswitchd: None,
            dir,
            _hugepages: hugepages,
            _place: place,
        };
        made.begin();
        made
    }

    fn begin(&mut self) {
        let database = self.path("conf.db").display().to_string();
        self.tool("ovsdb-tool", &["create", &database, SCHEMA]).success("ovsdb-tool create");
        self.start_server();
        self.vsctl("--no-wait init");
        self.configure();
        self.start_vswitchd();
    }

    /// Kills both daemons as a crash does, and starts them with a new database.
    pub fn start_afresh(&mut self) {
        self.kill_vswitchd();
        self.kill_server();
        fs::remove_file(self.path("conf.db")).expect("remove the database");
        self.begin();
    }

    /// The database's socket.
    pub fn db_socket(&self) -> PathBuf {
        self.path("run/db.sock")
    }

    /// Where the daemons have their sockets, and vswitchd makes those of `dpdkvhostuser` ports.
    pub fn run_dir(&self) -> PathBuf {
        self.path("run")
    }

    /// `ovs-vsctl WORDS`; a failure fails the test. A word is what is between spaces: none can have one in it.
    pub fn vsctl(&self, words: &str) -> String {
        self.try_vsctl(words).success(&format!("ovs-vsctl {words}")).trim_end().to_owned()
    }

    /// The same, of which the failure is of interest. It waits for vswitchd for 10 s.
    pub fn try_vsctl(&self, words: &str) -> Finished {
        let database = format!("--db=unix:{}", self.db_socket().display());
        let mut all = vec![database.as_str(), "--timeout=10"];
        all.extend(words.split_whitespace());
        self.tool("ovs-vsctl", &all)
    }

    /// `ovs-appctl WORDS` to vswitchd; a failure fails the test.
    pub fn appctl(&self, words: &str) -> String {
        self.try_appctl(words).success(&format!("ovs-appctl {words}"))
    }

    /// The same, of which the failure is of interest.
    pub fn try_appctl(&self, words: &str) -> Finished {
        let target = self.path("run/ovs-vswitchd.ctl").display().to_string();
        let mut all = vec!["--timeout=10", "--target", &target];
        all.extend(words.split_whitespace());
        self.tool("ovs-appctl", &all)
    }

    /// `ovs-ofctl VERB` on a bridge, with the words that follow its name; a failure fails the test.
    pub fn ofctl(&self, verb: &str, bridge: &str, words: &str) -> String {
        let target = format!("unix:{}", self.path(&format!("run/{bridge}.mgmt")).display());
        let mut all = vec!["--timeout=10", verb, &target];
        all.extend(words.split_whitespace());
        self.tool("ovs-ofctl", &all).success(&format!("ovs-ofctl {verb} {bridge} {words}"))
    }

    /// Lets the PMD threads poll without sleeping, each for the whole of a core: only for measurements.
    pub fn busy_poll(&self) {
        self.vsctl("set Open_vSwitch . other_config:pmd-maxsleep=0");
    }

    /// vswitchd's process id, while it runs.
    pub fn vswitchd_pid(&self) -> Option<u32> {
        self.vswitchd.as_ref().map(Daemon::pid)
    }

    /// What vswitchd has logged since the beginning.
    pub fn vswitchd_log(&self) -> String {
        fs::read_to_string(self.path("log/ovs-vswitchd.log")).unwrap_or_default()
    }

    /// Kills vswitchd as a crash does. Sockets and taps that it made stay.
    pub fn kill_vswitchd(&mut self) {
        self.vswitchd = None;
    }

    /// Starts vswitchd, which must not be running, and waits until it has done what the database says.
    pub fn start_vswitchd(&mut self) {
        assert!(self.vswitchd.is_none(), "vswitchd is running");
        self.vswitchd = Some(self.daemon("ovs-vswitchd", VSWITCHD, &[&self.database()]));
        let initialised = if self.memory == Memory::NoDpdk { "false" } else { "true" };
        self.ready("ovs-vswitchd", |ovs| {
            ovs.path("run/ovs-vswitchd.ctl").exists()
                && ovs.follows()
                && ovs.vsctl("get Open_vSwitch . dpdk_initialized") == initialised
        });
    }

    /// Kills ovsdb-server as a crash does.
    pub fn kill_server(&mut self) {
        self.server = None;
    }

    /// Starts ovsdb-server, which must not be running, and waits until it answers, and vswitchd, if that runs, has come back to it.
    pub fn start_server(&mut self) {
        assert!(self.server.is_none(), "ovsdb-server is running");
        let file = self.path("conf.db").display().to_string();
        let remote = format!("--remote=p{}", self.database());
        let managers = "--remote=db:Open_vSwitch,Open_vSwitch,manager_options";
        self.server = Some(self.daemon("ovsdb-server", "ovsdb-server", &[&file, &remote, managers]));
        let database = self.database();
        self.ready("ovsdb-server", |ovs| {
            ovs.db_socket().exists()
                && ovs.tool("ovsdb-client", &["--timeout=2", "list-dbs", &database]).code == Some(0)
                && (ovs.vswitchd.is_none() || ovs.follows())
        });
    }

    /// The database as lines that can be compared, and the sockets in `run_dir` that are no daemon's own: a row of Bridge, Port,
    /// Interface, QoS or Queue is a line of the columns that someone configures. ovsdb-server must be running.
    pub fn dump(&self) -> BTreeSet<String> {
        let mut lines = dump::rows(self);
        lines.extend(self.vhost_sockets().into_iter().map(|name| format!("socket {name}")));
        lines
    }

    /// The names of the sockets in `run_dir` that are no daemon's own.
    pub fn vhost_sockets(&self) -> Vec<String> {
        let entries = fs::read_dir(self.run_dir()).expect("read a directory").flatten();
        let sockets = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
        let names = sockets.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let daemons = ["db.sock", ".ctl", ".mgmt", ".snoop"];
        names.filter(|name| !daemons.iter().any(|end| name.ends_with(end))).collect()
    }

    /// Whether vswitchd acts upon the database: without `--no-wait`, the answer comes when it has applied the change.
    fn follows(&self) -> bool {
        let words =
            ["set Open_vSwitch . external_ids:us-waits=true", "remove Open_vSwitch . external_ids us-waits"];
        words.iter().all(|words| self.try_vsctl(words).code == Some(0))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn database(&self) -> String {
        format!("unix:{}", self.db_socket().display())
    }

    fn tool(&self, program: &str, words: &[&str]) -> Finished {
        run(self.environment(Command::new(program).args(words)), b"", LIMIT)
    }

    fn environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("OVS_RUNDIR", self.run_dir())
            .env("OVS_DBDIR", self.dir.path())
            .env("OVS_LOGDIR", self.path("log"))
            .env("OVS_SYSCONFDIR", self.path("etc"))
            // DPDK's own; without it a directory stays in /run.
            .env("RUNTIME_DIRECTORY", self.path("run"))
    }

    fn daemon(&self, name: &str, program: &str, words: &[&str]) -> Daemon {
        let file = |end: &str| self.path(&format!("run/{name}.{end}"));
        let mut command = daemon(&self.netns, program, &self.path(&format!("log/{name}.log")));
        command
            .args(words)
            .args(["--no-chdir", "-vsyslog:off", "-vconsole:info"])
            .arg(format!("--unixctl={}", file("ctl").display()))
            .arg(format!("--pidfile={}", file("pid").display()));
        Daemon::spawn(self.environment(&mut command), &file("ctl"))
    }

    /// Waits until `name`, which was just started, is ready. What it logged is shown when that does not come.
    fn ready(&mut self, name: &str, mut ready: impl FnMut(&Self) -> bool) {
        let log = self.path(&format!("log/{name}.log"));
        let _told = TellOnPanic(&log);
        until(&format!("{name} is ready"), LIMIT, || {
            let running = [&mut self.server, &mut self.vswitchd].into_iter().flatten().all(Daemon::runs);
            assert!(running, "{name} or what it needs has ended");
            ready(self)
        });
    }

    fn configure(&self) {
        let (size, extra) = match self.memory {
            Memory::NoDpdk => return,
            Memory::Hugepages => (
                format!("dpdk-socket-mem={HUGEPAGES_MIB} other_config:dpdk-socket-limit={HUGEPAGES_MIB}"),
                "--in-memory --single-file-segments",
            ),
            // The pool that ports share by default wants 754 MiB unbroken; whether a smaller wish comes true is then chance. A
            // port's own is far smaller.
            Memory::NoHuge => {
                ("dpdk-alloc-mem=1024 other_config:per-port-memory=true".to_owned(), "--no-huge --legacy-mem")
            }
        };
        let pmd_core = if thread::available_parallelism().is_ok_and(|n| n.get() > 1) { "0x2" } else { "0x1" };
        // The sleep is in microseconds. Without it a PMD thread burns a core from the first DPDK port on.
        let words = format!(
            "--no-wait set Open_vSwitch . other_config:dpdk-init=true other_config:{size} \
             other_config:dpdk-lcore-mask=0x1 other_config:pmd-cpu-mask={pmd_core} other_config:pmd-maxsleep=1000"
        );
        self.vsctl(&words);
        let extra = format!("{extra} --no-pci --no-telemetry --file-prefix={}", self.file_prefix);
        let extra = format!("other_config:dpdk-extra=\"{extra}\"");
        let words = ["--db", &self.database(), "--no-wait", "set", "Open_vSwitch", ".", &extra];
        self.tool("ovs-vsctl", &words).success("set dpdk-extra");
    }
}

impl Drop for Ovs {
    fn drop(&mut self) {
        // By itself vswitchd would leave its taps in the namespace.
        if let Some(vswitchd) = self.vswitchd.take() {
            vswitchd.exit(&["exit", "--cleanup"]);
        }
        if let Some(server) = self.server.take() {
            server.exit(&["exit"]);
        }
    }
}
