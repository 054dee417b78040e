//! Kernel interfaces on VPP: to a container that has a VPP, and to each other by ping and by TCP.

use serde_json::{Value, json};
use userspace_tests::{Flavour, merged, ping, transfer, until};

use super::{
    support::OnVpp,
    traffic::{LIMIT, addresses, attached, reaches},
};

const NEEDS: [&str; 2] = ["host-local", "ping"];

fn veth(it: &OnVpp, patch: Value) -> Value {
    merged(it.net_with_addresses(json!({"host": {"iftype": "veth"}})), patch)
}

#[test]
fn a_kernel_container_and_one_with_a_vpp_reach_each_other() {
    let Some(it) = OnVpp::with(&NEEDS, Flavour::Real) else { return };
    let configs = [veth(&it, json!({})), it.net_with_addresses(json!({}))];
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let red_ips = addresses(&it.host.add(&red, &configs[0]));
    let (inner, blue_ips) = attached(&it, &blue, &configs[1]);
    for target in &blue_ips {
        until(&format!("ping {target}"), LIMIT, || ping(&red.netns, target));
    }
    reaches(&inner, &red_ips);
    for (one, config) in [&red, &blue].into_iter().zip(&configs) {
        it.host.check(one, config).silent();
        it.host.del(one, config);
    }
    it.is_as(&before, "in the end");
}

/// Two kernel containers, which also stream both ways over both families.
fn kernel_interfaces(patch: Value) {
    let Some(it) = OnVpp::with(&NEEDS, Flavour::Real) else { return };
    let config = veth(&it, patch);
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let ips = containers.each_ref().map(|one| addresses(&it.host.add(one, &config)));
    for (from, to) in [(0, 1), (1, 0)] {
        for address in &ips[to] {
            until(&format!("ping {address}"), LIMIT, || ping(&containers[from].netns, address));
            transfer(&containers[from].netns, &containers[to].netns, address, 2);
        }
    }
    for one in &containers {
        it.host.check(one, &config).silent();
        it.host.del(one, &config);
    }
    it.is_as(&before, "in the end");
}

#[test]
fn kernel_interfaces_reach_each_other_in_a_bridge_domain() {
    kernel_interfaces(json!({}));
}

#[test]
fn kernel_interfaces_reach_each_other_routed() {
    kernel_interfaces(json!({"host": {"netType": "interface", "bridge": null}}));
}
