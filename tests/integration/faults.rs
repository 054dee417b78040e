//! A failure and a kill at every step of ADD and of DEL: what comes after is clean. The steps are learned from the binary with
//! failpoints, which writes each that it passes to a file.

use std::fs;

use serde_json::{Value, json};
use userspace_tests::{Container, Host, World, assert_same, plugin, plugin_with_failpoints};

const SWITCH: &str = "USERSPACE_FAILPOINT";

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Fail,
    Kill,
    /// And then the records are lost too: only the marks are left to go by.
    KillAndLoseState,
}

impl Fault {
    fn action(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Kill | Self::KillAndLoseState => "kill",
        }
    }
}

/// A host, a container on it, a network, and the world before anything.
struct Subject {
    host: Host,
    red: Container,
    config: Value,
    before: World,
}

impl Subject {
    fn new(needs: &[&str], half: Value) -> Option<Self> {
        let host = Host::new(needs)?;
        host.netns().ip("link add up0 type veth peer name up1");
        let red = host.container("red");
        let routes = json!([{"dst": "192.0.2.0/24"}]);
        let config = host.net(json!({"host": half, "ipam": {"routes": routes}}));
        let before = host.world();
        Some(Self { host, red, config, before })
    }

    fn is_clean(&self, when: &str) {
        assert_same(&self.before, &self.host.world(), when);
    }

    /// The points that ADD and DEL pass, each once, in their order.
    fn points(&self) -> [Vec<String>; 2] {
        ["ADD", "DEL"].map(|command| {
            let file = self.host.path(command);
            let output = self.host.call(command, &self.config).of(&self.red).trace(&file).run();
            output.finished.success(command);
            let mut points = Vec::new();
            for line in fs::read_to_string(&file).expect("the trace").lines() {
                if !points.iter().any(|point| point == line) {
                    points.push(line.to_owned());
                }
            }
            points
        })
    }

    /// 37, 38, 62: what failed has been undone, what was killed DEL cleans.
    fn add_at(&self, point: &str, fault: Fault) {
        let when = format!("ADD, {fault:?} at {point:?}");
        let output = self.host.call("ADD", &self.config).of(&self.red).fault(point, fault.action()).run();
        if fault == Fault::Fail {
            let (_, text) = output.failure();
            assert!(text.contains(point) && !text.contains("left for DEL"), "{when}: {text}");
            self.is_clean(&when);
        } else {
            assert_eq!(output.finished.code, None, "{when}: {output:?}");
        }
        if fault == Fault::KillAndLoseState {
            let _ = fs::remove_dir_all(self.host.state_dir());
        }
        self.host.del(&self.red, &self.config);
        self.is_clean(&format!("{when}, then DEL"));
    }

    /// 48, 62: DEL comes again and does the rest.
    fn del_at(&self, point: &str, fault: Fault) {
        let when = format!("DEL, {fault:?} at {point:?}");
        self.host.add(&self.red, &self.config);
        let output = self.host.call("DEL", &self.config).of(&self.red).fault(point, fault.action()).run();
        if fault == Fault::Fail {
            assert!(output.failure().1.contains(point), "{when}");
        } else {
            assert_eq!(output.finished.code, None, "{when}: {output:?}");
        }
        if fault == Fault::KillAndLoseState {
            let _ = fs::remove_dir_all(self.host.state_dir());
        }
        self.host.del(&self.red, &self.config);
        self.is_clean(&format!("{when}, then DEL"));
    }
}

fn every_step(needs: &[&str], half: Value, at_least: [usize; 2]) {
    let Some(subject) = Subject::new(needs, half) else { return };
    let [add, del] = subject.points();
    subject.is_clean("after ADD and DEL");
    assert!(add.len() >= at_least[0] && del.len() >= at_least[1], "points are missing: {add:?}, {del:?}");
    for fault in [Fault::Fail, Fault::Kill, Fault::KillAndLoseState] {
        for point in &add {
            subject.add_at(point, fault);
        }
        for point in &del {
            subject.del_at(point, fault);
        }
    }
}

#[test]
fn a_veth_on_a_bridge_survives_a_fault_at_every_step() {
    every_step(&["host-local"], json!({}), [20, 10]);
}

#[test]
fn a_routed_veth_survives_a_fault_at_every_step() {
    every_step(&["host-local"], json!({"netType": "interface", "bridge": null}), [16, 8]);
}

#[test]
fn a_macvlan_survives_a_fault_at_every_step() {
    let half = json!({"iftype": "macvlan", "netType": "none", "bridge": null, "macvlan": {"master": "up0"}});
    every_step(&["host-local", "macvlan"], half, [14, 8]);
}

#[test]
fn a_tap_survives_a_fault_at_every_step() {
    every_step(&["host-local", "tun"], json!({"iftype": "tap", "netType": "none", "bridge": null}), [14, 8]);
}

// 62: a kill leaves what GC finds too, when DEL never comes.
#[test]
fn gc_cleans_after_a_kill_as_del_does() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net_latest(json!({"cni.dev/valid-attachments": []}));
    let before = host.world();
    for point in [
        "after record",
        "after create veth",
        "after mark veth",
        "after join bridge",
        "after IPAM",
        "after container addresses",
    ] {
        let output = host.call("ADD", &config).of(&red).fault(point, "kill").run();
        assert_eq!(output.finished.code, None, "{point}: {output:?}");
        host.call("GC", &config).run().silent();
        assert_same(&before, &host.world(), point);
    }
}

#[test]
fn the_binary_for_use_has_no_failpoints() {
    if !userspace_tests::all_there(&[]) {
        return;
    }
    let has_switch = |path| {
        let bytes = fs::read(path).expect("read the binary");
        bytes.windows(SWITCH.len()).any(|window| window == SWITCH.as_bytes())
    };
    assert!(has_switch(plugin_with_failpoints()), "or this test looks for the wrong thing");
    assert!(!has_switch(plugin()));
}
