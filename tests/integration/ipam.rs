//! The IPAM plugin: found through CNI_PATH alone, called with what we were called with, and undone when anything fails.

use std::fs;

use serde_json::json;
use userspace_tests::{Host, assert_same};

// 34
#[test]
fn ipam_is_found_through_cni_path_alone() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    let bin = host.bin_dir().display().to_string();
    let config = host.net_latest(json!({}));
    let add = |path: &str| {
        host.call("ADD", &config).of(&red).env("CNI_PATH", path).env("PATH", &format!("{bin}:/usr/bin"))
    };
    for elsewhere in ["/nowhere", "/nowhere:/etc"] {
        add(elsewhere).fails(7, &["stand-in", elsewhere]);
        assert_same(&before, &host.world(), elsewhere);
    }
    for path in [bin.clone(), format!("/nowhere:{bin}"), format!("{bin}:/usr/lib/cni"), format!("::{bin}")] {
        add(&path).run().result();
        host.del(&red, &config);
    }
    for path in [format!("{bin}/stand-in"), "../bin/stand-in".to_owned()] {
        let config = host.net_latest(json!({"ipam": {"type": path}}));
        host.call("ADD", &config).of(&red).fails(7, &["ipam.type", &path]);
    }
    assert_same(&before, &host.world(), "in the end");
}

// 34
#[test]
fn ipam_gets_the_same_environment_and_configuration() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net_latest(json!({"x-unknown": [1, {"b": 2, "a": null}]}));
    let text = serde_json::to_string_pretty(&config).expect("JSON").replace(": ", " :\t") + "\n\n";
    for command in ["ADD", "CHECK", "DEL"] {
        let call = host.call(command, &config).of(&red).stdin(text.clone());
        let call = call.env("FOO", "a b").env("CNI_ARGS", "IgnoreUnknown=1;IP=192.0.2.1");
        call.run().finished.success(command);
        assert_eq!(host.stand_in().stdin(command), text.as_bytes(), "{command}");
        let there = host.stand_in().env(command);
        for (key, value) in call.environment() {
            assert!(there.contains(&format!("{key}={value}")), "{command}: {key} in {there:?}");
        }
    }
    assert_eq!(host.stand_in().calls(), ["ADD red eth0", "CHECK red eth0", "DEL red eth0"]);
}

// 35
#[test]
fn ipams_standard_error_is_passed_on() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net_latest(json!({"logLevel": "error"}));
    for command in ["ADD", "CHECK", "DEL"] {
        host.stand_in().on(command, &format!("echo 'a word at {command}' >&2"));
        let finished = host.call(command, &config).of(&red).run().finished;
        assert_eq!(finished.stderr, format!("a word at {command}\n"));
        finished.success(command);
    }
}

// 36
#[test]
fn a_failure_of_ipam_is_undone_and_its_code_kept() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net_latest(json!({}));
    let before = host.world();
    for (at_add, code, words) in [
        (
            r#"echo '{"cniVersion": "1.1.0", "code": 77, "msg": "no addresses", "details": "of 0"}'; exit 1"#,
            77,
            "no addresses",
        ),
        (r#"echo '{"code": 11, "msg": "later"}'; exit 1"#, 11, "later"),
        ("exit 3", 101, "stand-in"),
        ("echo what is this; exit 1", 101, "what is this"),
        ("echo what is this; exit 0", 6, "stand-in"),
        ("exit 0", 6, "stand-in"),
        (r#"echo '{"cniVersion": "1.1.0"}'; exit 0"#, 6, "no address"),
        (r#"echo '{"ips": [{"address": "10.0.0.300/24"}]}'; exit 0"#, 6, "stand-in"),
        ("kill -9 $$", 101, "stand-in"),
    ] {
        host.stand_in().on("ADD", at_add);
        let calls = host.stand_in().calls().len();
        host.call("ADD", &config).of(&red).fails(code, &[words]);
        assert_same(&before, &host.world(), at_add);
        assert_eq!(host.stand_in().calls()[calls..], ["ADD red eth0", "DEL red eth0"], "{at_add}");
    }
    host.stand_in().behave("ADD");
    host.add(&red, &config);
    host.del(&red, &config);
}

// 36
#[test]
fn a_lease_that_ipam_made_before_it_failed_is_given_back() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    host.stand_in().on("ADD", r#"echo "$me" >"$dir/leases/7"; exit 1"#);
    host.call("ADD", &host.net_latest(json!({}))).of(&red).run().failure();
    assert_same(&before, &host.world(), "after the failure");
}

// 36
#[test]
fn an_exhausted_pool_fails_with_host_locals_own_words() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let containers = ["red", "green"].map(|id| host.container(id));
    let range = json!([[{"subnet": "10.20.0.0/24", "rangeStart": "10.20.0.9", "rangeEnd": "10.20.0.9"}]]);
    let config = host.net(json!({"ipam": {"ranges": range}}));
    let before = host.world();
    host.add(&containers[0], &config);
    let with_red = host.world();
    let (_, text) = host.call("ADD", &config).of(&containers[1]).run().failure();
    assert!(text.contains("no IP addresses available"), "{text}");
    assert_same(&with_red, &host.world(), "after the failure");
    host.del(&containers[1], &config);
    assert_same(&with_red, &host.world(), "after the DEL of what failed");
    host.del(&containers[0], &config);
    assert_same(&before, &host.world(), "in the end");
}

// 54
#[test]
fn ipams_check_is_run_and_its_error_returned() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net_latest(json!({}));
    host.add(&red, &config);
    host.check(&red, &config).silent();
    host.stand_in().fail("CHECK", 123, "not so");
    host.call("CHECK", &config).of(&red).fails(123, &["not so"]);
    host.stand_in().behave("CHECK");
    host.check(&red, &config).silent();
    host.del(&red, &config);
}

// 54
#[test]
fn check_fails_when_host_local_has_lost_the_lease() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    host.add(&red, &config);
    for lease in ["10.20.0.2", "fd20::2"] {
        fs::remove_file(host.lease_dir().join("blue").join(lease)).expect("remove the lease");
    }
    let (_, text) = host.check(&red, &config).failure();
    assert!(text.contains("host-local"), "{text}");
    host.del(&red, &config);
}
