//! Addresses and routes of an interface: what of it is about the host or the container, and the points between the steps. What is
//! about the kernel alone is in kernel-links.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use kernel_links::{Change, Error, Family, InterfaceSysctl, Link, Netlink, Route as KernelRoute};
use userspace_core::{
    addr::{Address, Route},
    cx::Cx,
    engine::EngineError,
    fault,
};

use crate::{error, place::Place};

/// Brings the interface to these addresses and routes. Of what it has otherwise, only that goes which was set here before.
pub(crate) async fn run(
    cx: Cx,
    place: &Place,
    link: &Link,
    addresses: &[Address],
    routes: &[Route],
) -> Result<(), EngineError> {
    let ips: Vec<_> = addresses.iter().map(|address| address.ip).collect();
    let routes: Vec<_> = routes.iter().map(kernel_route).collect();
    prepare(cx, place, link, &ips).await?;
    let doing = || format!("give {:?} its addresses and routes", link.name);
    cx.bound(doing, set(place, link, &ips, &routes)).await?;
    if place.netns.is_some() && !ips.is_empty() {
        let announce = async { place.netlink.announce(link).await.map_err(error::of) };
        cx.bound(|| format!("announce the addresses of {:?}", link.name), announce).await?;
    }
    Ok(())
}

/// Settings that must stand before the addresses.
async fn prepare(cx: Cx, place: &Place, link: &Link, ips: &[IpNet]) -> Result<(), EngineError> {
    let set = async {
        let done = match &place.netns {
            Some(netns) => place.netlink.prepare(netns, link, ips).await,
            None => prepare_host(&place.netlink, link, ips).await,
        };
        done.map_err(error::of)
    };
    cx.bound(|| format!("prepare {:?}", link.name), set).await
}

/// On the host the interface routes for the container.
async fn prepare_host(netlink: &Netlink, link: &Link, ips: &[IpNet]) -> Result<(), Error> {
    if ips.is_empty() {
        return Ok(());
    }
    let change = Change { forwarding: true, proxy_arp: true, ..Change::default() };
    netlink.change_link(link.index, change).await?;
    if ips.iter().all(|ip| ip.addr().is_ipv4()) {
        return Ok(());
    }
    let ipv6 = |name| InterfaceSysctl { family: Family::Ipv6, interface: &link.name, name };
    ipv6("disable_ipv6").set("0")?;
    // Before Linux 6.17 IPv6 is forwarded by all interfaces or by none.
    if ipv6("force_forwarding").set("1")? {
        return Ok(());
    }
    let all = InterfaceSysctl { family: Family::Ipv6, interface: "all", name: "forwarding" };
    if all.get()?.as_deref() == Some("0") {
        tracing::warn!("net.ipv6.conf.all.forwarding is 0: IPv6 is not routed to the container");
    }
    Ok(())
}

/// The steps of kernel-links, and the points between them.
async fn set(place: &Place, link: &Link, ips: &[IpNet], routes: &[KernelRoute]) -> Result<(), EngineError> {
    let (netlink, index) = (&place.netlink, link.index);
    let inside = place.netns.is_some();
    let missing = netlink.remove_stale_routes(index, ips, routes).await.map_err(error::of)?;
    fault::point(if inside { "before container addresses" } else { "before host addresses" })?;
    netlink.set_addresses(index, &all_addresses(ips, inside)).await.map_err(error::of)?;
    fault::point(if inside { "after container addresses" } else { "after host addresses" })?;
    fault::point(if inside { "before container routes" } else { "before host routes" })?;
    netlink.add_routes(index, &missing).await.map_err(error::of)?;
    fault::point(if inside { "after container routes" } else { "after host routes" })
}

/// The host's end of a routed pair gets a link-local address that can be used at once: the kernel's own is looked for duplicates first,
/// and until then no neighbour is asked for.
fn all_addresses(wanted: &[IpNet], inside: bool) -> Vec<IpNet> {
    let mut all = wanted.to_vec();
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let has_it = wanted.iter().any(|ip| ip.addr() == IpAddr::from(link_local));
    if !inside && !has_it && wanted.iter().any(|ip| ip.addr().is_ipv6()) {
        all.extend(Ipv6Net::new(link_local, 64).map(IpNet::from));
    }
    all
}

fn kernel_route(route: &Route) -> KernelRoute {
    KernelRoute {
        dst: route.dst,
        gateway: route.gw,
        mtu: route.mtu,
        advmss: route.advmss,
        priority: route.priority,
        table: route.table,
        scope: route.scope,
        // Which gateways lie beyond every subnet is found out where the route is added.
        onlink: false,
        ours: true,
    }
}
