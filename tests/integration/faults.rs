//! A failure and a kill at every step of ADD and of DEL on the kernel's engine: what comes after is clean.

use std::fs;

use serde_json::{Value, json};
use userspace_tests::{Container, Host, World, assert_same, plugin, plugin_with_failpoints};

use crate::steps::{self, Subject};

const SWITCH: &str = "USERSPACE_FAILPOINT";

/// A host, a container on it, a network, and the world before anything.
struct OnLinux {
    host: Host,
    red: Container,
    config: Value,
    before: World,
}

impl OnLinux {
    fn new(needs: &[&str], half: Value) -> Option<Self> {
        let host = Host::new(needs)?;
        host.netns().ip("link add up0 type veth peer name up1");
        let red = host.container("red");
        let routes = json!([{"dst": "192.0.2.0/24"}]);
        let config = host.net(json!({"host": half, "ipam": {"routes": routes}}));
        let before = host.world();
        Some(Self { host, red, config, before })
    }
}

impl Subject for OnLinux {
    fn host(&self) -> &Host {
        &self.host
    }

    fn container(&self) -> &Container {
        &self.red
    }

    fn config(&self) -> &Value {
        &self.config
    }

    fn is_clean(&self, when: &str) {
        assert_same(&self.before, &self.host.world(), when);
    }
}

fn every_step(needs: &[&str], half: Value, at_least: [usize; 2]) {
    if let Some(subject) = OnLinux::new(needs, half) {
        steps::every_step(&subject, at_least);
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
