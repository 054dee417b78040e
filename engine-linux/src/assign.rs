//! Addresses and routes of an interface, and what makes them known.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use ipnet::Ipv6Net;
use kernel_links::{Change, Error, Family, InterfaceSysctl, Link, Netlink, Route as KernelRoute};
use nix::errno::Errno;
use userspace_core::{
    addr::{Address, Route},
    cx::Cx,
    engine::EngineError,
    fault,
};

use crate::{error, place::Place};

/// How long a port may take to forward after it was set up; then the announcement is sent anyway.
const SETTLE: Duration = Duration::from_millis(50);

/// Brings the interface to these addresses and routes. Of what it has otherwise, only that goes which was set here before.
pub(crate) async fn run(
    cx: Cx,
    place: &Place,
    link: &Link,
    addresses: &[Address],
    routes: &[Route],
) -> Result<(), EngineError> {
    prepare(cx, place, link, addresses).await?;
    let inside = place.netns.is_some();
    let wanted = kernel_routes(addresses, routes);
    let doing = || format!("give {:?} its addresses and routes", link.name);
    let set = async {
        let netlink = &place.netlink;
        let present = netlink.routes(link.index).await.map_err(error::of)?;
        for old in present.iter().filter(|old| old.ours) {
            if !wanted.iter().any(|route| is_same(route, old)) {
                tolerate(netlink.delete_route(link.index, old).await, Errno::ESRCH)?;
            }
        }
        fault::point(if inside { "before container addresses" } else { "before host addresses" })?;
        set_addresses(netlink, link, &all_addresses(addresses, inside)).await?;
        fault::point(if inside { "after container addresses" } else { "after host addresses" })?;
        fault::point(if inside { "before container routes" } else { "before host routes" })?;
        for route in &wanted {
            let has_it = |old: &KernelRoute| old.ours && is_same(route, old);
            if !present.iter().any(has_it) {
                netlink.add_route(link.index, route).await.map_err(error::of)?;
            }
        }
        fault::point(if inside { "after container routes" } else { "after host routes" })
    };
    cx.bound(doing, set).await?;
    if inside && !addresses.is_empty() {
        announce(cx, place, link).await?;
    }
    Ok(())
}

/// The host's end of a routed pair gets a link-local address that can be used at once: the kernel's own is looked for duplicates first,
/// and until then no neighbour is asked for.
fn all_addresses(wanted: &[Address], inside: bool) -> Vec<Address> {
    let mut all = wanted.to_vec();
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let has_it = wanted.iter().any(|address| address.ip.addr() == IpAddr::from(link_local));
    if !inside && !has_it && wanted.iter().any(|address| address.ip.addr().is_ipv6()) {
        all.extend(Ipv6Net::new(link_local, 64).map(|net| Address { ip: net.into(), gateway: None }));
    }
    all
}

async fn set_addresses(netlink: &Netlink, link: &Link, wanted: &[Address]) -> Result<(), EngineError> {
    let present = netlink.addresses(link.index).await.map_err(error::of)?;
    let is_wanted = |ip| wanted.iter().any(|address| address.ip == ip);
    let stale: Vec<_> = present.iter().filter(|old| old.ours && !is_wanted(old.ip)).collect();
    if stale.iter().any(|old| old.ip.addr().is_ipv4()) {
        // Or a subnet's first address would take the others along, ours and others'.
        let promote = Change { promote_secondaries: true, ..Change::default() };
        netlink.change_link(link.index, promote).await.map_err(error::of)?;
    }
    for old in stale {
        let gone = netlink.delete_address(link.index, old.ip).await;
        tolerate(gone, Errno::EADDRNOTAVAIL)?;
    }
    for address in wanted {
        if !present.iter().any(|old| old.ip == address.ip) {
            netlink.add_address(link.index, address.ip).await.map_err(error::of)?;
        }
    }
    Ok(())
}

fn tolerate(done: Result<(), Error>, absent: Errno) -> Result<(), EngineError> {
    match done {
        Err(error) if error.errno() == Some(absent) => Ok(()),
        other => other.map_err(error::of),
    }
}

/// Settings that must stand before the addresses. On the host the interface routes for the container.
async fn prepare(cx: Cx, place: &Place, link: &Link, addresses: &[Address]) -> Result<(), EngineError> {
    if addresses.is_empty() {
        return Ok(());
    }
    let inside = place.netns.is_some();
    let change = Change { arp_notify: inside, forwarding: !inside, proxy_arp: !inside, ..Change::default() };
    let set = async {
        let done = place.netlink.change_link(link.index, change).await;
        done.map_err(error::of)
    };
    cx.bound(|| format!("prepare {:?}", link.name), set).await?;
    if addresses.iter().all(|address| address.ip.addr().is_ipv4()) {
        return Ok(());
    }
    let settings = || {
        if inside { ipv6_inside(&link.name) } else { ipv6_host(&link.name) }
    };
    match &place.netns {
        Some(netns) => netns.run(settings).map_err(error::of),
        None => settings().map_err(error::of),
    }
}

