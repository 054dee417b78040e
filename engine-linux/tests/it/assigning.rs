//! Addresses and routes: ours come and go, others' stay.

use std::time::{Duration, Instant};

use engine_linux::LinuxEngine;
use userspace_core::{
    addr::{Address, Route},
    engine::{Engine, Interface},
    spec::{Device, InterfaceSpec, Network, Tap},
};

use crate::support::{World, cx, in_world, owner};

async fn pair(world: &World, name: &str) -> Box<dyn Interface> {
    let (owner, spec): (_, InterfaceSpec) = (owner("c1", name), world.veth(name));
    LinuxEngine::host().ensure(cx(), &owner, &spec, &Network::None).await.unwrap();
    world.engine_inside().ensure(cx(), &owner, &spec, &Network::None).await.unwrap()
}

fn address(ip: &str, gateway: Option<&str>) -> Address {
    Address { ip: ip.parse().unwrap(), gateway: gateway.map(|text| text.parse().unwrap()) }
}

async fn addresses(made: &dyn Interface, spec: &InterfaceSpec) -> Vec<String> {
    let all = made.observe(cx(), spec, &Network::None).await.unwrap().addresses.unwrap();
    all.iter().map(ToString::to_string).filter(|text| !text.starts_with("fe80")).collect()
}

#[test]
fn addresses_are_usable_at_once() {
    in_world(|world| async move {
        let made = pair(&world, "net1").await;
        made.assign(cx(), &[address("10.1.0.5/24", None), address("fd00::5/64", None)], &[]).await.unwrap();
        let index = made.hint().index.unwrap();
        let all = world.inside.addresses(index).await.unwrap();
        let ours: Vec<_> = all.iter().filter(|address| address.ours).collect();
        assert_eq!(ours.len(), 2, "{all:?}");
        assert!(ours.iter().all(|address| !address.tentative), "{all:?}");
    });
}

#[test]
fn the_second_address_of_a_subnet_stays_when_the_first_goes() {
    in_world(|world| async move {
        let made = pair(&world, "net1").await;
        let (one, two) = (address("10.1.0.5/24", None), address("10.1.0.6/24", None));
        made.assign(cx(), &[one, two], &[]).await.unwrap();
        made.assign(cx(), &[two], &[]).await.unwrap();
        assert_eq!(addresses(made.as_ref(), &world.veth("net1")).await, ["10.1.0.6/24"]);
    });
}

#[test]
fn a_second_default_route_stands_beside_the_first() {
    in_world(|world| async move {
        let default = [Route::new("0.0.0.0/0".parse().unwrap(), Some("10.1.0.1".parse().unwrap()))];
        let first = pair(&world, "eth0").await;
        first.assign(cx(), &[address("10.1.0.5/24", None)], &default).await.unwrap();
        let default = [Route::new("0.0.0.0/0".parse().unwrap(), Some("10.2.0.1".parse().unwrap()))];
        let second = pair(&world, "net1").await;
        second.assign(cx(), &[address("10.2.0.5/24", None)], &default).await.unwrap();
    });
}

#[test]
fn a_route_that_the_kernel_made_itself_is_no_conflict() {
    in_world(|world| async move {
        let made = pair(&world, "net1").await;
        let connected = [Route { scope: Some(253), ..Route::new("10.1.0.0/24".parse().unwrap(), None) }];
        made.assign(cx(), &[address("10.1.0.5/24", None)], &connected).await.unwrap();
    });
}

#[test]
fn a_gateway_outside_the_subnet_is_reached() {
    in_world(|world| async move {
        let made = pair(&world, "net1").await;
        let default = [Route::new("0.0.0.0/0".parse().unwrap(), Some("10.9.0.1".parse().unwrap()))];
        made.assign(cx(), &[address("10.1.0.5/32", Some("10.9.0.1"))], &default).await.unwrap();
    });
}

#[test]
fn the_order_of_routes_does_not_matter() {
    in_world(|world| async move {
        let made = pair(&world, "net1").await;
        let by = Route::new("0.0.0.0/0".parse().unwrap(), Some("10.9.0.1".parse().unwrap()));
        let to = Route { scope: Some(253), ..Route::new("10.9.0.1/32".parse().unwrap(), None) };
        made.assign(cx(), &[address("10.1.0.5/32", None)], &[by, to]).await.unwrap();
    });
}

#[test]
fn a_tap_that_nobody_has_opened_is_not_waited_for() {
    in_world(|world| async move {
        let tap = Tap { end: world.end("net1"), owner_uid: None, group_gid: None, multi_queue: false };
        let spec = world.spec(Device::Tap(tap));
        let made =
            world.engine_inside().ensure(cx(), &owner("c1", "net1"), &spec, &Network::None).await.unwrap();
        let start = Instant::now();
        made.assign(cx(), &[address("10.1.0.5/24", None)], &[]).await.unwrap();
        assert!(start.elapsed() < Duration::from_millis(30), "{:?}", start.elapsed());
    });
}
