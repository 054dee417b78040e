//! Addresses and routes of an interface as a whole: what is missing is added, what was set here before and is no longer wanted is
//! removed, and what others have set stays.
//!
//! It is done in three steps, for a caller that has something to do between them:
//! [`remove_stale_routes`](Netlink::remove_stale_routes), [`set_addresses`](Netlink::set_addresses),
//! [`add_routes`](Netlink::add_routes). Routes go before the addresses do that they lead by, and come after them. Each step can be
//! broken off anywhere: to take the three again completes what is there.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::errno::Errno;

use crate::{Change, Error, Netlink, Route};

/// RT_TABLE_MAIN of linux/rtnetlink.h.
const MAIN_TABLE: u32 = 254;

impl Netlink {
    /// The first step: removes the routes over the interface that were set here and are not among `wanted`.
    ///
    /// Tells which of the wanted ones are missing, in the order in which the last step can add them, and with
    /// [`Route::onlink`] where neither `addresses`, which the interface is to have, nor another wanted route leads to the gateway.
    ///
    /// # Errors
    /// What the kernel answered, but for a route that has gone meanwhile.
    pub async fn remove_stale_routes(
        &self,
        index: u32,
        addresses: &[IpNet],
        wanted: &[Route],
    ) -> Result<Vec<Route>, Error> {
        let mut present = self.routes(index).await?;
        present.retain(|route| route.ours);
        for old in &present {
            if !wanted.iter().any(|route| is_same(route, old)) {
                tolerate(self.delete_route(index, old).await, Errno::ESRCH)?;
            }
        }
        let mut missing = in_order(addresses, wanted);
        missing.retain(|route| !present.iter().any(|old| is_same(route, old)));
        Ok(missing)
    }

    /// The second step: gives the interface the addresses that it has not got, whoever has set it, and takes from it those that
    /// were set here and are not among `wanted`.
    ///
    /// # Errors
    /// What the kernel answered, but for an address that has gone meanwhile.
    pub async fn set_addresses(&self, index: u32, wanted: &[IpNet]) -> Result<(), Error> {
        let present = self.addresses(index).await?;
        let stale: Vec<_> = present.iter().filter(|old| old.ours && !wanted.contains(&old.ip)).collect();
        if stale.iter().any(|old| old.ip.addr().is_ipv4()) {
            // Or a subnet's first address would take the others along, ours and others'.
            let promote = Change { promote_secondaries: true, ..Change::default() };
            self.change_link(index, promote).await?;
        }
        for old in stale {
            tolerate(self.delete_address(index, old.ip).await, Errno::EADDRNOTAVAIL)?;
        }
        for ip in wanted {
            if !present.iter().any(|old| old.ip == *ip) {
                self.add_address(index, *ip).await?;
            }
        }
        Ok(())
    }

    /// The last step: adds the routes that the first found missing.
    ///
    /// # Errors
    /// ENETUNREACH when the interface is down or a gateway is not on the link.
    pub async fn add_routes(&self, index: u32, missing: &[Route]) -> Result<(), Error> {
        for route in missing {
            self.add_route(index, route).await?;
        }
        Ok(())
    }
}

fn tolerate(done: Result<(), Error>, absent: Errno) -> Result<(), Error> {
    match done {
        Err(error) if error.errno() == Some(absent) => Ok(()),
        other => other,
    }
}

/// The routes in the order in which they can be added: a gateway must be on the link when a route by it is.
fn in_order(addresses: &[IpNet], routes: &[Route]) -> Vec<Route> {
    let on_link = routes.iter().filter(|route| route.gateway.is_none()).map(|route| route.dst);
    let near: Vec<_> = addresses.iter().copied().chain(on_link).collect();
    let is_near = |gateway: IpAddr| {
        let link_local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
        link_local || near.iter().any(|net| net.contains(&gateway))
    };
    let is_far = |route: &Route| route.gateway.is_some_and(|gateway| !is_near(gateway));
    let ordered = routes.iter().map(|route| Route { onlink: route.onlink || is_far(route), ..route.clone() });
    let mut all: Vec<_> = ordered.collect();
    all.sort_by_key(|route| route.gateway.is_some());
    all
}

/// Whether the kernel's route is the wanted one; what was left open the kernel has filled in.
fn is_same(wanted: &Route, found: &Route) -> bool {
    let open = |wanted: Option<u32>, found: Option<u32>| wanted.is_none() || wanted == found;
    wanted.dst.trunc() == found.dst.trunc()
        && wanted.gateway == found.gateway
        && wanted.mtu == found.mtu
        && wanted.advmss == found.advmss
        && open(wanted.priority, found.priority)
        && wanted.table.unwrap_or(MAIN_TABLE) == found.table.unwrap_or(MAIN_TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(dst: &str, gateway: Option<&str>) -> Route {
        Route {
            dst: dst.parse().unwrap(),
            gateway: gateway.map(|text| text.parse().unwrap()),
            mtu: None,
            advmss: None,
            priority: None,
            table: None,
            scope: None,
            onlink: false,
            ours: true,
        }
    }

    #[test]
    fn routes_on_the_link_come_first() {
        let wanted = [
            route("0.0.0.0/0", Some("10.9.0.1")),
            route("10.9.0.1/32", None),
            route("10.8.0.0/16", Some("10.1.0.1")),
            route("10.7.0.0/16", None),
        ];
        let ordered = in_order(&["10.1.0.5/24".parse().unwrap()], &wanted);
        let [by_route, near, by_address, other] = wanted;
        assert_eq!(ordered, [near, other, by_route, by_address], "otherwise as they were given");
    }

    #[test]
    fn a_gateway_that_nothing_leads_to_is_taken_to_be_on_the_link() {
        let check = |gateway: &str, onlink: bool| {
            let (v4, v6) = ("10.1.0.5/24".parse().unwrap(), "fd00::5/64".parse().unwrap());
            let dst = if gateway.contains(':') { "::/0" } else { "0.0.0.0/0" };
            let ordered = in_order(&[v4, v6], &[route(dst, Some(gateway)), route("10.9.0.0/24", None)]);
            assert_eq!(ordered[1].onlink, onlink, "{gateway}");
        };
        check("10.1.0.1", false);
        check("10.9.0.1", false);
        check("10.2.0.1", true);
        check("fd00::1", false);
        check("fe80::1", false);
        check("fd01::1", true);
    }

    #[test]
    fn what_was_left_open_matches_whatever_the_kernel_chose() {
        let wanted = route("10.1.0.0/24", Some("10.1.0.1"));
        let found = Route { priority: Some(0), table: Some(MAIN_TABLE), scope: Some(0), ..wanted.clone() };
        assert!(is_same(&wanted, &found));
        let by_host_bits = Route { dst: "10.1.0.7/24".parse().unwrap(), ..wanted.clone() };
        assert!(is_same(&by_host_bits, &found));
        for other in [
            Route { dst: "10.1.0.0/25".parse().unwrap(), ..wanted.clone() },
            Route { gateway: None, ..wanted.clone() },
            Route { mtu: Some(1300), ..wanted.clone() },
            Route { advmss: Some(1200), ..wanted.clone() },
            Route { priority: Some(5), ..wanted.clone() },
            Route { table: Some(1000), ..wanted },
        ] {
            assert!(!is_same(&other, &found), "{other:?}");
        }
    }
}
