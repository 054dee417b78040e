//! Which end gets which addresses and routes.
//!
//! On a bridge the container has its address with its subnet's prefix, and the host's end has none. Routed, every host end
//! carries the gateway's address alone, so that many containers share a subnet and a gateway: the container has its address
//! without the subnet, reaches the gateway on the link and everything else through it.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    addr::{Address, Route, SCOPE_LINK},
    engine::{EngineError, ErrorKind},
    ipam::Allocation,
    spec::Network,
};

/// What one end is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// What the host's end and the container's end are given of `allocation` on `network`.
///
/// # Errors
/// [`ErrorKind::Invalid`] when a routed address has no gateway.
pub fn assign(network: &Network, allocation: &Allocation) -> Result<(Assignment, Assignment), EngineError> {
    match network {
        Network::None | Network::Bridge(_) => {
            let container = Assignment {
                addresses: allocation.ips.clone(),
                routes: with_gateways(&allocation.routes, &allocation.ips),
            };
            Ok((Assignment::default(), container))
        }
        Network::Routed { .. } => routed(allocation),
    }
}

fn routed(allocation: &Allocation) -> Result<(Assignment, Assignment), EngineError> {
    let mut host = Assignment::default();
    let mut container = Assignment::default();
    for address in &allocation.ips {
        let gateway = address.gateway.ok_or_else(|| {
            let doing =
                format!("route {} (netType interface needs a gateway, and IPAM gave none)", address.ip);
            EngineError::new(ErrorKind::Invalid, doing)
        })?;
        let own = IpNet::from(address.ip.addr());
        let near = Address { ip: IpNet::from(gateway), gateway: None };
        if !host.addresses.contains(&near) {
            host.addresses.push(near);
            container.routes.push(on_link(near.ip));
        }
        host.routes.push(on_link(own));
        container.addresses.push(Address { ip: own, gateway: Some(gateway) });
        let subnet = address.ip.trunc();
        let through = Route::new(subnet, Some(gateway));
        if subnet != own && !container.routes.contains(&through) {
            container.routes.push(through);
        }
    }
    container.routes.extend(with_gateways(&allocation.routes, &allocation.ips));
    Ok((host, container))
}

fn on_link(dst: IpNet) -> Route {
    Route { scope: Some(SCOPE_LINK), ..Route::new(dst, None) }
}

/// A route without a next hop goes by the gateway of its family, unless it asks to stay on the link.
fn with_gateways(routes: &[Route], addresses: &[Address]) -> Vec<Route> {
    let gateway_for = |route: &Route| -> Option<IpAddr> {
        if route.gw.is_some() || route.scope == Some(SCOPE_LINK) {
            return route.gw;
        }
        let same_family = |gateway: &IpAddr| gateway.is_ipv4() == route.dst.addr().is_ipv4();
        addresses.iter().filter_map(|a| a.gateway).find(same_family)
    };
    routes.iter().map(|route| Route { gw: gateway_for(route), ..route.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn allocation(gateway: Option<&str>) -> Allocation {
        Allocation {
            ips: vec![Address { ip: net("10.1.0.5/24"), gateway: gateway.map(|text| text.parse().unwrap()) }],
            routes: vec![Route::new(net("0.0.0.0/0"), None), Route::new(net("::/0"), None)],
            ..Allocation::default()
        }
    }

    #[test]
    fn on_a_bridge_the_container_has_it_all() {
        let (host, container) = assign(&Network::None, &allocation(Some("10.1.0.1"))).unwrap();
        assert_eq!(host, Assignment::default());
        assert_eq!(container.addresses[0].ip, net("10.1.0.5/24"));
        assert_eq!(container.routes[0].gw, Some("10.1.0.1".parse().unwrap()));
        assert_eq!(container.routes[1].gw, None, "no gateway of that family");
    }

    #[test]
    fn routed_the_host_end_is_the_gateway() {
        let (host, container) = assign(&Network::ROUTED, &allocation(Some("10.1.0.1"))).unwrap();
        assert_eq!(host.addresses[0].ip, net("10.1.0.1/32"));
        assert_eq!(host.routes, [on_link(net("10.1.0.5/32"))]);
        assert_eq!(container.addresses[0].ip, net("10.1.0.5/32"));
        let gateway = Some("10.1.0.1".parse().unwrap());
        assert_eq!(
            container.routes[..3],
            [
                on_link(net("10.1.0.1/32")),
                Route::new(net("10.1.0.0/24"), gateway),
                Route::new(net("0.0.0.0/0"), gateway),
            ]
        );
    }

    #[test]
    fn routed_needs_a_gateway() {
        let error = assign(&Network::ROUTED, &allocation(None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("10.1.0.5/24"), "{error}");
    }
}
