//! MTU and MAC address of the interface, and who decides about them.

use serde_json::{Value, json};
use userspace_tests::{Host, merged};

// The order: runtimeConfig, args.cni, CNI_ARGS, the configuration.
#[test]
fn the_most_particular_mac_address_wins() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let mac = |last: u8| format!("02:00:00:00:00:0{last}");
    let patches = [
        json!({"runtimeConfig": {"mac": mac(1)}}),
        json!({"args": {"cni": {"mac": mac(2)}}}),
        json!({}),
        json!({"container": {"mac": mac(4)}}),
        json!({"host": {"mac": mac(5)}}),
    ];
    for first in 0..patches.len() {
        let config = patches[first..].iter().cloned().fold(host.net(json!({})), merged);
        let mut call = host.call("ADD", &config).of(&red);
        if first <= 2 {
            call = call.env("CNI_ARGS", &format!("IgnoreUnknown=1;MAC={}", mac(3)));
        }
        let result = call.run().result();
        let expected = json!(mac(first as u8 + 1));
        assert_eq!(red.netns.link("eth0").expect("eth0")["address"], expected);
        assert_eq!(result["interfaces"][1]["mac"], expected);
        host.check(&red, &config).silent();
        host.del(&red, &config);
    }
}

#[test]
fn without_a_wish_the_mac_address_is_the_same_each_time() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    let config = host.net(json!({}));
    let mac = |container| {
        let result = host.add(container, &config);
        host.del(container, &config);
        result["interfaces"][1]["mac"].clone()
    };
    let first = mac(&red);
    assert_eq!(mac(&red), first);
    assert_ne!(mac(&green), first);
    let first_byte = u8::from_str_radix(&first.as_str().expect("a MAC")[..2], 16).expect("hex");
    assert_eq!(first_byte & 0b11, 0b10, "locally administered, and no group");
}

#[test]
fn the_mtu_is_at_both_ends() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    for (patch, mtu) in [
        (json!({}), 1500),
        (json!({"host": {"mtu": 0}}), 1500),
        (json!({"host": {"mtu": 1280}}), 1280),
        (json!({"container": {"mtu": 9000}}), 9000),
        (json!({"host": {"mtu": 65535}, "container": {"mtu": 65535}}), 65535),
        (json!({"host": {"mtu": 68}, "ipam": {"ranges": [[{"subnet": "10.20.0.0/24"}]]}}), 68),
    ] {
        let config = host.net(patch);
        let result = host.add(&red, &config);
        let port = result["interfaces"][0]["name"].as_str().expect("the host's interface");
        let ends = [red.netns.link("eth0"), host.netns().link(port)];
        let mtus = ends.map(|end| end.expect("an end")["mtu"].clone());
        assert_eq!(mtus, [json!(mtu), json!(mtu)], "{config}");
        host.check(&red, &config).silent();
        host.del(&red, &config);
    }
}

#[test]
fn the_ends_bear_the_mark_of_their_owner() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let result = host.add(&red, &config);
    let port = result["interfaces"][0]["name"].as_str().expect("the host's interface");
    let alias = |link: Option<Value>| link.expect("a link")["ifalias"].as_str().expect("an alias").to_owned();
    for text in [alias(host.netns().link(port)), alias(red.netns.link("eth0"))] {
        assert!(text.starts_with("uscni1-") && text.ends_with(" blue red eth0"), "{text}");
    }
    let bridge = alias(host.netns().link("blue0"));
    assert!(bridge.starts_with("uscni1-network-"), "{bridge}");
    host.del(&red, &config);
}
