//! The suite that every engine runs, for each kind of interface that the kernel makes.

use engine_linux::LinuxEngine;
use userspace_core::{
    addr::Address,
    spec::{Device, InterfaceSpec, Macvlan, MacvlanMode, Network, Tap},
    testing::conformance::{Subject, run},
};

use crate::support::{World, bridge, cx, in_world, owner};

async fn conforms(engine: &LinuxEngine, spec: InterfaceSpec, network: Network) {
    let address = |text: &str| Address { ip: text.parse().unwrap(), gateway: None };
    let subject = Subject {
        engine,
        other_spec: InterfaceSpec { mtu_bytes: Some(1300), ..spec.clone() },
        spec,
        network,
        owner: owner("c1", "net1"),
        stranger: owner("c2", "net1"),
        addresses: vec![address("10.0.0.1/24"), address("fd00::1/64")],
    };
    run(cx(), &subject).await;
}

fn macvlan(world: &World, mode: MacvlanMode) -> InterfaceSpec {
    let master = "below".parse().unwrap();
    world.spec(Device::Macvlan(Macvlan { end: world.end("net1"), master, mode }))
}

#[test]
fn a_veth_on_a_bridge() {
    in_world(|world| async move {
        conforms(&LinuxEngine::host(), world.veth("net1"), bridge("br7")).await;
        assert_eq!(world.link("br7").await, None, "the bridge goes with its last port");
    });
}

#[test]
fn a_macvlan_in_each_mode() {
    use MacvlanMode::{Bridge, Passthru, Private, Vepa};
    for mode in [Bridge, Private, Vepa, Passthru] {
        in_world(move |world| async move {
            world.host.add_bridge("below").await.unwrap();
            conforms(&world.engine_inside(), macvlan(&world, mode), Network::None).await;
        });
    }
}

#[test]
fn a_tap() {
    in_world(|world| async move {
        let end = world.end("net1");
        let tap = Tap { end, owner_uid: Some(1000), group_gid: Some(1000), multi_queue: true };
        conforms(&world.engine_inside(), world.spec(Device::Tap(tap)), Network::None).await;
    });
}
