//! What is lost, broken, refused or killed at a bad moment must not keep a later call from doing its work.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Host, assert_same, merged, until, with};

const SOON: Duration = Duration::from_secs(10);
const NOBODY: &str = "cni.dev/valid-attachments";

fn collect(host: &Host, config: &Value) {
    host.call("GC", &with(config.clone(), NOBODY, json!([]))).run().silent();
}

#[test]
fn a_broken_or_lost_instance_id_stops_neither_add_nor_gc() {
    for content in [Some(""), Some("0000\n"), Some("rubbish"), None] {
        let Some(host) = Host::new(&[]) else { return };
        let [red, green] = ["red", "green"].map(|id| host.container(id));
        let config = host.net_latest(json!({}));
        let before = host.world();
        host.add(&red, &config);
        let instance = host.state_dir().join("instance");
        match content {
            Some(text) => fs::write(&instance, text).expect("break the file"),
            None => fs::remove_file(&instance).expect("remove the file"),
        }
        host.add(&green, &config);
        collect(&host, &config);
        assert_same(&before, &host.world(), &format!("after GC with {content:?}"));
    }
}

#[test]
fn a_del_after_a_kill_waits_for_the_ipam_plugin_that_lives_on() {
    let Some(host) = Host::new(&[]) else { return };
    let (red, config) = (host.container("red"), host.net_latest(json!({})));
    let before = host.world();
    // The plugin's parent is the binary under test: killing it leaves the plugin to write its lease later.
    host.stand_in().on("ADD", "kill -9 $PPID; sleep 1");
    assert_eq!(host.call("ADD", &config).of(&red).run().finished.code, None, "it was killed");
    host.del(&red, &config);
    assert_eq!(host.stand_in().leases(), [] as [&str; 0]);
    assert_same(&before, &host.world(), "after DEL");
}

#[test]
fn an_ipam_plugin_that_never_stops_talking_is_stopped() {
    let Some(host) = Host::new(&[]) else { return };
    let (red, config) = (host.container("red"), host.net_latest(json!({})));
    let before = host.world();
    host.stand_in().on("ADD", "exec yes rubbish");
    let text = host.call("ADD", &config).of(&red).run().error(101);
    assert!(text.contains("more than 1048576 bytes"), "{text}");
    assert_same(&before, &host.world(), "after the failure");
}

#[test]
fn a_del_after_a_refused_add_succeeds() {
    for (patch, code) in [
        (json!({"host": {"engine": "vpp", "iftype": "memif", "socket": "/nowhere/api.sock"}}), 11),
        (json!({"host": {"engine": "ovs", "iftype": "vhostuser", "socket": "/nowhere/db.sock"}}), 11),
        (json!({"ipam": {"type": "not-installed"}}), 7),
        (json!({"host": {"bridge": {"bridgeName": "a-name-of-far-too-many-bytes"}}}), 7),
        (json!({"stateDir": "/proc/not/here"}), 5),
    ] {
        let Some(host) = Host::new(&[]) else { return };
        let red = host.container("red");
        let config = merged(host.net_latest(json!({})), patch.clone());
        let before = host.world();
        let (found, text) = host.call("ADD", &config).of(&red).run().failure();
        assert_eq!(found, code, "{patch}: {text}");
        host.del(&red, &config);
        assert_same(&before, &host.world(), &patch.to_string());
    }
}

#[test]
fn a_shared_directory_of_the_administrators_stays() {
    let Some(host) = Host::new(&[]) else { return };
    let shared = host.path("admins");
    fs::create_dir(&shared).expect("make a directory");
    let config = host.net_latest(json!({"sharedDir": shared}));
    host.del(&host.container("red"), &config);
    assert!(shared.exists());
}

#[test]
fn an_attachment_whose_namespace_is_gone_gives_way_to_a_new_one() {
    let Some(host) = Host::new(&[]) else { return };
    let config = host.net_latest(json!({}));
    let red = host.container("red");
    host.add(&red, &config);
    red.netns.delete();
    until("the pair goes", SOON, || host.world().lines("host: link ifname \"us").is_empty());
    let again = host.container("green");
    let output = host.call("ADD", &config).of(&again).env("CNI_CONTAINERID", "red").run();
    output.result();
    assert_eq!(host.stand_in().leases(), ["red eth0"]);
}

#[test]
fn a_del_without_ipam_still_gives_the_address_back() {
    let Some(host) = Host::new(&[]) else { return };
    let (red, config) = (host.container("red"), host.net_latest(json!({})));
    host.add(&red, &config);
    host.del(&red, &with(config, "ipam", Value::Null));
    assert_eq!(host.stand_in().leases(), [] as [&str; 0]);
}

#[test]
fn a_secret_is_in_no_error_and_no_log() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    for secret in [json!(987654321), json!("s3cr3t-s3cr3t-s3cr3t-s3cr3t")] {
        let patch = json!({"logLevel": "verbose",
            "host": {"engine": "vpp", "iftype": "memif", "memif": {"secret": secret}}});
        let config = merged(host.net_latest(json!({})), patch);
        for command in ["ADD", "DEL"] {
            let finished = host.call(command, &config).of(&red).run().finished;
            let said = finished.stdout + &finished.stderr;
            assert!(!said.contains("987654321") && !said.contains("s3cr3t"), "{command}: {said}");
        }
    }
}

#[test]
fn gc_takes_a_record_that_nobody_can_read() {
    let Some(host) = Host::new(&[]) else { return };
    let (red, config) = (host.container("red"), host.net_latest(json!({})));
    host.add(&red, &config);
    let record = fs::read_dir(host.records()).expect("the records").flatten().next().expect("a record");
    fs::write(record.path(), "{").expect("break it");
    let listed = with(config.clone(), NOBODY, json!([{"containerID": "red", "ifname": "eth0"}]));
    host.call("GC", &listed).run().silent();
    assert!(record.path().exists(), "it is valid");
    collect(&host, &config);
    assert!(!record.path().exists());
    assert_eq!(host.world().lines("host: link ifname \"us"), [] as [&str; 0], "the mark was found");
    assert_eq!(host.stand_in().leases(), [] as [&str; 0]);
}
