//! CHECK: what somebody changed in the database or in the directories is named, and is fine again when it is put back.

use std::fs;

use serde_json::{Value, json};
use userspace_tests::{Container, Memory};

use super::support::{Vswitch, port_name};

/// What is done to an attachment by `ovs-vsctl`, and how it is undone; `{port}` stands for the port's name, `{qos}` for its QoS.
struct Harm {
    harm: &'static str,
    cure: &'static str,
    /// What CHECK must name.
    words: &'static [&'static str],
}

const fn harm(harm: &'static str, cure: &'static str, words: &'static [&'static str]) -> Harm {
    Harm { harm, cure, words }
}

impl Harm {
    fn is_found(&self, it: &Vswitch, red: &Container, config: &Value) {
        let port = port_name(red);
        let qos = it.ovs.vsctl(&format!("get Port {port} qos"));
        let fill = |words: &str| words.replace("{port}", &port).replace("{qos}", &qos);
        it.ovs.vsctl(&fill(self.harm));
        it.host.call("CHECK", config).of(red).fails(103, self.words);
        it.ovs.vsctl(&fill(self.cure));
        it.host.check(red, config).silent();
    }
}

const ON_VHOST_USER: [Harm; 11] = [
    harm("set Port {port} tag=8", "set Port {port} tag=7", &["7", "8"]),
    harm("set Port {port} trunks=5", "clear Port {port} trunks", &["5"]),
    harm("set Port {port} vlan_mode=trunk", "clear Port {port} vlan_mode", &["Trunk"]),
    harm(
        "set Interface {port} mtu_request=1300",
        "set Interface {port} mtu_request=1400",
        &["mtu_request", "1300", "1400"],
    ),
    harm(
        "set Interface {port} ingress_policing_rate=1",
        "set Interface {port} ingress_policing_rate=4000",
        &["ingress_policing", "1 kbit/s", "4000 kbit/s"],
    ),
    harm(
        "set Interface {port} ingress_policing_burst=9",
        "set Interface {port} ingress_policing_burst=400",
        &["ingress_policing", "9 kbit", "400 kbit"],
    ),
    harm(
        "set Interface {port} options:tx-retries-max=1",
        "set Interface {port} options:tx-retries-max=4",
        &["options:tx-retries-max", "1", "4"],
    ),
    harm(
        "remove Interface {port} options tx-retries-max",
        "set Interface {port} options:tx-retries-max=4",
        &["options:tx-retries-max", "unset"],
    ),
    harm(
        "set Interface {port} external_ids:attached-mac=02:00:00:00:00:99",
        "set Interface {port} external_ids:attached-mac=02:00:00:00:00:07",
        &["attached-mac", "02:00:00:00:00:99", "02:00:00:00:00:07"],
    ),
    harm(
        "set QoS {qos} other_config:cir=1",
        "set QoS {qos} other_config:cir=1000000",
        &["QoS", "cir", "1000000"],
    ),
    harm(
        "remove Interface {port} external_ids iface-id",
        "set Interface {port} external_ids:iface-id=ovn-red",
        &["iface-id", "ovn-red", "unset"],
    ),
];

fn limited(it: &Vswitch) -> Value {
    let rate = json!({"ingressRate": 8_000_000, "egressRate": 4_000_000, "egressBurst": 400_000});
    it.net(json!({
        "host": {"mtu": 1400, "mac": "02:00:00:00:00:07", "bridge": {"vlanId": 7}, "vhost": {"txRetriesMax": 4}},
        "runtimeConfig": {"bandwidth": rate},
        "args": {"cni": {"OvnPort": "ovn-red"}},
    }))
}

