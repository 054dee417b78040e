//! What the plugin makes of its standard input: what is no configuration is code 6, what cannot be is code 7 with the key and the
//! value, a version that is not served is code 1; and what others write into a configuration is passed over.

use serde_json::{Value, json};
use userspace_tests::{Host, assert_same, plugin_with_linux_alone, with};

// 9
#[test]
fn what_is_no_object_cannot_be_decoded() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net(json!({})).to_string();
    let truncated = &config[..config.len() / 2];
    let brackets = "[".repeat(1 << 20);
    let nested = "{\"a\":".repeat(100_000);
    let before = host.world();
    for command in ["ADD", "CHECK", "DEL"] {
        for text in ["", " ", "nonsense", "[]", "7", "null", "{} {}", truncated, &brackets, &nested] {
            host.call(command, &json!({})).of(&red).stdin(text).fails(6, &["decode"]);
        }
    }
    assert_same(&before, &host.world(), "after the refusals");
}

// 10
#[test]
fn a_network_needs_a_name_of_the_right_form() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    for (name, word) in [
        (json!(null), "name"),
        (json!(""), "name"),
        (json!("a/b"), "a/b"),
        (json!("-a"), "-a"),
        (json!("a b"), "a b"),
        (json!(7), "name"),
    ] {
        let config = with(host.net(json!({})), "name", name);
        host.call("ADD", &config).of(&red).fails(7, &["name", word]);
    }
}

// 11
#[test]
fn a_version_that_is_not_served_is_told_with_those_that_are() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    for version in ["9.9.9", "1.0", "1.1", "v1.0.0", "1.0.0 ", "0.3.2"] {
        for command in ["ADD", "CHECK", "DEL", "GC", "STATUS"] {
            let config = host.net(json!({"cniVersion": version}));
            host.call(command, &config).of(&red).fails(1, &[version, "0.1.0", "1.1.0"]);
        }
    }
}

// 12
#[test]
fn a_config_without_a_version_is_of_the_first() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    for version in [json!(""), json!(null)] {
        let config = with(host.net(json!({})), "cniVersion", version);
        let result = host.add(&red, &config);
        assert_eq!(result["cniVersion"], "0.1.0");
        assert_eq!(result["ip4"]["ip"], host_address(&red.netns.addresses("eth0")));
        host.del(&red, &config);
    }
}

fn host_address(addresses: &[String]) -> Value {
    json!(addresses.iter().find(|address| address.contains('.')).expect("an IPv4 address"))
}

// 13
#[test]
fn a_verb_needs_the_version_that_brought_it() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    for (command, versions, since) in [
        ("CHECK", ["0.1.0", "0.2.0", "0.3.0", "0.3.1"].as_slice(), "0.4.0"),
        ("GC", &["0.1.0", "0.4.0", "1.0.0"], "1.1.0"),
        ("STATUS", &["0.1.0", "0.4.0", "1.0.0"], "1.1.0"),
    ] {
        for version in versions {
            let config = host.net(json!({"cniVersion": version}));
            host.call(command, &config).of(&red).fails(1, &[version, command, since]);
        }
    }
}

