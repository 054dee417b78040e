//! `userspace gc`: attachments whose container is gone are detached by their records, and nothing else is.

use std::time::Duration;

use serde_json::{Value, json};
use userspace_tests::{Finished, Host, assert_same, merged, until};

const SOON: Duration = Duration::from_secs(30);

#[track_caller]
fn told(finished: &Finished, code: i32, lines: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:#?}");
    for line in lines {
        assert!(finished.stdout.contains(line), "{line:?} is not in {finished:#?}");
    }
}

fn sweep(host: &Host, words: &str) -> Finished {
    host.command(&format!("gc --cni-path {} {words}", host.cni_path()))
}

#[test]
fn what_is_gone_goes_and_what_lives_stays() {
    let Some(host) = Host::new(&["macvlan", "tun"]) else { return };
    host.netns().ip("link add up0 type veth peer name up1");
    for half in [
        json!({}),
        json!({"netType": "interface", "bridge": null}),
        json!({"iftype": "tap", "netType": "none", "bridge": null}),
        json!({"iftype": "macvlan", "netType": "none", "bridge": null, "macvlan": {"master": "up0"}}),
    ] {
        let config = host.net_latest(json!({"host": half}));
        let [red, green] = ["red", "green"].map(|id| host.container(id));
        let before = host.world();
        host.add(&red, &config);
        host.add(&green, &config);
        told(&sweep(&host, ""), 0, &["0 removed, 2 live, 0 unknown, 0 failed\n"]);
        let links = || host.netns().ip_json("link show").len();
        let with_both = links();
        red.netns.delete();
        if half["iftype"].is_null() {
            // The kernel takes a namespace's pairs away a moment later, and the bridge then has another address.
            until("the pair has gone", SOON, || links() < with_both);
        }
        let attached = host.world();
        told(&sweep(&host, "--dry-run"), 0, &["would go    blue/red/eth0\n", "1 would go, 1 live"]);
        assert_same(&attached, &host.world(), "after the dry run");
        told(
            &sweep(&host, ""),
            0,
            &["removed     blue/red/eth0\n", "1 removed, 1 live, 0 unknown, 0 failed\n"],
        );
        assert_eq!(host.stand_in().leases(), ["green eth0"]);
        host.check(&green, &config).silent();
        host.del(&green, &config);
        let stays = ["host:", "file"];
        assert_same(&before.only(&stays), &host.world().only(&stays), &half.to_string());
    }
}

#[test]
fn a_program_is_told_in_json() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net(json!({}));
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    for one in [&red, &green] {
        host.add(one, &config);
    }
    red.netns.delete();
    for (words, code, fate) in [
        (format!("gc --dry-run --json --cni-path {}", host.cni_path()), 0, "wouldGo"),
        ("gc --json --cni-path /nowhere".to_owned(), 1, "failed"),
        (format!("gc --json --cni-path {}", host.cni_path()), 0, "removed"),
    ] {
        let finished = host.command(&words);
        assert_eq!((finished.code, finished.stdout.lines().count()), (Some(code), 1), "{finished:#?}");
        let mut told: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        let mut counts = json!({"live": 1, "wouldGo": 0, "removed": 0, "unknown": 0, "failed": 0});
        counts[fate] = json!(1);
        assert_eq!((&told["counts"], &told["stateDir"]), (&counts, &json!(host.state_dir())));
        let records = told["records"].as_array_mut().expect("records");
        let gone = records.iter_mut().find(|one| one["container"] == "red").expect("its record");
        let reason = gone.as_object_mut().and_then(|gone| gone.remove("reason"));
        assert_eq!(reason.is_some_and(|reason| reason.to_string().contains("/nowhere")), fate == "failed");
        let of = |container: &str, fate: &str| json!({"network": "blue", "container": container, "interface": "eth0", "fate": fate});
        assert!(records.contains(&of("red", fate)) && records.contains(&of("green", "live")), "{records:#?}");
    }
    host.del(&green, &config);
}

#[test]
fn the_ipam_plugin_is_found_and_called_as_by_a_runtime() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let before = host.world();
    host.add(&red, &config);
    red.netns.delete();
    let elsewhere = host.command("gc --cni-path /nowhere");
    told(&elsewhere, 1, &["failed      blue/red/eth0: ", "host-local", "/nowhere", "1 failed\n"]);
    told(&sweep(&host, ""), 0, &["removed     blue/red/eth0\n"]);
    let stays = ["host:", "file"];
    assert_same(&before.only(&stays), &host.world().only(&stays), "after the sweep");
}

#[test]
fn another_state_directory_is_not_touched() {
    let Some(host) = Host::new(&[]) else { return };
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    let elsewhere = host.net_latest(json!({"stateDir": host.path("state-of-another")}));
    host.add(&green, &elsewhere);
    host.add(&red, &host.net_latest(json!({})));
    red.netns.delete();
    green.netns.delete();
    told(&sweep(&host, ""), 0, &["removed     blue/red/eth0\n", "1 removed, 0 live"]);
    assert_eq!(host.stand_in().leases(), ["green eth0"]);
    assert!(host.netns().link("blue0").is_some());
    host.del(&green, &elsewhere);
}

#[test]
fn what_is_not_certain_stays_and_is_told() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let config = host.net_latest(json!({}));
    host.add(&red, &config);
    // As it looks from a container that has not got the host's mounts.
    let records = host.records();
    let record = std::fs::read_dir(&records).expect("the records").flatten().next().expect("a record").path();
    let text = std::fs::read_to_string(&record).expect("read the record");
    let moved = text.replace("/run/netns/", "/run/netns-of-the-host/");
    assert_ne!(moved, text);
    std::fs::write(&record, moved).expect("write the record");
    told(&sweep(&host, ""), 0, &["stays       blue/red/eth0: ", "0 removed, 0 live, 1 unknown"]);
    std::fs::write(&record, text).expect("write the record");
    host.check(&red, &config).silent();
    host.del(&red, &config);
}

#[test]
fn a_failure_at_one_does_not_stop_the_rest() {
    let Some(host) = Host::new(&[]) else { return };
    let containers = ["red", "green", "grey"].map(|id| host.container(id));
    let config = merged(host.net_latest(json!({})), json!({"host": {"mtu": 1400}}));
    containers.iter().for_each(|one| drop(host.add(one, &config)));
    containers.iter().for_each(|one| one.netns.delete());
    let stubborn =
        r#"[ "$CNI_CONTAINERID" = green ] && { echo '{"code": 99, "msg": "not this one"}'; exit 1; }"#;
    host.stand_in().on("DEL", stubborn);
    told(
        &sweep(&host, ""),
        1,
        &["failed      blue/green/eth0: ", "not this one", "2 removed, 0 live, 0 unknown, 1 failed\n"],
    );
    host.stand_in().behave("DEL");
    told(&sweep(&host, ""), 0, &["1 removed, 0 live, 0 unknown, 0 failed\n"]);
    assert!(host.netns().link("blue0").is_none());
}
