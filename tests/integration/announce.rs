//! A neighbour that knows an address by its earlier owner's MAC address is told of the new one at once.

use std::time::Duration;

use serde_json::{Value, json};
use userspace_tests::{Host, Netns, ping, until};

/// The MAC address that `netns` has for `address`.
fn known(netns: &Netns, address: &str) -> Option<Value> {
    let neighbours = netns.ip_json("neighbour show");
    let found = neighbours.into_iter().find(|one| one["dst"] == address)?;
    found.get("lladdr").cloned()
}

fn corrected(patch: &Value, needs: &[&str]) {
    let Some(host) = Host::new(needs) else { return };
    if needs.contains(&"macvlan") {
        host.netns().ip("link add up0 type veth peer name up1");
        host.netns().ip("link set up0 up");
        host.netns().ip("link set up1 up");
    }
    let [neighbour, first, second] = ["neighbour", "first", "second"].map(|id| host.container(id));
    let config = host.net(patch.clone());
    let fixed = |last: u8| {
        let range = |subnet: &str, address: String| json!([{"subnet": subnet, "rangeStart": address, "rangeEnd": address}]);
        let mut config = config.clone();
        config["ipam"]["ranges"] = json!([
            range("10.20.0.0/24", format!("10.20.0.{last}")),
            range("fd20::/64", format!("fd20::{last}")),
        ]);
        config
    };
    host.add(&neighbour, &fixed(7));
    let old = host.add(&first, &fixed(9))["interfaces"].as_array().and_then(|all| all.last().cloned());
    let addresses = ["10.20.0.9", "fd20::9"];
    for address in addresses {
        assert!(ping(&neighbour.netns, address));
        assert_eq!(known(&neighbour.netns, address), old.as_ref().map(|one| one["mac"].clone()));
    }
    host.del(&first, &fixed(9));
    let new = host.add(&second, &fixed(9))["interfaces"].as_array().and_then(|all| all.last().cloned());
    let mac = new.map(|one| one["mac"].clone());
    for address in addresses {
        // Nothing is sent by the neighbour: it can only have been told.
        until(address, Duration::from_secs(1), || known(&neighbour.netns, address) == mac);
        assert!(ping(&neighbour.netns, address));
    }
}

#[test]
fn a_neighbour_on_a_bridge_is_told() {
    corrected(&json!({}), &["host-local", "ping"]);
}

#[test]
fn a_neighbour_on_a_macvlans_master_is_told() {
    let half = json!({"iftype": "macvlan", "netType": "none", "bridge": null, "macvlan": {"master": "up0"}});
    corrected(&json!({"host": half}), &["host-local", "ping", "macvlan"]);
}
