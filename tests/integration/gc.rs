//! GC removes what is ours, of this network and this installation, and not listed; and nothing else.

use std::fs;

use serde_json::{Value, json};
use userspace_tests::{Container, Host, assert_same, merged, with};

const LISTED: &str = "cni.dev/valid-attachments";
const LISTED_ONCE: &str = "cni.dev/attachments";

fn attachment(container: &Container) -> Value {
    json!({"containerID": container.id, "ifname": "eth0"})
}

/// Which of the containers are attached still: by CHECK, and by the interface itself.
fn attached(host: &Host, config: &Value, containers: &[Container]) -> Vec<String> {
    let is_attached = |one: &&Container| {
        let checked = host.check(one, config).finished.code == Some(0);
        assert_eq!(checked, one.netns.link("eth0").is_some(), "{}", one.id);
        checked
    };
    containers.iter().filter(is_attached).map(|one| one.id.clone()).collect()
}

fn collect(host: &Host, config: &Value, key: &str, valid: Value) {
    host.call("GC", &with(config.clone(), key, valid)).run().silent();
}

// 55, 57
#[test]
fn what_is_not_listed_goes_and_the_rest_stays() {
    let Some(host) = Host::new(&[]) else { return };
    let containers = ["red", "green", "grey"].map(|id| host.container(id));
    let others = ["pink", "rose"].map(|id| host.container(id));
    let blue = host.net_latest(json!({}));
    let amber = host.net_latest(json!({"name": "amber", "host": {"bridge": {"bridgeName": "amber0"}}}));
    let before = host.world();
    containers.iter().for_each(|one| drop(host.add(one, &blue)));
    others.iter().for_each(|one| drop(host.add(one, &amber)));
    for (key, listed, stay) in [
        (LISTED, json!([attachment(&containers[0]), attachment(&containers[1])]), &["red", "green"][..]),
        (
            LISTED_ONCE,
            json!([attachment(&containers[1]), {"containerID": "never-was", "ifname": "eth0"}]),
            &["green"],
        ),
        (LISTED, json!([{"containerID": "green", "ifname": "eth1"}]), &[]),
    ] {
        collect(&host, &blue, key, listed);
        assert_eq!(attached(&host, &blue, &containers), stay);
        assert_eq!(attached(&host, &amber, &others), ["pink", "rose"]);
    }
    collect(&host, &amber, LISTED, json!([]));
    assert_same(&before, &host.world(), "in the end");
}

// 56
#[test]
fn without_a_list_nothing_goes() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net_latest(json!({}));
    host.add(&red, &config);
    let attached = host.world();
    host.call("GC", &config).run().silent();
    collect(&host, &config, LISTED, json!(null));
    collect(&host, &with(config.clone(), LISTED_ONCE, json!(null)), LISTED, json!(null));
    assert_same(&attached, &host.world(), "after GC without a list");
    host.del(&red, &config);
}

// 57
#[test]
fn foreign_things_and_those_of_another_installation_stay() {
    let Some(host) = Host::new(&[]) else { return };
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    host.netns().ip("link add other0 type bridge");
    host.netns().ip("link add other1 type veth peer name other2");
    let config = host.net_latest(json!({}));
    let elsewhere = host.net_latest(json!({"stateDir": host.path("state-of-another")}));
    host.add(&green, &elsewhere);
    let before = host.world();
    host.add(&red, &config);
    collect(&host, &config, LISTED, json!([]));
    assert_same(&before, &host.world(), "after GC");
    host.check(&green, &elsewhere).silent();
    host.del(&green, &elsewhere);
}

// 57
#[test]
fn a_lost_record_does_not_hide_what_is_marked() {
    let Some(host) = Host::new(&[]) else { return };
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    let before = host.world();
    let config = host.net_latest(json!({}));
    host.add(&red, &config);
    host.add(&green, &config);
    fs::remove_dir_all(host.records()).expect("remove the records");
    collect(&host, &config, LISTED, json!([attachment(&green)]));
    assert!(red.netns.link("eth0").is_none());
    assert!(green.netns.link("eth0").is_some());
    assert_eq!(host.stand_in().leases(), ["green eth0"]);
    collect(&host, &config, LISTED, json!([]));
    assert_same(&before, &host.world(), "in the end");
}

