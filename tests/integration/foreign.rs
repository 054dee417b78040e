//! Nothing that is not ours is changed: a bridge, an interface of our name on the host or in the container, an attachment that stands.

use serde_json::{Value, json};
use userspace_tests::{Host, assert_same};

fn port(result: &Value) -> String {
    result["interfaces"][0]["name"].as_str().expect("the host's interface").to_owned()
}

#[test]
fn a_foreign_bridge_is_used_and_stays_when_it_is_empty() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({"host": {"mtu": 1400}}));
    host.netns().ip("link add blue0 address 02:00:00:00:00:01 type bridge");
    host.netns().ip("link set blue0 mtu 1450");
    host.netns().ip("address add 10.20.0.1/24 dev blue0");
    for state in ["up", "down"] {
        host.netns().ip(&format!("link set blue0 {state}"));
        let before = host.world();
        let result = host.add(&red, &config);
        let link = host.netns().link(&port(&result)).expect("the port");
        assert_eq!(link["master"], "blue0");
        host.del(&red, &config);
        assert_same(&before, &host.world(), state);
    }
}

#[test]
fn a_foreign_member_keeps_our_bridge() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    host.add(&red, &config);
    host.netns().ip("link add theirs0 type veth peer name theirs1");
    host.netns().ip("link set theirs0 master blue0");
    host.del(&red, &config);
    let link = host.netns().link("theirs0").expect("their interface");
    assert_eq!(link["master"], "blue0");
}

#[test]
fn a_bridge_name_that_is_no_bridge_is_refused() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    host.netns().ip("link add blue0 type veth peer name blue1");
    let before = host.world();
    host.call("ADD", &host.net(json!({}))).of(&red).fails(100, &["blue0"]);
    assert_same(&before, &host.world(), "after the failure");
    host.del(&red, &host.net(json!({})));
    assert_same(&before, &host.world(), "after DEL");
}

#[test]
fn a_foreign_interface_of_our_derived_name_stays() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let name = port(&host.add(&red, &config));
    host.del(&red, &config);
    for kind in ["veth peer name peer0", "bridge"] {
        host.netns().ip(&format!("link add {name} type {kind}"));
        host.netns().ip(&format!("link set {name} alias somebody-elses"));
        let before = host.world();
        host.call("ADD", &config).of(&red).fails(100, &[&name]);
        assert_same(&before, &host.world(), "after the failure");
        host.del(&red, &config);
        assert_same(&before, &host.world(), "after DEL");
        host.netns().ip(&format!("link delete {name}"));
    }
}

// Without any mark such a pair is what a killed ADD leaves: DEL takes it, but ADD does not touch it.
#[test]
fn an_unmarked_pair_of_our_derived_name_is_not_taken_over() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let name = port(&host.add(&red, &config));
    host.del(&red, &config);
    host.netns().ip(&format!("link add {name} type veth peer name peer0"));
    let before = host.world();
    host.call("ADD", &config).of(&red).fails(100, &["red"]);
    assert_same(&before, &host.world(), "after the failure");
}

// 31
#[test]
fn an_interface_of_that_name_in_the_container_stays() {
    let Some(host) = Host::new(&["host-local", "macvlan", "tun"]) else { return };
    let red = host.container("red");
    host.netns().ip("link add up0 type veth peer name up1");
    red.netns.ip("link add eth0 type veth peer name eth9");
    red.netns.ip("address add 10.20.0.2/24 dev eth0");
    let before = host.world();
    for half in [
        json!({}),
        json!({"netType": "interface", "bridge": null}),
        json!({"iftype": "tap", "netType": "none", "bridge": null}),
        json!({"iftype": "macvlan", "netType": "none", "macvlan": {"master": "up0"}}),
    ] {
        let config = host.net(json!({"host": half}));
        host.call("ADD", &config).of(&red).fails(100, &["eth0"]);
        assert_same(&before, &host.world(), "after the failure");
        host.del(&red, &config);
        assert_same(&before, &host.world(), "after DEL");
    }
}

// 31
#[test]
fn a_second_add_is_refused_and_leaves_the_first_alone() {
    let Some(host) = Host::new(&["host-local", "macvlan", "tun"]) else { return };
    host.netns().ip("link add up0 type veth peer name up1");
    let [red, other] = ["red", "other"].map(|id| host.container(id));
    for half in [
        json!({}),
        json!({"netType": "interface", "bridge": null}),
        json!({"iftype": "tap", "netType": "none", "bridge": null}),
        json!({"iftype": "macvlan", "netType": "none", "macvlan": {"master": "up0"}}),
    ] {
        let config = host.net(json!({"host": half}));
        host.add(&red, &config);
        let attached = host.world();
        let again = host.call("ADD", &config).of(&red);
        again.fails(100, &["attached already", "red"]);
        again.clone().env("CNI_NETNS", &other.path()).fails(100, &["attached already"]);
        std::fs::remove_dir_all(host.records()).expect("remove the records");
        again.fails(100, &["red"]);
        let without_record = host.world();
        assert_eq!(without_record.lines("link"), attached.lines("link"));
        assert_eq!(without_record.lines("address"), attached.lines("address"));
        assert_eq!(without_record.lines("leases"), attached.lines("leases"));
        host.del(&red, &config);
    }
}

// 50
#[test]
fn an_interface_that_took_over_our_name_and_index_is_not_deleted() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let name = port(&host.add(&red, &config));
    let index = host.netns().link(&name).expect("the port")["ifindex"].clone();
    host.netns().ip(&format!("link delete {name}"));
    host.netns().ip(&format!("link add {name} index {index} type veth peer name peer0"));
    host.netns().ip(&format!("link set {name} alias somebody-elses"));
    red.netns.ip("link add eth0 type veth peer name eth9");
    host.del(&red, &config);
    let left = host.netns().link(&name).expect("the foreign interface");
    assert_eq!((&left["ifindex"], &left["ifalias"]), (&index, &json!("somebody-elses")));
    assert!(red.netns.link("eth0").is_some(), "the container's foreign interface");
    assert_eq!(host.world().lines("file"), [""; 0], "leases and records are gone");
}
