//! Addresses and routes of an interface that has them itself: in a container. The interface is ours, and so is every address on it.

use std::net::IpAddr;

use ipnet::IpNet;
use userspace_core::{
    addr::{Address, Route},
    engine::{EngineError, ErrorKind},
    fault,
};
use vpp_api_client::{
    Client, Error,
    messages::{
        interface::SwInterfaceAddDelAddress,
        ip::{IpAddressDump, IpRouteAddDel},
    },
    types::SwIfIndex,
};

use crate::{
    error::{self, retval, unless},
    interface::Made,
    route::{self, IS_IPV6, prefix},
};

/// Brings the interface to these addresses and routes.
pub(crate) async fn assign(
    vpp: &Client,
    made: &Made,
    addresses: &[Address],
    routes: &[Route],
) -> Result<(), EngineError> {
    let index = made.index()?;
    let wanted: Vec<IpNet> = addresses.iter().map(|address| address.ip).collect();
    let there = observe(vpp, index).await?;
    remove_stale_routes(vpp, index, &there, routes).await?;
    fault::point("before container addresses")?;
    for stale in there.iter().filter(|ip| !wanted.contains(ip)) {
        remove(vpp, index, *stale).await?;
    }
    for missing in wanted.iter().filter(|ip| !there.contains(ip)) {
        add(vpp, index, *missing).await?;
    }
    fault::point("after container addresses")?;
    for wanted in routes {
        route::add(vpp, index, wanted).await?;
    }
    fault::point("after container routes")
}

/// The same for one that was just made: it has nothing as yet, and is in VPP's own table. All is sent at once; VPP does it in that order.
pub(crate) async fn assign_first(
    vpp: &Client,
    made: &Made,
    addresses: &[Address],
    routes: &[Route],
) -> Result<(), EngineError> {
    let index = made.index()?;
    fault::point("before container addresses")?;
    let added: Vec<_> = addresses.iter().map(|address| add(vpp, index, address.ip)).collect();
    let led = routes.iter().map(|route| route::make(vpp, OWN_TABLE, index, route)).collect::<Vec<_>>();
    for added in added {
        added.await?;
    }
    fault::point("after container addresses")?;
    for led in led {
        led?.await?;
    }
    fault::point("after container routes")
}

/// The routing table that interfaces are in at first (ip.api).
const OWN_TABLE: u32 = 0;

/// The addresses of the interface, without those that VPP gives every interface of IPv6.
pub(crate) async fn observe(vpp: &Client, sw_if_index: SwIfIndex) -> Result<Vec<IpNet>, EngineError> {
    let mut all = Vec::new();
    for asked in IS_IPV6.map(|is_ipv6| vpp.dump(&IpAddressDump { sw_if_index, is_ipv6 })) {
        let found = asked.await.map_err(error::doing("look up the addresses of an interface"))?;
        all.extend(found.iter().filter_map(|details| route::net(&details.prefix)));
    }
    all.retain(|ip| !is_link_local(ip));
    Ok(all)
}

/// The routes that lead by the interface. Lists the tables: a container has few routes.
pub(crate) async fn routes(vpp: &Client, index: SwIfIndex) -> Result<Vec<Route>, EngineError> {
    let mut all = Vec::new();
    for is_ipv6 in IS_IPV6 {
        let table = route::table_of(vpp, index, is_ipv6).await?;
        all.extend(route::list(vpp, table, is_ipv6, index).await?);
    }
    Ok(all)
}

/// Adds an address, asked for at once; `Conflict` when it, or one that overlaps with it, is on another interface of the table.
pub(crate) fn add(
    vpp: &Client,
    sw_if_index: SwIfIndex,
    ip: IpNet,
) -> impl Future<Output = Result<(), EngineError>> + Send + use<> {
    let request = SwInterfaceAddDelAddress { sw_if_index, is_add: true, del_all: false, prefix: prefix(ip) };
    let asked = vpp.request(&request);
    async move { asked.await.map(drop).map_err(|error| refused(ip, error)) }
}

fn refused(ip: IpNet, error: Error) -> EngineError {
    match error.retval() {
        Some(retval::ADDRESS_IN_USE | retval::ADDRESS_DUPLICATE) => {
            let doing = format!(
                "add the address {ip} (VPP has it, or one of its subnet, on another interface of this table)"
            );
            EngineError::new(ErrorKind::Conflict, doing).because(error)
        }
        _ => error::doing(format!("add the address {ip}"))(error),
    }
}

async fn remove(vpp: &Client, sw_if_index: SwIfIndex, ip: IpNet) -> Result<(), EngineError> {
    let request = SwInterfaceAddDelAddress { sw_if_index, is_add: false, del_all: false, prefix: prefix(ip) };
    let gone = unless(vpp.request(&request).await, &[retval::ADDRESS_NOT_THERE]);
    gone.map(drop).map_err(error::doing(format!("remove the address {ip}")))
}

/// Routes that were given before and are no longer wanted. Those that VPP makes itself, for a subnet or a neighbour, are its own.
async fn remove_stale_routes(
    vpp: &Client,
    index: SwIfIndex,
    addresses: &[IpNet],
    wanted: &[Route],
) -> Result<(), EngineError> {
    for stale in routes(vpp, index).await? {
        let neighbour = stale.gw.is_none() && IpNet::from(stale.dst.addr()) == stale.dst;
        let subnet =
            addresses.iter().any(|ip| ip.trunc() == stale.dst || IpNet::from(ip.addr()) == stale.dst);
        let kept = wanted.iter().any(|route| route.dst.trunc() == stale.dst && route.gw == stale.gw);
        if neighbour || subnet || kept || is_link_local(&stale.dst) || stale.dst.addr().is_multicast() {
            continue;
        }
        let table_id = route::table_of(vpp, index, stale.dst.addr().is_ipv6()).await?;
        let remove = IpRouteAddDel { table_id, prefix: prefix(stale.dst), ..IpRouteAddDel::default() };
        // One that was not made by the API is refused, and stays.
        let gone = vpp.request(&remove).await;
        if let Err(error) = gone
            && error.retval().is_none()
        {
            return Err(error::doing(format!("remove the route {}", stale.dst))(error));
        }
    }
    Ok(())
}

fn is_link_local(net: &IpNet) -> bool {
    match net.addr() {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
