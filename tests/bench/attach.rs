//! What an attachment costs: `userspace` (engine linux, veth, bridge) against Debian's stock `bridge` plugin, both run directly and
//! in turn. Prints a table, and fails when a limit does not hold. Run it by `make bench`, which builds the binaries.
//!
//! Where a limit is the kernel's, the floor shows it: an empty process and the same netlink requests alone, in this process, whose code
//! and the kernel's are warm by then.
//!
//! Wall is from spawn to exit; CPU is user and system time of the plugin and all that it ran (getrusage(2), RUSAGE_CHILDREN).

#![allow(clippy::print_stdout, reason = "the table is what it is for")]

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use kernel_links::{Change, Netlink, VethPair};
use nix::{
    sched::{CloneFlags, unshare},
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike,
    },
    unistd::gettid,
};
use serde_json::{Value, json};

const ROUNDS: usize = 40;
const PLUGINS: &str = "/usr/lib/cni";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    if args.next().as_deref() == Some("--peak") {
        return peak(&args.collect::<Vec<_>>());
    }
    // Everything below, the bridges included, is in a namespace that goes with this process.
    unshare(CloneFlags::CLONE_NEWNET).expect("make a network namespace (are you root?)");
    let bench = Bench::new();
    let mut limits = Limits::default();
    bench.compare(&mut limits);
    bench.memory(&mut limits);
    bench.sizes(&mut limits);
    bench.growth(&mut limits);
    limits.tell()
}

/// Runs a program and prints what it took at most, in kilobytes. A process of its own, since the figure is one of all children.
fn peak(command: &[String]) -> ExitCode {
    let status = Command::new(&command[0]).stdout(Stdio::null()).status().expect("run the program");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    println!("{}", usage.max_rss());
    ExitCode::from(u8::from(!status.success()))
}

/// The limits of the table, and whether they held.
#[derive(Default)]
struct Limits(Vec<(String, f64, f64)>);

impl Limits {
    fn at_most(&mut self, what: &str, limit: f64, found: f64) {
        self.0.push((what.to_owned(), limit, found));
    }

    fn tell(&self) -> ExitCode {
        println!("\n{:<48} {:>8} {:>8}", "limit", "at most", "found");
        let mut held = true;
        for (what, limit, found) in &self.0 {
            let verdict = if found <= limit { "" } else { "  MISSED" };
            held &= found <= limit;
            println!("{what:<48} {limit:>8.2} {found:>8.2}{verdict}");
        }
        ExitCode::from(u8::from(!held))
    }
}

/// The requests of an ADD and nothing else, from a process that runs already.
struct Floor {
    runtime: tokio::runtime::Runtime,
    netlink: Netlink,
}

impl Floor {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let netlink = runtime.block_on(async { Netlink::open() }).expect("a netlink socket");
        Self { runtime, netlink }
    }

    /// Medians of wall and CPU of the requests, in milliseconds, on the bridge `ours0`.
    fn median(&self) -> [f64; 2] {
        let netns = Netns::new();
        let costs: Vec<Cost> = (0..ROUNDS).map(|round| self.one(round, &netns)).collect();
        [
            median(costs.iter().map(|cost| cost.wall).collect()),
            median(costs.iter().map(|cost| cost.cpu).collect()),
        ]
    }

    fn one(&self, round: usize, netns: &Netns) -> Cost {
        let inside = kernel_links::Netns::open(Path::new(&netns.path)).expect("the namespace");
        let name = format!("floor{round}");
        let before = cpu(UsageWho::RUSAGE_SELF);
        let begin = Instant::now();
        let index = self.runtime.block_on(self.requests(&inside, &name)).expect("the kernel's answers");
        let cost = Cost { wall: begin.elapsed(), cpu: cpu(UsageWho::RUSAGE_SELF) - before };
        self.runtime.block_on(self.netlink.delete_link(index)).expect("remove the pair");
        cost
    }

    async fn requests(&self, inside: &kernel_links::Netns, name: &str) -> Result<u32, kernel_links::Error> {
        let netlink = &self.netlink;
        let up = || Change { alias: Some("a mark".to_owned()), up: Some(true), ..Change::default() };
        netlink.link_by_name(name).await?;
        let pair =
            VethPair { name, mtu: None, peer_netns: inside, peer_name: "eth0", peer_mac: [2, 0, 0, 0, 0, 1] };
        let index = netlink.add_veth(&pair).await?.expect("the kernel's echo").index;
        netlink.change_link(index, up()).await?;
        let bridge = netlink.link_by_name("ours0").await?.expect("the bridge");
        netlink.change_link(index, Change { master: Some(bridge.index), ..Change::default() }).await?;
        let container = Netlink::open_in(inside)?;
        let end = container.link_by_name("eth0").await?.expect("the container's end");
        container.change_link(end.index, up()).await?;
        Ok(index)
    }
}