// 55
#[test]
fn a_container_that_has_gone_without_del_is_collected() {
    let Some(host) = Host::new(&["macvlan", "tun"]) else { return };
    host.netns().ip("link add up0 type veth peer name up1");
    for half in [
        json!({}),
        json!({"netType": "interface", "bridge": null}),
        json!({"iftype": "tap", "netType": "none", "bridge": null}),
        json!({"iftype": "macvlan", "netType": "none", "macvlan": {"master": "up0"}}),
    ] {
        let before = host.world();
        let config = host.net_latest(json!({"host": half}));
        for (id, is_gone) in [("red", true), ("green", false)] {
            let container = host.container(id);
            host.add(&container, &config);
            if is_gone {
                container.netns.delete();
            }
        }
        collect(&host, &config, LISTED, json!([]));
        let stays = ["host:", "file", "eth0"];
        assert_same(&before.only(&stays), &host.world().only(&stays), &half.to_string());
    }
}

// 58
#[test]
fn ipam_is_told_and_its_failure_at_one_does_not_stop_the_rest() {
    let Some(host) = Host::new(&[]) else { return };
    let containers = ["red", "green", "grey"].map(|id| host.container(id));
    let before = host.world();
    let config = host.net_latest(json!({}));
    containers.iter().for_each(|one| drop(host.add(one, &config)));
    let stubborn =
        r#"[ "$CNI_CONTAINERID" = green ] && { echo '{"code": 99, "msg": "not this one"}'; exit 1; }"#;
    host.stand_in().on("DEL", stubborn);
    let all = with(config.clone(), LISTED, json!([]));
    host.call("GC", &all).fails(99, &["not this one"]);
    assert_eq!(host.stand_in().leases(), ["green eth0"]);
    assert!(containers.iter().all(|one| one.netns.link("eth0").is_none()));
    assert_eq!(host.stand_in().calls().last().map(String::as_str), Some("GC"));
    host.stand_in().behave("DEL");
    host.call("GC", &all).run().silent();
    assert_same(&before, &host.world(), "after the second GC");
}

// 58
#[test]
fn ipam_gets_the_list_as_it_came() {
    let Some(host) = Host::new(&[]) else { return };
    let listed = json!([{"containerID": "red", "ifname": "eth0"}]);
    let config = merged(host.net_latest(json!({})), json!({LISTED: listed, LISTED_ONCE: listed}));
    host.call("GC", &config).run().silent();
    assert_eq!(host.stand_in().stdin("GC"), config.to_string().into_bytes());
    host.stand_in().fail("GC", 88, "a broken store");
    host.call("GC", &config).fails(88, &["a broken store"]);
}

// 58
#[test]
fn an_ipam_that_does_not_know_gc_or_status_is_no_error() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net_latest(json!({LISTED: []}));
    for command in ["GC", "STATUS"] {
        for (code, msg) in [(4, "unknown CNI_COMMAND: GC"), (1, "incompatible CNI versions")] {
            host.stand_in().fail(command, code, msg);
            host.call(command, &config).run().silent();
        }
        let real = host.net(json!({"cniVersion": "1.1.0", LISTED: []}));
        host.call(command, &real).run().silent();
    }
}

#[test]
fn a_malformed_list_deletes_nothing() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net_latest(json!({}));
    host.add(&red, &config);
    let attached = host.world();
    for bad in [
        json!("x"),
        json!([{"containerID": "a/b", "ifname": "eth0"}]),
        json!([{"containerID": "a"}]),
        json!([7]),
    ] {
        host.call("GC", &with(config.clone(), LISTED, bad)).fails(7, &[LISTED]);
        assert_same(&attached, &host.world(), "after the refusal");
    }
    host.del(&red, &config);
}