// 14, 15, and the refusals of the plan
#[test]
fn what_cannot_be_is_refused_with_its_key_and_value() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let before = host.world();
    for (patch, words) in [
        (json!({"host": "x"}), ["\"host\"", "x"]),
        (json!({"host": {"mtu": "big"}}), ["host.mtu", "big"]),
        (json!({"host": {"mtu": -1}}), ["host.mtu", "-1"]),
        (json!({"host": {"bridge": []}}), ["\"host.bridge\"", "invalid type"]),
        (json!({"timeoutSeconds": "soon"}), ["timeoutSeconds", "soon"]),
        (json!({"timeoutSeconds": 0}), ["timeoutSeconds", "0"]),
        (json!({"runtimeConfig": {"ips": "10.0.0.1"}}), ["runtimeConfig.ips", "10.0.0.1"]),
        (json!({"host": {"engine": "foo"}}), ["host.engine", "foo"]),
        (json!({"host": {"iftype": "ipvlan"}}), ["host.iftype", "ipvlan"]),
        (json!({"host": {"netType": "routed"}}), ["host.netType", "routed"]),
        (json!({"host": {"brigde": {}}}), ["brigde", "\"bridge\""]),
        (json!({"host": null}), ["host.engine", "missing"]),
        (json!({"host": {"mtu": 67}}), ["host.mtu", "67"]),
        (json!({"host": {"mac": "01:00:5e:00:00:01"}}), ["host.mac", "01:00:5e:00:00:01"]),
        (json!({"host": {"bridge": null}}), ["host.bridge.bridgeName", "missing"]),
        (json!({"host": {"bridge": {"bridgeName": "a/b"}}}), ["host.bridge.bridgeName", "a/b"]),
        (json!({"host": {"bridge": {"vlanId": 7}}}), ["host.bridge.vlanId", "7"]),
        (json!({"host": {"iftype": "macvlan"}}), ["host.macvlan.master", "missing"]),
        (json!({"host": {"iftype": "tap"}}), ["host.netType", "none"]),
        (json!({"host": {"iftype": "memif"}}), ["memif", "\"vpp\""]),
        (json!({"container": {"iftype": "tap"}}), ["container.iftype", "tap"]),
        (json!({"container": {"netType": "bridge"}}), ["container.netType", "bridge"]),
        (json!({"runtimeConfig": {"bandwidth": {"ingressRate": 1000}}}), ["bandwidth", "chain"]),
        (json!({"runtimeConfig": {"mac": "zz"}}), ["runtimeConfig.mac", "zz"]),
    ] {
        host.call("ADD", &host.net(patch)).of(&red).fails(7, &words);
    }
    assert_same(&before, &host.world(), "after the refusals");
}

// 15
#[test]
fn an_engine_that_is_not_built_in_is_named() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let before = host.world();
    let config = host.net(json!({"host": {"engine": "vpp", "bridge": {"bridgeName": "7"}}}));
    host.call("ADD", &config).of(&red).binary(plugin_with_linux_alone()).fails(2, &["vpp", "linux"]);
    assert_same(&before, &host.world(), "after the refusals");
}

// 17
#[test]
fn what_runtimes_and_others_write_into_a_config_is_passed_over() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({
        "capabilities": {"mac": true, "portMappings": true},
        "runtimeConfig": {"portMappings": [{"hostPort": 80}], "deviceID": "0000:01:00.0", "cgroupPath": "/x", "ips": []},
        "args": {"cni": {"labels": [{"key": "a"}], "OvnPort": "p"}, "labels": {"a": "b"}},
        "cni.dev/valid-attachments": null,
        "cni.dev/whatever": 7,
        "disableCheck": true,
        "x-comment": {"deep": [1]},
    }));
    host.add(&red, &config);
    host.check(&red, &config).silent();
    host.del(&red, &config);
}

#[test]
fn keys_are_matched_without_case() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let mut config = host.net(json!({"host": null}));
    config["Host"] = json!({"ENGINE": "linux", "IfType": "veth", "nettype": "bridge", "MTU": 1400,
        "Bridge": {"bridgename": "blue0"}});
    host.add(&red, &config);
    assert_eq!(red.netns.link("eth0").expect("eth0")["mtu"], 1400);
    host.del(&red, &config);
}

// 60
#[test]
fn an_error_is_an_object_in_the_version_of_the_config() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    for version in ["0.1.0", "0.3.1", "1.0.0", "1.1.0"] {
        let config = host.net(json!({"cniVersion": version, "host": {"engine": "foo"}}));
        let finished = host.call("ADD", &config).of(&red).run().finished;
        assert_eq!(finished.code, Some(1));
        let object: Value = serde_json::from_str(&finished.stdout).expect("one JSON value");
        assert_eq!(object["cniVersion"], version);
        assert_eq!(object["code"], 7);
        assert!(object["msg"].as_str().is_some_and(|msg| msg.contains("host.engine")), "{object}");
    }
    let config = host.net(json!({"cniVersion": "9.9.9"}));
    let finished = host.call("ADD", &config).of(&red).run().finished;
    let object: Value = serde_json::from_str(&finished.stdout).expect("one JSON value");
    let keys: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["cniVersion", "code", "details", "msg"]);
}
