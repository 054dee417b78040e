//! Routes with all their attributes are set as they are asked for.

use serde_json::{Value, json};
use userspace_tests::{Host, assert_same, with};

fn find<'r>(routes: &'r [Value], dst: &str, table: &str) -> &'r Value {
    let table = |route: &Value| match &route["table"] {
        Value::Null => "main" == table,
        found => found == table,
    };
    let found = routes.iter().find(|route| route["dst"] == dst && table(route));
    found.unwrap_or_else(|| panic!("no route to {dst} in {routes:#?}"))
}

#[test]
fn every_attribute_is_in_the_kernel() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    let routes = json!([
        {"dst": "192.0.2.0/24", "gw": "10.30.0.254", "mtu": 1300, "advmss": 1200, "priority": 7, "table": 1000},
        {"dst": "198.51.100.0/24", "scope": 253},
        {"dst": "203.0.113.0/24", "priority": 50},
        {"dst": "203.0.113.0/24", "priority": 60, "gw": "10.30.0.200"},
        {"dst": "198.18.0.0/15", "gw": "192.88.99.1"},
        {"dst": "0.0.0.0/0"},
        {"dst": "2001:db8::/32", "gw": "fd30::fe", "priority": 9, "mtu": 1300, "table": 200},
        {"dst": "::/0"},
    ]);
    host.stand_in().answer_also(&json!({"routes": routes}));
    let config = host.net_latest(json!({}));
    let result = host.add(&red, &config);
    let v4 = red.netns.ip_json("-4 route show table all");
    let v6 = red.netns.ip_json("-6 route show table all");
    let full = find(&v4, "192.0.2.0/24", "1000");
    assert_eq!(full["gateway"], "10.30.0.254");
    assert_eq!(full["metric"], 7);
    assert_eq!(full["metrics"][0]["mtu"], 1300);
    assert_eq!(full["metrics"][0]["advmss"], 1200);
    let on_link = find(&v4, "198.51.100.0/24", "main");
    assert_eq!((&on_link["scope"], &on_link["gateway"]), (&json!("link"), &Value::Null));
    let alike: Vec<_> = v4.iter().filter(|route| route["dst"] == "203.0.113.0/24").collect();
    assert_eq!(alike.len(), 2, "one destination by two metrics");
    assert_eq!(find(&v4, "198.18.0.0/15", "main")["gateway"], "192.88.99.1", "a gateway off the subnet");
    assert_eq!(find(&v4, "default", "main")["gateway"], "10.30.0.1", "the gateway of its family");
    let six = find(&v6, "2001:db8::/32", "200");
    assert_eq!((&six["gateway"], &six["metric"]), (&json!("fd30::fe"), &json!(9)));
    assert_eq!(six["metrics"][0]["mtu"], 1300);
    assert_eq!(find(&v6, "default", "main")["gateway"], "fd30::1");
    for config in [config.clone(), with(config.clone(), "prevResult", result)] {
        host.check(&red, &config).silent();
    }
    host.del(&red, &config);
    assert_same(&before, &host.world(), "after DEL");
}

#[test]
fn a_route_that_the_kernel_refuses_fails_the_add_and_is_named() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    let config = host.net_latest(json!({}));
    for (route, word) in [
        (json!({"dst": "192.0.2.0/24", "gw": "fd30::1"}), "192.0.2.0/24"),
        (json!({"dst": "192.0.2.0/24", "gw": "10.30.0.255"}), "10.30.0.255"),
    ] {
        host.stand_in().answer_also(&json!({"routes": [route]}));
        let (_, text) = host.call("ADD", &config).of(&red).run().failure();
        assert!(text.contains(word), "{word} is not in {text}");
        assert_same(&before, &host.world(), "after the failure");
    }
}
