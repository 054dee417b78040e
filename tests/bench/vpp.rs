//! What a memif on VPP costs: `userspace` (engine vpp, a bridge domain) beside 1 and 1000 others, against the same requests alone. Prints a
//! table, and fails when a limit does not hold. Run it by `make bench` with `vpp` on PATH.
//!
//! The floor is what cannot be saved: an empty process, the same requests alone (from a process that runs already, by a connection of their
//! own, each after the answer to the one before), and the writes of the record or its erasure.

#![allow(clippy::print_stdout, reason = "the table is what it is for")]

mod common;

use std::{
    fs,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use serde_json::json;
use userspace_tests::{Flavour, Netns, Vpp, all_there};
use vpp_api_client::{
    Client, Error, Options,
    messages::{
        interface::{SwInterfaceSetFlags, SwInterfaceTagAddDel},
        l2::{BridgeDomainAddDel, SwInterfaceSetL2Bridge},
        memif::{MemifCreateV2, MemifDelete, MemifSocketFilenameAddDelV2},
    },
    types::{IfStatus, MemifMode, MemifRole, SwIfIndex},
};

use self::common::{Limits, Plugin, answer_peak, median, peak_of_add, shipped};

const ROUNDS: usize = 60;
const DOMAIN: u32 = 7;
/// What is repaired at once, and what is there in the end.
const REPAIRED: usize = 500;
const MANY: usize = 1000;
/// The number of the raw memif's socket.
const NUMBER: u32 = 9;

fn main() -> ExitCode {
    if let Some(code) = answer_peak() {
        return code;
    }
    if !all_there(&["vpp"]) {
        println!("skipped: VPP is not on PATH");
        return ExitCode::SUCCESS;
    }
    let mut bench = Bench::new();
    let mut limits = Limits::default();
    let columns = ["ADD", "floor", "process", "raw add", "record", "DEL", "floor", "raw del", "erasure"];
    println!("median wall in ms; floor = process + raw requests + writes or erasure of the record");
    println!("{:>6} {}", "memifs", columns.map(|column| format!("{column:>8}")).join(" "));
    bench.add_present(0, 1);
    let few = bench.compare(1, &mut limits);
    bench.add_present(1, REPAIRED);
    let repaired = bench.repair();
    bench.add_present(REPAIRED, MANY);
    let many = bench.compare(MANY, &mut limits);
    limits.at_most("ADD beside 1000, ratio to beside 1", 1.3, many / few);
    println!(
        "userspace repair of {REPAIRED} memifs after a restart of VPP: {:.0} ms",
        repaired.as_secs_f64() * 1000.0
    );
    let peak = peak_of_add(&bench.plugin, &bench.container.path().display().to_string());
    println!("peak memory of ADD: {peak:.1} MB");
    limits.at_most("peak memory of ADD, MB", 6.0, peak);
    limits.tell()
}

struct Bench {
    plugin: Plugin,
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
    vpp: Vpp,
    container: Netns,
    // Last: VPP is in it.
    host: Netns,
}

impl Bench {
    fn new() -> Self {
        let host = Netns::new("host");
        let vpp = Vpp::start(&host, Flavour::Real);
        let dir = tempfile::Builder::new().prefix("us-bench-").tempdir_in("/tmp").expect("make a directory");
        let config = json!({"cniVersion": "1.0.0", "name": "ours", "type": "userspace",
            "stateDir": dir.path().join("state"), "sharedDir": dir.path().join("shared"),
            "sockets": {"root": dir.path().join("sockets")},
            "host": {"engine": "vpp", "iftype": "memif", "netType": "bridge", "socket": vpp.api_socket(),
                "bridge": {"bridgeName": DOMAIN.to_string()}}});
        let binary = shipped();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let plugin = Plugin { name: "userspace", binary, config };
        Self { plugin, runtime, dir, vpp, container: Netns::new("container"), host }
    }

    /// Attachments that are there beside those that are measured.
    fn add_present(&self, from: usize, to: usize) {
        let netns = self.container.path().display().to_string();
        for number in from..to {
            self.plugin.run("ADD", &format!("present{number}"), &netns);
        }
    }

    /// All in turn, and in another order each time; the wall of ADD.
    fn compare(&self, size: usize, limits: &mut Limits) -> f64 {
        let netns = self.container.path();
        let at = netns.display().to_string();
        let mut costs: [Vec<Duration>; 7] = Default::default();
        for round in 0..ROUNDS {
            let container = format!("round{round}");
            let raw = || self.raw();
            for step in 0..4 {
                match (step + round) % 4 {
                    0 => {
                        costs[0].push(self.plugin.run("ADD", &container, &at).wall);
                        costs[1].push(self.plugin.run("DEL", &container, &at).wall);
                    }
                    1 => costs[2].push(self.plugin.run("VERSION", &container, &at).wall),
                    2 => {
                        let [add, del] = raw();
                        costs[3].push(add);
                        costs[4].push(del);
                    }
                    _ => {
                        let dir = self.dir.path().join("floor");
                        let [written, erased] = self.plugin.record(&dir, &container, &netns);
                        costs[5].push(written);
                        costs[6].push(erased);
                    }
                }
            }
        }
        let [add, del, process, raw_add, raw_del, record, erasure] = costs.map(median);
        let [floor, floor_of_del] = [process + raw_add + record, process + raw_del + erasure];
        let row = [add, floor, process, raw_add, record, del, floor_of_del, raw_del, erasure];
        println!("{size:>6} {}", row.map(|cost| format!("{cost:>8.2}")).join(" "));
        limits.at_most(&format!("ADD beside {size}, ratio to the floor"), 1.5, add / floor);
        limits.at_most(&format!("DEL beside {size}, ratio to the floor"), 1.5, del / floor_of_del);
        add
    }

    /// What an ADD and a DEL ask VPP for, each by a connection of its own.
    fn raw(&self) -> [Duration; 2] {
        let path = self.dir.path().join("raw.sock").display().to_string();
        let options = || Options::at(self.vpp.api_socket());
        self.runtime.block_on(async {
            let begin = Instant::now();
            let vpp = Client::connect(options()).await.expect("connect");
            let index = add(&vpp, &path).await.expect("the requests of an ADD");
            let added = begin.elapsed();
            let begin = Instant::now();
            let vpp = Client::connect(options()).await.expect("connect");
            remove(&vpp, index).await.expect("the requests of a DEL");
            let removed = begin.elapsed();
            let _ = fs::remove_file(&path);
            [added, removed]
        })
    }

    /// From VPP's API being up to the last attachment restored.
    fn repair(&mut self) -> Duration {
        self.vpp.kill();
        self.vpp.restart();
        let mut command = Command::new(&self.plugin.binary);
        command.args(["repair", "--state-dir"]).arg(self.dir.path().join("state"));
        let begin = Instant::now();
        let output = self.host.inside(|| command.output().expect("run the repair"));
        let took = begin.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("0 stood, {REPAIRED} made again, 0 failed")), "{said}");
        took
    }
}

