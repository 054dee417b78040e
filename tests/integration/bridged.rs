//! Containers on one bridge reach each other at once, with packets of every kind and size.

use serde_json::json;
use userspace_tests::{Container, Host, assert_same, ping, transfer};

/// The addresses that host-local gives the n-th container.
fn addresses(number: usize) -> [String; 2] {
    [format!("10.20.0.{}", number + 2), format!("fd20::{:x}", number + 2)]
}

fn reach_each_other(containers: &[Container]) {
    for from in containers {
        for (number, to) in containers.iter().enumerate().filter(|(_, to)| to.id != from.id) {
            for address in addresses(number) {
                assert!(ping(&from.netns, &address), "{} does not reach {} at {address}", from.id, to.id);
            }
        }
    }
}

#[test]
fn the_first_ping_after_add_is_answered() {
    let Some(host) = Host::new(&["host-local", "ping"]) else { return };
    let before = host.world();
    let containers = ["red", "green", "grey"].map(|id| host.container(id));
    let config = host.net(json!({}));
    host.add(&containers[0], &config);
    host.add(&containers[1], &config);
    for address in addresses(1) {
        assert!(ping(&containers[0].netns, &address), "the very first packet to {address}");
    }
    host.add(&containers[2], &config);
    reach_each_other(&containers);
    host.del(&containers[1], &config);
    assert!(ping(&containers[0].netns, &addresses(2)[0]), "the others stay connected");
    for one in [&containers[0], &containers[2]] {
        host.del(one, &config);
        one.netns.delete();
    }
    containers[1].netns.delete();
    assert_same(&before, &host.world(), "in the end");
}

#[test]
fn a_stream_arrives_whole_over_both_families() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let containers = ["red", "green"].map(|id| host.container(id));
    for mtu in [1500, 1280, 9000] {
        let config = host.net(json!({"host": {"mtu": mtu}}));
        for one in &containers {
            host.add(one, &config);
        }
        for address in [0, 1].map(|family| containers[1].netns.addresses("eth0")[family].clone()) {
            let (address, _) = address.split_once('/').expect("an address with a prefix");
            transfer(&containers[0].netns, &containers[1].netns, address, 4);
        }
        for one in &containers {
            host.del(one, &config);
        }
    }
}

#[test]
fn two_bridges_are_two_networks() {
    let Some(host) = Host::new(&["host-local", "ping"]) else { return };
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    let blue = host.net(json!({}));
    let amber = host.net(json!({"host": {"bridge": {"bridgeName": "amber0"}}}));
    host.add(&red, &blue);
    host.add(&green, &amber);
    assert!(!ping(&red.netns, "10.20.0.3"), "a bridge leaks");
    host.del(&red, &blue);
    assert!(host.netns().link("blue0").is_none() && host.netns().link("amber0").is_some());
    host.del(&green, &amber);
}

#[test]
fn a_container_that_had_ipv6_switched_off_gets_it_for_its_interface() {
    let Some(host) = Host::new(&["host-local", "ping"]) else { return };
    let containers = ["red", "green"].map(|id| host.container(id));
    let config = host.net(json!({}));
    for one in &containers {
        one.netns.sysctl("ipv6/conf/all/disable_ipv6", "1");
        one.netns.sysctl("ipv6/conf/default/disable_ipv6", "1");
        host.add(one, &config);
    }
    reach_each_other(&containers);
    for one in &containers {
        host.del(one, &config);
    }
}
