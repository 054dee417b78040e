//! Kernel interfaces on Open vSwitch: to an application, and to each other by ping and by TCP.

use std::time::Duration;

use serde_json::{Value, json};
use userspace_tests::{Container, Memory, Netns, merged, ping, transfer, until};

use super::{
    apps::{LIMIT, RED, app},
    support::Vswitch,
};

/// A veth with addresses of both families by host-local, on the bridge `blue0`; then `patch` over it.
pub(crate) fn veth(it: &Vswitch, patch: Value) -> Value {
    let ranges = json!([[{"subnet": "10.20.0.0/24"}], [{"subnet": "fd20::/64"}]]);
    let ipam = json!({"type": "host-local", "dataDir": it.host.lease_dir(), "ranges": ranges});
    // Debian's host-local does not know 1.1.0.
    let base = it.net(json!({"cniVersion": "1.0.0", "host": {"iftype": "veth"}, "ipam": ipam}));
    merged(base, patch)
}

/// The addresses of the container's `eth0`, one of each family.
pub(crate) fn addresses(container: &Container) -> Vec<String> {
    let all = container.netns.addresses("eth0");
    assert_eq!(all.len(), 2, "{all:?}");
    all.iter().map(|address| address.split('/').next().expect("an address").to_owned()).collect()
}

/// The name of a result's interface on the host.
fn host_end(result: &Value) -> String {
    let interfaces = result["interfaces"].as_array().expect("interfaces");
    let end = interfaces.iter().find(|one| one["sandbox"].as_str().is_none_or(str::is_empty));
    end.and_then(|one| one["name"].as_str()).expect("the host's end").to_owned()
}

fn leaves_checksums(netns: &Netns, name: &str) -> bool {
    netns.inside(|| kernel_links::tx_checksum(name)).expect("look up an offload")
}

#[test]
fn an_application_answers_a_kernel_interface() {
    let needs = ["ovs-dpdk", "testpmd", "host-local", "ping"];
    let Some(it) = Vswitch::with(&needs, Memory::NoHuge) else { return };
    let configs = [it.net(json!({})), veth(&it, json!({}))];
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let socket = it.socket(&red, &it.host.add(&red, &configs[0]));
    it.host.add(&blue, &configs[1]);
    let builder = app(&red, Memory::NoHuge, "ff:ff:ff:ff:ff:ff").forward("icmpecho");
    let mut app = builder.vhost_server(&socket, RED).launch();
    app.start();
    // It answers for every address.
    until("the first ping is answered", LIMIT, || ping(&blue.netns, "10.20.0.99"));
    let [received, sent] = [app.received(), app.sent()];
    let answers = blue.netns.exec("ping -n -q -c 100 -i 0.01 -W 2 10.20.0.99").success("ping");
    assert!(answers.contains("100 packets transmitted, 100 received"), "{answers}");
    assert!(app.received() >= received + 100 && app.sent() >= sent + 100, "the application did it");
    let neighbours = blue.netns.ip("neighbour show 10.20.0.99");
    assert!(neighbours.contains(RED), "{neighbours}");
    drop(app);
    it.host.del(&red, &configs[0]);
    it.host.del(&blue, &configs[1]);
    it.is_as(&before, "in the end");
}

/// Pings, and streams each way over both families.
fn reach_each_other(containers: &[Container; 2]) {
    for (from, to) in [(0, 1), (1, 0)] {
        for address in addresses(&containers[to]) {
            until(&format!("ping {address}"), Duration::from_secs(5), || {
                ping(&containers[from].netns, &address)
            });
            transfer(&containers[from].netns, &containers[to].netns, &address, 4);
        }
    }
}

fn kernel_interfaces(memory: Memory) {
    let Some(it) = Vswitch::with(&["ovs-dpdk", "host-local", "ping"], memory) else { return };
    let config = veth(&it, json!({}));
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    for one in &containers {
        let end = host_end(&it.host.add(one, &config));
        assert!(!leaves_checksums(it.host.netns(), &end), "the host's end of {}", one.id);
        assert!(!leaves_checksums(&one.netns, "eth0"), "the end in {}", one.id);
    }
    reach_each_other(&containers);
    for one in &containers {
        it.host.check(one, &config).silent();
        it.host.del(one, &config);
    }
    it.is_as(&before, "in the end");
}

#[test]
fn kernel_interfaces_reach_each_other() {
    kernel_interfaces(Memory::NoHuge);
}

#[test]
fn kernel_interfaces_reach_each_other_without_dpdk() {
    kernel_interfaces(Memory::NoDpdk);
}
