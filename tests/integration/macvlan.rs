//! macvlan in its four modes, on an interface of the host.

use serde_json::{Value, json};
use userspace_tests::{Container, Host, assert_same, ping, transfer};

const NEEDS: [&str; 3] = ["host-local", "macvlan", "ping"];

/// A host whose `up0` leads to a switch; the switch sends back what comes from there when it `reflects`.
fn host_with_uplink(reflects: bool) -> Option<Host> {
    let host = Host::new(&NEEDS)?;
    host.netns().ip("link add up0 type veth peer name up1");
    host.netns().ip("link add switch0 type bridge");
    host.netns().ip("link set up1 master switch0");
    if reflects {
        let output = host.netns().exec("bridge link set dev up1 hairpin on");
        output.success("bridge link set");
    }
    for link in ["up0", "up1", "switch0"] {
        host.netns().ip(&format!("link set {link} up"));
    }
    Some(host)
}

fn net(host: &Host, mode: Option<&str>) -> Value {
    let macvlan = json!({"master": "up0", "mode": mode});
    host.net(json!({"host": {"iftype": "macvlan", "netType": "none", "bridge": null, "macvlan": macvlan}}))
}

fn two(host: &Host, config: &Value) -> [Container; 2] {
    let containers = ["red", "green"].map(|id| host.container(id));
    for one in &containers {
        host.add(one, config);
    }
    containers
}

#[test]
fn the_mode_decides_who_reaches_whom() {
    for (mode, reflects, reached) in [
        (None, false, true),
        (Some("bridge"), false, true),
        (Some("private"), false, false),
        (Some("private"), true, false),
        (Some("vepa"), false, false),
        (Some("vepa"), true, true),
    ] {
        let Some(host) = host_with_uplink(reflects) else { return };
        let config = net(&host, mode);
        let [red, green] = two(&host, &config);
        let link = red.netns.link("eth0").expect("eth0");
        assert_eq!(link["linkinfo"]["info_kind"], "macvlan");
        assert_eq!(link["linkinfo"]["info_data"]["mode"], mode.unwrap_or("bridge"));
        for address in ["10.20.0.3", "fd20::3"] {
            assert_eq!(ping(&red.netns, address), reached, "{mode:?}, reflecting {reflects}: {address}");
        }
        if reached {
            transfer(&red.netns, &green.netns, "10.20.0.3", 4);
        }
    }
}

#[test]
fn passthru_takes_one_alone() {
    let Some(host) = host_with_uplink(false) else { return };
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    let config = net(&host, Some("passthru"));
    host.add(&red, &config);
    let with_red = host.world();
    let (_, text) = host.call("ADD", &config).of(&green).run().failure();
    assert!(text.contains("host.macvlan.master") && text.contains("up0"), "{text}");
    assert_same(&with_red, &host.world(), "after the refusal");
    host.netns().ip("address add 10.20.0.200/24 dev switch0");
    assert!(ping(&red.netns, "10.20.0.200"), "through the master");
    host.del(&red, &config);
    host.add(&green, &config);
    host.del(&green, &config);
}

#[test]
fn a_master_that_cannot_be_is_named_and_nothing_is_left() {
    let Some(host) = host_with_uplink(false) else { return };
    let red = host.container("red");
    let before = host.world();
    for master in ["nowhere0", "lo"] {
        let mut config = net(&host, None);
        config["host"]["macvlan"]["master"] = json!(master);
        host.call("ADD", &config).of(&red).fails(7, &["host.macvlan.master", master]);
        assert_same(&before, &host.world(), master);
        host.del(&red, &config);
    }
}

#[test]
fn mac_and_mtu_are_as_asked() {
    let Some(host) = host_with_uplink(false) else { return };
    let red = host.container("red");
    let before = host.world();
    let mut config = net(&host, None);
    config["host"]["mtu"] = json!(1400);
    config["host"]["mac"] = json!("02:00:00:00:00:07");
    host.add(&red, &config);
    let link = red.netns.link("eth0").expect("eth0");
    assert_eq!((&link["mtu"], &link["address"]), (&json!(1400), &json!("02:00:00:00:00:07")));
    host.check(&red, &config).silent();
    host.del(&red, &config);
    assert_same(&before, &host.world(), "after DEL");
}
