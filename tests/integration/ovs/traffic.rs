//! Packets between applications: testpmd at each end, every packet counted in both directions.

use serde_json::{Value, json};
use userspace_tests::{Container, Memory, Testpmd};

use super::{
    apps::{BLUE, LIMIT, PACKETS, RED, app, count, meet, published},
    support::Vswitch,
};

/// Each of the two sends, and the other gets all of it.
fn all_arrive_both_ways(apps: &mut [Testpmd; 2]) {
    meet(apps);
    let [first, second] = apps;
    assert_eq!([count(first, second), count(second, first)], [PACKETS, PACKETS], "received, each way");
}

/// Two vhost-user applications; the host is what `mode` says.
fn vhost_users(memory: Memory, mode: &str) {
    let Some(it) = Vswitch::new(memory) else { return };
    let config = it.net(json!({"host": {"vhost": {"mode": mode}}}));
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let sockets = [0, 1].map(|i| it.socket(&containers[i], &it.host.add(&containers[i], &config)));
    let launch = |i: usize, mac: &str, peer: &str| {
        let builder = app(&containers[i], memory, peer);
        let builder = match mode {
            "client" => builder.vhost_server(&sockets[i], mac),
            _ => builder.vhost_client(&sockets[i], mac),
        };
        builder.launch()
    };
    let mut apps = [launch(0, RED, BLUE), launch(1, BLUE, RED)];
    all_arrive_both_ways(&mut apps);
    for one in &containers {
        it.host.check(one, &config).silent();
    }
    drop(apps);
    for one in &containers {
        it.host.del(one, &config);
    }
    it.is_as(&before, "in the end");
}

#[test]
fn applications_that_listen_reach_each_other() {
    vhost_users(Memory::NoHuge, "client");
}

#[test]
fn applications_that_listen_reach_each_other_with_hugepages() {
    vhost_users(Memory::Hugepages, "client");
}

#[test]
fn applications_that_connect_reach_each_other() {
    vhost_users(Memory::NoHuge, "server");
}

#[test]
fn applications_that_connect_reach_each_other_with_hugepages() {
    vhost_users(Memory::Hugepages, "server");
}

/// How many queues the published half of a memif tells the application to have.
fn published_queues(it: &Vswitch, container: &Container) -> u32 {
    let half: Value = serde_json::from_slice(&published(it, container)).expect("JSON");
    let memif = &half["config"]["memif"];
    assert_eq!(memif["rxQueues"], memif["txQueues"], "testpmd has as many of both: {half:#}");
    u32::try_from(memif["rxQueues"].as_u64().expect("a number")).expect("a small number")
}

#[test]
fn a_memif_and_a_vhost_user_application_reach_each_other() {
    let memory = Memory::Hugepages;
    let Some(it) = Vswitch::new(memory) else { return };
    let configs = ["memif", "vhostuser"].map(|kind| it.net(json!({"host": {"iftype": kind}})));
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let sockets = [0, 1].map(|i| it.socket(&containers[i], &it.host.add(&containers[i], &configs[i])));
    let queues = published_queues(&it, &containers[0]);
    let memif = app(&containers[0], memory, BLUE).memif_client(&sockets[0], RED).queues(queues);
    let vhost = app(&containers[1], memory, RED).vhost_server(&sockets[1], BLUE);
    let mut apps = [memif.launch(), vhost.launch()];
    // Every queue sends: so it is the same number in all.
    apps[0].command(&format!("set burst {}", 32 / queues));
    apps[0].wait_link_up(LIMIT);
    all_arrive_both_ways(&mut apps);
    for (one, config) in containers.iter().zip(&configs) {
        it.host.check(one, config).silent();
    }
    drop(apps);
    for (one, config) in containers.iter().zip(&configs) {
        it.host.del(one, config);
    }
    it.is_as(&before, "in the end");
}
