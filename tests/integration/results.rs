//! The result of ADD: one JSON object in the shape of the config's version, with all that was made and all that IPAM gave.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use userspace_tests::{Container, Host, assert_same, merged};

/// All versions that are served.
pub(crate) const VERSIONS: [&str; 7] = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// Of each version a configuration with an IPAM that knows it.
fn nets(host: &Host) -> impl Iterator<Item = (&'static str, Value)> {
    VERSIONS.into_iter().map(|version| match version {
        "1.1.0" => (version, host.net_latest(json!({}))),
        _ => (version, host.net(json!({"cniVersion": version}))),
    })
}

fn container_interface<'r>(result: &'r Value, container: &Container) -> (usize, &'r Value) {
    let interfaces = result["interfaces"].as_array().expect("interfaces");
    let place = |interface: &&Value| interface["sandbox"] == container.path().as_str();
    let index = interfaces.iter().position(|one| place(&one)).expect("the container's interface");
    (index, &interfaces[index])
}

// 23
#[test]
fn standard_output_has_the_result_alone_at_any_log_level() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let log = host.path("log");
    for level in ["panic", "error", "warning", "info", "debug", "verbose", "shout"] {
        let config = host.net(json!({"logLevel": level, "logFile": log}));
        let output = host.call("ADD", &config).of(&red).run();
        output.result();
        let is_loud = ["info", "debug", "verbose", "shout"].contains(&level);
        assert_eq!(!output.finished.stderr.is_empty(), is_loud, "{level}: {output:?}");
        host.check(&red, &config).silent();
        host.del(&red, &config);
    }
    let logged = std::fs::read_to_string(&log).expect("the log file");
    assert!(logged.contains("container=\"red\""), "{logged}");
}

// 24, 25, 27, 29
#[test]
fn every_version_has_its_shape() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let before = host.world();
    for (version, config) in nets(&host) {
        let result = host.add(&red, &config);
        assert_eq!(result["cniVersion"], version);
        let mut there = red.netns.addresses("eth0");
        there.sort();
        if version < "0.3.0" {
            let mut told =
                [&result["ip4"]["ip"], &result["ip6"]["ip"]].map(|ip| ip.as_str().expect("an address"));
            told.sort();
            assert_eq!(told.as_slice(), there, "{version}");
            assert_eq!(result["ip4"]["gateway"], "10.20.0.1");
            assert!(result.get("interfaces").or(result.get("ips")).is_none(), "{result:#}");
        } else {
            let (index, interface) = container_interface(&result, &red);
            assert_eq!(interface["name"], "eth0");
            check_ips(version, &result, index, &there);
        }
        host.del(&red, &config);
    }
    assert_same(&before, &host.world(), "in the end");
}

fn check_ips(version: &str, result: &Value, index: usize, there: &[String]) {
    let ips = result["ips"].as_array().expect("ips");
    let mut told: Vec<_> = ips.iter().map(|ip| ip["address"].as_str().expect("an address")).collect();
    told.sort();
    assert_eq!(told, there, "{version}");
    for ip in ips {
        assert_eq!(ip["interface"], index, "{version}: {ip}");
        let family = if ip["address"].as_str().is_some_and(|text| text.contains(':')) { "6" } else { "4" };
        let expected = if version < "1.0.0" { json!(family) } else { Value::Null };
        assert_eq!(ip["version"], expected, "{version}: {ip}");
    }
}

// 26
#[test]
fn a_version_that_has_only_addresses_needs_some() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    for version in ["0.1.0", "0.2.0"] {
        let config = host.net(json!({"cniVersion": version, "ipam": null}));
        host.call("ADD", &config).of(&red).fails(7, &[version, "ipam"]);
        assert_same(&before, &host.world(), version);
    }
}

#[test]
fn without_ipam_there_are_interfaces_and_no_addresses() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net(json!({"ipam": null}));
    let result = host.add(&red, &config);
    assert_eq!(container_interface(&result, &red).1["name"], "eth0");
    assert!(result.get("ips").is_none(), "{result:#}");
    assert_eq!(red.netns.addresses("eth0"), [""; 0]);
    host.check(&red, &config).silent();
    host.del(&red, &config);
}

