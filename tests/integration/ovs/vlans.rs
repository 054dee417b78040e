//! VLANs: what is in one passes, what is in another does not.

use serde_json::{Value, json};
use userspace_tests::{Container, Memory, Testpmd};

use super::{
    apps::{BLUE, PACKETS, RED, attached, count, hear, meet, settle},
    support::{Vswitch, port_name},
};

const GREEN: &str = "02:00:00:00:00:03";
const GREY: &str = "02:00:00:00:00:04";
/// Nobody's: what is sent there goes to every port that may have it.
const UNKNOWN: &str = "02:00:00:00:00:99";

#[test]
fn applications_in_one_vlan_reach_each_other_and_no_other() {
    let Some(it) = Vswitch::new(Memory::NoHuge) else { return };
    let configs = [100, 200].map(|id| it.net(json!({"host": {"bridge": {"vlanId": id}}})));
    let [red, blue, green, grey] = ["red", "blue", "green", "grey"].map(|id| it.host.container(id));
    let before = it.everything();
    let pair = |ends: [(&Container, &str); 2], config: &Value| -> [Testpmd; 2] {
        let [(first, mac), (second, peer)] = ends;
        [attached(&it, first, config, [mac, peer]), attached(&it, second, config, [peer, mac])]
    };
    let mut in_100 = pair([(&red, RED), (&blue, BLUE)], &configs[0]);
    let mut in_200 = pair([(&green, GREEN), (&grey, GREY)], &configs[1]);
    // All four ports work.
    meet(&mut in_100);
    meet(&mut in_200);
    in_200.iter_mut().for_each(Testpmd::start);
    let [first, second] = &mut in_100;
    first.command(&format!("set eth-peer 0 {UNKNOWN}"));
    assert_eq!(count(first, second), PACKETS, "in the VLAN");
    assert_eq!(in_200.each_mut().map(Testpmd::received), [0, 0], "in the other");
    drop((in_100, in_200));
    for (one, config) in [(&red, 0), (&blue, 0), (&green, 1), (&grey, 1)] {
        it.host.del(one, &configs[config]);
    }
    it.is_as(&before, "in the end");
}

/// `tag`, `trunks` and `vlan_mode` of the container's port.
fn columns(it: &Vswitch, container: &Container) -> String {
    let text = it.ovs.vsctl(&format!("get Port {} tag trunks vlan_mode", port_name(container)));
    text.lines().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_ports_columns_say_how_it_treats_tags() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let before = it.everything();
    for (conf, expected) in [
        (json!({}), "[] [] []"),
        (json!({"vlanId": 0}), "[] [] []"),
        (json!({"vlanId": 100}), "100 [] []"),
        (json!({"trunks": [200, 100]}), "[] [100, 200] []"),
        (json!({"vlanId": 100, "vlanMode": "access"}), "100 [] access"),
        (json!({"trunks": [100], "vlanMode": "trunk"}), "[] [100] trunk"),
        (json!({"vlanId": 100, "trunks": [200], "vlanMode": "native-untagged"}), "100 [200] native-untagged"),
        (json!({"vlanId": 100, "trunks": [200], "vlanMode": "native-tagged"}), "100 [200] native-tagged"),
        (json!({"vlanId": 100, "vlanMode": "dot1q-tunnel"}), "100 [] dot1q-tunnel"),
    ] {
        for iftype in ["vhostuser", "veth"] {
            let config = it.net(json!({"host": {"iftype": iftype, "bridge": conf}}));
            it.host.add(&red, &config);
            assert_eq!(columns(&it, &red), expected, "{iftype}, {conf}");
            it.host.check(&red, &config).silent();
            it.host.del(&red, &config);
        }
    }
    it.is_as(&before, "in the end");
}

/// Gives the bridge a broadcast with that tag, as if the port had received it: testpmd cannot make virtio_user tag what it sends.
fn inject(it: &Vswitch, ofport: &str, tag: u16) {
    let packet = format!("ffffffffffff0200000000998100{tag:04x}0800{}", "00".repeat(46));
    it.ovs.ofctl("packet-out", "blue0", &format!("in_port={ofport},packet={packet},actions=NORMAL"));
}

#[test]
fn a_trunk_carries_its_vlans_alone() {
    let Some(it) = Vswitch::new(Memory::NoHuge) else { return };
    let bridges = [json!({"trunks": [200]}), json!({"vlanId": 200}), json!({"vlanId": 300})];
    let configs = bridges.map(|bridge| it.net(json!({"host": {"bridge": bridge}})));
    let containers = ["trunk", "green", "grey"].map(|id| it.host.container(id));
    let before = it.everything();
    let launch = |i: usize, mac: &str| attached(&it, &containers[i], &configs[i], [mac, UNKNOWN]);
    let [mut trunk, mut in_200, mut in_300] = [launch(0, RED), launch(1, GREEN), launch(2, GREY)];
    let port = port_name(&containers[0]);
    // With the other VLAN on the trunk all paths work: what does not later is the trunk's doing.
    it.ovs.vsctl(&format!("set Port {port} trunks=200,300"));
    hear(&mut in_200, &mut trunk);
    hear(&mut in_300, &mut trunk);
    in_200.start();
    in_300.start();
    let ofport = it.ovs.vsctl(&format!("get Interface {port} ofport"));
    let mut injected = |tag: u16| {
        let before = [in_200.received(), in_300.received()];
        inject(&it, &ofport, tag);
        [settle(&mut in_200) - before[0], settle(&mut in_300) - before[1]]
    };
    assert_eq!([injected(200), injected(300)], [[1, 0], [0, 1]], "into both VLANs");
    it.ovs.vsctl(&format!("set Port {port} trunks=200"));
    assert_eq!([injected(200), injected(300), injected(0)], [[1, 0], [0, 0], [0, 0]], "into one alone");
    in_200.stop();
    in_300.stop();
    assert_eq!(count(&mut in_200, &mut trunk), PACKETS, "from the VLAN");
    assert_eq!(count(&mut in_300, &mut trunk), 0, "from the other");
    drop((trunk, in_200, in_300));
    for (one, config) in containers.iter().zip(&configs) {
        it.host.del(one, config);
    }
    it.is_as(&before, "in the end");
}
