//! Two Open vSwitches: the host's, and a container's own, whose half the engine makes from what the host published.

use std::time::Duration;

use engine_ovs::OvsEngine;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use userspace_core::{
    cx::Cx,
    engine::Engine,
    half::ContainerHalf,
    owner::{InstanceId, Owner},
    spec::{Bridge, Network, Vlan},
};
use userspace_tests::{Container, Memory, Ovs, merged, ping, transfer, until};

use super::{
    apps::{LIMIT, published},
    kernel::{addresses, veth},
    support::Vswitch,
};

/// The bridge in the container; its own port has the addresses.
const BRIDGE: &str = "inner0";

/// Runs `work` in the container's network namespace, as a program there would.
fn inside<T: Send>(container: &Container, work: impl AsyncFnOnce(Cx) -> T + Send) -> T {
    container.netns.inside(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { work(Cx::within(LIMIT)).await })
    })
}

fn network() -> Network {
    Network::Bridge(Bridge { name: BRIDGE.to_owned(), vlan: Vlan::default() })
}

/// Makes the container's half in its Open vSwitch, with its addresses on the bridge.
fn make(it: &Vswitch, container: &Container, inner: &Ovs) -> Owner {
    let half = ContainerHalf::from_json(&published(it, container)).expect("a half");
    let mut spec = half.spec(&it.shared(container)).expect("a device");
    let owner = Owner::new(half.attachment, InstanceId::new(7));
    inside(container, async |cx| {
        let engine = OvsEngine::in_container(Some(inner.db_socket()));
        let info = engine.ready(cx).await.expect("ready");
        engine.complete(&info, &mut spec);
        engine.supports(&info, &spec, &network()).expect("supported");
        let made = engine.ensure(cx, &owner, &spec, &network()).await.expect("ensure");
        made.join(cx, &network()).await.expect("join");
        made.assign(cx, &half.allocation.ips, &half.allocation.routes).await.expect("assign");
        let state = made.observe(cx, &spec, &network()).await.expect("observe");
        assert_eq!(state.faults, []);
        assert_eq!(state.network, Some(network()));
        let wanted: Vec<_> = half.allocation.ips.iter().map(|address| address.ip).collect();
        let found = state.addresses.expect("known");
        assert!(wanted.iter().all(|ip| found.contains(ip)), "{wanted:?} in {found:?}");
    });
    owner
}

fn remove(container: &Container, inner: &Ovs, owner: &Owner) {
    inside(container, async |cx| {
        let engine = OvsEngine::in_container(Some(inner.db_socket()));
        let found = engine.find(cx, &owner.tag, None).await.expect("find").expect("it is there");
        found.remove(cx).await.expect("remove");
        engine.prune(cx, &owner.tag, &network()).await.expect("prune");
        assert!(engine.find(cx, &owner.tag, None).await.expect("find").is_none());
    });
}

/// A container with an Open vSwitch reaches one with a kernel interface, by ping and by TCP.
fn reach(half: Value, memory: Memory) {
    let mut needs = vec!["ovs-dpdk", "host-local", "ping"];
    needs.extend((memory == Memory::Hugepages).then_some("hugepages"));
    let Some(it) = Vswitch::with(&needs, memory) else { return };
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let inner = Ovs::start_another(&red.netns, memory);
    let kernel = veth(&it, json!({}));
    let userspace: Value = merged(kernel.clone(), json!({"host": half}));
    let before = (it.everything(), inner.dump());
    let result = it.host.add(&red, &userspace);
    it.host.add(&blue, &kernel);
    let owner = make(&it, &red, &inner);
    let ips = result["ips"].as_array().expect("addresses");
    for (ip, theirs) in ips.iter().zip(addresses(&blue)) {
        let ours = ip["address"].as_str().and_then(|ip| ip.split('/').next()).expect("an address");
        until(&format!("ping {theirs}"), LIMIT, || ping(&red.netns, &theirs));
        assert!(ping(&blue.netns, ours), "ping {ours}");
        transfer(&red.netns, &blue.netns, &theirs, 2);
        transfer(&blue.netns, &red.netns, ours, 2);
    }
    it.host.check(&red, &userspace).silent();
    remove(&red, &inner, &owner);
    it.host.del(&red, &userspace);
    it.host.del(&blue, &kernel);
    until("nothing is left in the container", Duration::from_secs(2), || inner.dump() == before.1);
    it.is_as(&before.0, "in the end");
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
