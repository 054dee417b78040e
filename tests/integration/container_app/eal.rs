//! What `container-app eal` prints is what a DPDK application takes: two testpmd, started with it, reach each other.

use serde_json::{Value, json};
use userspace_tests::{App, Container, Flavour, Memory, Testpmd, merged};

use crate::{
    apps::{BLUE, LIMIT, PACKETS, RED, app, count, meet},
    ovs::support::Vswitch,
    vpp::support::OnVpp,
};

/// An application that was told by `container-app eal`, to send to `peer`.
pub(crate) fn told(container: &Container, shared: &std::path::Path, peer: &str) -> Testpmd {
    let printed = App::new(container, shared).command("eal").success("container-app eal");
    let mut app = app(container, Memory::NoHuge, peer).eal(printed.split_whitespace()).launch();
    app.wait_link_up(LIMIT);
    app
}

fn with_mac(config: &Value, mac: &str) -> Value {
    merged(config.clone(), json!({"container": {"engine": "dpdk", "mac": mac}}))
}

fn reach(apps: &mut [Testpmd; 2]) {
    meet(apps);
    let [first, second] = apps;
    assert_eq!([count(first, second), count(second, first)], [PACKETS, PACKETS], "received, each way");
}

fn on_ovs(patch: Value) {
    let Some(it) = Vswitch::new(Memory::NoHuge) else { return };
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let config = it.net(patch);
    let mut apps = [(0, RED, BLUE), (1, BLUE, RED)].map(|(index, mac, peer)| {
        let container = &containers[index];
        it.host.add(container, &with_mac(&config, mac));
        told(container, &it.shared(container), peer)
    });
    reach(&mut apps);
    drop(apps);
    containers.iter().for_each(|one| it.host.del(one, &config));
}

#[test]
fn applications_that_listen_reach_each_other_over_ovs() {
    on_ovs(json!({}));
}

#[test]
fn applications_that_connect_reach_each_other_over_ovs() {
    on_ovs(json!({"host": {"vhost": {"mode": "server"}}}));
}

fn on_vpp(kinds: [Value; 2]) {
    let Some(it) = OnVpp::with(&["testpmd"], Flavour::Real) else { return };
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let configs = kinds.map(|kind| it.net(json!({"host": kind})));
    let mut apps = [(0, RED, BLUE), (1, BLUE, RED)].map(|(index, mac, peer)| {
        let container = &containers[index];
        it.host.add(container, &with_mac(&configs[index], mac));
        told(container, &it.shared(container), peer)
    });
    reach(&mut apps);
    drop(apps);
    containers.iter().zip(&configs).for_each(|(one, config)| it.host.del(one, config));
}

#[test]
fn a_memif_and_a_vhost_user_application_reach_each_other_over_vpp() {
    on_vpp([json!({"iftype": "memif"}), json!({"iftype": "vhostuser"})]);
}

#[test]
fn what_a_shell_or_dpdk_could_not_take_is_refused() {
    let Some(it) = OnVpp::new(Flavour::Fake) else { return };
    let red = it.host.container("red");
    let nothing = App::new(&red, &it.shared(&red)).command("eal");
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(nothing.stderr.contains("0 of 1 interfaces are published"), "{nothing:?}");
    let config = it.net(json!({}));
    it.host.add(&red, &config);
    for (name, told) in [("a,b", "socket's path"), ("a*b", "--json")] {
        let dir = it.host.path(name);
        std::os::unix::fs::symlink(it.shared(&red), &dir).expect("make a link");
        let refused = App::new(&red, &dir.join(".")).command("eal");
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(told), "{refused:?}");
    }
    let list = App::new(&red, &it.shared(&red)).command("eal --json").success("eal");
    let list: Vec<String> = serde_json::from_str(&list).expect("a list");
    assert!(list.len() == 1 && list[0].starts_with("--vdev=net_memif_eth0,role=client,"), "{list:?}");
    it.host.del(&red, &config);
}
