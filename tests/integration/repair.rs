//! `userspace repair`: what was lost is there again as it was, and what stands is not touched.

use std::time::Duration;

use serde_json::{Value, json};
use userspace_tests::{Container, Finished, Host, assert_same, ping, until};

const SOON: Duration = Duration::from_secs(30);

fn port(result: &Value) -> String {
    result["interfaces"][0]["name"].as_str().expect("a name").to_owned()
}

fn index(host: &Host, result: &Value) -> u64 {
    let link = host.netns().link(&port(result)).expect("the host's end");
    link["ifindex"].as_u64().expect("an index")
}

/// What the container has.
fn inside(container: &Container) -> (Value, Vec<String>, Vec<Value>) {
    let eth0 = container.netns.link("eth0").expect("the container's end");
    let mut routes = container.netns.ip_json("-4 route show table all");
    routes.sort_by_key(Value::to_string);
    (eth0["address"].clone(), container.netns.addresses("eth0"), routes)
}

#[track_caller]
fn told(finished: &Finished, code: i32, lines: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:#?}");
    for line in lines {
        assert!(finished.stdout.contains(line), "{line:?} is not in {finished:#?}");
    }
}

#[test]
fn a_lost_pair_is_made_again_and_its_neighbour_stays() {
    let Some(host) = Host::new(&["host-local", "ping"]) else { return };
    for half in [json!({}), json!({"netType": "interface", "bridge": null})] {
        let config = host.net(json!({"host": half, "ipam": {"routes": [{"dst": "192.0.2.0/24"}]}}));
        let [red, green] = ["red", "green"].map(|id| host.container(id));
        let before = host.world();
        let results = [&red, &green].map(|one| host.add(one, &config));
        let (had, stays) = (inside(&red), index(&host, &results[1]));
        host.netns().ip(&format!("link delete {}", port(&results[0])));
        host.check(&red, &config).error(103);
        let repaired = host.command("repair");
        told(
            &repaired,
            0,
            &[
                "made again  blue/red/eth0 (linux)\n",
                "stood       blue/green/eth0 (linux)\n",
                "1 stood, 1 made again, 0 failed\n",
            ],
        );
        host.check(&red, &config).silent();
        host.check(&green, &config).silent();
        assert_eq!(inside(&red), had);
        assert_eq!(index(&host, &results[1]), stays, "the neighbour was not touched");
        let there = green.netns.addresses("eth0")[0].split('/').next().expect("an address").to_owned();
        assert!(ping(&red.netns, &there));
        host.del(&red, &config);
        host.del(&green, &config);
        assert_same(&before, &host.world(), "in the end");
    }
}

#[test]
fn what_differs_is_mended() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let bridged = host.net(json!({}));
    let routed = host.net(json!({"host": {"netType": "interface", "bridge": null}}));
    host.netns().ip("link add other0 type bridge");
    for (config, harm, word) in [
        (&bridged, "link set {port} nomaster", "the network"),
        (&bridged, "link set {port} master other0", "other0"),
        (&bridged, "link delete blue0", "the network"),
        (&bridged, "link set {port} down", "admin up"),
        (&routed, "address delete 10.20.0.1/32 dev {port}", "10.20.0.1"),
        (&routed, "address flush dev {port}", "fd20::1"),
    ] {
        let red = host.container("red");
        let result = host.add(&red, config);
        let stays = index(&host, &result);
        host.netns().ip(&harm.replace("{port}", &port(&result)));
        host.check(&red, config).error(103);
        let repaired = host.command("repair");
        told(&repaired, 0, &["mended      blue/red/eth0 (linux): found that ", word]);
        host.check(&red, config).silent();
        assert_eq!(index(&host, &result), stays);
        told(
            &host.command("repair"),
            0,
            &["stood       blue/red/eth0 (linux)\n", "1 stood, 0 made again, 0 failed\n"],
        );
        host.del(&red, config);
    }
}

#[test]
fn what_cannot_be_brought_about_is_told_and_left() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net(json!({"host": {"mtu": 1400}}));
    let red = host.container("red");
    let result = host.add(&red, &config);
    host.netns().ip(&format!("link set {} mtu 1300", port(&result)));
    let before = host.world();
    told(
        &host.command("repair"),
        1,
        &["failed      blue/red/eth0 (linux): ", "the MTU is 1300, not 1400", "1 failed\n"],
    );
    assert_same(&before, &host.world(), "after the repair");
    host.del(&red, &config);
}

#[test]
fn what_others_changed_in_the_container_is_theirs() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net(json!({"ipam": {"routes": [{"dst": "192.0.2.0/24"}]}}));
    let red = host.container("red");
    host.add(&red, &config);
    for words in ["link set eth0 mtu 1300", "route delete 192.0.2.0/24", "address add 10.9.9.9/32 dev eth0"] {
        red.netns.ip(words);
    }
    let before = host.world();
    told(&host.command("repair"), 0, &["1 stood, 0 made again, 0 failed\n"]);
    assert_same(&before, &host.world(), "after the repair");
    host.del(&red, &config);
}

