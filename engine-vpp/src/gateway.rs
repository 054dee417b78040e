//! Routed interfaces of the host: they borrow the gateway's addresses from one loopback for their network and routing table, and the host
//! has a route to each container's address. So many containers share a subnet, a gateway and VPP's table.

use ipnet::IpNet;
use userspace_core::{
    addr::{Address, Route},
    engine::{EngineError, ErrorKind},
    fault,
    owner::{InstanceId, OwnerTag, marks_network, network_mark},
};
use vpp_api_client::{
    Client,
    messages::{
        interface::{
            CreateLoopbackInstance, DeleteLoopback, SwInterfaceDetails, SwInterfaceSetTable,
            SwInterfaceSetUnnumbered,
        },
        ip::{IpTableAddDel, IpTableDump, IpUnnumberedDump, SwInterfaceIp6EnableDisable},
    },
    types::SwIfIndex,
};

use crate::{
    access::{self, ask, by_name},
    address,
    error::{self, retval, unless},
    interface::Made,
    names,
    route::{self, IS_IPV6},
};

/// VPP's loopbacks have numbers below 16384 (`LOOPBACK_MAX_INSTANCE`); people take the first ones.
const FIRST: u32 = 1024;
const NUMBERS: u32 = 15000;

/// How many numbers are tried for a loopback whose own is another's.
const TRIES: u32 = 8;

/// Puts the interface into the table and lends it the loopback's addresses; both are made when missing.
pub(crate) async fn join(vpp: &Client, made: &Made, vrf: u32) -> Result<(), EngineError> {
    let index = made.index()?;
    make_tables(vpp, &made.tag, vrf).await?;
    enter(vpp, index, vrf).await?;
    let loopback = ensure(vpp, &made.tag, vrf).await?;
    if lender(vpp, index).await? == Some(loopback) {
        return Ok(());
    }
    fault::point("before unnumbered")?;
    let borrow =
        SwInterfaceSetUnnumbered { sw_if_index: loopback, unnumbered_sw_if_index: index, is_add: true };
    ask(vpp, "lend the interface the gateway's addresses", &borrow).await?;
    fault::point("after unnumbered")
}

/// Gives the loopback the gateway's addresses, and the table the routes to the container.
pub(crate) async fn assign(
    vpp: &Client,
    made: &Made,
    addresses: &[Address],
    routes: &[Route],
) -> Result<(), EngineError> {
    if addresses.is_empty() && routes.is_empty() {
        return Ok(());
    }
    let index = made.index()?;
    let Some(loopback) = lender(vpp, index).await? else {
        let doing = format!("give {:?} addresses (it is joined to no routed network)", made.name);
        return Err(EngineError::new(ErrorKind::Unsupported, doing));
    };
    if addresses.iter().any(|address| address.ip.addr().is_ipv6()) {
        answer_ipv6(vpp, index).await?;
    }
    let there = address::observe(vpp, loopback).await?;
    for Address { ip, .. } in addresses {
        if !there.contains(ip) {
            fault::point("before gateway address")?;
            lend(vpp, loopback, *ip).await?;
            fault::point("after gateway address")?;
        }
    }
    for wanted in routes {
        fault::point("before host route")?;
        route::add(vpp, index, wanted).await?;
        fault::point("after host route")?;
    }
    Ok(())
}

/// Lets the interface hear what neighbours ask of all: with a borrowed address it is not enough to have one.
async fn answer_ipv6(vpp: &Client, sw_if_index: SwIfIndex) -> Result<(), EngineError> {
    let enable = SwInterfaceIp6EnableDisable { sw_if_index, enable: true };
    let enabled = unless(vpp.request(&enable).await, &[retval::VALUE_EXISTS]);
    enabled.map(drop).map_err(error::doing("enable IPv6 on the interface"))
}

/// Another attachment of the network may have added it just before.
async fn lend(vpp: &Client, loopback: SwIfIndex, ip: IpNet) -> Result<(), EngineError> {
    match address::add(vpp, loopback, ip).await {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            let there = address::observe(vpp, loopback).await?;
            if there.contains(&ip) { Ok(()) } else { Err(error) }
        }
        added => added,
    }
}

