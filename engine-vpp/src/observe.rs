//! What is there, in the words of the specification.

use userspace_core::{
    addr::{MacAddr, Route, SCOPE_LINK},
    engine::EngineError,
    owner::SpecDigest,
    reconcile::{Difference, State},
    spec::{Bridge, Device, InterfaceSpec, Network, SocketMode},
};
use vpp_api_client::{
    Client,
    messages::{
        interface::SwInterfaceDetails,
        vhost_user::{SwInterfaceVhostUserDetails, SwInterfaceVhostUserDump},
    },
    types::{IfStatus, SwIfIndex},
};

use crate::{
    access::by_index, address, domain, error, gateway, interface::Made, names::mark_of, place::Side, policer,
    route, vlan,
};

/// The state of an interface that was made to `spec` and should be joined to `network`.
pub(crate) async fn run(
    vpp: &Client,
    side: Side,
    made: &Made,
    spec: &InterfaceSpec,
    network: &Network,
) -> Result<State, EngineError> {
    let mut faults = Vec::new();
    let details = match made.index {
        Some(index) => by_index(vpp, index).await?.filter(|details| details.interface_name == *made.name),
        None => None,
    };
    let Some(details) = details else {
        faults.push(difference("the interface", "there", "gone"));
        return Ok(State { faults, ..State::default() });
    };
    judge_mark(&mut faults, &details, spec);
    judge_device(vpp, &mut faults, &details, &spec.device).await?;
    judge_limits(vpp, &mut faults, made, spec).await?;
    let mut state = State {
        // A memif's own words are those of run time, and its specification's digest is in the mark.
        device: Some(spec.device.clone()),
        admin_up: Some(details.flags.0 & IfStatus::ADMIN_UP.0 != 0),
        mac: Some(MacAddr::new(details.l2_address)).filter(|_| details.l2_address != [0; 6]),
        mtu_bytes: Some(details.mtu[0]),
        network: joined(vpp, &mut faults, &details, network).await?,
        ..State::default()
    };
    match (side, network) {
        (Side::Container, _) => {
            state.addresses = Some(address::observe(vpp, details.sw_if_index).await?);
            state.routes = Some(address::routes(vpp, details.sw_if_index).await?);
        }
        (Side::Host, Network::Routed { .. }) => {
            if let Some(loopback) = gateway::lender(vpp, details.sw_if_index).await? {
                state.addresses = Some(address::observe(vpp, loopback).await?);
            }
            state.routes = Some(known_routes(vpp, made, details.sw_if_index).await?);
        }
        (Side::Host, _) => {}
    }
    state.faults = faults;
    Ok(state)
}

fn judge_mark(faults: &mut Vec<Difference>, details: &SwInterfaceDetails, spec: &InterfaceSpec) {
    match mark_of(details).0 {
        None => faults.push(difference("the tag", "our mark", format!("{:?}", details.tag))),
        Some(mark) if mark.spec != Some(SpecDigest::of(spec)) => {
            faults.push(difference("the specification", "as it was made", "another"));
        }
        Some(_) => {}
    }
}

async fn judge_device(
    vpp: &Client,
    faults: &mut Vec<Difference>,
    details: &SwInterfaceDetails,
    device: &Device,
) -> Result<(), EngineError> {
    let Device::VhostUser(wanted) = device else {
        return Ok(());
    };
    let dump = SwInterfaceVhostUserDump { sw_if_index: details.sw_if_index };
    let found: Vec<SwInterfaceVhostUserDetails> =
        vpp.dump(&dump).await.map_err(error::doing("look up a vhost-user port"))?;
    let Some(found) = found.into_iter().find(|port| port.sw_if_index == details.sw_if_index) else {
        faults.push(difference("the vhost-user port", "there", "gone"));
        return Ok(());
    };
    let path = wanted.socket.display().to_string();
    if found.sock_filename.to_string() != path {
        faults.push(difference("the socket", path, found.sock_filename.to_string()));
    }
    if found.is_server != (wanted.mode == SocketMode::Server) {
        let mode = |is_server| if is_server { "server" } else { "client" };
        faults.push(difference("the mode", mode(!found.is_server), mode(found.is_server)));
    }
    Ok(())
}

async fn judge_limits(
    vpp: &Client,
    faults: &mut Vec<Difference>,
    made: &Made,
    spec: &InterfaceSpec,
) -> Result<(), EngineError> {
    let Some(bandwidth) = spec.bandwidth else {
        return Ok(());
    };
    let wanted = policer::wanted(&made.tag, bandwidth)?;
    let found = policer::observe(vpp, &made.tag).await?;
    for (what, (wanted, found)) in
        ["the egress limit", "the ingress limit"].into_iter().zip(wanted.into_iter().zip(found))
    {
        if wanted != found {
            let text = |limit: Option<(u32, u64)>| match limit {
                Some((rate, burst)) => format!("{rate} kbit/s with a burst of {burst} bytes"),
                None => "none".to_owned(),
            };
            faults.push(difference(what, text(wanted), text(found)));
        }
    }
    Ok(())
}

/// The network that it is in, as far as that one tells. That it is in none at all cannot be known without asking all.
async fn joined(
    vpp: &Client,
    faults: &mut Vec<Difference>,
    details: &SwInterfaceDetails,
    network: &Network,
) -> Result<Option<Network>, EngineError> {
    match network {
        Network::None => Ok(None),
        Network::Routed { vrf } => {
            judge_table(vpp, faults, details.sw_if_index, *vrf).await?;
            Ok(Some(Network::None))
        }
        Network::Bridge(wanted) => {
            let domain = domain::find(vpp, &wanted.name).await?;
            let there = domain.as_ref().map(domain::members).unwrap_or_default();
            let name = details.interface_name.to_string();
            let members = vlan::members(vpp, details.sw_if_index, &name, &wanted.vlan).await?;
            let untouched = if members.is_empty() { vec![details.sw_if_index] } else { members };
            if !untouched.iter().all(|member| there.contains(member)) {
                return Ok(Some(Network::None));
            }
            let vlan = vlan::observe(vpp, details, &wanted.vlan).await?;
            Ok(Some(Network::Bridge(Bridge { name: wanted.name.clone(), vlan })))
        }
    }
}

async fn judge_table(
    vpp: &Client,
    faults: &mut Vec<Difference>,
    index: SwIfIndex,
    vrf: u32,
) -> Result<(), EngineError> {
    for is_ipv6 in route::IS_IPV6 {
        let found = route::table_of(vpp, index, is_ipv6).await?;
        if found != vrf {
            faults.push(difference("the routing table", vrf.to_string(), found.to_string()));
        }
    }
    if gateway::lender(vpp, index).await?.is_none() {
        faults.push(difference("the gateway's addresses", "lent to the interface", "not"));
    }
    Ok(())
}

/// Those of the routes that its caller knows of which are there.
async fn known_routes(vpp: &Client, made: &Made, index: SwIfIndex) -> Result<Vec<Route>, EngineError> {
    let mut there = Vec::new();
    for dst in &made.routes {
        let wanted = Route::new(*dst, None);
        let table = route::table_of(vpp, index, dst.addr().is_ipv6()).await?;
        if route::exists(vpp, table, index, &wanted).await? {
            // VPP's routes have no scope: one without a next hop is on the link.
            there.push(Route { scope: Some(SCOPE_LINK), ..wanted });
        }
    }
    Ok(there)
}

fn difference(what: &str, wanted: impl Into<String>, found: impl Into<String>) -> Difference {
    Difference { what: what.to_owned(), wanted: wanted.into(), found: found.into() }
}
