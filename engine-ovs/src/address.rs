//! Addresses of a container whose interface is a port of its own Open vSwitch: they are on the bridge's own port, which is a kernel
//! interface in the namespace of that Open vSwitch, and of this process.

use std::path::Path;

use kernel_links::{Error, Link, Netlink, Netns, Route as KernelRoute};
use nix::errno::Errno;
use userspace_core::{
    addr::{Address, Route},
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
};

/// Addresses and routes of the bridge's own port, all of them.
pub(crate) async fn observe(cx: Cx, bridge: &str) -> Result<(Vec<ipnet::IpNet>, Vec<Route>), EngineError> {
    let doing = || format!("observe the addresses of {bridge:?}");
    let look = async {
        let netlink = Netlink::open().map_err(failed)?;
        let Some(link) = netlink.link_by_name(bridge).await.map_err(failed)? else {
            return Ok::<_, EngineError>(Default::default());
        };
        let addresses = netlink.addresses(link.index).await.map_err(failed)?;
        let routes = netlink.routes(link.index).await.map_err(failed)?;
        let ips = addresses.into_iter().map(|address| address.ip).collect();
        Ok((ips, routes.into_iter().map(from_kernel).collect()))
    };
    cx.bound(doing, look).await
}

/// Brings the bridge's own port to these addresses and routes, and sets it up.
pub(crate) async fn assign(
    cx: Cx,
    bridge: &str,
    addresses: &[Address],
    routes: &[Route],
) -> Result<(), EngineError> {
    let doing = || format!("give {bridge:?} its addresses and routes");
    cx.bound(doing, set(bridge, addresses, routes)).await
}

async fn set(bridge: &str, addresses: &[Address], routes: &[Route]) -> Result<(), EngineError> {
    let netlink = Netlink::open().map_err(failed)?;
    let link = own_port(&netlink, bridge).await?;
    let ips: Vec<_> = addresses.iter().map(|address| address.ip).collect();
    let wanted: Vec<_> = routes.iter().map(to_kernel).collect();
    let netns = Netns::open(Path::new("/proc/thread-self/ns/net")).map_err(failed)?;
    netlink.prepare(&netns, &link, &ips).await.map_err(failed)?;
    let up = kernel_links::Change { up: Some(true), ..Default::default() };
    netlink.change_link(link.index, up).await.map_err(failed)?;
    let missing = netlink.remove_stale_routes(link.index, &ips, &wanted).await.map_err(failed)?;
    fault::point("before container addresses")?;
    netlink.set_addresses(link.index, &ips).await.map_err(failed)?;
    fault::point("after container addresses")?;
    netlink.add_routes(link.index, &missing).await.map_err(failed)?;
    fault::point("after container routes")?;
    if ips.is_empty() {
        return Ok(());
    }
    netlink.announce(&link).await.map_err(failed)
}

async fn own_port(netlink: &Netlink, bridge: &str) -> Result<Link, EngineError> {
    let found = netlink.link_by_name(bridge).await.map_err(failed)?;
    found.ok_or_else(|| {
        let doing = format!("find the own port of the bridge {bridge:?} in this network namespace");
        EngineError::new(ErrorKind::Unavailable, doing)
    })
}

fn failed(error: Error) -> EngineError {
    let kind = match error.errno() {
        Some(Errno::EINVAL | Errno::ENETUNREACH | Errno::EHOSTUNREACH) => ErrorKind::Invalid,
        _ => ErrorKind::Protocol,
    };
    EngineError::new(kind, "ask the kernel").because(error)
}

fn to_kernel(route: &Route) -> KernelRoute {
    KernelRoute {
        dst: route.dst,
        gateway: route.gw,
        mtu: route.mtu,
        advmss: route.advmss,
        priority: route.priority,
        table: route.table,
        scope: route.scope,
        onlink: false,
        ours: true,
    }
}

fn from_kernel(route: KernelRoute) -> Route {
    Route {
        dst: route.dst,
        gw: route.gateway,
        mtu: route.mtu,
        advmss: route.advmss,
        priority: route.priority,
        table: route.table,
        scope: route.scope,
    }
}
