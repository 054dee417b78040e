//! An Open vSwitch that comes back with an empty database: all that was made on it is made again, on demand and by the watch.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Container, Memory, until};

use super::{
    kernel::veth,
    support::{Vswitch, port_name},
};
use crate::apps::is_listened_at;

const SOON: Duration = Duration::from_secs(30);

/// What somebody configured for a port: that which must come back.
fn rows(it: &Vswitch, container: &Container) -> [String; 2] {
    let name = port_name(container);
    let port = "--columns=name,tag,trunks,vlan_mode,external_ids list Port";
    let interface = "--columns=type,options,mtu_request,external_ids,ingress_policing_rate list Interface";
    [port, interface].map(|words| it.ovs.vsctl(&format!("{words} {name}")))
}

fn configs(it: &Vswitch) -> [Value; 3] {
    [
        it.net(json!({"host": {"bridge": {"vlanId": 7}}, "runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}})),
        it.net(json!({"host": {"vhost": {"mode": "server"}, "mtu": 1400}})),
        veth(it, json!({})),
    ]
}

#[test]
fn what_an_empty_database_has_lost_is_made_again() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk", "host-local"], Memory::NoHuge) else { return };
    let containers = ["red", "green", "blue"].map(|id| it.host.container(id));
    let configs = configs(&it);
    let results: Vec<_> =
        containers.iter().zip(&configs).map(|(one, config)| it.host.add(one, config)).collect();
    let had = containers.each_ref().map(|one| rows(&it, one));
    it.ovs.kill_vswitchd();
    // A server's stale socket can make ovs-vswitchd 3.1 hang (docs/ovs.md).
    let _ = fs::remove_file(it.ovs.run_dir().join(port_name(&containers[1])));
    it.ovs.start_afresh();
    for (container, config) in containers.iter().zip(&configs) {
        it.host.check(container, config).error(103);
    }
    let repaired = it.host.command("repair");
    assert_eq!(repaired.code, Some(0), "{repaired:#?}");
    assert!(repaired.stdout.contains("made again  blue/red/eth0 (ovs-dpdk)\n"), "{repaired:#?}");
    assert!(repaired.stdout.contains("0 stood, 3 made again, 0 failed\n"), "{repaired:#?}");
    for (container, config) in containers.iter().zip(&configs) {
        it.host.check(container, config).silent();
    }
    assert_eq!(containers.each_ref().map(|one| rows(&it, one)), had);
    assert!(is_listened_at(&it.socket(&containers[1], &results[1])));
    let again = it.host.command("repair");
    assert!(again.stdout.contains("3 stood, 0 made again, 0 failed\n"), "{again:#?}");
    for (container, config) in containers.iter().zip(&configs) {
        it.host.del(container, config);
    }
}

#[test]
fn a_pair_that_is_gone_below_its_port_is_made_again() {
    let Some(it) = Vswitch::with(&["ovs-dpdk", "host-local"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = veth(&it, json!({}));
    let before = it.everything();
    it.host.add(&red, &config);
    let (had, addresses) = (rows(&it, &red), red.netns.addresses("eth0"));
    it.host.netns().ip(&format!("link delete {}", port_name(&red)));
    it.host.check(&red, &config).error(103);
    let repaired = it.host.command("repair");
    assert!(repaired.stdout.contains("made again  blue/red/eth0 (ovs-dpdk)\n"), "{repaired:#?}");
    it.host.check(&red, &config).silent();
    assert_eq!((rows(&it, &red), red.netns.addresses("eth0")), (had, addresses));
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn without_the_vswitch_all_fail_at_once_and_are_told() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let containers = ["red", "green"].map(|id| it.host.container(id));
    let config = it.net(json!({}));
    containers.iter().for_each(|one| drop(it.host.add(one, &config)));
    it.ovs.kill_server();
    let repaired = it.host.command("repair");
    assert_eq!(repaired.code, Some(1), "{repaired:#?}");
    assert!(repaired.stdout.contains("0 stood, 0 made again, 2 failed\n"), "{repaired:#?}");
    assert!(repaired.stdout.contains("db.sock") && repaired.took < Duration::from_secs(5), "{repaired:#?}");
    it.ovs.start_server();
    containers.iter().for_each(|one| it.host.del(one, &config));
}

#[test]
fn the_watch_repairs_by_itself_whenever_the_vswitch_comes_back() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let [red, green] = ["red", "green"].map(|id| it.host.container(id));
    let config = it.net(json!({}));
    let log = it.host.path("watch.log");
    let text = || fs::read_to_string(&log).expect("read the log");
    let mut service = it.host.service("repair --watch", &log);
    // A vswitch that no record named when the watch began.
    it.host.add(&red, &config);
    until("the vswitch is watched", SOON, || text().contains("1 stood, 0 made again, 0 failed in "));
    for (attached, containers) in [(1, vec![&red]), (2, vec![&red, &green])] {
        containers.iter().skip(1).for_each(|one| drop(it.host.add(one, &config)));
        it.ovs.start_afresh();
        let told = format!("0 stood, {attached} made again, 0 failed in ");
        until("it is repaired", SOON, || text().contains(&told));
        for one in containers {
            it.host.check(one, &config).silent();
        }
    }
    // ovs-vswitchd alone: the ports come back by themselves, and the watch has looked.
    it.ovs.kill_vswitchd();
    it.ovs.start_vswitchd();
    until("it has looked", SOON, || text().contains("2 stood, 0 made again, 0 failed in "));
    let text = text();
    assert!(text.matches(" went away\n").count() >= 3 && text.contains(" answers again after "), "{text}");
    assert_eq!(service.terminate(), Some(0), "{text}");
    it.host.del(&red, &config);
    it.host.del(&green, &config);
}

// What the dead ovs-vswitchd wrote of its ports stands in the database until the new one has looked at them.
#[test]
fn the_watch_does_not_believe_what_a_dead_ovs_vswitchd_left() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk", "hugepages"], Memory::Hugepages) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({"host": {"iftype": "memif"}}));
    let socket = it.socket(&red, &it.host.add(&red, &config));
    let log = it.host.path("watch.log");
    let text = || fs::read_to_string(&log).expect("read the log");
    let mut service = it.host.service("repair --watch", &log);
    until("the vswitch is watched", SOON, || text().contains("1 stood, 0 made again, 0 failed in "));
    it.ovs.kill_vswitchd();
    until("the watch has heard of it", SOON, || text().contains(" does not answer: "));
    it.ovs.start_vswitchd();
    until("it is mended", SOON, || text().contains("0 stood, 0 made again, 1 mended, 0 failed in "));
    assert_eq!(text().matches(" failed in ").count(), 2, "a pass at the start and one after: {}", text());
    it.host.check(&red, &config).silent();
    assert!(is_listened_at(&socket));
    assert_eq!(service.terminate(), Some(0), "{}", text());
    it.host.del(&red, &config);
}