#[test]
fn what_was_changed_in_the_database_is_named() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = limited(&it);
    // Ports of OVN join a bridge that is there.
    it.ovs.vsctl("add-br blue0 -- set Bridge blue0 datapath_type=netdev");
    let before = it.everything();
    it.host.add(&red, &config);
    let made = it.everything();
    it.host.check(&red, &config).silent();
    for harm in &ON_VHOST_USER {
        harm.is_found(&it, &red, &config);
    }
    it.is_as(&made, "CHECK changes nothing");
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn a_port_that_went_to_another_bridge_or_lost_its_limits_is_named() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({"runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}}));
    it.ovs.vsctl("add-br other0 -- set Bridge other0 datapath_type=netdev");
    let before = it.everything();
    it.host.add(&red, &config);
    let port = port_name(&red);
    let [uuid, qos] = ["_uuid", "qos"].map(|column| it.ovs.vsctl(&format!("get Port {port} {column}")));
    let moved = |from: &str, to: &str| {
        it.ovs.vsctl(&format!("remove Bridge {from} ports {uuid} -- add Bridge {to} ports {uuid}"));
    };
    let fails = |words: &[&str]| it.host.call("CHECK", &config).of(&red).fails(103, words);
    moved("blue0", "other0");
    fails(&["blue0", "other0"]);
    moved("other0", "blue0");
    it.host.check(&red, &config).silent();
    it.ovs.vsctl(&format!("clear Port {port} qos"));
    fails(&["the QoS", "egress-policer", "gone"]);
    it.ovs.vsctl(&format!("set Port {port} qos={qos}"));
    it.host.check(&red, &config).silent();
    it.ovs.vsctl(&format!("del-port {port}"));
    fails(&["gone"]);
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn another_type_path_or_datapath_is_named() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({}));
    let before = it.everything();
    let result = it.host.add(&red, &config);
    let path = result["interfaces"][0]["socketPath"].as_str().expect("a path");
    let other = "set Bridge blue0 datapath_type=system";
    let words = &["datapath_type", "system", "netdev"];
    harm(other, "set Bridge blue0 datapath_type=netdev", words).is_found(&it, &red, &config);
    let port = port_name(&red);
    for (harm, cure, words) in [
        ("type=internal".to_owned(), "type=dpdkvhostuserclient".to_owned(), ["type", "internal"]),
        // There is no such type: no number.
        ("type=nonsense".to_owned(), "type=dpdkvhostuserclient".to_owned(), ["ofport", "-1"]),
        (
            "options:vhost-server-path=/nowhere".to_owned(),
            format!("options:vhost-server-path={path}"),
            ["vhost-server-path", "/nowhere"],
        ),
    ] {
        it.ovs.try_vsctl(&format!("set Interface {port} {harm}"));
        it.host.call("CHECK", &config).of(&red).fails(103, &words);
        it.ovs.vsctl(&format!("set Interface {port} {cure}"));
        it.host.check(&red, &config).silent();
    }
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn a_link_or_a_half_that_was_removed_is_named() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({}));
    let before = it.everything();
    it.host.add(&red, &config);
    let link = fs::read_dir(it.root()).expect("the links").flatten().next().expect("a link").path();
    let halves = fs::read_dir(it.shared(&red)).expect("the directory").flatten();
    let half = halves.map(|file| file.path()).find(|path| path.extension().is_some_and(|end| end == "json"));
    let half = half.expect("a published half");
    for (path, word) in [(&link, "link"), (&half, "published half")] {
        let aside = it.host.path("aside");
        fs::rename(path, &aside).expect("take it away");
        it.host.call("CHECK", &config).of(&red).fails(103, &[word]);
        fs::rename(&aside, path).expect("put it back");
        it.host.check(&red, &config).silent();
    }
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn a_veths_limits_and_place_are_checked_too() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoDpdk) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({
        "host": {"iftype": "veth"},
        "runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}},
    }));
    let before = it.everything();
    it.host.add(&red, &config);
    for harm in [
        harm(
            "set QoS {qos} other_config:max-rate=1",
            "set QoS {qos} other_config:max-rate=8000000",
            &["max-rate"],
        ),
        harm(
            "set QoS {qos} type=linux-hfsc",
            "set QoS {qos} type=linux-htb",
            &["QoS", "linux-hfsc", "linux-htb"],
        ),
        harm("set Port {port} tag=8", "clear Port {port} tag", &["8"]),
    ] {
        harm.is_found(&it, &red, &config);
    }
    let port = port_name(&red);
    it.host.netns().ip(&format!("link set {port} down"));
    it.host.call("CHECK", &config).of(&red).fails(103, &["admin up"]);
    it.host.netns().ip(&format!("link set {port} up"));
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}
