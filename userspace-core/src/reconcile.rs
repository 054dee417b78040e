//! Desired against observed, as values: one comparison for CHECK, for `ensure`'s conflict, for repair and for the container app.

use std::fmt;

use ipnet::IpNet;

use crate::{
    addr::{MacAddr, Route},
    addressing::Assignment,
    spec::{Device, InterfaceSpec, Network},
};

/// What an interface is, or should be. A field that is `None` is unknown on the observed side and indifferent on the desired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The kind and its parameters. Engines leave out what they cannot see by copying it from the specification.
    pub device: Option<Device>,
    /// Whether an administrator set it up. The link may be down all the same: a peer may not be there yet.
    pub admin_up: Option<bool>,
    /// Its MAC address.
    pub mac: Option<MacAddr>,
    /// Its MTU.
    pub mtu_bytes: Option<u32>,
    /// What it is joined to.
    pub network: Option<Network>,
    /// Addresses: on the desired side those that must be there, on the observed side all of them.
    pub addresses: Option<Vec<IpNet>>,
    /// Routes, in the same sense.
    pub routes: Option<Vec<Route>>,
    /// What else is not as it was made, in the vswitch's own words. Only observed.
    pub faults: Vec<Difference>,
}

impl State {
    /// What an interface of that specification looks like once it is joined to that network.
    pub fn desired(spec: &InterfaceSpec, network: &Network) -> Self {
        Self {
            device: Some(spec.device.clone()),
            admin_up: Some(true),
            mac: spec.mac,
            mtu_bytes: spec.mtu_bytes,
            network: Some(network.clone()),
            ..Self::default()
        }
    }

    /// The same with these addresses and routes.
    pub fn given(self, given: &Assignment) -> Self {
        Self {
            addresses: Some(given.addresses.iter().map(|address| address.ip).collect()),
            routes: Some(given.routes.clone()),
            ..self
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which thing.
    pub what: String,
    /// What it should be.
    pub wanted: String,
    /// What it is.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, not {}", self.what, self.found, self.wanted)
    }
}

/// Where `observed` falls short of `desired`. Addresses and routes beyond the desired ones are not a difference.
pub fn diff(desired: &State, observed: &State) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&mut found, "the device", &desired.device, &observed.device);
    compare(&mut found, "admin up", &desired.admin_up, &observed.admin_up);
    compare(&mut found, "the MAC address", &desired.mac, &observed.mac);
    compare(&mut found, "the MTU", &desired.mtu_bytes, &observed.mtu_bytes);
    compare(&mut found, "the network", &seen(&desired.network), &observed.network);
    contain(&mut found, "address", &desired.addresses, &observed.addresses, PartialEq::eq);
    contain(&mut found, "route", &desired.routes, &observed.routes, satisfies);
    found.extend(observed.faults.iter().cloned());
    found
}

/// How a network looks from below: what is routed is, like what is joined to nothing, in no layer-2 domain.
fn seen(network: &Option<Network>) -> Option<Network> {
    match network {
        Some(Network::Routed { .. }) => Some(Network::None),
        other => other.clone(),
    }
}

fn compare<T: PartialEq + fmt::Debug>(
    into: &mut Vec<Difference>,
    what: &'static str,
    desired: &Option<T>,
    observed: &Option<T>,
) {
    if let (Some(desired), Some(observed)) = (desired, observed)
        && desired != observed
    {
        let (wanted, found) = (format!("{desired:?}"), format!("{observed:?}"));
        into.push(Difference { what: what.to_owned(), wanted, found });
    }
}

fn contain<T: fmt::Debug>(
    into: &mut Vec<Difference>,
    what: &'static str,
    desired: &Option<Vec<T>>,
    observed: &Option<Vec<T>>,
    matches: fn(&T, &T) -> bool,
) {
    let (Some(desired), Some(observed)) = (desired, observed) else {
        return;
    };
    for wanted in desired {
        if !observed.iter().any(|found| matches(wanted, found)) {
            let (wanted, found) = (format!("{wanted:?}"), "missing".to_owned());
            into.push(Difference { what: what.to_owned(), wanted, found });
        }
    }
}

/// A kernel fills in what a route left open (table, scope, metric): only what was asked for must be there.
fn satisfies(wanted: &Route, found: &Route) -> bool {
    fn open<T: PartialEq>(wanted: &Option<T>, found: &Option<T>) -> bool {
        wanted.is_none() || wanted == found
    }
    wanted.dst.trunc() == found.dst.trunc()
        && open(&wanted.gw, &found.gw)
        && open(&wanted.mtu, &found.mtu)
        && open(&wanted.advmss, &found.advmss)
        && open(&wanted.priority, &found.priority)
        && open(&wanted.table, &found.table)
        && open(&wanted.scope, &found.scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            admin_up: Some(true),
            mtu_bytes: Some(1500),
            network: Some(Network::None),
            addresses: Some(vec!["10.0.0.1/24".parse().unwrap()]),
            routes: Some(vec![Route::new("0.0.0.0/0".parse().unwrap(), None)]),
            ..State::default()
        }
    }

    fn bridge() -> Network {
        Network::Bridge(crate::spec::Bridge { name: "b".to_owned(), vlan: crate::spec::Vlan::default() })
    }

    #[test]
    fn the_same_state_has_no_difference() {
        assert_eq!(diff(&state(), &state()), []);
    }

    #[test]
    fn each_field_is_compared() {
        type Change = fn(&mut State);
        let cases: [(&str, Change); 5] = [
            ("admin up", |s| s.admin_up = Some(false)),
            ("the MTU", |s| s.mtu_bytes = Some(9000)),
            ("the network", |s| s.network = Some(bridge())),
            ("address", |s| s.addresses = Some(vec![])),
            ("route", |s| s.routes = Some(vec![])),
        ];
        let fault =
            Difference { what: "ofport".to_owned(), wanted: "a port".to_owned(), found: "-1".to_owned() };
        let broken = State { faults: vec![fault.clone()], ..state() };
        assert_eq!(diff(&state(), &broken), [fault]);
        for (what, change) in cases {
            let mut observed = state();
            change(&mut observed);
            let found = diff(&state(), &observed);
            assert_eq!(found.len(), 1, "{what}: {found:?}");
            assert_eq!(found[0].what, what);
        }
    }

    #[test]
    fn what_is_unknown_or_beyond_is_no_difference() {
        let mut observed = state();
        observed.mtu_bytes = None;
        observed.addresses = Some(vec!["fe80::1/64".parse().unwrap(), "10.0.0.1/24".parse().unwrap()]);
        let mut route = Route::new("0.0.0.0/0".parse().unwrap(), Some([10, 0, 0, 254].into()));
        route.table = Some(254);
        observed.routes = Some(vec![route]);
        assert_eq!(diff(&state(), &observed), []);
    }
}