/// Takes the routes that lead to the interface away, and gives the addresses back to the loopback. `routes` are those that its caller
/// knows of; when it knows none, the tables are listed.
pub(crate) async fn leave(
    vpp: &Client,
    index: SwIfIndex,
    loopback: SwIfIndex,
    routes: &[IpNet],
) -> Result<(), EngineError> {
    let listed;
    let routes = if routes.is_empty() {
        listed = address::routes(vpp, index).await?.into_iter().map(|route| route.dst).collect::<Vec<_>>();
        &listed
    } else {
        routes
    };
    for dst in routes {
        fault::point("before host route is removed")?;
        route::remove(vpp, index, *dst).await?;
    }
    fault::point("before unnumbered is removed")?;
    let back =
        SwInterfaceSetUnnumbered { sw_if_index: loopback, unnumbered_sw_if_index: index, is_add: false };
    ask(vpp, "take the gateway's addresses off the interface", &back).await.map(drop)
}

/// Removes the loopback, when `owner`'s instance made it and nobody borrows from it, and the table with it when that was made for it.
pub(crate) async fn prune(vpp: &Client, owner: &OwnerTag, vrf: u32) -> Result<(), EngineError> {
    let Some((_, loopback)) = find(vpp, owner, vrf).await? else {
        return remove_tables(vpp, owner, vrf).await;
    };
    let tag = loopback.tag.to_string();
    let maker = tag.split(' ').next().unwrap_or_default();
    if !maker.is_empty() && !marks_network(maker, owner.instance()) {
        return Ok(());
    }
    let all = IpUnnumberedDump { sw_if_index: SwIfIndex::NONE };
    let borrowers = vpp.dump(&all).await.map_err(error::doing("list who borrows addresses"))?;
    if borrowers.iter().any(|borrower| borrower.ip_sw_if_index == loopback.sw_if_index) {
        return Ok(());
    }
    fault::point("before loopback is removed")?;
    let gone = DeleteLoopback { sw_if_index: loopback.sw_if_index };
    ask(vpp, &format!("remove {}", loopback.interface_name), &gone).await?;
    fault::point("after loopback is removed")?;
    remove_tables(vpp, owner, vrf).await
}

/// The loopback that an interface borrows its addresses from, asked for at once. An interface that is not there borrows none.
pub(crate) fn lender(
    vpp: &Client,
    sw_if_index: SwIfIndex,
) -> impl Future<Output = Result<Option<SwIfIndex>, EngineError>> + Send + use<> {
    let asked = vpp.dump(&IpUnnumberedDump { sw_if_index });
    async move {
        let found = asked.await.map_err(error::doing("look up whose addresses an interface borrows"))?;
        let ours = found.into_iter().find(|borrower| borrower.sw_if_index == sw_if_index);
        Ok(ours.map(|borrower| borrower.ip_sw_if_index))
    }
}

/// The loopback of the owner's network, which is made when missing.
async fn ensure(vpp: &Client, owner: &OwnerTag, vrf: u32) -> Result<SwIfIndex, EngineError> {
    let number = match find(vpp, owner, vrf).await? {
        Some((_, found)) if !found.tag.to_string().is_empty() => return Ok(found.sw_if_index),
        // Whoever made it was killed before it could set the tag.
        Some((number, unmarked)) => {
            let gone = DeleteLoopback { sw_if_index: unmarked.sw_if_index };
            ask(vpp, &format!("remove {}", unmarked.interface_name), &gone).await?;
            number
        }
        None => free_number(vpp, owner, vrf).await?,
    };
    fault::point("before loopback")?;
    let create = CreateLoopbackInstance {
        is_specified: true,
        user_instance: number,
        ..CreateLoopbackInstance::default()
    };
    let index = ask(vpp, "make the loopback of the gateway", &create).await?.sw_if_index;
    fault::point("after loopback")?;
    enter(vpp, index, vrf).await?;
    ask(vpp, "set the loopback of the gateway up", &access::up(index)).await?;
    let tag = format!("{} {}", network_mark(owner.instance()), purpose(owner, vrf));
    ask(vpp, "set the tag of the loopback of the gateway", &access::tag(index, &tag)).await?;
    fault::point("after loopback's tag")?;
    Ok(index)
}

