//! Two Open vSwitches: the host's, and a container's own, whose half `container-app` makes from what the host published.

use std::time::Duration;

use serde_json::{Value, json};
use userspace_tests::{App, Memory, Ovs, merged, ping, transfer, until};

use super::{
    apps::LIMIT,
    kernel::{addresses, veth},
    support::Vswitch,
};

/// A container with an Open vSwitch reaches one with a kernel interface, by ping and by TCP.
fn reach(half: Value, memory: Memory) {
    let mut needs = vec!["ovs-dpdk", "host-local", "ping"];
    needs.extend((memory == Memory::Hugepages).then_some("hugepages"));
    let Some(it) = Vswitch::with(&needs, memory) else { return };
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let inner = Ovs::start_another(&red.netns, memory);
    let mut app = App::new(&red, &it.shared(&red)).ovs(&inner);
    app.start();
    let kernel = veth(&it, json!({}));
    let userspace: Value = merged(kernel.clone(), json!({"host": half}));
    let before = (it.everything(), inner.dump());
    let result = it.host.add(&red, &userspace);
    it.host.add(&blue, &kernel);
    app.wait_up(1);
    let ips = result["ips"].as_array().expect("addresses");
    for (ip, theirs) in ips.iter().zip(addresses(&blue)) {
        let ours = ip["address"].as_str().and_then(|ip| ip.split('/').next()).expect("an address");
        until(&format!("ping {theirs}"), LIMIT, || ping(&red.netns, &theirs));
        assert!(ping(&blue.netns, ours), "ping {ours}");
        transfer(&red.netns, &blue.netns, &theirs, 2);
        transfer(&blue.netns, &red.netns, ours, 2);
    }
    // The bridge's own port is the kernel interface with the addresses, by the name that the runtime chose.
    assert!(red.netns.link("eth0").is_some(), "{:?}", app.show());
    it.host.check(&red, &userspace).silent();
    it.host.del(&red, &userspace);
    it.host.del(&blue, &kernel);
    until("nothing is left in the container", Duration::from_secs(5), || inner.dump() == before.1);
    it.is_as(&before.0, "in the end");
    assert_eq!(app.stop(), Some(0), "{}", app.log());
}

#[test]
fn a_containers_vswitch_that_listens_reaches_a_kernel_interface() {
    reach(json!({"iftype": "vhostuser"}), Memory::NoHuge);
}

#[test]
fn a_containers_vswitch_that_listens_reaches_a_kernel_interface_with_hugepages() {
    reach(json!({"iftype": "vhostuser"}), Memory::Hugepages);
}

#[test]
fn a_containers_vswitch_that_connects_reaches_a_kernel_interface() {
    reach(json!({"iftype": "vhostuser", "vhost": {"mode": "server"}}), Memory::NoHuge);
}

#[test]
fn a_containers_vswitch_with_a_memif_reaches_a_kernel_interface() {
    reach(json!({"iftype": "memif"}), Memory::Hugepages);
}
