//! CHECK: nothing to say of what is as it was made, and an error for each thing that is not.

use serde_json::{Value, json};
use userspace_tests::{Container, Host, with};

/// Where a harm is done.
#[derive(Clone, Copy)]
enum At {
    Host,
    Container,
}
use At::{Container as InContainer, Host as OnHost};

/// What is done to an attachment: `ip` commands, with placeholders for what ADD answered.
#[derive(Clone, Copy)]
struct Harm {
    at: At,
    commands: &'static [&'static str],
    /// What CHECK must name.
    word: &'static str,
}

impl Harm {
    fn fill(text: &str, result: &Value) -> String {
        let text_of = |value: &Value| value.as_str().expect("a text").to_owned();
        let address = |number: usize| text_of(&result["ips"][number]["address"]);
        let bare = |number: usize| address(number).split('/').next().expect("an address").to_owned();
        text.replace("{port}", &text_of(&result["interfaces"][0]["name"]))
            .replace("{v4}", &address(0))
            .replace("{v6}", &address(1))
            .replace("{ip4}", &bare(0))
            .replace("{ip6}", &bare(1))
    }

    fn is_found(self, host: &Host, config: &Value) {
        let red = host.container("red");
        let result = host.add(&red, config);
        host.check(&red, config).silent();
        let place = match self.at {
            OnHost => host.netns(),
            InContainer => &red.netns,
        };
        for command in self.commands {
            place.ip(&Self::fill(command, &result));
        }
        let word = Self::fill(self.word, &result);
        for config in [config.clone(), with(config.clone(), "prevResult", result)] {
            let text = host.check(&red, &config).error(103);
            assert!(text.contains(&word), "{:?}: {word:?} is not in {text:?}", self.commands);
        }
        host.del(&red, config);
    }
}

fn harm(at: At, commands: &'static [&'static str], word: &'static str) -> Harm {
    Harm { at, commands, word }
}

// 51
#[test]
fn right_after_add_all_is_well() {
    let Some(host) = Host::new(&["host-local", "macvlan", "tun"]) else { return };
    host.netns().ip("link add up0 type veth peer name up1");
    let red = host.container("red");
    for half in [
        json!({}),
        json!({"mtu": 1400, "mac": "02:00:00:00:00:07"}),
        json!({"netType": "interface", "bridge": null}),
        json!({"netType": "none", "bridge": null}),
        json!({"iftype": "tap", "netType": "none", "bridge": null}),
        json!({"iftype": "macvlan", "netType": "none", "macvlan": {"master": "up0"}}),
    ] {
        for version in ["0.4.0", "1.0.0"] {
            let config = host.net(json!({"cniVersion": version, "host": half}));
            let result = host.add(&red, &config);
            host.check(&red, &config).silent();
            host.check(&red, &with(config.clone(), "prevResult", result)).silent();
            host.del(&red, &config);
        }
    }
}

#[test]
fn check_changes_nothing() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    host.add(&red, &config);
    let before = host.world();
    host.check(&red, &config).silent();
    assert_eq!(before, host.world());
    host.del(&red, &config);
}

// 52
#[test]
fn what_is_not_as_it_was_made_is_an_error() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net(json!({"ipam": {"routes": [{"dst": "192.0.2.0/24"}]}}));
    host.netns().ip("link add other0 type bridge");
    for harm in [
        harm(OnHost, &["link delete {port}"], "gone"),
        harm(InContainer, &["link delete eth0"], "gone"),
        harm(OnHost, &["link set {port} down"], "admin up"),
        harm(InContainer, &["link set eth0 down"], "admin up"),
        harm(OnHost, &["link set {port} master other0"], "other0"),
        harm(OnHost, &["link set {port} nomaster"], "network"),
        harm(InContainer, &["address delete {v4} dev eth0"], "{v4}"),
        harm(InContainer, &["address delete {v6} dev eth0"], "{v6}"),
        harm(InContainer, &["link set eth0 address 02:00:00:00:00:99"], "02:00:00:00:00:99"),
        harm(InContainer, &["route delete 192.0.2.0/24"], "192.0.2.0/24"),
        harm(InContainer, &["link delete eth0", "link add eth0 type veth peer name eth9"], "gone"),
    ] {
        harm.is_found(&host, &config);
    }
}

// 52
#[test]
fn a_routed_attachment_is_checked_at_both_ends() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net(json!({"host": {"netType": "interface", "bridge": null}}));
    for harm in [
        harm(OnHost, &["address delete 10.20.0.1/32 dev {port}"], "10.20.0.1"),
        harm(OnHost, &["address delete fd20::1/128 dev {port}"], "fd20::1"),
        harm(OnHost, &["route delete {ip4}"], "{ip4}"),
        harm(OnHost, &["route delete {ip6}"], "{ip6}"),
        harm(InContainer, &["route delete 10.20.0.0/24"], "10.20.0.0/24"),
        harm(InContainer, &["route delete fd20::/64"], "fd20::/64"),
    ] {
        harm.is_found(&host, &config);
    }
}

// 52
#[test]
fn another_mtu_is_an_error_where_one_was_asked_for() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net(json!({"host": {"mtu": 1400}}));
    for at in [InContainer, OnHost] {
        let commands: &[&str] = match at {
            InContainer => &["link set eth0 mtu 1300"],
            OnHost => &["link set {port} mtu 1300"],
        };
        harm(at, commands, "1300").is_found(&host, &config);
    }
}

// 52
#[test]
fn what_is_not_attached_is_an_error() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red: Container = host.container("red");
    let config = host.net(json!({}));
    host.call("CHECK", &config).of(&red).fails(103, &["red", "eth0", "blue"]);
    host.add(&red, &config);
    host.call("CHECK", &config).of(&red).ifname("eth1").fails(103, &["eth1"]);
    red.netns.delete();
    host.call("CHECK", &config).of(&red).run().failure();
    host.del(&red, &config);
}
