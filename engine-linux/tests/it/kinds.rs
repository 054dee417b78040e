//! The kinds without a host's end, and errors that name what is wrong.

use engine_linux::LinuxEngine;
use userspace_core::{
    engine::{Engine, EngineError, ErrorKind, Interface, chain},
    spec::{Device, Macvlan, MacvlanMode, Network, Tap},
};

use crate::support::{World, bridge, cx, in_world, owner};

async fn macvlan(
    world: &World,
    master: &str,
    mode: MacvlanMode,
    mtu: Option<u32>,
) -> Result<Box<dyn Interface>, EngineError> {
    let device = Macvlan { end: world.end("net1"), master: master.parse().unwrap(), mode };
    let mut spec = world.spec(Device::Macvlan(device));
    spec.mtu_bytes = mtu;
    world.engine_inside().ensure(cx(), &owner("c1", "net1"), &spec, &Network::None).await
}

#[test]
fn macvlans_of_every_mode() {
    for mode in [MacvlanMode::Bridge, MacvlanMode::Private, MacvlanMode::Vepa, MacvlanMode::Passthru] {
        in_world(move |world| async move {
            world.host.add_bridge("master").await.unwrap();
            let made = macvlan(&world, "master", mode, None).await.unwrap();
            assert_eq!(made.hint().name.as_deref(), Some("net1"));
            made.remove(cx()).await.unwrap();
        });
    }
}

#[test]
fn a_refused_master_is_named() {
    in_world(|world| async move {
        let error = macvlan(&world, "nosuch", MacvlanMode::Bridge, None).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(chain(&error).contains("macvlan.master") && chain(&error).contains("nosuch"), "{error:?}");
        let (owner, spec) = (owner("c2", "net1"), world.veth("other"));
        let port = LinuxEngine::host().ensure(cx(), &owner, &spec, &Network::None).await.unwrap();
        port.join(cx(), &bridge("br7")).await.unwrap();
        let name = port.hint().name.unwrap();
        let error = macvlan(&world, &name, MacvlanMode::Bridge, None).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(chain(&error).contains(&name), "{error:?}");
        let error = macvlan(&world, "br7", MacvlanMode::Bridge, Some(9000)).await.err().unwrap();
        assert!(chain(&error).contains("mtu"), "{error:?}");
    });
}

#[test]
fn a_tap_stays_and_is_ensured_once() {
    in_world(|world| async move {
        let tap =
            Tap { end: world.end("net1"), owner_uid: Some(1234), group_gid: Some(4321), multi_queue: true };
        let spec = world.spec(Device::Tap(tap));
        let engine = world.engine_inside();
        let first = engine.ensure(cx(), &owner("c1", "net1"), &spec, &Network::None).await.unwrap();
        let again = engine.ensure(cx(), &owner("c1", "net1"), &spec, &Network::None).await.unwrap();
        assert_eq!(first.hint(), again.hint());
        let link = world.inside.link_by_name("net1").await.unwrap().unwrap();
        assert_eq!((link.kind.as_deref(), link.up, link.mtu), (Some("tun"), true, 1400));
    });
}
