//! Routes in VPP's tables, and the forms of addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use userspace_core::{
    addr::{Route, SCOPE_LINK, SCOPE_UNIVERSE},
    engine::{EngineError, ErrorKind},
};
use vpp_api_client::{
    Client,
    codec::Counted,
    messages::{
        interface::SwInterfaceGetTable,
        ip::{IpRouteAddDel, IpRouteDump, IpRouteLookup},
    },
    types::{FibNhProto, FibPath, FibPathType, Prefix, SwIfIndex},
};

use crate::{access::ask, error};

/// The families, as VPP asks for them.
pub(crate) const IS_IPV6: [bool; 2] = [false, true];

pub(crate) fn prefix(net: IpNet) -> Prefix {
    Prefix { address: net.addr().into(), length: net.prefix_len() }
}

pub(crate) fn net(prefix: &Prefix) -> Option<IpNet> {
    IpNet::new(prefix.address.ip()?, prefix.length).ok()
}

/// The routing table that an interface is in.
pub(crate) async fn table_of(
    vpp: &Client,
    sw_if_index: SwIfIndex,
    is_ipv6: bool,
) -> Result<u32, EngineError> {
    let request = SwInterfaceGetTable { sw_if_index, is_ipv6 };
    Ok(ask(vpp, "ask for the routing table of an interface", &request).await?.vrf_id)
}

/// Adds a route by the interface, in its own table, unless it is there.
pub(crate) async fn add(vpp: &Client, index: SwIfIndex, route: &Route) -> Result<(), EngineError> {
    let is_ipv6 = route.dst.addr().is_ipv6();
    let table_id = table_of(vpp, index, is_ipv6).await?;
    if exists(vpp, table_id, index, route).await? {
        return Ok(());
    }
    make(vpp, table_id, index, route)?.await
}

/// Adds a route by the interface, asked for at once.
pub(crate) fn make(
    vpp: &Client,
    table_id: u32,
    index: SwIfIndex,
    route: &Route,
) -> Result<impl Future<Output = Result<(), EngineError>> + Send + use<>, EngineError> {
    if route.table.is_some_and(|table| table != MAIN && table != table_id) {
        let doing = format!(
            "route {} in table {:?} (in VPP a route is in its interface's table)",
            route.dst, route.table
        );
        return Err(EngineError::new(ErrorKind::Unsupported, doing));
    }
    if (route.mtu, route.advmss, route.priority) != (None, None, None) {
        tracing::warn!(route = %route.dst, "VPP's routes have no MTU, segment size or metric: left out");
    }
    let add = IpRouteAddDel {
        is_add: true,
        is_multipath: false,
        table_id,
        stats_index: 0,
        prefix: prefix(route.dst.trunc()),
        paths: vec![path(index, route)].into(),
    };
    let asked = vpp.request(&add);
    let doing = format!("add the route {}", route.dst);
    Ok(async move { asked.await.map(drop).map_err(error::doing(doing)) })
}

/// Linux's number of its main table, which results of IPAM plugins may name.
const MAIN: u32 = 254;

fn path(sw_if_index: SwIfIndex, route: &Route) -> FibPath {
    let next_hop = route.gw.map(|gateway| vpp_api_client::types::Address::from(gateway).bytes);
    FibPath {
        sw_if_index,
        weight: 1,
        kind: FibPathType::NORMAL,
        proto: if route.dst.addr().is_ipv6() { FibNhProto::IP6 } else { FibNhProto::IP4 },
        next_hop: next_hop.unwrap_or_default(),
        ..FibPath::default()
    }
}

/// Removes the route to `dst` by the interface. Another's stays.
pub(crate) async fn remove(vpp: &Client, index: SwIfIndex, dst: IpNet) -> Result<(), EngineError> {
    let table_id = table_of(vpp, index, dst.addr().is_ipv6()).await?;
    let wanted = Route::new(dst, None);
    let Some(found) = lookup(vpp, table_id, dst).await?.filter(|paths| leads(paths, index, None)) else {
        return Ok(());
    };
    let remove = IpRouteAddDel {
        is_add: false,
        is_multipath: false,
        table_id,
        stats_index: 0,
        prefix: prefix(wanted.dst.trunc()),
        paths: found,
    };
    ask(vpp, &format!("remove the route {dst}"), &remove).await.map(drop)
}

/// Whether that very route is there.
pub(crate) async fn exists(
    vpp: &Client,
    table_id: u32,
    index: SwIfIndex,
    route: &Route,
) -> Result<bool, EngineError> {
    let found = lookup(vpp, table_id, route.dst).await?;
    Ok(found.is_some_and(|paths| leads(&paths, index, route.gw)))
}

/// The paths of the route to exactly `dst`.
async fn lookup(
    vpp: &Client,
    table_id: u32,
    dst: IpNet,
) -> Result<Option<Counted<u8, FibPath>>, EngineError> {
    let request = IpRouteLookup { table_id, exact: 1, prefix: prefix(dst.trunc()) };
    match vpp.request(&request).await {
        Ok(reply) => Ok(Some(reply.paths)),
        // VPP has several numbers for what is not there.
        Err(error) if error.retval().is_some() => Ok(None),
        Err(error) => Err(error::doing(format!("look up the route {dst}"))(error)),
    }
}

fn leads(paths: &Counted<u8, FibPath>, index: SwIfIndex, gateway: Option<IpAddr>) -> bool {
    let next_hop = gateway.map(|gateway| vpp_api_client::types::Address::from(gateway).bytes);
    paths.items.iter().any(|path| {
        path.sw_if_index == index
            && path.kind == FibPathType::NORMAL
            && next_hop.is_none_or(|next_hop| path.next_hop == next_hop)
    })
}

/// All routes of a table that lead by the interface, with their next hops. Lists the table.
pub(crate) async fn list(
    vpp: &Client,
    table_id: u32,
    is_ip6: bool,
    index: SwIfIndex,
) -> Result<Vec<Route>, EngineError> {
    let dump = IpRouteDump { table_id, is_ip6, ..IpRouteDump::default() };
    let all = vpp.dump(&dump).await.map_err(error::doing(format!("list the routes of table {table_id}")))?;
    let mut routes = Vec::new();
    for route in all {
        let Some(dst) = net(&route.prefix) else { continue };
        for path in &route.paths.items {
            if path.sw_if_index == index && path.kind == FibPathType::NORMAL {
                routes.push(seen(dst, next_hop(path, is_ip6)));
            }
        }
    }
    Ok(routes)
}

/// VPP gives a host's route on the link that host as its next hop.
fn seen(dst: IpNet, next_hop: Option<IpAddr>) -> Route {
    let is_on_link = next_hop.is_none_or(|next_hop| IpNet::from(next_hop) == dst);
    let (gw, scope) = if is_on_link { (None, SCOPE_LINK) } else { (next_hop, SCOPE_UNIVERSE) };
    Route { scope: Some(scope), ..Route::new(dst, gw) }
}

fn next_hop(path: &FibPath, is_ip6: bool) -> Option<IpAddr> {
    let [a, b, c, d, ..] = path.next_hop;
    let address = if is_ip6 { IpAddr::from(path.next_hop) } else { IpAddr::from([a, b, c, d]) };
    (!address.is_unspecified()).then_some(address)
}
