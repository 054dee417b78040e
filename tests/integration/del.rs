//! DEL is best effort: it succeeds as often as it comes, with little left to go by, and removes what is there.

use std::{fs, os::unix::fs::symlink, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Container, Host, World, assert_same, until, with};

const LIMIT: Duration = Duration::from_secs(20);

/// One host's half of each sort.
const HALVES: [&str; 4] = [
    r#"{}"#,
    r#"{"netType": "interface", "bridge": null}"#,
    r#"{"iftype": "tap", "netType": "none", "bridge": null}"#,
    r#"{"iftype": "macvlan", "netType": "none", "bridge": null, "macvlan": {"master": "up0"}}"#,
];

/// What is left to compare when a container has gone: all but that container's own.
const WHAT_STAYS: [&str; 3] = ["host:", "file", "eth0"];

/// A host with one attached container, and the world before that.
struct Attached {
    host: Host,
    red: Container,
    config: Value,
    result: Value,
    before: World,
}

impl Attached {
    fn new(needs: &[&str], config: impl FnOnce(&Host) -> Value) -> Option<Self> {
        let host = Host::new(needs)?;
        host.netns().ip("link add up0 type veth peer name up1");
        let red = host.container("red");
        let before = host.world();
        let config = config(&host);
        let result = host.add(&red, &config);
        Some(Self { host, red, config, result, before })
    }

    fn on_a_bridge() -> Option<Self> {
        Self::with_half(HALVES[0])
    }

    fn with_half(half: &str) -> Option<Self> {
        let half: Value = serde_json::from_str(half).expect("JSON");
        Self::new(&["host-local", "macvlan", "tun"], |host| host.net(json!({"host": half})))
    }

    fn record(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.host.records()).expect("the records");
        entries.next().expect("a record").expect("an entry").path()
    }

    fn nothing_is_left(&self, when: &str) {
        assert_same(&self.before, &self.host.world(), when);
    }
}

// 40
#[test]
fn the_second_del_succeeds_as_the_first() {
    let Some(one) = Attached::on_a_bridge() else { return };
    for _ in 0..3 {
        one.host.del(&one.red, &one.config);
        one.nothing_is_left("after DEL");
    }
}

// 41
#[test]
fn what_was_never_added_is_gone() {
    let Some(host) = Host::new(&["host-local", "macvlan"]) else { return };
    let red = host.container("red");
    let before = host.world();
    for half in [
        json!({}),
        json!({"netType": "interface"}),
        json!({"netType": "none"}),
        json!({"iftype": "tap", "netType": "none"}),
        json!({"iftype": "macvlan", "netType": "none", "macvlan": {"master": "nowhere0"}}),
    ] {
        host.del(&red, &host.net(json!({"host": half})));
        assert_same(&before, &host.world(), "after DEL");
    }
}

// 42
#[test]
fn a_namespace_that_has_gone_leaves_nothing() {
    for half in HALVES {
        for deleted in [true, false] {
            let Some(one) = Attached::with_half(half) else { return };
            let mut call = one.host.call("DEL", &one.config).of(&one.red);
            if deleted {
                one.red.netns.delete();
                // The kernel takes a pair along, a moment later.
                until("the pair goes", LIMIT, || one.host.world().lines("host: link ifname \"us").is_empty());
            } else {
                call = call.env("CNI_NETNS", "");
            }
            call.run().silent();
            call.run().silent();
            let [before, after] = [&one.before, &one.host.world()].map(|world| world.only(&WHAT_STAYS));
            assert_same(&before, &after, &format!("{half}, deleted {deleted}"));
        }
    }
}

// 42
#[test]
fn another_namespace_at_the_same_path_is_left_alone() {
    let Some(host) = Host::new(&["host-local", "tun"]) else { return };
    let [red, other] = ["red", "other"].map(|id| host.container(id));
    let path = host.path("netns");
    let given = path.display().to_string();
    let config = host.net(json!({"host": {"iftype": "tap", "netType": "none", "bridge": null}}));
    let call = |command| host.call(command, &config).of(&red).env("CNI_NETNS", &given);
    symlink(red.netns.path(), &path).expect("make a link");
    call("ADD").run().result();
    let theirs = call("ADD").env("CNI_CONTAINERID", "other");
    fs::remove_file(&path).expect("remove the link");
    symlink(other.netns.path(), &path).expect("make a link");
    red.netns.delete();
    theirs.run().result();
    let before = host.world().lines("container").join("\n");
    call("DEL").run().silent();
    assert_eq!(host.world().lines("container").join("\n"), before);
    assert_eq!(host.world().lines("records").len(), 1, "the record of the other");
    theirs.clone().env("CNI_COMMAND", "CHECK").run().silent();
}

