//! A failure and a kill at every step of ADD and of DEL: neither VPP nor the directories keep anything.

use std::fs;

use serde_json::{Value, json};
use userspace_tests::{Container, Flavour, Host, with};

use super::support::{Everything, OnVpp};
use crate::steps::{Subject, every_step, killed_at, points};

const NOBODY: &str = "cni.dev/valid-attachments";

/// A host with its VPP, a container, a network, and everything before anything.
struct Attached {
    it: OnVpp,
    red: Container,
    config: Value,
    before: Everything,
}

impl Attached {
    fn new(it: OnVpp, config: Value) -> Self {
        let red = it.host.container("red");
        let before = it.everything();
        Self { it, red, config, before }
    }

    /// With limits and without IPAM, on a domain that is made for it.
    fn limited(flavour: Flavour, patch: Value) -> Option<Self> {
        let it = OnVpp::new(flavour)?;
        let config = it.net(userspace_tests::merged(it.limits(), patch));
        Some(Self::new(it, config))
    }

    fn with_addresses(flavour: Flavour, patch: Value) -> Option<Self> {
        let it = OnVpp::with(&["host-local"], flavour)?;
        let config = it.net_with_addresses(patch);
        Some(Self::new(it, config))
    }
}

impl Subject for Attached {
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
}

fn slow_a_memif_with_limits_survives_a_fault_at_every_step(flavour: Flavour) {
    let Some(subject) = Attached::limited(flavour, json!({})) else { return };
    every_step(&subject, [14, 14]);
}

fn slow_a_memif_on_an_abstract_socket_survives_a_fault_at_every_step(flavour: Flavour) {
    let named = json!({"host": {"memif": {"socketType": "abstract"}}});
    let Some(subject) = Attached::limited(flavour, named) else { return };
    every_step(&subject, [14, 14]);
}

fn slow_a_trunk_survives_a_fault_at_every_step(flavour: Flavour) {
    let trunk = json!({"host": {"bridge": {"vlanId": 7, "trunks": [8, 9]}}});
    let Some(subject) = Attached::limited(flavour, trunk) else { return };
    every_step(&subject, [18, 14]);
}

fn slow_a_vhost_user_server_survives_a_fault_at_every_step(flavour: Flavour) {
    let vhost = json!({"host": {"iftype": "vhostuser", "bridge": {"bridgeName": "7"}}});
    let Some(subject) = Attached::limited(flavour, vhost) else { return };
    every_step(&subject, [16, 12]);
}

fn slow_a_routed_memif_survives_a_fault_at_every_step(flavour: Flavour) {
    let routed = json!({"host": {"netType": "interface", "bridge": null, "vrf": 7}});
    let Some(subject) = Attached::with_addresses(flavour, routed) else { return };
    every_step(&subject, [18, 14]);
}

fn slow_a_veth_survives_a_fault_at_every_step(flavour: Flavour) {
    let veth = json!({"host": {"iftype": "veth"}});
    let Some(subject) = Attached::with_addresses(flavour, veth) else { return };
    every_step(&subject, [20, 10]);
}

/// A kill at every point of ADD, then GC, with the record and without.
fn slow_gc_cleans_after_a_kill_as_del_does(flavour: Flavour) {
    let Some(subject) = Attached::limited(flavour, json!({})) else { return };
    let collect = || {
        let config = with(subject.config.clone(), NOBODY, json!([]));
        subject.it.host.call("GC", &config).run().silent();
    };
    let before = subject.it.vpp.dump();
    let [add, _] = points(&subject);
    subject.is_clean("after ADD and DEL");
    // Before the mark nothing but the record could tell GC that there was something: it is set last.
    let marked = add.iter().position(|point| point == "after up and mark").expect("an interface is marked");
    for (number, point) in add.iter().enumerate() {
        killed_at(&subject, point);
        collect();
        subject.is_clean(&format!("killed at {point:?}, then GC"));
        killed_at(&subject, point);
        let _ = fs::remove_dir_all(subject.it.host.records());
        collect();
        if number >= marked {
            // VPP's tags have no room for the ids by which GC would find the container's directory. DEL does.
            assert_eq!(subject.it.vpp.dump(), before, "killed at {point:?}, the record lost, then GC");
        }
        subject.it.host.del(&subject.red, &subject.config);
        subject.is_clean(&format!("killed at {point:?}, the record lost, then GC"));
    }
}

on_both!(
    slow_a_memif_on_an_abstract_socket_survives_a_fault_at_every_step,
    slow_a_memif_with_limits_survives_a_fault_at_every_step,
    slow_a_trunk_survives_a_fault_at_every_step,
    slow_a_vhost_user_server_survives_a_fault_at_every_step,
    slow_a_routed_memif_survives_a_fault_at_every_step,
    slow_a_veth_survives_a_fault_at_every_step,
    slow_gc_cleans_after_a_kill_as_del_does,
);
