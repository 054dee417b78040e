//! What the plugin makes of its environment: every call that is wrong is refused with code 4 and leaves nothing, and every call that
//! a runtime may make is accepted.

use serde_json::json;
use userspace_tests::{Host, assert_same};

const ADD_NEEDS: [&str; 4] = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"];

// 1
#[test]
fn without_a_command_it_says_what_it_is() {
    let Some(host) = Host::new(&[]) else { return };
    let call = host.call("", &json!({}));
    for call in [call.clone().without("CNI_COMMAND"), call] {
        let finished = call.run().finished;
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), ""));
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.contains("a CNI plugin"), "{finished:?}");
    }
}

// 2
#[test]
fn an_unknown_command_is_named() {
    let Some(host) = Host::new(&[]) else { return };
    for command in ["FOO", "add", " ADD"] {
        host.call(command, &host.net(json!({}))).fails(4, &[command, "CNI_COMMAND"]);
    }
}

// 3, 4, 5
#[test]
fn all_missing_variables_are_named_and_no_others() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    for (command, needed) in
        [("ADD", &ADD_NEEDS[..]), ("CHECK", &ADD_NEEDS[..3]), ("DEL", &["CNI_CONTAINERID", "CNI_IFNAME"])]
    {
        let whole = host.call(command, &host.net(json!({}))).of(&red);
        let mut none = whole.clone();
        for one in needed {
            none = none.without(one);
            for call in [whole.clone().without(one), whole.clone().env(one, "")] {
                let text = call.run().error(4);
                let named: Vec<_> = ADD_NEEDS.into_iter().filter(|key| text.contains(key)).collect();
                assert_eq!(named, [*one], "{command}: {text}");
            }
        }
        none.fails(4, needed);
    }
    assert_same(&before, &host.world(), "after the refusals");
}

// 4
#[test]
fn del_needs_no_namespace() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let call = host.call("DEL", &host.net(json!({}))).of(&red);
    call.clone().without("CNI_NETNS").run().silent();
    call.env("CNI_NETNS", "").run().silent();
}

// 6
#[test]
fn gc_and_status_take_variables_that_are_set_but_empty() {
    let Some(host) = Host::new(&[]) else { return };
    let config = host.net_latest(json!({"cni.dev/valid-attachments": []}));
    for command in ["GC", "STATUS"] {
        let mut call = host.call(command, &config);
        for key in ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"] {
            call = call.env(key, "");
        }
        call.run().silent();
    }
}

// 7, 8
#[test]
fn names_of_every_allowed_form_work_and_others_are_refused() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let before = host.world();
    let long = "a".repeat(128);
    let good = [
        ("CNI_CONTAINERID", ["a", long.as_str(), "0_A.b-c"]),
        ("CNI_IFNAME", ["e", "abcdefghijklmno", "net-1.5_x"]),
    ];
    let bad = [
        ("CNI_CONTAINERID", ["-x", "a/b", "..", "a b", "ä"].as_slice()),
        ("CNI_IFNAME", &["abcdefghijklmnop", ".", "..", "a/b", "a:b", "a b"]),
    ];
    let call = |command: &str, key: &str, value: &str| host.call(command, &config).of(&red).env(key, value);
    for (key, values) in good {
        for value in values {
            call("ADD", key, value).run().result();
            call("CHECK", key, value).run().silent();
            call("DEL", key, value).run().silent();
        }
    }
    for (key, values) in bad {
        for value in values {
            for command in ["ADD", "CHECK", "DEL"] {
                call(command, key, value).fails(4, &[key, value]);
            }
        }
    }
    assert_same(&before, &host.world(), "in the end");
}

// 16
#[test]
fn arguments_that_are_unknown_pass_when_they_may_and_malformed_ones_never() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    // Without IPAM, since host-local has a judgement of its own.
    let config = host.net(json!({"ipam": null}));
    let before = host.world();
    for args in [
        "",
        "IgnoreUnknown=1;FOO=x",
        "FOO=x;IgnoreUnknown=true",
        "IgnoreUnknown=true;K8S_POD_NAMESPACE=n;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=i;K8S_POD_UID=u;IgnoreUnknown=1",
        "K8S_POD_NAME=p",
        "IgnoreUnknown=1;MAC=;IP=",
    ] {
        host.call("ADD", &config).of(&red).env("CNI_ARGS", args).run().result();
        host.call("DEL", &config).of(&red).env("CNI_ARGS", args).run().silent();
    }
    for (args, code, word) in [
        ("FOO=x", 4, "FOO"),
        ("IgnoreUnknown=0;FOO=x", 4, "FOO"),
        ("IgnoreUnknown=1;FOO", 4, "FOO"),
        ("MAC=nonsense", 7, "nonsense"),
        ("MAC=01:00:5e:00:00:01", 7, "01:00:5e:00:00:01"),
    ] {
        host.call("ADD", &config).of(&red).env("CNI_ARGS", args).fails(code, &[word]);
        assert_same(&before, &host.world(), args);
    }
}

// 18
#[test]
fn the_plugins_own_namespace_is_refused_unless_asked_for() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let own = host.netns().path().display().to_string();
    let before = host.world();
    let call = |command| host.call(command, &host.net(json!({}))).of(&red).env("CNI_NETNS", &own);
    call("ADD").fails(4, &["own network namespace", &own]);
    assert_same(&before, &host.world(), "after the refusal");
    for yes in ["1", "true"] {
        let call = |command| call(command).env("CNI_NETNS_OVERRIDE", yes);
        call("ADD").run().result();
        assert!(host.netns().link("eth0").is_some(), "the interface is in the host's namespace");
        call("CHECK").run().silent();
        call("DEL").run().silent();
        assert_same(&before, &host.world(), yes);
    }
}

// 19
#[test]
fn a_namespace_that_is_none_is_refused() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let before = host.world();
    for path in ["/nowhere/at/all", "/etc/passwd", "/"] {
        let call = host.call("ADD", &host.net(json!({}))).of(&red);
        call.env("CNI_NETNS", path).fails(4, &[path]);
        assert_same(&before, &host.world(), path);
    }
}
