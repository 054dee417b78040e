//! Many calls at once on one vswitch, and writers that are not ours beside them.

use std::collections::BTreeSet;

use serde_json::json;
use userspace_tests::{Container, Memory};

use super::support::{Vswitch, port_name};
use crate::parallel::at_once;

const MANY: usize = 20;

fn containers(it: &Vswitch, number: usize) -> Vec<Container> {
    (0..number).map(|number| it.host.container(&format!("c{number}"))).collect()
}

/// The ports of a bridge beside its own.
fn ports(it: &Vswitch, bridge: &str) -> BTreeSet<String> {
    it.ovs.vsctl(&format!("list-ports {bridge}")).lines().map(str::to_owned).collect()
}

#[test]
fn many_ports_at_once_on_a_bridge_that_is_not_there_yet() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let all = containers(&it, MANY);
    let config = it.net(json!({"runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}}));
    let before = it.everything();
    let results = at_once(&all, |one| it.host.add(one, &config));
    let sockets: BTreeSet<_> =
        results.iter().map(|result| result["interfaces"][0]["socketPath"].to_string()).collect();
    assert_eq!(sockets.len(), MANY);
    assert_eq!(ports(&it, "blue0"), all.iter().map(port_name).collect());
    at_once(&all, |one| it.host.check(one, &config).silent());
    at_once(&all, |one| it.host.del(one, &config));
    it.is_as(&before, "in the end");
}

#[test]
fn of_the_same_port_at_once_one_succeeds() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({}));
    let before = it.everything();
    let same = vec![red.clone(); MANY];
    let outputs = at_once(&same, |one| it.host.call("ADD", &config).of(one).run());
    let (won, lost): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.finished.code == Some(0));
    assert_eq!((won.len(), lost.len()), (1, MANY - 1));
    for output in lost {
        let text = output.error(100);
        assert!(text.contains("attached already"), "{text}");
    }
    it.host.check(&red, &config).silent();
    at_once(&same, |one| it.host.del(one, &config));
    it.is_as(&before, "in the end");
}

#[test]
fn a_bridge_that_comes_and_goes_loses_no_port() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let all = containers(&it, MANY);
    let config = it.net(json!({}));
    let before = it.everything();
    at_once(&all, |one| {
        for _ in 0..3 {
            it.host.add(one, &config);
            it.host.check(one, &config).silent();
            it.host.del(one, &config);
        }
    });
    it.is_as(&before, "in the end");
}

/// Adds and removes a port of its own, as another controller does; the last one stays.
fn foreign_writer(it: &Vswitch, name: &str) {
    let path = it.host.path(name);
    let add = format!(
        "add-port blue0 {name} -- set Interface {name} type=dpdkvhostuserclient options:vhost-server-path={}",
        path.display()
    );
    it.ovs.vsctl(&add);
    it.ovs.vsctl(&format!("del-port blue0 {name}"));
    it.ovs.vsctl(&add);
}

#[test]
fn ours_and_those_of_other_writers_leave_each_other_alone() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let (all, green) = (containers(&it, 2 * MANY), it.host.container("green"));
    let config = it.net(json!({}));
    let before = it.everything();
    it.host.add(&green, &config);
    // Every other one is a foreign writer, named like the container that it stands for.
    let foreign: BTreeSet<_> = all.iter().skip(1).step_by(2).map(|one| one.id.clone()).collect();
    let ours: Vec<_> = all.iter().step_by(2).cloned().collect();
    at_once(&all, |one| {
        if foreign.contains(&one.id) {
            return foreign_writer(&it, &one.id);
        }
        it.host.add(one, &config);
        it.host.del(one, &config);
        it.host.add(one, &config);
    });
    let expected: BTreeSet<_> =
        ours.iter().chain([&green]).map(port_name).chain(foreign.iter().cloned()).collect();
    assert_eq!(ports(&it, "blue0"), expected);
    at_once(&ours, |one| {
        it.host.check(one, &config).silent();
        it.host.del(one, &config);
    });
    it.host.del(&green, &config);
    assert_eq!(ports(&it, "blue0"), foreign, "the bridge stays with the ports of others");
    it.ovs.vsctl("del-br blue0");
    it.is_as(&before, "in the end");
}
