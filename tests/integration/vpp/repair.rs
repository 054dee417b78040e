//! A VPP that comes back has nothing: all that was made on it is made again, on demand and by the watch.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Flavour, until};

use super::support::OnVpp;

const SOON: Duration = Duration::from_secs(30);

on_both!(what_vpp_has_lost_is_made_again, the_watch_repairs_by_itself_whenever_vpp_comes_back,);

fn configs(it: &OnVpp) -> [Value; 3] {
    let routed = json!({"name": "green", "host": {"netType": "interface", "bridge": null}});
    [
        it.net(json!({"host": {"memif": {"ringSize": 512}}})),
        it.net(json!({"name": "red", "host": {"iftype": "vhostuser", "bridge": {"bridgeName": "7"}}})),
        it.net_with_addresses(routed),
    ]
}

fn what_vpp_has_lost_is_made_again(flavour: Flavour) {
    let Some(mut it) = OnVpp::with(&["host-local"], flavour) else { return };
    let containers = ["red", "green", "blue"].map(|id| it.host.container(id));
    let configs = configs(&it);
    let before = it.everything();
    for (container, config) in containers.iter().zip(&configs) {
        it.host.add(container, config);
    }
    let had = it.everything();
    it.vpp.kill();
    let down = it.host.command("repair");
    assert_eq!(down.code, Some(1), "{down:#?}");
    assert!(down.stdout.contains("0 stood, 0 made again, 3 failed\n"), "{down:#?}");
    it.vpp.restart();
    for (container, config) in containers.iter().zip(&configs) {
        it.host.check(container, config).error(103);
    }
    let repaired = it.host.command("repair");
    assert_eq!(repaired.code, Some(0), "{repaired:#?}");
    assert!(repaired.stdout.contains("made again  blue/red/eth0 (vpp)\n"), "{repaired:#?}");
    assert!(repaired.stdout.contains("0 stood, 3 made again, 0 failed\n"), "{repaired:#?}");
    it.is_as(&had, "after the repair");
    for (container, config) in containers.iter().zip(&configs) {
        it.host.check(container, config).silent();
    }
    let again = it.host.command("repair");
    assert!(again.stdout.contains("3 stood, 0 made again, 0 failed\n"), "{again:#?}");
    for (container, config) in containers.iter().zip(&configs) {
        it.host.del(container, config);
    }
    it.is_as(&before, "in the end");
}

// The fake one's command line sets nothing.
#[test]
fn what_differs_is_mended_and_its_neighbour_stays() {
    let Some(it) = OnVpp::new(Flavour::Real) else { return };
    let [red, green] = ["red", "green"].map(|id| it.host.container(id));
    let config = it.net(json!({}));
    it.host.add(&red, &config);
    let record = fs::read_dir(it.host.records()).expect("the records").flatten().next().expect("a record");
    let text = fs::read_to_string(record.path()).expect("read the record");
    let record: Value = serde_json::from_str(&text).expect("a record");
    it.host.add(&green, &config);
    let had = it.everything();
    let name = record["host"]["name"].as_str().expect("VPP's name");
    it.vpp.cli(&format!("set interface state {name} down"));
    it.host.check(&red, &config).error(103);
    let repaired = it.host.command("repair");
    assert!(
        repaired.stdout.contains("mended      blue/red/eth0 (vpp): found that admin up"),
        "{repaired:#?}"
    );
    assert!(repaired.stdout.contains("stood       blue/green/eth0 (vpp)\n"), "{repaired:#?}");
    it.is_as(&had, "after the repair");
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.host.del(&green, &config);
}

fn the_watch_repairs_by_itself_whenever_vpp_comes_back(flavour: Flavour) {
    let Some(mut it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({}));
    let log = it.host.path("watch.log");
    let text = || fs::read_to_string(&log).expect("read the log");
    let count = |what: &str| text().matches(what).count();
    it.host.add(&red, &config);
    let had = it.everything();
    let mut service = it.host.service("repair --watch", &log);
    until("VPP is watched", SOON, || count("1 stood, 0 made again, 0 failed in ") == 1);
    for round in 1..=2 {
        it.vpp.kill();
        until("the watch has heard of it", SOON, || count(" went away\n") == round);
        it.vpp.restart();
        until("it is repaired", SOON, || count("0 stood, 1 made again, 0 failed in ") == round);
        it.is_as(&had, "after the repair");
        it.host.check(&red, &config).silent();
    }
    assert_eq!(service.terminate(), Some(0), "{}", text());
    it.host.del(&red, &config);
}