// 43
#[test]
fn without_a_record_the_marks_are_found_and_ipam_still_called() {
    for half in HALVES {
        let Some(one) = Attached::with_half(half) else { return };
        fs::remove_dir_all(one.host.state_dir()).expect("remove the state");
        one.host.del(&one.red, &one.config);
        one.nothing_is_left(half);
    }
}

// 44
#[test]
fn a_corrupt_record_is_as_good_as_none() {
    for broken in ["", "{", "null", "[]", "{\"version\": 1}", "{\"version\": 99}", "\0\0\0"] {
        let Some(one) = Attached::on_a_bridge() else { return };
        fs::write(one.record(), broken).expect("write the record");
        one.host.del(&one.red, &one.config);
        one.nothing_is_left(broken);
    }
}

// 45
#[test]
fn the_previous_result_may_be_anything() {
    let Some(one) = Attached::on_a_bridge() else { return };
    let old = json!({"cniVersion": "0.2.0", "ip4": {"ip": "10.20.0.2/24"}});
    for previous in [json!(null), old, json!({"cniVersion": "9.9.9", "x": 1}), json!("x"), one.result.clone()]
    {
        one.host.del(&one.red, &with(one.config.clone(), "prevResult", previous));
        one.nothing_is_left("after DEL");
        one.host.add(&one.red, &one.config);
    }
    one.host.del(&one.red, &one.config);
}

#[test]
fn a_config_that_add_would_refuse_still_detaches() {
    let Some(one) = Attached::on_a_bridge() else { return };
    for (key, value) in [
        ("host", json!({"engine": "linux", "iftype": "veth", "mtu": "big", "typo": 1})),
        ("host", json!(null)),
        ("timeoutSeconds", json!(0)),
        ("timeoutSeconds", json!("soon")),
        ("runtimeConfig", json!({"mac": 7})),
    ] {
        one.host.del(&one.red, &with(one.config.clone(), key, value));
        one.nothing_is_left(key);
        one.host.add(&one.red, &one.config);
    }
    one.host.del(&one.red, &one.config);
}

// 46
#[test]
fn an_interface_that_has_gone_is_no_error() {
    let Some(one) = Attached::on_a_bridge() else { return };
    one.red.netns.ip("link delete eth0");
    one.host.del(&one.red, &one.config);
    one.nothing_is_left("after DEL");
    one.host.add(&one.red, &one.config);
    one.host.netns().ip("link delete blue0");
    one.host.del(&one.red, &one.config);
    one.nothing_is_left("after DEL without the bridge");
}

// 48
#[test]
fn a_step_that_fails_does_not_keep_the_others_from_running() {
    let Some(one) = Attached::new(&[], |host| host.net_latest(json!({}))) else { return };
    one.host.stand_in().fail("DEL", 99, "not now");
    one.host.call("DEL", &one.config).of(&one.red).fails(99, &["not now"]);
    let after = one.host.world();
    assert_eq!(after.lines("link"), one.before.lines("link"), "interface and bridge have gone");
    assert_eq!(one.host.stand_in().leases(), ["red eth0"]);
    assert!(one.record().exists(), "the record stays for the next try");
    one.host.stand_in().behave("DEL");
    one.host.del(&one.red, &one.config);
    one.nothing_is_left("after the second DEL");
}

// 48
#[test]
fn an_ipam_plugin_that_is_missing_does_not_keep_the_interface() {
    let Some(one) = Attached::new(&[], |host| host.net_latest(json!({}))) else { return };
    let call = one.host.call("DEL", &one.config).of(&one.red);
    let (_, text) = call.clone().env("CNI_PATH", "/nowhere").run().failure();
    assert!(text.contains("stand-in"), "{text}");
    assert_eq!(one.host.world().lines("link"), one.before.lines("link"));
    call.run().silent();
    one.nothing_is_left("after the second DEL");
}

// 49
#[test]
fn others_stay_whose_names_are_alike() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net(json!({}));
    let long = "default-nginx1";
    let containers = [long, "default-nginx2", "default-nginx"].map(|id| host.container(id));
    let names = ["net1", "net1x", "net2", "net"];
    let call = |command, container, name| host.call(command, &config).of(container).ifname(name);
    for container in &containers {
        for name in names {
            call("ADD", container, name).run().result();
        }
    }
    call("DEL", &containers[0], "net1").run().silent();
    assert!(containers[0].netns.link("net1").is_none());
    for container in &containers {
        for name in names {
            if (container.id.as_str(), name) != (long, "net1") {
                call("CHECK", container, name).run().silent();
            }
        }
    }
    for container in &containers {
        for name in names {
            call("DEL", container, name).run().silent();
        }
    }
}

// 49
#[test]
fn an_attachment_to_another_network_of_the_same_name_in_the_container_stays() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let (blue, green) = (host.net(json!({})), host.net(json!({"name": "green"})));
    host.add(&red, &blue);
    host.del(&red, &green);
    host.check(&red, &blue).silent();
    host.del(&red, &blue);
}