#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

/// A network namespace that lives as long as this: a thread that sits in it.
struct Netns {
    path: String,
    _stay: mpsc::Sender<()>,
}

impl Netns {
    fn new() -> Self {
        let (stay, leave) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        thread::Builder::new()
            .stack_size(64 * 1024)
            .spawn(move || {
                unshare(CloneFlags::CLONE_NEWNET).expect("make a network namespace");
                tell.send(gettid()).expect("the maker waits");
                let _ = leave.recv();
            })
            .expect("start a thread");
        let tid = told.recv().expect("the thread tells its id");
        let path = format!("/proc/{}/task/{tid}/ns/net", std::process::id());
        Self { path, _stay: stay }
    }
}

/// One way to attach a container.
struct Plugin {
    name: &'static str,
    binary: PathBuf,
    config: Value,
}

impl Plugin {
    fn run(&self, verb: &str, container: &str, netns: &Netns) -> Cost {
        let before = cpu(UsageWho::RUSAGE_CHILDREN);
        let begin = Instant::now();
        let output = self.command(&[], verb, container, netns);
        let wall = begin.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{} {verb}: {said}", self.name);
        Cost { wall, cpu: cpu(UsageWho::RUSAGE_CHILDREN) - before }
    }

    /// `via` is a program to run the plugin by.
    fn command(&self, via: &[&str], verb: &str, container: &str, netns: &Netns) -> std::process::Output {
        let words: Vec<&str> = via.iter().copied().chain(self.binary.to_str()).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .env_clear()
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", &netns.path)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", PLUGINS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("run the plugin");
        let mut stdin = child.stdin.take().expect("its standard input");
        stdin.write_all(self.config.to_string().as_bytes()).expect("write the configuration");
        drop(stdin);
        child.wait_with_output().expect("wait for the plugin")
    }
}

fn cpu(whose: UsageWho) -> Duration {
    let usage = getrusage(whose).expect("getrusage");
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}

fn median(mut costs: Vec<Duration>) -> f64 {
    costs.sort();
    costs[costs.len() / 2].as_secs_f64() * 1000.0
}

