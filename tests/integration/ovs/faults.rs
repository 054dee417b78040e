//! A failure and a kill at every step of ADD and of DEL: neither the database nor the directories keep anything.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Container, Host, Memory, until, with};

use super::support::{Everything, Vswitch, port_name};
use crate::apps::is_listened_at;
use crate::steps::{Subject, every_step, killed_at, points};

const SOON: Duration = Duration::from_secs(5);
const NOBODY: &str = "cni.dev/valid-attachments";

/// A host with its vswitch, a container, a network, and everything before anything.
struct OnOvs {
    it: Vswitch,
    red: Container,
    config: Value,
    before: Everything,
}

impl OnOvs {
    fn new(needs: &[&str], memory: Memory, patch: Value) -> Option<Self> {
        let it = Vswitch::with(needs, memory)?;
        let red = it.host.container("red");
        let config = it.net(patch);
        let before = it.everything();
        Some(Self { it, red, config, before })
    }

    /// vhost-user with limits on both directions, on a bridge that is made for it.
    fn vhost_client() -> Option<Self> {
        let limits = json!({"ingressRate": 8_000_000, "egressRate": 4_000_000});
        Self::new(&["ovs-dpdk"], Memory::NoHuge, json!({"runtimeConfig": {"bandwidth": limits}}))
    }

    /// A pair of kernel interfaces with addresses and a limit, which takes a Queue too.
    fn veth() -> Option<Self> {
        let it = Vswitch::with(&["ovs-dpdk", "host-local"], Memory::NoDpdk)?;
        let red = it.host.container("red");
        let config = it.net(json!({
            "host": {"iftype": "veth"},
            "runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}},
            "ipam": {"type": "host-local", "dataDir": it.host.lease_dir(), "ranges": [[{"subnet": "10.20.0.0/24"}]]},
            "cniVersion": "1.0.0",
        }));
        let before = it.everything();
        Some(Self { it, red, config, before })
    }
}

impl Subject for OnOvs {
    fn host(&self) -> &Host {
        &self.it.host
    }

    fn container(&self) -> &Container {
        &self.red
    }

    fn config(&self) -> &Value {
        &self.config
    }

    fn is_clean(&self, when: &str) {
        self.it.is_as(&self.before, when);
    }

    fn settle(&self) {
        self.it.ovs.vsctl("set Open_vSwitch . external_ids:us-waits=true");
        self.it.ovs.vsctl("remove Open_vSwitch . external_ids us-waits");
        let port = port_name(&self.red);
        if self.it.ovs.vsctl(&format!("--bare --columns=name find Port name={port}")).is_empty() {
            // DPDK's thread holds a closed socket until its poll ends, which is within a second.
            let socket = self.it.shared(&self.red).join("red-eth0");
            until("nobody listens", SOON, || !is_listened_at(&socket));
        }
    }
}

#[test]
fn slow_a_vhost_user_client_with_limits_survives_a_fault_at_every_step() {
    let Some(subject) = OnOvs::vhost_client() else { return };
    every_step(&subject, [10, 12]);
}

#[test]
fn slow_a_vhost_user_server_survives_a_fault_at_every_step() {
    let server = json!({"host": {"vhost": {"mode": "server"}}});
    let Some(subject) = OnOvs::new(&["ovs-dpdk"], Memory::NoHuge, server) else { return };
    every_step(&subject, [12, 12]);
}

#[test]
fn slow_a_veth_on_ovs_survives_a_fault_at_every_step() {
    let Some(subject) = OnOvs::veth() else { return };
    every_step(&subject, [14, 10]);
}

#[test]
fn slow_a_memif_survives_a_fault_at_every_step() {
    let memif = json!({"host": {"iftype": "memif"}});
    let Some(subject) = OnOvs::new(&["ovs-dpdk", "hugepages"], Memory::Hugepages, memif) else { return };
    every_step(&subject, [10, 12]);
}

fn collect(subject: &OnOvs) {
    let config = with(subject.config.clone(), "cniVersion", json!("1.1.0"));
    // The real host-local is older than this version, and does without the list.
    let config = with(with(config, NOBODY, json!([])), "ipam", Value::Null);
    subject.it.host.call("GC", &config).run().silent();
}

/// A kill at every point of ADD, then GC, with the record and without.
fn gc_after_kills(subject: &OnOvs) {
    let [add, _] = points(subject);
    subject.is_clean("after ADD and DEL");
    // Before the first mark nothing but the record could tell GC that there was something.
    let marked = add.iter().position(|point| point == "after insert port").expect("a port is made");
    for (number, point) in add.iter().enumerate() {
        killed_at(subject, point);
        collect(subject);
        subject.is_clean(&format!("killed at {point:?}, then GC"));
        killed_at(subject, point);
        let _ = fs::remove_dir_all(subject.it.host.records());
        collect(subject);
        if number < marked {
            subject.it.host.del(&subject.red, &subject.config);
        }
        subject.is_clean(&format!("killed at {point:?}, the record lost, then GC"));
    }
}

#[test]
fn slow_gc_cleans_after_a_kill_as_del_does() {
    let Some(subject) = OnOvs::vhost_client() else { return };
    gc_after_kills(&subject);
}