fn ipv6(interface: &str, name: &'static str, value: &str) -> Result<bool, Error> {
    let setting = InterfaceSysctl { family: Family::Ipv6, interface, name };
    setting.set(value)
}

/// Runtimes switch IPv6 off in containers that have no IPv6 yet.
fn ipv6_inside(interface: &str) -> Result<(), Error> {
    ipv6(interface, "disable_ipv6", "0")?;
    ipv6(interface, "ndisc_notify", "1")?;
    Ok(())
}

fn ipv6_host(interface: &str) -> Result<(), Error> {
    ipv6(interface, "disable_ipv6", "0")?;
    // Before Linux 6.17 IPv6 is forwarded by all interfaces or by none.
    if ipv6(interface, "force_forwarding", "1")? {
        return Ok(());
    }
    let all = InterfaceSysctl { family: Family::Ipv6, interface: "all", name: "forwarding" };
    if all.get()?.as_deref() == Some("0") {
        tracing::warn!("net.ipv6.conf.all.forwarding is 0: IPv6 is not routed to the container");
    }
    Ok(())
}

/// Tells the neighbours: setting the MAC address that an interface already has makes the kernel send a gratuitous ARP and an
/// unsolicited neighbour advertisement for each address, where `arp_notify` and `ndisc_notify` are on.
async fn announce(cx: Cx, place: &Place, link: &Link) -> Result<(), EngineError> {
    settle(cx, place, link).await;
    let change = Change { mac: link.mac, ..Change::default() };
    let set = async {
        match place.netlink.change_link(link.index, change).await {
            // Some drivers keep their address while they are up: neighbours then learn by themselves.
            Err(error) if matches!(error.errno(), Some(Errno::EBUSY | Errno::EOPNOTSUPP)) => Ok(()),
            other => other.map_err(error::of),
        }
    };
    cx.bound(|| format!("announce the addresses of {:?}", link.name), set).await
}

/// Waits until the kernel passes packets, which follows the carrier with a delay; before that an announcement would be lost.
/// Without a carrier (a tap that nobody has opened) there is nobody to tell.
async fn settle(cx: Cx, place: &Place, link: &Link) {
    let limit = cx.at_most(SETTLE);
    while !limit.remaining().is_zero() {
        match place.netlink.link_by_index(link.index).await {
            Ok(Some(now)) if now.carrier && !now.running => {
                tokio::time::sleep(Duration::from_millis(1)).await
            }
            _ => return,
        }
    }
}

/// The routes in the order in which they can be added: a gateway must be on the link when a route by it is.
fn kernel_routes(addresses: &[Address], routes: &[Route]) -> Vec<KernelRoute> {
    let subnets = addresses.iter().map(|address| address.ip);
    let on_link = routes.iter().filter(|route| route.gw.is_none()).map(|route| route.dst);
    let near: Vec<_> = subnets.chain(on_link).collect();
    let is_near = |gateway: IpAddr| {
        let link_local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
        link_local || near.iter().any(|net| net.contains(&gateway))
    };
    let mut all: Vec<_> = routes
        .iter()
        .map(|route| KernelRoute { onlink: route.gw.is_some_and(|gw| !is_near(gw)), ..kernel_route(route) })
        .collect();
    all.sort_by_key(|route| route.gateway.is_some());
    all
}

fn kernel_route(route: &Route) -> KernelRoute {
    KernelRoute {
        onlink: false,
        dst: route.dst,
        gateway: route.gw,
        mtu: route.mtu,
        advmss: route.advmss,
        priority: route.priority,
        table: route.table,
        scope: route.scope,
        ours: true,
    }
}

/// Whether the kernel's route is the wanted one; what was left open the kernel has filled in.
fn is_same(wanted: &KernelRoute, found: &KernelRoute) -> bool {
    let open = |wanted: Option<u32>, found: Option<u32>| wanted.is_none() || wanted == found;
    wanted.dst.trunc() == found.dst.trunc()
        && wanted.gateway == found.gateway
        && wanted.mtu == found.mtu
        && wanted.advmss == found.advmss
        && open(wanted.priority, found.priority)
        && wanted.table.unwrap_or(254) == found.table.unwrap_or(254)
}
