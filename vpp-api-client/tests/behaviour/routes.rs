//! Routing tables and routes.

use std::net::IpAddr;

use vpp_api_client::{
    messages::ip::{IpRouteAddDel, IpRouteDump, IpRouteLookup, IpTableAddDel, IpTableDump},
    types::{Address, FibNhProto, FibPath, FibPathType, SwIfIndex},
};

use crate::at::{At, prefix, shown};

fn path(sw_if_index: SwIfIndex, gateway: Option<&str>) -> FibPath {
    let next_hop =
        gateway.map(|text| Address::from(text.parse::<IpAddr>().unwrap()).bytes).unwrap_or_default();
    let proto =
        if gateway.is_some_and(|text| text.contains(':')) { FibNhProto::IP6 } else { FibNhProto::IP4 };
    FibPath { sw_if_index, weight: 1, next_hop, proto, ..FibPath::default() }
}

fn route(table_id: u32, dst: &str, paths: Vec<FibPath>) -> IpRouteAddDel {
    IpRouteAddDel {
        is_add: true,
        table_id,
        prefix: prefix(dst),
        paths: paths.into(),
        ..IpRouteAddDel::default()
    }
}

/// The prefix that is found and its paths: kind, interface and next hop.
async fn lookup(
    at: &At,
    table_id: u32,
    dst: &str,
    exact: u8,
) -> Result<(String, Vec<(u32, SwIfIndex, String)>), i32> {
    let reply = at.vpp.ask(&IpRouteLookup { table_id, exact, prefix: prefix(dst) }).await.unwrap();
    if reply.retval != 0 {
        return Err(reply.retval);
    }
    let family = reply.prefix.address.family;
    let shown_path = |path: &FibPath| {
        let next_hop = Address { family, bytes: path.next_hop }.ip().unwrap();
        (path.kind.0, path.sw_if_index, next_hop.to_string())
    };
    Ok((shown(&reply.prefix), reply.paths.items.iter().map(shown_path).collect()))
}

pub(crate) async fn tables(at: &At) {
    let table =
        |table_id, is_add| IpTableAddDel { is_add, table_id, is_ip6: false, name: "blue".parse().unwrap() };
    let found = async |wanted: u32| -> Vec<(bool, String)> {
        let all = at.dump(&IpTableDump {}).await;
        all.iter()
            .filter(|one| one.table_id == wanted)
            .map(|one| (one.is_ip6, one.name.to_string()))
            .collect()
    };
    assert_eq!(found(0).await, [(false, "ipv4-VRF:0".to_owned()), (true, "ipv6-VRF:0".to_owned())]);
    for _ in 0..2 {
        at.done(&table(51, true)).await;
        assert_eq!(found(51).await, [(false, "blue".to_owned())]);
    }
    at.done(&IpTableAddDel { name: "".parse().unwrap(), ..table(52, true) }).await;
    assert_eq!(found(52).await, [(false, "ipv4-VRF:52".to_owned())]);
    for table_id in [51, 51, 52, 0] {
        at.done(&table(table_id, false)).await;
    }
    assert_eq!(found(51).await, []);
    assert_eq!(found(0).await.len(), 2, "VPP's own stays");
}

