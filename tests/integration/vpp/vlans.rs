//! VLANs: what is in one passes, what is in another does not.

use serde_json::{Value, json};
use userspace_tests::{Container, Flavour};

use super::{
    inner::Inner,
    support::OnVpp,
    traffic::{attached, reaches},
};

/// In the subnet of all, without an address of IPv6.
fn net(it: &OnVpp, bridge: Value) -> Value {
    let ranges = json!([[{"subnet": "10.20.0.0/24"}]]);
    it.net_with_addresses(json!({"ipam": {"ranges": ranges}, "host": {"bridge": bridge}}))
}

/// A container, its configuration, and what it got.
type End<'c> = (&'c Container, Value, Inner, Vec<String>);

fn ends<'c>(it: &OnVpp, all: &'c [Container; 3], patches: [Value; 3]) -> [End<'c>; 3] {
    let mut all = all.iter();
    patches.map(|patch| {
        let container = all.next().expect("three");
        let config = net(it, patch);
        let (inner, ips) = attached(it, container, &config);
        (container, config, inner, ips)
    })
}

fn three(it: &OnVpp) -> [Container; 3] {
    ["red", "blue", "green"].map(|id| it.host.container(id))
}

#[test]
fn containers_in_one_vlan_reach_each_other_and_no_other() {
    let Some(it) = OnVpp::with(&["host-local"], Flavour::Real) else { return };
    let containers = three(&it);
    let before = it.everything();
    let all =
        ends(&it, &containers, [json!({"vlanId": 100}), json!({"vlanId": 100}), json!({"vlanId": 200})]);
    let [(.., red, red_ips), (.., blue_ips), (.., green, green_ips)] = &all;
    reaches(red, blue_ips);
    assert!(!red.vpp.ping(&green_ips[0], ""), "from VLAN 100 into 200");
    assert!(!green.vpp.ping(&red_ips[0], ""), "from VLAN 200 into 100");
    for (container, config, ..) in &all {
        it.host.check(container, config).silent();
        it.host.del(container, config);
    }
    it.is_as(&before, "in the end");
}

#[test]
fn a_trunk_carries_its_vlans_alone() {
    let Some(it) = OnVpp::with(&["host-local"], Flavour::Real) else { return };
    let containers = three(&it);
    let before = it.everything();
    let all = ends(
        &it,
        &containers,
        [json!({"trunks": [200, 201]}), json!({"vlanId": 200}), json!({"vlanId": 300})],
    );
    let [(.., red, _), (.., blue_ips), (.., green_ips)] = &all;
    let interfaces = red.vpp.cli("show interface");
    let interface = interfaces.split_whitespace().find(|word| word.starts_with("memif")).expect("a memif");
    let tagged = |id: u16| {
        // The untagged address is of the same subnet, which VPP has once a table.
        red.vpp.cli(&format!("set interface ip address del {interface} all"));
        red.vpp.cli(&format!("create sub-interfaces {interface} {id}"));
        red.vpp.cli(&format!("set interface state {interface}.{id} up"));
        red.vpp.cli(&format!("set interface ip address {interface}.{id} 10.20.0.200/24"));
    };
    tagged(200);
    reaches(red, blue_ips);
    assert!(!red.vpp.ping(&green_ips[0], ""), "in VLAN 200 there is no VLAN 300");
    red.vpp.cli(&format!("delete sub-interface {interface}.200"));
    tagged(300);
    assert!(!red.vpp.ping(&green_ips[0], ""), "VLAN 300 is not on the trunk");
    for (container, config, ..) in &all {
        it.host.check(container, config).silent();
        it.host.del(container, config);
    }
    it.is_as(&before, "in the end");
}