struct Bench {
    dir: tempfile::TempDir,
    ours: PathBuf,
    slim: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let built = env::var("STATIC").expect("run this by `make bench`");
        Self {
            dir: tempfile::tempdir().expect("make a directory"),
            ours: root.join(&built).join("userspace"),
            slim: root.join(built.replacen("target", "target/slim", 1)).join("userspace"),
        }
    }

    fn ipam(&self, name: &str, with: bool) -> Value {
        if !with {
            return json!({});
        }
        json!({"type": "host-local", "dataDir": self.dir.path().join(name), "subnet": "10.99.0.0/16"})
    }

    fn stock(&self, with_ipam: bool) -> Plugin {
        Plugin {
            name: "bridge",
            binary: Path::new(PLUGINS).join("bridge"),
            config: json!({"cniVersion": "1.0.0", "name": "stock", "type": "bridge", "bridge": "stock0",
                "ipam": self.ipam("stock", with_ipam)}),
        }
    }

    fn ours(&self, with_ipam: bool) -> Plugin {
        Plugin {
            name: "userspace",
            binary: self.ours.clone(),
            config: json!({"cniVersion": "1.0.0", "name": "ours", "type": "userspace",
                "stateDir": self.dir.path().join("state"),
                "host": {"engine": "linux", "iftype": "veth", "netType": "bridge", "bridge": {"bridgeName": "ours0"}},
                "ipam": self.ipam("ours", with_ipam)}),
        }
    }

    /// Both plugins in turn, ADD and DEL, on a bridge that stays.
    fn compare(&self, limits: &mut Limits) {
        println!(
            "{:<10} {:<11} {:>9} {:>9} {:>9} {:>9}",
            "plugin", "", "ADD wall", "ADD cpu", "DEL wall", "DEL cpu"
        );
        for with_ipam in [false, true] {
            let plugins = [self.stock(with_ipam), self.ours(with_ipam)];
            // One attachment each stays, so that neither makes nor removes its bridge.
            let kept = [Netns::new(), Netns::new()];
            for (plugin, netns) in plugins.iter().zip(&kept) {
                plugin.run("ADD", "kept", netns);
            }
            let [stock, ours] = self.in_turn(&plugins, ROUNDS);
            let floor = self.floor(&plugins[1]);
            for (plugin, netns) in plugins.iter().zip(&kept) {
                plugin.run("DEL", "kept", netns);
            }
            let label = if with_ipam { "host-local" } else { "no IPAM" };
            for (name, cost) in [("bridge", &stock), ("userspace", &ours)] {
                let [a, b, c, d] = cost;
                println!("{name:<10} {label:<11} {a:>6.2} ms {b:>6.2} ms {c:>6.2} ms {d:>6.2} ms");
            }
            if !with_ipam {
                let [wall, cpu] = floor;
                println!("floor      {label:<11} {wall:>6.2} ms {cpu:>6.2} ms");
                limits.at_most("ADD without IPAM, wall, ratio to bridge", 0.6, ours[0] / stock[0]);
                limits.at_most("ADD without IPAM, CPU, ratio to bridge", 0.4, ours[1] / stock[1]);
                limits.at_most("DEL without IPAM, CPU, ratio to bridge", 0.5, ours[3] / stock[3]);
            }
        }
    }

    /// Medians of ADD's wall and CPU and DEL's, in milliseconds.
    fn in_turn(&self, plugins: &[Plugin; 2], rounds: usize) -> [[f64; 4]; 2] {
        let mut costs: [BTreeMap<&str, Vec<Cost>>; 2] = Default::default();
        // One namespace for all rounds: the kernel takes its time to remove one, and would do so beside the next round.
        let netns = Netns::new();
        for round in 0..rounds {
            for (plugin, costs) in plugins.iter().zip(&mut costs) {
                let container = format!("round{round}");
                for verb in ["ADD", "DEL"] {
                    let cost = plugin.run(verb, &container, &netns);
                    costs.entry(verb).or_default().push(cost);
                }
            }
        }
        costs.map(|of| {
            let wall = |verb: &str| median(of[verb].iter().map(|cost| cost.wall).collect());
            let cpu = |verb: &str| median(of[verb].iter().map(|cost| cost.cpu).collect());
            [wall("ADD"), cpu("ADD"), wall("DEL"), cpu("DEL")]
        })
    }

    /// An empty process (VERSION) and the requests alone: wall and CPU.
    fn floor(&self, plugin: &Plugin) -> [f64; 2] {
        let netns = Netns::new();
        let empty: Vec<Cost> = (0..ROUNDS).map(|_| plugin.run("VERSION", "empty", &netns)).collect();
        let [wall, cpu] = Floor::new().median();
        let empty_wall = median(empty.iter().map(|cost| cost.wall).collect());
        [empty_wall + wall, median(empty.iter().map(|cost| cost.cpu).collect()) + cpu]
    }

    fn memory(&self, limits: &mut Limits) {
        let this = env::current_exe().expect("the own path");
        let this = this.to_str().expect("a path in UTF-8");
        for plugin in [self.stock(false), self.ours(false)] {
            let netns = Netns::new();
            let output = plugin.command(&[this, "--peak"], "ADD", "peak", &netns);
            let kilobytes: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
            plugin.run("DEL", "peak", &netns);
            println!("{:<10} peak memory of ADD: {:.1} MB", plugin.name, kilobytes / 1024.0);
            if plugin.name == "userspace" {
                limits.at_most("peak memory of ADD, MB", 5.0, kilobytes / 1024.0);
            }
        }
    }

    fn sizes(&self, limits: &mut Limits) {
        let megabytes = |path: &Path| fs::metadata(path).expect("the binary").len() as f64 / 1e6;
        println!("bridge     {:.2} MB", megabytes(&self.stock(false).binary));
        println!(
            "userspace  {:.2} MB, with the engine linux alone {:.2} MB",
            megabytes(&self.ours),
            megabytes(&self.slim)
        );
        limits.at_most("size of the slim binary, MB", 3.0, megabytes(&self.slim));
    }

    /// ADD beside 1, 100 and 500 attachments.
    fn growth(&self, limits: &mut Limits) {
        let plugin = self.ours(false);
        let mut present: Vec<Netns> = Vec::new();
        let (mut walls, mut floors) = (Vec::new(), Vec::new());
        for count in [1, 100, 500] {
            while present.len() < count {
                let netns = Netns::new();
                plugin.run("ADD", &format!("present{}", present.len()), &netns);
                present.push(netns);
            }
            let netns = Netns::new();
            let costs = (0..ROUNDS).map(|round| {
                let container = format!("growth{round}");
                let wall = plugin.run("ADD", &container, &netns).wall;
                plugin.run("DEL", &container, &netns);
                wall
            });
            let wall = median(costs.collect());
            let [floor, _] = self.floor(&plugin);
            println!("userspace  ADD beside {count:>3} attachments: {wall:.2} ms (floor {floor:.2} ms)");
            walls.push(wall);
            floors.push(floor);
        }
        for (number, netns) in present.iter().enumerate() {
            plugin.run("DEL", &format!("present{number}"), netns);
        }
        // What the requests alone take longer there is the kernel's.
        let kernels = floors[2] - floors[0];
        println!(
            "userspace  ADD grows by {:.2} ms, of which the requests alone {kernels:.2} ms",
            walls[2] - walls[0]
        );
        limits.at_most(
            "ADD beside 500, less the kernel's growth, to 1",
            1.3,
            (walls[2] - kernels) / walls[0],
        );
    }
}