pub(crate) async fn paths_and_lookups(at: &At) {
    let loopback = at.loopback(31).await;
    at.up(loopback).await;
    at.done(&IpTableAddDel { is_add: true, table_id: 53, ..Default::default() }).await;
    let by = |gateway| path(loopback, gateway);
    for (request, expected) in [
        (route(999, "10.8.0.0/24", vec![by(None)]), -3),
        (route(0, "10.8.0.0/24", vec![]), -52),
        (route(0, "10.8.0.0/24", vec![path(SwIfIndex(4000), None)]), -54),
        (route(0, "10.8.0.0/33", vec![by(None)]), -171),
        (route(0, "10.8.0.0/24", vec![by(Some("10.8.0.9"))]), 0),
        (route(0, "10.8.0.0/24", vec![by(Some("10.8.0.9"))]), 0),
    ] {
        assert_eq!(at.retval(&request).await, expected, "{request:?}");
    }
    let found = Ok(("10.8.0.0/24".to_owned(), vec![(0, loopback, "10.8.0.9".to_owned())]));
    assert_eq!(lookup(at, 0, "10.8.0.0/24", 1).await, found);
    assert_eq!(lookup(at, 0, "10.8.0.77/32", 0).await, found, "the longest match");
    assert_eq!(lookup(at, 0, "10.8.0.77/32", 1).await, Err(-6));
    assert_eq!(lookup(at, 999, "10.8.0.0/24", 1).await, Err(-3));
    assert_eq!(lookup(at, 53, "10.8.0.0/24", 1).await, Err(-6), "in another table");
    assert_eq!(lookup(at, 53, "10.8.0.0/24", 0).await.unwrap().0, "0.0.0.0/0");
    // On the link, to one address: as the gateway's routes to containers are.
    at.done(&route(0, "10.8.1.5/32", vec![by(None)])).await;
    let (_, paths) = lookup(at, 0, "10.8.1.5/32", 1).await.unwrap();
    assert_eq!(paths, [(0, loopback, "10.8.1.5".to_owned())]);
    let dumped = at.dump(&IpRouteDump { table_id: 0, is_ip6: false, ..Default::default() }).await;
    let dumped: Vec<_> = dumped.iter().map(|one| shown(&one.prefix)).collect();
    for dst in ["10.8.0.0/24", "10.8.1.5/32", "0.0.0.0/0"] {
        assert!(dumped.contains(&dst.to_owned()), "{dst}: {dumped:?}");
    }
    for dst in ["10.8.0.0/24", "10.8.1.5/32", "10.8.1.5/32"] {
        at.done(&IpRouteAddDel { is_add: false, ..route(0, dst, vec![by(None)]) }).await;
        assert_eq!(lookup(at, 0, dst, 1).await, Err(-6));
    }
    at.done(&IpTableAddDel { is_add: false, table_id: 53, ..Default::default() }).await;
    at.delete_loopback(loopback).await;
}

pub(crate) async fn connected_routes(at: &At) {
    let loopback = at.loopback(32).await;
    assert_eq!(at.address(loopback, true, "10.7.0.1/24").await, 0);
    assert_eq!(at.address(loopback, true, "fd07::1/64").await, 0);
    assert_eq!(lookup(at, 0, "10.7.0.0/24", 1).await, Err(-6), "the interface is down");
    at.up(loopback).await;
    let dumped = at.dump(&IpRouteDump { table_id: 0, is_ip6: false, ..Default::default() }).await;
    let mut dumped: Vec<_> =
        dumped.iter().map(|one| shown(&one.prefix)).filter(|dst| dst.starts_with("10.7.")).collect();
    dumped.sort();
    assert_eq!(dumped, ["10.7.0.0/32", "10.7.0.1/24", "10.7.0.1/32", "10.7.0.255/32"]);
    let (dst, paths) = lookup(at, 0, "10.7.0.0/24", 1).await.unwrap();
    assert_eq!(dst, "10.7.0.1/24", "as it was first written");
    assert_eq!(paths, [(0, loopback, "0.0.0.0".to_owned())]);
    let (_, paths) = lookup(at, 0, "10.7.0.1/32", 1).await.unwrap();
    assert_eq!((paths[0].0, paths[0].1), (FibPathType::LOCAL.0, loopback));
    let dumped = at.dump(&IpRouteDump { table_id: 0, is_ip6: true, ..Default::default() }).await;
    let mut dumped: Vec<_> =
        dumped.iter().map(|one| shown(&one.prefix)).filter(|dst| dst.starts_with("fd07")).collect();
    dumped.sort();
    assert_eq!(dumped, ["fd07::/64", "fd07::1/128"]);
    at.delete_loopback(loopback).await;
    assert_eq!(lookup(at, 0, "10.7.0.0/24", 1).await, Err(-6));
}

pub(crate) async fn routes_of_a_deleted_interface(at: &At) {
    let loopback = at.loopback(33).await;
    at.up(loopback).await;
    at.done(&route(0, "10.6.0.0/24", vec![path(loopback, None)])).await;
    at.delete_loopback(loopback).await;
    let stays = Ok(("10.6.0.0/24".to_owned(), vec![(0, loopback, "0.0.0.0".to_owned())]));
    assert_eq!(lookup(at, 0, "10.6.0.0/24", 1).await, stays);
    let remove = IpRouteAddDel { is_add: false, ..route(0, "10.6.0.0/24", vec![path(loopback, None)]) };
    assert_eq!(at.retval(&remove).await, -54, "by an interface that is gone");
    at.done(&IpRouteAddDel { paths: vec![].into(), ..remove }).await;
    assert_eq!(lookup(at, 0, "10.6.0.0/24", 1).await, Err(-6));
}
