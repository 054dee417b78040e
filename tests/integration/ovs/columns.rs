//! What ADD writes for vswitchd and for other tools, as ovs-vsctl reads it: the MTU, retries, OVN's names, ovs-cni's names.

use serde_json::{Value, json};
use userspace_tests::{Container, Memory};

use super::support::{Vswitch, port_name};

/// Attaches, compares columns of the port's Interface row, and detaches.
fn rows(patch: Value, expected: &[(&str, &str)]) {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = it.net(patch);
    let before = it.everything();
    it.host.add(&red, &config);
    for (column, value) in expected {
        assert_eq!(interface(&it, &red, column), *value, "{column}");
    }
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

fn interface(it: &Vswitch, container: &Container, column: &str) -> String {
    it.ovs.vsctl(&format!("--if-exists get Interface {} {column}", port_name(container)))
}

#[test]
fn an_mtu_and_retries_are_requested() {
    rows(
        json!({"host": {"mtu": 9000, "vhost": {"txRetriesMax": 3}}}),
        &[("mtu_request", "9000"), ("options:tx-retries-max", "\"3\""), ("type", "dpdkvhostuserclient")],
    );
}

#[test]
fn what_is_not_asked_for_is_left_to_vswitchd() {
    rows(
        json!({}),
        &[("mtu_request", "[]"), ("options:tx-retries-max", ""), ("external_ids", "{}"), ("lldp", "{}")],
    );
}

/// Checks what OVN binds by, for a call that has `args` in its environment and a configuration with `patch`.
fn ovn(it: &Vswitch, red: &Container, (iftype, patch, args): (&str, Value, &str)) {
    let half = json!({"iftype": iftype, "bridge": null});
    let config = it.net(userspace_tests::merged(json!({"host": half}), patch));
    let call = |verb: &str| it.host.call(verb, &config).of(red).env("CNI_ARGS", args);
    call("ADD").fails(100, &["br-int", "ovn-controller"]);
    it.ovs.vsctl("add-br br-int -- set Bridge br-int datapath_type=netdev");
    let before = it.everything();
    let result = call("ADD").run().result();
    let interfaces = result["interfaces"].as_array().expect("interfaces");
    let theirs = interfaces.iter().find(|one| one["sandbox"] == red.path().as_str());
    let mac = theirs.and_then(|one| one["mac"].as_str()).expect("the container's interface");
    assert_eq!(interface(it, red, "external_ids:iface-id"), "pod-1");
    assert_eq!(interface(it, red, "external_ids:attached-mac").trim_matches('"'), mac);
    assert_eq!(it.ovs.vsctl(&format!("port-to-br {}", port_name(red))), "br-int");
    call("CHECK").run().silent();
    call("DEL").run().silent();
    it.is_as(&before, "in the end: the bridge is not ours");
    it.ovs.vsctl("del-br br-int");
}

#[test]
fn a_port_of_ovn_is_on_its_bridge_with_its_name() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let before = it.everything();
    for iftype in ["vhostuser", "veth"] {
        ovn(&it, &red, (iftype, json!({"args": {"cni": {"OvnPort": "pod-1"}}}), ""));
        ovn(&it, &red, (iftype, json!({}), "OvnPort=pod-1"));
    }
    it.is_as(&before, "in the end");
}

#[test]
fn the_names_that_ovs_cni_gives_are_there_but_its_owner() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let uid = "6e6a2f0e-2f0c-4c4c-8a6a-0d6d1b0f3c11";
    let args = format!("IgnoreUnknown=1;K8S_POD_NAME=red;K8S_POD_UID={uid}");
    let before = it.everything();
    for iftype in ["vhostuser", "veth"] {
        let config = it.net(json!({"host": {"iftype": iftype}}));
        it.host.call("ADD", &config).of(&red).env("CNI_ARGS", &args).run().result();
        let get = |key: &str| {
            let text = it.ovs.vsctl(&format!("--if-exists get Port {} external_ids:{key}", port_name(&red)));
            text.trim_matches('"').to_owned()
        };
        let theirs = ["contIface", "contNetns", "contPodUid", "owner"].map(get);
        assert_eq!(theirs, ["eth0", &red.path(), uid, ""], "{iftype}");
        assert_eq!(get("userspace-kind"), "port");
        it.host.del(&red, &config);
    }
    it.is_as(&before, "in the end");
}
