//! Packets between containers that have VPPs of their own, over the host's VPP. All of this needs the real one.

use std::time::Duration;

use serde_json::{Value, json};
use userspace_tests::{Container, Flavour, until};

use super::{inner::Inner, support::OnVpp};

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The addresses of a result, without their prefix lengths.
pub(crate) fn addresses(result: &Value) -> Vec<String> {
    let ips = result["ips"].as_array().expect("addresses").iter();
    ips.map(|ip| ip["address"].as_str().and_then(|ip| ip.split('/').next()).expect("an address").to_owned())
        .collect()
}

/// Waits until each of `targets` answers.
pub(crate) fn reaches(from: &Inner, targets: &[String]) {
    for target in targets {
        until(&format!("{} reaches {target}", from.container.id), LIMIT, || from.vpp.ping(target, ""));
    }
}

/// Attaches a container with a VPP of its own; with its addresses.
pub(crate) fn attached(it: &OnVpp, container: &Container, config: &Value) -> (Inner, Vec<String>) {
    let result = it.host.add(container, config);
    let inner = Inner::start(it, container, Flavour::Real);
    inner.app.once();
    (inner, addresses(&result))
}

/// Two containers with VPPs of their own reach each other over both families.
pub(super) fn two_meet(patch: Value) {
    let Some(it) = OnVpp::with(&["host-local"], Flavour::Real) else { return };
    let config = it.net_with_addresses(patch);
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let [(red, red_ips), (blue, blue_ips)] = containers.each_ref().map(|one| attached(&it, one, &config));
    reaches(&red, &blue_ips);
    reaches(&blue, &red_ips);
    for one in &containers {
        it.host.check(one, &config).silent();
        it.host.del(one, &config);
    }
    it.is_as(&before, "in the end");
}

#[test]
fn containers_with_a_vpp_meet_in_a_bridge_domain() {
    two_meet(json!({}));
}

#[test]
fn containers_with_a_vpp_meet_in_a_numbered_bridge_domain() {
    two_meet(json!({"host": {"bridge": {"bridgeName": "4711"}}}));
}

#[test]
fn containers_with_a_vpp_meet_with_the_roles_turned() {
    two_meet(json!({"host": {"memif": {"role": "slave"}}}));
}

#[test]
fn containers_with_a_vpp_meet_routed() {
    two_meet(json!({"host": {"netType": "interface", "bridge": null}}));
}

#[test]
fn containers_with_a_vpp_meet_routed_in_a_table_of_their_own() {
    two_meet(json!({"host": {"netType": "interface", "bridge": null, "vrf": 7}}));
}

#[test]
fn containers_with_a_vpp_meet_routed_by_packets_without_ethernet() {
    two_meet(json!({"host": {"netType": "interface", "bridge": null, "memif": {"mode": "ip"}}}));
}
