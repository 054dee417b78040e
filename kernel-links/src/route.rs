//! Routes over an interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteProtocol,
        RouteScope, RouteType,
    },
};

use crate::{Error, Netlink, PROTOCOL};

/// A unicast route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destination.
    pub dst: IpNet,
    /// The next hop; on the link when absent.
    pub gateway: Option<IpAddr>,
    /// Path MTU in bytes.
    pub mtu: Option<u32>,
    /// Maximal segment size to advertise, in bytes.
    pub advmss: Option<u32>,
    /// The metric.
    pub priority: Option<u32>,
    /// The table; the main one (254) when absent.
    pub table: Option<u32>,
    /// The scope as in rtnetlink(7); when absent universe with a gateway and link without.
    pub scope: Option<u8>,
    /// Whether the gateway counts as on the link, though no other route says so.
    pub onlink: bool,
    /// Whether it was set here: [`PROTOCOL`]. No matter when it is added.
    pub ours: bool,
}

impl Netlink {
    /// Adds a route over the interface, beside those that others have set to that destination. The very same one is success.
    ///
    /// # Errors
    /// ENETUNREACH when the gateway is not on the link.
    pub async fn add_route(&self, index: u32, route: &Route) -> Result<(), Error> {
        let doing = || format!("add route {}", describe(route, index));
        let create = RouteNetlinkMessage::NewRoute(message(index, route));
        self.add(doing, create).await
    }

    /// Removes a route over the interface.
    ///
    /// # Errors
    /// ESRCH when there is none.
    pub async fn delete_route(&self, index: u32, route: &Route) -> Result<(), Error> {
        let doing = || format!("remove route {}", describe(route, index));
        let delete = RouteNetlinkMessage::DelRoute(message(index, route));
        self.change(doing, delete).await
    }

    /// The unicast routes over the interface, of both families and all tables.
    ///
    /// # Errors
    /// What the kernel answered.
    pub async fn routes(&self, index: u32) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            message.attributes.push(RouteAttribute::Oif(index));
            let doing = || format!("list the routes over the interface {index}");
            let get = RouteNetlinkMessage::GetRoute(message);
            let answers = match self.dump(doing, get).await {
                Err(error) if error.errno() == Some(nix::errno::Errno::ENODEV) => Vec::new(),
                other => other?,
            };
            routes.extend(answers.into_iter().filter_map(|answer| route_of(index, answer)));
        }
        Ok(routes)
    }
}

fn describe(route: &Route, index: u32) -> String {
    let mut text = format!("{} over the interface {index}", route.dst);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {name} {value}"));
        }
    };
    add("via", route.gateway.map(|ip| ip.to_string()));
    add("mtu", route.mtu.map(|number| number.to_string()));
    add("advmss", route.advmss.map(|number| number.to_string()));
    add("metric", route.priority.map(|number| number.to_string()));
    add("table", route.table.map(|number| number.to_string()));
    add("scope", route.scope.map(|number| number.to_string()));
    text
}

fn message(index: u32, route: &Route) -> RouteMessage {
    let default_scope = match (route.gateway, route.dst) {
        (None, IpNet::V4(_)) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: match route.dst {
            IpNet::V4(_) => AddressFamily::Inet,
            IpNet::V6(_) => AddressFamily::Inet6,
        },
        destination_prefix_length: route.dst.prefix_len(),
        // The attribute below has the number, which may be larger than a byte.
        table: RouteHeader::RT_TABLE_UNSPEC,
        protocol: RouteProtocol::from(PROTOCOL),
        scope: route.scope.map_or(default_scope, RouteScope::from),
        kind: RouteType::Unicast,
        flags: if route.onlink { RouteFlags::Onlink } else { RouteFlags::empty() },
        ..RouteHeader::default()
    };
    let table = route.table.unwrap_or(RouteHeader::RT_TABLE_MAIN.into());
    let metrics: Vec<_> = [route.mtu.map(RouteMetric::Mtu), route.advmss.map(RouteMetric::Advmss)]
        .into_iter()
        .flatten()
        .collect();
    message.attributes = vec![
        RouteAttribute::Oif(index),
        RouteAttribute::Table(table),
        RouteAttribute::Destination(route.dst.trunc().addr().into()),
    ];
    let gateway = route.gateway.map(|ip| RouteAttribute::Gateway(ip.into()));
    message.attributes.extend(gateway);
    message.attributes.extend(route.priority.map(RouteAttribute::Priority));
    if !metrics.is_empty() {
        message.attributes.push(RouteAttribute::Metrics(metrics));
    }
    message
}

fn route_of(index: u32, answer: RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = answer else {
        return None;
    };
    let header = &message.header;
    if header.kind != RouteType::Unicast {
        return None;
    }
    let any: IpAddr = match header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        _ => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut route = Route {
        dst: IpNet::new(any, header.destination_prefix_length).ok()?,
        gateway: None,
        mtu: None,
        advmss: None,
        // IPv4 leaves out the metric 0.
        priority: (header.address_family == AddressFamily::Inet).then_some(0),
        table: Some(header.table.into()),
        scope: Some(header.scope.into()),
        onlink: header.flags.contains(RouteFlags::Onlink),
        ours: u8::from(header.protocol) == PROTOCOL,
    };
    let mut over = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => over = Some(*index),
            RouteAttribute::Destination(to) => {
                route.dst = IpNet::new(ip(to)?, header.destination_prefix_length).ok()?;
            }
            RouteAttribute::Gateway(by) => route.gateway = ip(by),
            RouteAttribute::Priority(metric) => route.priority = Some(*metric),
            RouteAttribute::Table(table) => route.table = Some(*table),
            RouteAttribute::Metrics(metrics) => metrics.iter().for_each(|one| match one {
                RouteMetric::Mtu(mtu) => route.mtu = Some(*mtu),
                RouteMetric::Advmss(advmss) => route.advmss = Some(*advmss),
                _ => {}
            }),
            _ => {}
        }
    }
    if header.address_family == AddressFamily::Inet6 {
        // The kernel keeps no scope for IPv6: it follows from the gateway.
        let scope = if route.gateway.is_some() { RouteScope::Universe } else { RouteScope::Link };
        route.scope = Some(scope.into());
    }
    (over == Some(index)).then_some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}