// 27
#[test]
fn the_sandbox_is_the_path_as_it_was_given() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let link = host.path("netns-link");
    symlink(red.netns.path(), &link).expect("make a link");
    let given = link.display().to_string();
    let call = |command| host.call(command, &host.net(json!({}))).of(&red).env("CNI_NETNS", &given);
    let result = call("ADD").run().result();
    assert_eq!(result["interfaces"][1]["sandbox"], given.as_str());
    assert_eq!(result["interfaces"][1]["name"], "eth0");
    call("DEL").run().silent();
}

// 28
#[test]
fn mac_and_mtu_are_told_where_the_version_knows_them() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    for (version, mut config) in nets(&host).filter(|(version, _)| *version >= "0.3.0") {
        config["host"]["mtu"] = json!(1400);
        let result = host.add(&red, &config);
        let link = red.netns.link("eth0").expect("eth0");
        let (_, interface) = container_interface(&result, &red);
        assert_eq!(interface["mac"], link["address"], "{version}");
        assert_eq!(link["mtu"], 1400);
        let told = if version == "1.1.0" { json!(1400) } else { Value::Null };
        assert_eq!(interface["mtu"], told, "{version}");
        assert!(interface.get("socketPath").is_none(), "a kernel interface has no socket");
        let port = result["interfaces"][0]["name"].as_str().expect("the host's interface");
        assert!(host.netns().link(port).is_some(), "{port}");
        host.del(&red, &config);
    }
}

// 30
#[test]
fn all_that_ipam_gives_is_in_the_result() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let routes = json!([
        {"dst": "192.0.2.0/24", "gw": "10.30.0.254", "mtu": 1300, "advmss": 1200, "priority": 7, "table": 100, "scope": 0},
        {"dst": "2001:db8::/32", "gw": "fd30::fe", "priority": 9},
        {"dst": "0.0.0.0/0"},
    ]);
    let dns = json!({"nameservers": ["10.30.0.1"], "domain": "example", "search": ["a", "b"], "options": ["ndots:2"]});
    host.stand_in().answer_also(&json!({"routes": routes, "dns": dns}));
    let config = host.net_latest(json!({}));
    let result = host.add(&red, &config);
    assert_eq!(result["routes"], routes);
    assert_eq!(result["dns"], dns);
    assert_eq!(
        result["ips"],
        json!([
            {"interface": 1, "address": "10.30.0.2/24", "gateway": "10.30.0.1"},
            {"interface": 1, "address": "fd30::2/64", "gateway": "fd30::1"},
        ])
    );
    host.del(&red, &config);
}

#[test]
fn name_servers_of_the_config_are_told_when_ipam_has_none() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({"dns": {"nameservers": ["192.0.2.53"], "search": ["x"]}}));
    assert_eq!(host.add(&red, &config)["dns"], config["dns"]);
    host.del(&red, &config);
}

#[test]
fn addresses_for_one_container_are_set_where_there_is_no_ipam() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    for (patch, args) in [
        (json!({"runtimeConfig": {"ips": ["192.0.2.9/24", "2001:db8::9/64"]}}), "IP=192.0.2.1/24"),
        (json!({"args": {"cni": {"ips": ["192.0.2.9/24", "2001:db8::9/64"]}}}), "IP=192.0.2.1/24"),
        (json!({}), "IP=192.0.2.9/24,2001:db8::9/64"),
    ] {
        let config = merged(host.net(json!({"ipam": null})), patch);
        let result = host.call("ADD", &config).of(&red).env("CNI_ARGS", args).run().result();
        assert_eq!(red.netns.addresses("eth0"), ["192.0.2.9/24", "2001:db8::9/64"]);
        assert_eq!(result["ips"][1], json!({"interface": 1, "address": "2001:db8::9/64"}));
        host.check(&red, &config).silent();
        host.del(&red, &config);
    }
}
