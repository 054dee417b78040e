//! What an attachment costs: `userspace` (engine linux, veth, bridge) against Debian's stock `bridge` plugin, both run directly and
//! in turn. Prints a table, and fails when a limit does not hold. Run it by `make bench`, which builds the binaries.
//!
//! Where a limit is the kernel's, the floor shows it: an empty process and the same netlink requests alone, in this process, whose code
//! and the kernel's are warm by then.
//!
//! Wall is from spawn to exit; CPU is user and system time of the plugin and all that it ran (getrusage(2), RUSAGE_CHILDREN).

#![allow(clippy::print_stdout, reason = "the table is what it is for")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Instant,
};

use kernel_links::{Change, Netlink, VethPair};
use nix::{
    sched::{CloneFlags, unshare},
    sys::resource::UsageWho,
    unistd::gettid,
};
use serde_json::{Value, json};

use self::common::{Cost, Limits, Plugin, answer_peak, cpu, median, peak_of_add, shipped, slim};

const ROUNDS: usize = 40;
const PLUGINS: &str = "/usr/lib/cni";

fn main() -> ExitCode {
    if let Some(code) = answer_peak() {
        return code;
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

struct Bench {
    dir: tempfile::TempDir,
    ours: PathBuf,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("make a directory"), ours: shipped() }
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
                plugin.run("ADD", "kept", &netns.path);
            }
            let [stock, ours] = self.in_turn(&plugins, ROUNDS);
            let floor = self.floor(&plugins[1]);
            for (plugin, netns) in plugins.iter().zip(&kept) {
                plugin.run("DEL", "kept", &netns.path);
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
                    let cost = plugin.run(verb, &container, &netns.path);
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
        let empty: Vec<Cost> = (0..ROUNDS).map(|_| plugin.run("VERSION", "empty", &netns.path)).collect();
        let [wall, cpu] = Floor::new().median();
        let empty_wall = median(empty.iter().map(|cost| cost.wall).collect());
        [empty_wall + wall, median(empty.iter().map(|cost| cost.cpu).collect()) + cpu]
    }

    fn memory(&self, limits: &mut Limits) {
        for plugin in [self.stock(false), self.ours(false)] {
            let peak = peak_of_add(&plugin, &Netns::new().path);
            println!("{:<10} peak memory of ADD: {peak:.1} MB", plugin.name);
            if plugin.name == "userspace" {
                limits.at_most("peak memory of ADD, MB", 5.0, peak);
            }
        }
    }

    fn sizes(&self, limits: &mut Limits) {
        let megabytes = |path: &Path| fs::metadata(path).expect("the binary").len() as f64 / 1e6;
        println!("bridge     {:.2} MB", megabytes(&self.stock(false).binary));
        let alone = |engine| megabytes(&slim(engine));
        println!(
            "userspace  {:.2} MB, with the engine ovs alone {:.2} MB",
            megabytes(&self.ours),
            alone("ovs")
        );
        limits.at_most("size with the engine linux alone, MB", 3.0, alone("linux"));
        limits.at_most("size with the engine vpp alone, MB", 2.0, alone("vpp"));
    }

    /// ADD beside 1, 100 and 500 attachments.
    fn growth(&self, limits: &mut Limits) {
        let plugin = self.ours(false);
        let mut present: Vec<Netns> = Vec::new();
        let (mut walls, mut floors) = (Vec::new(), Vec::new());
        for count in [1, 100, 500] {
            while present.len() < count {
                let netns = Netns::new();
                plugin.run("ADD", &format!("present{}", present.len()), &netns.path);
                present.push(netns);
            }
            let netns = Netns::new();
            let costs = (0..ROUNDS).map(|round| {
                let container = format!("growth{round}");
                let wall = plugin.run("ADD", &container, &netns.path).wall;
                plugin.run("DEL", &container, &netns.path);
                wall
            });
            let wall = median(costs.collect());
            let [floor, _] = self.floor(&plugin);
            println!("userspace  ADD beside {count:>3} attachments: {wall:.2} ms (floor {floor:.2} ms)");
            walls.push(wall);
            floors.push(floor);
        }
        for (number, netns) in present.iter().enumerate() {
            plugin.run("DEL", &format!("present{number}"), &netns.path);
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
