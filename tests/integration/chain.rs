//! Chains: what the plugin before this one said is kept, and what the one behind it changes is no matter.

use std::process::Command;

use serde_json::{Value, json};
use userspace_tests::{Container, Host, run, with};

fn previous() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "interfaces": [
            {"name": "outer0", "mac": "02:00:00:00:00:01"},
            {"name": "inner0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/other"},
        ],
        "ips": [{"interface": 1, "address": "192.0.2.5/24", "gateway": "192.0.2.1"}],
        "routes": [{"dst": "198.51.100.0/24", "gw": "192.0.2.1"}],
        "dns": {"nameservers": ["192.0.2.53"]},
    })
}

// 32
#[test]
fn what_came_before_stays_in_front() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let before = previous();
    let config = with(host.net(json!({})), "prevResult", before.clone());
    let result = host.add(&red, &config);
    let list = |value: &Value, key: &str| value[key].as_array().expect("a list").clone();
    for key in ["interfaces", "ips", "routes"] {
        let (theirs, all) = (list(&before, key), list(&result, key));
        assert_eq!(all[..theirs.len()], theirs, "{key}");
    }
    assert_eq!(result["dns"], before["dns"]);
    let interfaces = list(&result, "interfaces");
    assert_eq!(interfaces.len(), 4, "{result:#}");
    assert_eq!(interfaces[3]["sandbox"], red.path().as_str());
    let ours = &list(&result, "ips")[1..];
    assert_eq!(ours.len(), 2);
    assert!(ours.iter().all(|ip| ip["interface"] == 3), "{ours:?}");
    host.del(&red, &config);
}

// 33
#[test]
fn what_came_before_is_read_in_every_shape() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let unversioned = |value: Value| with(value, "cniVersion", json!(null));
    let mut tagged = unversioned(previous());
    tagged["ips"][0]["version"] = json!("4");
    let old = json!({"ip4": {"ip": "192.0.2.5/24", "gateway": "192.0.2.1"}});
    let nothing = json!({"interfaces": null, "ips": null, "routes": null, "dns": {}});
    for (previous, count) in [(unversioned(previous()), 3), (tagged, 3), (old, 3), (nothing, 2)] {
        let config = with(host.net(json!({})), "prevResult", previous.clone());
        let result = host.add(&red, &config);
        assert_eq!(result["ips"].as_array().map(Vec::len), Some(count), "{previous}: {result:#}");
        host.del(&red, &config);
    }
}

#[test]
fn a_result_that_is_none_is_refused_by_add_alone() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    for bad in [json!("x"), json!({"ips": [{"address": "nonsense"}]})] {
        let config = with(host.net(json!({})), "prevResult", bad);
        host.call("ADD", &config).of(&red).fails(7, &["prevResult"]);
        host.del(&red, &config);
    }
}

/// Runs a stock plugin behind ours, as a runtime does; its result.
fn chained(host: &Host, container: &Container, config: &Value) -> Value {
    let name = config["type"].as_str().expect("a type");
    let dirs = host.cni_path();
    let dir = dirs.split(':').next_back().expect("a directory");
    let mut command = Command::new(format!("{dir}/{name}"));
    command
        .env("CNI_COMMAND", "ADD")
        .env("CNI_CONTAINERID", &container.id)
        .env("CNI_NETNS", container.path())
        .env("CNI_IFNAME", "eth0")
        .env("CNI_PATH", &dirs);
    let limit = std::time::Duration::from_secs(20);
    let stdin = config.to_string();
    let finished = host.netns().inside(|| run(&mut command, stdin.as_bytes(), limit));
    serde_json::from_str(&finished.success(name)).expect("a result")
}

// 53
#[test]
fn check_accepts_what_a_chained_plugin_changed() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let ours = host.add(&red, &config);
    let tuning = json!({"cniVersion": "1.0.0", "name": "blue", "type": "tuning", "mac": "02:00:00:00:00:99", "mtu": 1300,
        "dataDir": host.path("tuning"), "prevResult": ours});
    let result = chained(&host, &red, &tuning);
    assert_eq!(result["interfaces"][1]["mac"], "02:00:00:00:00:99");
    host.check(&red, &with(config.clone(), "prevResult", result)).silent();
    let text = host.check(&red, &config).failure().1;
    assert!(text.contains("02:00:00:00:00:99"), "without its result CHECK knows better: {text}");
    host.del(&red, &config);
}

// 53
#[test]
fn check_accepts_routes_and_addresses_beyond_its_own() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let result = host.add(&red, &config);
    red.netns.ip("route add 198.51.100.0/24 dev eth0");
    red.netns.ip("address add 192.0.2.77/24 dev eth0");
    for config in [config.clone(), with(config.clone(), "prevResult", result)] {
        host.check(&red, &config).silent();
    }
    host.del(&red, &config);
}
