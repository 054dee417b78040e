//! CHECK compares what is observed with what was asked for: the two must be told in the same words.

use engine_linux::LinuxEngine;
use userspace_core::{
    addr::{Address, Route},
    engine::Engine,
    reconcile::{State, diff},
    spec::Network,
};

use crate::support::{bridge, cx, in_world, owner};

#[test]
fn a_routed_interface_is_as_it_was_asked_for() {
    in_world(|world| async move {
        let spec = world.veth("net1");
        let made =
            LinuxEngine::host().ensure(cx(), &owner("c1", "net1"), &spec, &Network::None).await.unwrap();
        made.join(cx(), &Network::ROUTED).await.unwrap();
        let gateway = Address { ip: "10.1.0.1/32".parse().unwrap(), gateway: None };
        made.assign(cx(), &[gateway], &[]).await.unwrap();
        let desired = State::desired(&spec, &Network::ROUTED);
        assert_eq!(diff(&desired, &made.observe(cx(), &spec, &Network::None).await.unwrap()), []);
    });
}

#[test]
fn having_left_the_bridge_is_noticed() {
    in_world(|world| async move {
        let spec = world.veth("net1");
        let made =
            LinuxEngine::host().ensure(cx(), &owner("c1", "net1"), &spec, &Network::None).await.unwrap();
        let desired = State::desired(&spec, &bridge("br7"));
        assert_ne!(diff(&desired, &made.observe(cx(), &spec, &Network::None).await.unwrap()), []);
    });
}

#[test]
fn the_attributes_of_routes_come_back() {
    in_world(|world| async move {
        let spec = world.veth("net1");
        let owner = owner("c1", "net1");
        let _host = LinuxEngine::host().ensure(cx(), &owner, &spec, &Network::None).await.unwrap();
        let made = world.engine_inside().ensure(cx(), &owner, &spec, &Network::None).await.unwrap();
        let address = |ip: &str| Address { ip: ip.parse().unwrap(), gateway: None };
        let on_link = |dst: &str| Route { scope: Some(253), ..Route::new(dst.parse().unwrap(), None) };
        let by = |dst: &str, gw: &str| Route::new(dst.parse().unwrap(), Some(gw.parse().unwrap()));
        let routes = [
            on_link("10.1.0.1/32"),
            on_link("fd00::1/128"),
            Route {
                mtu: Some(1300),
                advmss: Some(1200),
                priority: Some(5),
                table: Some(1000),
                ..by("10.9.0.0/16", "10.1.0.1")
            },
            Route { priority: Some(0), ..by("10.8.0.0/16", "10.1.0.1") },
            by("::/0", "fd00::1"),
        ];
        made.assign(cx(), &[address("10.1.0.5/32"), address("fd00::5/128")], &routes).await.unwrap();
        for route in routes {
            let desired = State { routes: Some(vec![route.clone()]), ..State::default() };
            assert_eq!(
                diff(&desired, &made.observe(cx(), &spec, &Network::None).await.unwrap()),
                [],
                "{route:?}"
            );
        }
    });
}