async fn add(vpp: &Client, path: &str) -> Result<SwIfIndex, Error> {
    let socket =
        MemifSocketFilenameAddDelV2 { is_add: true, socket_id: NUMBER, socket_filename: path.into() };
    vpp.request(&socket).await?;
    let create = MemifCreateV2 {
        role: MemifRole::MASTER,
        mode: MemifMode::ETHERNET,
        socket_id: NUMBER,
        rx_queues: 1,
        tx_queues: 1,
        ring_size: 1024,
        buffer_size: 2048,
        ..MemifCreateV2::default()
    };
    let sw_if_index = vpp.request(&create).await?.sw_if_index;
    vpp.request(&SwInterfaceSetFlags { sw_if_index, flags: IfStatus::ADMIN_UP }).await?;
    let tag = "raw".parse().expect("a tag");
    vpp.request(&SwInterfaceTagAddDel { is_add: true, sw_if_index, tag }).await?;
    // The domain is there.
    vpp.ask(&BridgeDomainAddDel { bd_id: DOMAIN, is_add: true, ..BridgeDomainAddDel::default() }).await?;
    let join = SwInterfaceSetL2Bridge {
        rx_sw_if_index: sw_if_index,
        bd_id: DOMAIN,
        enable: true,
        ..SwInterfaceSetL2Bridge::default()
    };
    vpp.request(&join).await?;
    Ok(sw_if_index)
}

async fn remove(vpp: &Client, sw_if_index: SwIfIndex) -> Result<(), Error> {
    vpp.request(&MemifDelete { sw_if_index }).await?;
    let socket = MemifSocketFilenameAddDelV2 { is_add: false, socket_id: NUMBER, ..Default::default() };
    vpp.request(&socket).await?;
    vpp.ask(&BridgeDomainAddDel { bd_id: DOMAIN, is_add: false, ..BridgeDomainAddDel::default() }).await?;
    Ok(())
}
