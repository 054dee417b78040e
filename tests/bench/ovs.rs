//! What a port on Open vSwitch costs: `userspace` (engine ovs-dpdk, vhost-user client) against `ovs-vsctl add-port` and `del-port`, in
//! turn, beside 1, 100 and 500 ports. Prints a table, and fails when a limit does not hold. Run it by `make bench`.
//!
//! The floor is what cannot be saved: an empty process, the same two transactions alone (from a process that runs already, by a
//! connection of their own), and the writes of the record. How long ovs-vswitchd takes is in all of them, and grows with the ports.

#![allow(clippy::print_stdout, reason = "the table is what it is for")]

mod common;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use engine_ovs::ovsdb::{Client, Id, Row, Transaction, Until, empty, equal, includes, map, set};
use serde_json::{Map, Value, json};
use userspace_tests::{Memory, Netns, Ovs};

use self::common::{Limits, Plugin, answer_peak, median, peak_of_add, shipped};

const ROUNDS: usize = 40;
const SIZES: [usize; 3] = [1, 100, 500];
const BRIDGE: &str = "bench0";

fn main() -> ExitCode {
    if let Some(code) = answer_peak() {
        return code;
    }
    let bench = Bench::new();
    let mut limits = Limits::default();
    let columns = ["ADD", "add-port", "floor", "process", "raw", "record", "DEL", "del-port"];
    println!("median wall in ms; floor = process + raw transactions + writes of the record");
    println!("{:>5} {}", "ports", columns.map(|column| format!("{column:>9}")).join(" "));
    let mut present = 0;
    for size in SIZES {
        while present < size {
            present += bench.add_present(present, size.min(present + 50));
        }
        bench.compare(size, &mut limits);
    }
    let container = Netns::new("peak");
    let peak = peak_of_add(&bench.plugin, &container.path().display().to_string());
    println!("peak memory of ADD: {peak:.1} MB");
    limits.at_most("peak memory of ADD, MB", 6.0, peak);
    limits.tell()
}

struct Bench {
    plugin: Plugin,
    address: PathBuf,
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
    ovs: Ovs,
    container: Netns,
    // Last: the daemons are in it.
    _host: Netns,
}

impl Bench {
    fn new() -> Self {
        let host = Netns::new("host");
        let ovs = Ovs::start(&host, Memory::NoHuge);
        ovs.vsctl(&format!("add-br {BRIDGE} -- set Bridge {BRIDGE} datapath_type=netdev"));
        // As it runs in production: threads that sleep would delay every change by their sleep.
        ovs.busy_poll();
        let dir = tempfile::Builder::new().prefix("us-bench-").tempdir_in("/tmp").expect("make a directory");
        let address = ovs.db_socket();
        let config = json!({"cniVersion": "1.0.0", "name": "ours", "type": "userspace",
            "stateDir": dir.path().join("state"), "sharedDir": dir.path().join("shared"),
            "sockets": {"root": dir.path().join("sockets")},
            "host": {"engine": "ovs-dpdk", "iftype": "vhostuser", "netType": "bridge", "socket": address,
                "bridge": {"bridgeName": BRIDGE}}});
        let binary = shipped();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let plugin = Plugin { name: "userspace", binary, config };
        Self { plugin, address, runtime, dir, ovs, container: Netns::new("container"), _host: host }
    }

    /// Ports that are there beside those that are measured, from number `from` up to `to`; how many.
    fn add_present(&self, from: usize, to: usize) -> usize {
        let words = (from..to).map(|number| {
            let path = self.dir.path().join(format!("present{number}"));
            add_port(&format!("present{number}"), &path)
        });
        self.ovs.vsctl(&words.collect::<Vec<_>>().join(" -- "));
        to - from
    }

    /// All in turn, and in another order each time: what ovs-vswitchd still does after it has answered is the next one's burden.
    fn compare(&self, size: usize, limits: &mut Limits) {
        let netns = self.container.path().display().to_string();
        let mut costs: [Vec<Duration>; 7] = Default::default();
        for round in 0..ROUNDS {
            let container = format!("round{round}");
            let socket = self.dir.path().join("raw");
            let calls: [(usize, &dyn Fn() -> Duration); 7] = [
                (0, &|| self.plugin.run("ADD", &container, &netns).wall),
                (1, &|| self.plugin.run("DEL", &container, &netns).wall),
                (2, &|| self.vsctl(&add_port("tool", &socket))),
                (3, &|| self.vsctl("del-port tool")),
                (4, &|| self.plugin.run("VERSION", &container, &netns).wall),
                (5, &|| self.raw(&socket)),
                (6, &|| {
                    let dir = self.dir.path().join("floor");
                    let [written, _] = self.plugin.record(&dir, &container, &self.container.path());
                    written
                }),
            ];
            // An ADD comes before its DEL.
            let mut groups = [&calls[0..2], &calls[2..4], &calls[4..5], &calls[5..6], &calls[6..7]];
            groups.rotate_left(round % 5);
            for (which, call) in groups.into_iter().flatten() {
                costs[*which].push(call());
            }
        }
        let [add, del, add_port, del_port, process, raw, record] = costs.map(median);
        let floor = process + raw + record;
        let row = [add, add_port, floor, process, raw, record, del, del_port];
        println!("{size:>5} {}", row.map(|cost| format!("{cost:>9.2}")).join(" "));
        limits.at_most(&format!("ADD beside {size}, ratio to ovs-vsctl add-port"), 0.5, add / add_port);
        limits.at_most(&format!("ADD beside {size}, ratio to the floor"), 1.3, add / floor);
    }

