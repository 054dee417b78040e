//! The host's vswitch is one, the container's another: each that can meet does.

use serde_json::{Value, json};
use userspace_tests::{App, Flavour, Memory, Ovs, Vpp, merged, ping, until};

use super::support::SOON;
use crate::{
    ovs::{kernel, support::Vswitch},
    vpp::{
        inner::Inner,
        support::OnVpp,
        traffic::{LIMIT, addresses, reaches},
    },
};

/// VPP on the host, Open vSwitch in one container and VPP in the other.
fn ovs_meets_vpp_over_vpp(half: Value, memory: Memory) {
    let mut needs = vec!["ovs-dpdk", "host-local", "ping"];
    needs.extend((memory == Memory::Hugepages).then_some("hugepages"));
    let Some(it) = OnVpp::with(&needs, Flavour::Real) else { return };
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let config = it.net_with_addresses(json!({}));
    let of_ovs = merged(config.clone(), json!({"host": half, "container": {"engine": "ovs-dpdk"}}));
    let mut ovs = Ovs::start_another(&red.netns, memory);
    let mut app = App::new(&red, &it.shared(&red)).ovs(&ovs);
    app.start();
    let inner = Inner::start(&it, &blue, Flavour::Real);
    let before = ovs.dump();
    let ours = addresses(&it.host.add(&red, &of_ovs));
    let theirs = addresses(&it.host.add(&blue, &config));
    inner.app.once();
    app.wait_up(1);
    let meets = |when: &str| {
        for target in &theirs {
            until(&format!("{when}: {target} answers"), LIMIT, || ping(&red.netns, target));
        }
        reaches(&inner, &ours);
    };
    meets("at first");
    // The container's vswitch dies, keeps its database, and comes back.
    ovs.kill_vswitchd();
    until("it is told", SOON, || app.command("ready").code == Some(1));
    ovs.start_vswitchd();
    app.wait_up(1);
    meets("after a restart in the container");
    it.host.del(&red, &of_ovs);
    it.host.del(&blue, &config);
    until("nothing is left in the container", SOON, || ovs.dump() == before);
    assert_eq!(app.stop(), Some(0), "{}", app.log());
}

#[test]
fn a_container_with_ovs_meets_one_with_vpp_over_a_memif() {
    ovs_meets_vpp_over_vpp(json!({"iftype": "memif"}), Memory::Hugepages);
}

#[test]
fn a_container_with_ovs_that_connects_meets_one_with_vpp_over_vhost_user() {
    ovs_meets_vpp_over_vpp(json!({"iftype": "vhostuser"}), Memory::NoHuge);
}

#[test]
fn a_container_with_ovs_that_connects_meets_one_with_vpp_over_vhost_user_with_hugepages() {
    ovs_meets_vpp_over_vpp(json!({"iftype": "vhostuser"}), Memory::Hugepages);
}

#[test]
fn a_container_with_ovs_that_listens_meets_one_with_vpp_over_vhost_user() {
    ovs_meets_vpp_over_vpp(json!({"iftype": "vhostuser", "vhost": {"mode": "client"}}), Memory::NoHuge);
}

/// Open vSwitch on the host, VPP in one container and the kernel in the other.
#[test]
fn a_container_with_vpp_meets_a_kernel_interface_over_ovs() {
    let needs = ["ovs-dpdk", "hugepages", "host-local", "ping", "vpp"];
    let Some(it) = Vswitch::with(&needs, Memory::Hugepages) else { return };
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let veth = kernel::veth(&it, json!({}));
    let memif = merged(veth.clone(), json!({"host": {"iftype": "memif"}, "container": {"engine": "vpp"}}));
    let vpp = Vpp::start_another(&red.netns, Flavour::Real);
    let mut app = App::new(&red, &it.shared(&red)).vpp(&vpp);
    app.start();
    let before = it.everything();
    let ours = addresses(&it.host.add(&red, &memif));
    it.host.add(&blue, &veth);
    app.wait_up(1);
    for target in kernel::addresses(&blue) {
        until(&format!("{target} answers"), LIMIT, || vpp.ping(&target, ""));
    }
    for target in &ours {
        until(&format!("{target} answers"), LIMIT, || ping(&blue.netns, target));
    }
    it.host.check(&red, &memif).silent();
    it.host.del(&red, &memif);
    it.host.del(&blue, &veth);
    until("nothing is left in the container", SOON, || !vpp.cli("show interface").contains("memif"));
    it.is_as(&before, "in the end");
    assert_eq!(app.stop(), Some(0), "{}", app.log());
}

/// The cells of the matrix that nobody can make are refused by ADD, before anything is made, naming what would work; one that only the
/// container cannot is told there.
#[test]
fn what_cannot_meet_is_refused() {
    let Some(it) = OnVpp::new(Flavour::Fake) else { return };
    let red = it.host.container("red");
    let before = it.everything();
    for (half, container, word) in [
        (json!({"iftype": "memif"}), "linux", "memif"),
        (json!({"iftype": "vhostuser"}), "linux", "vhostuser"),
        (json!({"iftype": "veth"}), "vpp", "linux"),
        (json!({"iftype": "tap"}), "ovs-dpdk", "linux"),
        (json!({"iftype": "veth"}), "dpdk", "linux"),
        (json!({"iftype": "macvlan"}), "linux", "macvlan"),
    ] {
        let config = it.net(json!({"host": half, "container": {"engine": container}}));
        it.host.call("ADD", &config).of(&red).fails(7, &[word]);
        it.is_as(&before, word);
    }
}
