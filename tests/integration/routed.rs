//! `netType` interface: many containers share a subnet and its gateway, which is at the host's end of each.

use serde_json::{Value, json};
use userspace_tests::{Container, Host, assert_same, ping, transfer};

fn net(host: &Host) -> Value {
    let routes = json!([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]);
    host.net(json!({"host": {"netType": "interface", "bridge": null}, "ipam": {"routes": routes}}))
}

/// Two attached containers on a host that forwards IPv6, which is the host's own setting.
fn two(host: &Host) -> [Container; 2] {
    host.netns().sysctl("ipv6/conf/all/forwarding", "1");
    let containers = ["red", "green"].map(|id| host.container(id));
    for one in &containers {
        host.add(one, &net(host));
    }
    containers
}

#[test]
fn two_containers_share_a_subnet_and_its_gateway() {
    let Some(host) = Host::new(&["host-local", "ping"]) else { return };
    let [red, green] = two(&host);
    for (from, to) in [(&red, ["10.20.0.3", "fd20::3"]), (&green, ["10.20.0.2", "fd20::2"])] {
        for address in to.into_iter().chain(["10.20.0.1", "fd20::1"]) {
            assert!(ping(&from.netns, address), "{} does not reach {address}", from.id);
        }
    }
    for address in ["10.20.0.2", "10.20.0.3", "fd20::2", "fd20::3"] {
        assert!(ping(host.netns(), address), "the host does not reach {address}");
    }
    transfer(&red.netns, &green.netns, "10.20.0.3", 4);
    transfer(&green.netns, &red.netns, "fd20::2", 4);
}

#[test]
fn what_is_behind_the_host_is_reached_through_it() {
    let Some(host) = Host::new(&["host-local", "ping"]) else { return };
    let [red, _] = two(&host);
    let outside = host.container("outside").netns;
    let name = outside.path();
    let name = name.file_name().and_then(|name| name.to_str()).expect("a name");
    host.netns().ip(&format!("link add up0 type veth peer name up1 netns {name}"));
    for (netns, device, last) in [(host.netns(), "up0", "1"), (&*outside, "up1", "2")] {
        netns.ip(&format!("address add 192.0.2.{last}/24 dev {device}"));
        netns.ip(&format!("address add 2001:db8::{last}/64 dev {device} nodad"));
        // Else the kernel asks no neighbour before it has looked for duplicates of its own address.
        netns.sysctl(&format!("ipv6/conf/{device}/accept_dad"), "0");
        netns.ip(&format!("link set {device} up"));
    }
    host.netns().sysctl("ipv4/conf/up0/forwarding", "1");
    outside.ip("route add default via 192.0.2.1");
    outside.ip("route add default via 2001:db8::1");
    for (from, to) in [(&*red.netns, ["192.0.2.2", "2001:db8::2"]), (&*outside, ["10.20.0.2", "fd20::2"])] {
        for address in to {
            assert!(ping(from, address), "{address} is not reached");
        }
    }
}

#[test]
fn the_ends_have_what_the_document_says() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let before = host.world();
    let result = host.add(&red, &net(&host));
    let port = result["interfaces"][0]["name"].as_str().expect("the host's interface");
    assert_eq!(host.netns().addresses(port), ["10.20.0.1/32", "fd20::1/128"]);
    assert_eq!(red.netns.addresses("eth0"), ["10.20.0.2/32", "fd20::2/128"]);
    let told: Vec<_> = result["ips"].as_array().expect("ips").iter().map(|ip| &ip["address"]).collect();
    assert_eq!(told, ["10.20.0.2/24", "fd20::2/64"], "the result has IPAM's own prefix");
    let routes = red.netns.ip_json("-4 route show");
    for (dst, gateway) in
        [("10.20.0.1", Value::Null), ("10.20.0.0/24", json!("10.20.0.1")), ("default", json!("10.20.0.1"))]
    {
        let found = routes.iter().find(|route| route["dst"] == dst);
        let found = found.unwrap_or_else(|| panic!("no route to {dst}: {routes:?}"));
        assert_eq!(found["gateway"], gateway, "{dst}");
    }
    host.check(&red, &net(&host)).silent();
    host.del(&red, &net(&host));
    assert_same(&before, &host.world(), "after DEL");
}

#[test]
fn a_subnet_without_a_gateway_is_refused_and_nothing_is_left() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    let given = r#"echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.30.0.9/24"}]}'; exit 0"#;
    host.stand_in().on("ADD", given);
    let config = host.net_latest(json!({"host": {"netType": "interface", "bridge": null}}));
    host.call("ADD", &config).of(&red).fails(7, &["gateway", "10.30.0.9/24"]);
    assert_same(&before, &host.world(), "after the failure");
}

#[test]
fn a_host_that_does_not_forward_ipv6_is_told_so() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    host.netns().sysctl("ipv6/conf/all/forwarding", "0");
    let can_force = host.netns().exec("ls /proc/sys/net/ipv6/conf/lo/force_forwarding").code == Some(0);
    let output = host.call("ADD", &net(&host)).of(&red).run();
    output.result();
    let is_told = output.finished.stderr.contains("net.ipv6.conf.all.forwarding is 0");
    assert_eq!(is_told, !can_force, "{output:?}");
    host.del(&red, &net(&host));
}
