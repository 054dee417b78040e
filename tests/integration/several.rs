//! Several interfaces in one container, in any order: one goes, the others stay.

use serde_json::{Value, json};
use userspace_tests::{Host, assert_same, ping};

/// A name in the container, and the network that it is on.
fn nets(host: &Host) -> [(&'static str, Value); 5] {
    let net = |name: &str, subnet: &str, half: Value| {
        host.net(json!({"name": name, "host": half, "ipam": {"ranges": [[{"subnet": subnet}]]}}))
    };
    [
        ("eth0", net("blue", "10.1.0.0/24", json!({}))),
        ("net1", net("blue", "10.1.0.0/24", json!({}))),
        ("net2", net("amber", "10.2.0.0/24", json!({"bridge": {"bridgeName": "amber0"}}))),
        ("net3", net("routed", "10.3.0.0/24", json!({"netType": "interface", "bridge": null}))),
        ("tap0", net("taps", "10.4.0.0/24", json!({"iftype": "tap", "netType": "none", "bridge": null}))),
    ]
}

#[test]
fn each_can_go_while_the_others_stay() {
    let Some(host) = Host::new(&["host-local", "tun"]) else { return };
    let red = host.container("red");
    let before = host.world();
    let nets = nets(&host);
    let call = |command: &str, (name, config): &(&str, Value)| {
        host.call(command, config).of(&red).ifname(name).run()
    };
    for first in 0..nets.len() {
        for net in &nets {
            call("ADD", net).result();
        }
        for gone in 0..nets.len() {
            let at = |number: usize| &nets[(first + 2 * number) % nets.len()];
            call("DEL", at(gone)).silent();
            assert!(red.netns.link(at(gone).0).is_none());
            for left in gone + 1..nets.len() {
                call("CHECK", at(left)).silent();
            }
        }
        assert_same(&before, &host.world(), "after all have gone");
    }
}

#[test]
fn two_interfaces_on_one_bridge_have_names_and_addresses_of_their_own() {
    let Some(host) = Host::new(&["host-local", "ping"]) else { return };
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    let config = host.net(json!({}));
    let add = |container, name| host.call("ADD", &config).of(container).ifname(name).run().result();
    let results = [add(&red, "eth0"), add(&red, "net1"), add(&green, "eth0")];
    for (index, key) in [(0, "name"), (1, "mac")] {
        let mut values: Vec<_> =
            results.iter().map(|result| result["interfaces"][index][key].to_string()).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), 3, "{key}: {values:?}");
    }
    assert!(ping(&green.netns, "10.20.0.2"));
    host.call("DEL", &config).of(&red).ifname("net1").run().silent();
    // Either interface had answered for both addresses, as Linux does.
    green.netns.ip("neighbour flush dev eth0");
    assert!(ping(&green.netns, "10.20.0.2"), "eth0 stays");
    assert!(!ping(&green.netns, "10.20.0.3"), "net1 is gone");
}