#[test]
fn a_container_that_is_gone_and_one_without_a_host_half_are_skipped() {
    let Some(host) = Host::new(&["host-local", "macvlan"]) else { return };
    host.netns().ip("link add up0 type veth peer name up1");
    let [red, green] = ["red", "green"].map(|id| host.container(id));
    let config = host.net(json!({}));
    let macvlan = host.net(json!({"host": {"iftype": "macvlan", "netType": "none", "bridge": null, "macvlan": {"master": "up0"}}}));
    let result = host.add(&red, &config);
    host.add(&green, &macvlan);
    red.netns.delete();
    // The kernel takes its pairs away a moment later.
    until("the pair has gone", SOON, || host.netns().link(&port(&result)).is_none());
    let before = host.world();
    told(
        &host.command("repair"),
        0,
        &[
            "skipped     blue/red/eth0 (linux): its container is gone\n",
            "skipped     blue/green/eth0: all of it is in the container\n",
            "0 stood, 0 made again, 2 skipped, 0 failed\n",
        ],
    );
    assert_same(&before, &host.world(), "after the repair");
    host.del(&red, &config);
    host.del(&green, &macvlan);
}

#[test]
fn a_watch_repairs_what_was_lost_before_it_and_ends_cleanly() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let config = host.net(json!({}));
    let red = host.container("red");
    let result = host.add(&red, &config);
    host.netns().ip(&format!("link delete {}", port(&result)));
    let log = host.path("watch.log");
    let mut service = host.service("repair --watch", &log);
    let text = || std::fs::read_to_string(&log).expect("read the log");
    until("it is repaired", SOON, || text().contains("linux: 0 stood, 1 made again, 0 failed in "));
    host.check(&red, &config).silent();
    // No lock is held while it waits.
    host.del(&red, &config);
    assert_eq!(service.terminate(), Some(0));
    assert!(text().ends_with("ending\n"), "{}", text());
}

/// The document that a command prints.
fn document(finished: &Finished, code: i32) -> Value {
    assert_eq!((finished.code, finished.stdout.lines().count()), (Some(code), 1), "{finished:#?}");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

#[test]
fn a_program_is_told_in_json() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let counts = |[stood, made_again, mended, skipped, failed]: [u32; 5]| json!({"stood": stood, "madeAgain": made_again, "mended": mended, "skipped": skipped, "failed": failed});
    let empty = json!({"stateDir": host.state_dir(), "records": [], "counts": counts([0; 5])});
    assert_eq!(document(&host.command("repair --json"), 0), empty);
    let config = host.net(json!({"host": {"mtu": 1400}}));
    let ids = ["blue", "gone", "green", "red", "white"];
    let all = ids.map(|id| host.container(id));
    let [_, gone, ..] = &all;
    let ports = all.each_ref().map(|one| port(&host.add(one, &config)));
    gone.netns.delete();
    host.netns().ip(&format!("link delete {}", ports[0]));
    host.netns().ip(&format!("link set {} nomaster", ports[2]));
    host.netns().ip(&format!("link set {} mtu 1300", ports[3]));
    let told = document(&host.command("repair --json"), 1);
    assert_eq!(told["counts"], counts([1, 1, 1, 1, 1]));
    let records = told["records"].as_array().expect("records");
    assert_eq!(records.len(), ids.len());
    let of = |id: &str| records.iter().find(|one| one["container"] == id).expect("its record");
    let plain = |id: &str, fate: &str| json!({"network": "blue", "container": id, "interface": "eth0", "engine": "linux", "fate": fate});
    assert_eq!([of("white"), of("blue")], [&plain("white", "stood"), &plain("blue", "madeAgain")]);
    assert_eq!(
        (&of("gone")["fate"], &of("gone")["reason"]),
        (&json!("skipped"), &json!("its container is gone"))
    );
    let [difference] = of("green")["differences"].as_array().expect("differences").as_slice() else {
        panic!("{told:#}");
    };
    assert_eq!((&of("green")["fate"], &difference["what"]), (&json!("mended"), &json!("the network")));
    assert!(difference["wanted"].is_string() && difference["found"].is_string(), "{difference}");
    assert_eq!(of("red")["fate"], "failed");
    assert!(of("red")["reason"].as_str().is_some_and(|reason| reason.contains("1300, not 1400")), "{told:#}");
    for one in &all {
        host.del(one, &config);
    }
}

#[test]
fn the_command_line_is_explained_and_mistakes_are_named() {
    let Some(host) = Host::new(&[]) else { return };
    for command in ["repair", "gc"] {
        told(&host.command(&format!("{command} --help")), 0, &["--state-dir DIR", "--timeout SECONDS"]);
        let help = host.command(&format!("{command} --help"));
        assert_eq!(host.words(&format!("help {command}")).stdout, help.stdout);
        told(&host.command(command), 0, &["there are no records in ", "0 failed\n"]);
        assert!(!host.state_dir().exists(), "nothing was made");
        for (words, named) in
            [("--wat", "--wat"), ("now", "now"), ("--timeout 0", "--timeout"), ("--timeout x", "\"x\"")]
        {
            let finished = host.command(&format!("{command} {words}"));
            assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished:#?}");
            assert!(finished.stderr.contains(named), "{finished:#?}");
        }
    }
    for (words, named) in [
        ("repair --watch --json", "--json does not go with --watch"),
        ("help nobody", "help nobody"),
        ("help repair gc", "help repair gc"),
    ] {
        let finished = host.words(words);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished:#?}");
        assert!(finished.stderr.contains(named), "{finished:#?}");
    }
    told(&host.words("help"), 0, &["userspace repair", "userspace gc", "userspace help"]);
}