    /// One call of the stock tool, as a process.
    fn vsctl(&self, words: &str) -> Duration {
        let begin = Instant::now();
        let status = Command::new("ovs-vsctl")
            .arg(format!("--db=unix:{}", self.address.display()))
            .args(words.split_whitespace())
            .stdout(Stdio::null())
            .status()
            .expect("run ovs-vsctl");
        assert!(status.success(), "ovs-vsctl {words}");
        begin.elapsed()
    }

    /// The transactions of an ADD by a connection of their own; their removal is not measured.
    fn raw(&self, socket: &Path) -> Duration {
        self.runtime.block_on(async {
            let begin = Instant::now();
            let client = Client::connect(&self.address).await.expect("connect");
            let (insert, wait) = (client.transact(&insert(socket)), client.transact(&made()));
            insert.await.expect("insert the port");
            wait.await.expect("wait for the port");
            let took = begin.elapsed();
            remove(&client).await;
            took
        })
    }
}

fn add_port(name: &str, socket: &Path) -> String {
    format!(
        "add-port {BRIDGE} {name} -- set Interface {name} type=dpdkvhostuserclient options:vhost-server-path={}",
        socket.display()
    )
}

fn row(pairs: Vec<(&str, Value)>) -> Map<String, Value> {
    pairs.into_iter().map(|(column, value)| (column.to_owned(), value)).collect()
}

/// The port, if the bridge is there.
fn insert(socket: &Path) -> Transaction {
    let mut transaction = Transaction::new();
    let there = json!([{"name": BRIDGE, "datapath_type": "netdev"}]);
    let columns = ["name", "datapath_type"];
    transaction.wait("Bridge", &[equal("name", BRIDGE)], &columns, (Until::Equal, there), Duration::ZERO);
    let (interface, port) = (Id::Named("interface"), Id::Named("port"));
    let [interface_ref, port_ref] = [&interface, &port].map(Transaction::reference);
    let path = socket.display().to_string();
    let options = map([("vhost-server-path", path)]);
    let kind = json!("dpdkvhostuserclient");
    let columns = vec![("name", json!("raw")), ("type", kind), ("options", options)];
    transaction.insert("Interface", interface, row(columns));
    transaction.insert("Port", port, row(vec![("name", json!("raw")), ("interfaces", interface_ref)]));
    transaction.mutate("Bridge", &[equal("name", BRIDGE)], ("ports", "insert", set([port_ref])));
    transaction
}

/// ovs-vswitchd has given it a number.
fn made() -> Transaction {
    let mut transaction = Transaction::new();
    let by_name = [equal("name", "raw")];
    let unset = json!([{"ofport": empty()}]);
    let limit = Duration::from_secs(10);
    transaction.wait("Interface", &by_name, &["ofport"], (Until::NotEqual, unset), limit);
    transaction.select("Interface", &by_name, &["ofport", "error"]);
    transaction
}

/// Removes the port, and waits until ovs-vswitchd has.
async fn remove(client: &Client) {
    let mut look = Transaction::new();
    let step = look.select("Port", &[equal("name", "raw")], &["_uuid"]);
    let found = client.transact(&look).await.and_then(|reply| reply.row(step)).expect("look the port up");
    let port = found.expect("the port").uuid("_uuid").expect("its identity");
    let mut remove = Transaction::new();
    let member = [includes("ports", set([&port]))];
    remove.mutate("Bridge", &member, ("ports", "delete", set([&port])));
    remove.mutate("Open_vSwitch", &[], ("next_cfg", "+=", json!(1)));
    let step = remove.select("Open_vSwitch", &[], &["next_cfg"]);
    let reply = client.transact(&remove).await.expect("remove the port");
    let number =
        |row: Option<Row>, column: &str| row.and_then(|row| row.integer(column).ok()).expect("a number");
    let wanted = number(reply.row(step).expect("a row"), "next_cfg");
    loop {
        let mut look = Transaction::new();
        let step = look.select("Open_vSwitch", &[], &["cur_cfg"]);
        let reply = client.transact(&look).await.expect("look");
        if number(reply.row(step).expect("a row"), "cur_cfg") >= wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
