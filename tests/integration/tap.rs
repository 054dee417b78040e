//! A tap: there, up, persistent, and open to whom the configuration says.

use serde_json::{Value, json};
use userspace_tests::{Container, Host, assert_same};

fn net(host: &Host, tap: Value) -> Value {
    host.net(json!({"host": {"iftype": "tap", "netType": "none", "bridge": null, "tap": tap}}))
}

/// Opens the tap as that user does who has no privilege: `ip tuntap delete` attaches to it, and lets it go then.
fn open_as(container: &Container, user: u32, group: u32) -> bool {
    let who = format!("setpriv --reuid {user} --regid {group} --clear-groups --inh-caps=-all");
    let opened = container.netns.exec(&format!("{who} ip tuntap delete dev eth0 mode tap"));
    opened.code == Some(0) && container.netns.link("eth0").is_none()
}

#[test]
fn it_is_there_and_stays_without_anybody_who_has_it_open() {
    let Some(host) = Host::new(&["host-local", "tun"]) else { return };
    let red = host.container("red");
    let before = host.world();
    for (tap, expected) in [
        (json!(null), json!({"type": "tap", "persist": true, "multi_queue": false})),
        (json!({"owner": 4242}), json!({"persist": true, "user": 4242})),
        (json!({"owner": 4242, "group": 4343}), json!({"user": 4242, "group": 4343})),
        (json!({"multiQueue": true}), json!({"persist": true, "multi_queue": true})),
    ] {
        let config = net(&host, tap);
        let result = host.add(&red, &config);
        let link = red.netns.link("eth0").expect("eth0");
        assert_eq!(link["linkinfo"]["info_kind"], "tun");
        let found = &link["linkinfo"]["info_data"];
        for (key, value) in expected.as_object().expect("an object") {
            // `ip` prints an id that has no name as a text of digits.
            let same = found[key] == *value || found[key].as_str() == Some(&value.to_string());
            assert!(same, "{key} is {}, not {value}", found[key]);
        }
        let is_up = link["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "UP"));
        assert!(is_up, "{link}");
        let given = [0, 1].map(|number| result["ips"][number]["address"].clone());
        assert_eq!(json!(red.netns.addresses("eth0")), json!(given));
        host.check(&red, &config).silent();
        host.del(&red, &config);
        assert_same(&before, &host.world(), "after DEL");
    }
}

#[test]
fn it_opens_to_its_owner_and_group_and_to_nobody_else() {
    let Some(host) = Host::new(&["host-local", "tun", "setpriv"]) else { return };
    for (tap, user, group, opens) in [
        (json!({"owner": 4242}), 4242, 4300, true),
        (json!({"owner": 4242}), 4300, 4300, false),
        (json!({"group": 4343}), 4300, 4343, true),
        (json!({"group": 4343}), 4300, 4300, false),
        (json!(null), 4300, 4300, false),
    ] {
        let red = host.container("red");
        let config = net(&host, tap.clone());
        host.add(&red, &config);
        assert_eq!(open_as(&red, user, group), opens, "{tap} to user {user}, group {group}");
        host.del(&red, &config);
        assert!(red.netns.link("eth0").is_none());
    }
}

#[test]
fn mac_and_mtu_are_as_asked() {
    let Some(host) = Host::new(&["host-local", "tun"]) else { return };
    let red = host.container("red");
    let mut config = net(&host, json!(null));
    config["host"]["mtu"] = json!(1400);
    config["host"]["mac"] = json!("02:00:00:00:00:07");
    host.add(&red, &config);
    let link = red.netns.link("eth0").expect("eth0");
    assert_eq!((&link["mtu"], &link["address"]), (&json!(1400), &json!("02:00:00:00:00:07")));
    host.del(&red, &config);
}