/// The loopback of the owner's network: the one that is marked as such, or the first of its numbers, of one that was killed before it could
/// set a mark.
async fn find(
    vpp: &Client,
    owner: &OwnerTag,
    vrf: u32,
) -> Result<Option<(u32, SwInterfaceDetails)>, EngineError> {
    for (step, number) in (0..).zip(numbers(owner, vrf)) {
        let Some(details) = by_name(vpp, &format!("loop{number}")).await? else {
            return Ok(None);
        };
        let tag = details.tag.to_string();
        let is_ours = tag
            .split_once(' ')
            .is_some_and(|(mark, rest)| marks_network(mark, InstanceId::ANY) && rest == purpose(owner, vrf));
        if is_ours || (step == 0 && is_fresh(vpp, &details).await?) {
            return Ok(Some((number, details)));
        }
    }
    Ok(None)
}

/// Whether nobody has done more with a loopback than to make it.
async fn is_fresh(vpp: &Client, details: &SwInterfaceDetails) -> Result<bool, EngineError> {
    Ok(details.tag.to_string().is_empty() && address::observe(vpp, details.sw_if_index).await?.is_empty())
}

async fn free_number(vpp: &Client, owner: &OwnerTag, vrf: u32) -> Result<u32, EngineError> {
    for number in numbers(owner, vrf) {
        if by_name(vpp, &format!("loop{number}")).await?.is_none() {
            return Ok(number);
        }
    }
    let doing = format!("find a number for the loopback of table {vrf} ({TRIES} are taken)");
    Err(EngineError::new(ErrorKind::Conflict, doing))
}

/// What the loopback is for, as its tag says.
fn purpose(owner: &OwnerTag, vrf: u32) -> String {
    format!("{} {vrf}", owner.network_digits())
}

fn numbers(owner: &OwnerTag, vrf: u32) -> impl Iterator<Item = u32> + use<> {
    let digits = owner.network_digits();
    let first = u32::from_str_radix(digits.get(..7).unwrap_or_default(), 16).unwrap_or_default();
    let first = first.wrapping_add(vrf) % NUMBERS;
    (0..TRIES).map(move |step| FIRST + (first + step) % NUMBERS)
}

/// Table 0 is always there.
async fn make_tables(vpp: &Client, owner: &OwnerTag, table_id: u32) -> Result<(), EngineError> {
    if table_id == 0 {
        return Ok(());
    }
    let there = tables(vpp, table_id).await?;
    for is_ip6 in IS_IPV6 {
        if there.iter().all(|table| table.is_ip6 != is_ip6) {
            let name = names::text(&table_name(owner));
            let make = IpTableAddDel { is_add: true, table_id, is_ip6, name };
            ask(vpp, &format!("make the routing table {table_id}"), &make).await?;
        }
    }
    Ok(())
}

/// Without our mark they are somebody's. VPP keeps a table for as long as an interface is in it.
async fn remove_tables(vpp: &Client, owner: &OwnerTag, table_id: u32) -> Result<(), EngineError> {
    if table_id == 0 {
        return Ok(());
    }
    for table in tables(vpp, table_id).await? {
        if is_ours(&table.name.to_string(), owner) {
            let is_ip6 = table.is_ip6;
            let gone = IpTableAddDel { is_add: false, table_id, is_ip6, ..IpTableAddDel::default() };
            ask(vpp, &format!("remove the routing table {table_id}"), &gone).await?;
        }
    }
    Ok(())
}

fn table_name(owner: &OwnerTag) -> String {
    format!("{} {}", network_mark(owner.instance()), owner.network_digits())
}

/// Also of another instance, when the owner's is lost.
fn is_ours(table: &str, owner: &OwnerTag) -> bool {
    let parts = table.split_once(' ');
    parts.is_some_and(|(mark, network)| {
        marks_network(mark, owner.instance()) && network == owner.network_digits()
    })
}

async fn tables(
    vpp: &Client,
    table_id: u32,
) -> Result<Vec<vpp_api_client::messages::ip::IpTableDetails>, EngineError> {
    let all = vpp.dump(&IpTableDump {}).await.map_err(error::doing("list the routing tables"))?;
    Ok(all.into_iter().filter(|table| table.table_id == table_id).collect())
}

/// Puts an interface into a table, of both families. VPP refuses to move one that has addresses.
async fn enter(vpp: &Client, sw_if_index: SwIfIndex, vrf_id: u32) -> Result<(), EngineError> {
    for is_ipv6 in IS_IPV6 {
        if vrf_id != 0 && route::table_of(vpp, sw_if_index, is_ipv6).await? != vrf_id {
            let enter = SwInterfaceSetTable { sw_if_index, is_ipv6, vrf_id };
            ask(vpp, &format!("put the interface into the routing table {vrf_id}"), &enter).await?;
        }
    }
    Ok(())
}
