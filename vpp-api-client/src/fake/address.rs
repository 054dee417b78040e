//! Addresses of interfaces, their routing tables, and who borrows whose addresses.

use super::{
    handlers::Handlers,
    model::{Model, Outcome, retval},
    route::Net,
};
use crate::{
    messages::{
        interface::{
            SwInterfaceAddDelAddress, SwInterfaceGetTable, SwInterfaceGetTableReply, SwInterfaceSetTable,
            SwInterfaceSetUnnumbered,
        },
        ip::{
            IpAddressDetails, IpAddressDump, IpUnnumberedDetails, IpUnnumberedDump,
            SwInterfaceIp6EnableDisable,
        },
    },
    types::{Prefix, SwIfIndex},
};

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.done(add_del);
    handlers.dump(|model, dump: &IpAddressDump| {
        let addresses = model.get(dump.sw_if_index).map(|interface| interface.addresses.as_slice());
        let wanted = addresses.unwrap_or_default().iter().filter(|prefix| is_ip6(prefix) == dump.is_ipv6);
        wanted.map(|prefix| IpAddressDetails { sw_if_index: dump.sw_if_index, prefix: *prefix }).collect()
    });
    handlers.done(set_table);
    handlers.request(|model, request: &SwInterfaceGetTable| {
        let found = model.get(request.sw_if_index);
        let (retval, vrf_id) = match found {
            Ok(interface) => (0, interface.tables[usize::from(request.is_ipv6)]),
            Err(retval) => (retval, u32::MAX),
        };
        SwInterfaceGetTableReply { retval, vrf_id }
    });
    handlers.done(set_unnumbered);
    handlers.dump(|model, dump: &IpUnnumberedDump| {
        let wanted = |index: u32| dump.sw_if_index == SwIfIndex::NONE || dump.sw_if_index.0 == index;
        let borrowers = model.interfaces.iter().filter(|(index, _)| wanted(**index));
        let details = |(index, lender): (u32, u32)| IpUnnumberedDetails {
            sw_if_index: SwIfIndex(index),
            ip_sw_if_index: SwIfIndex(lender),
        };
        borrowers.filter_map(|(index, interface)| Some(details((*index, interface.lender?)))).collect()
    });
    handlers.done(|model, request: &SwInterfaceIp6EnableDisable| model.get(request.sw_if_index).map(drop));
}

pub(crate) fn is_ip6(prefix: &Prefix) -> bool {
    Net::of(prefix).is_ip6
}

fn add_del(model: &mut Model, request: &SwInterfaceAddDelAddress) -> Outcome {
    let interface = model.get_mut(request.sw_if_index)?;
    if request.del_all {
        interface.addresses.clear();
        return Ok(());
    }
    let wanted = Net::of(&request.prefix);
    if !request.is_add {
        // The length counts for IPv6 only.
        let is_it = |there: &Prefix| {
            let found = Net::of(there);
            (found.is_ip6, found.bits) == (wanted.is_ip6, wanted.bits)
                && (!wanted.is_ip6 || found.length == wanted.length)
        };
        let place = interface.addresses.iter().position(is_it);
        interface.addresses.remove(place.ok_or(retval::ADDRESS_NOT_FOUND_FOR_INTERFACE)?);
        return Ok(());
    }
    // `local0` has none.
    if request.sw_if_index.0 == 0 {
        return Err(retval::UNSUPPORTED);
    }
    if wanted.is_link_local() && wanted.length == wanted.width() {
        // It is kept apart from the others, and not listed.
        return Ok(());
    }
    if !wanted.is_link_local() && overlaps(model, request.sw_if_index.0, wanted) {
        return Err(if wanted.is_ip6 { retval::DUPLICATE_IF_ADDRESS } else { retval::ADDRESS_IN_USE });
    }
    if wanted.is_link_local() || wanted.length == 0 || wanted.length > wanted.width() {
        return Err(retval::ADDRESS_LENGTH_MISMATCH);
    }
    model.get_mut(request.sw_if_index)?.addresses.push(request.prefix);
    Ok(())
}

/// Whether the table has an address whose network covers the new one or is covered by it. Several of one network on one interface are
/// no overlap.
fn overlaps(model: &Model, index: u32, wanted: Net) -> bool {
    let family = usize::from(wanted.is_ip6);
    let table = model.interfaces.get(&index).map(|interface| interface.tables[family]);
    let neighbours = model.interfaces.iter().filter(|(_, other)| Some(other.tables[family]) == table);
    neighbours
        .flat_map(|(other, interface)| interface.addresses.iter().map(move |there| (*other, there)))
        .any(|(other, there)| {
            let there = Net::of(there);
            let is_sibling = other == index && there.length == wanted.length && there.bits != wanted.bits;
            let shorter = if there.length < wanted.length { there } else { wanted };
            !is_sibling && there.is_ip6 == wanted.is_ip6 && shorter.covers(there) && shorter.covers(wanted)
        })
}

fn set_table(model: &mut Model, request: &SwInterfaceSetTable) -> Outcome {
    let interface = model.get(request.sw_if_index)?;
    if !model.tables.contains_key(&(request.vrf_id, request.is_ipv6)) {
        return Err(retval::NO_SUCH_FIB);
    }
    // Borrowed ones count too.
    let holder = interface.lender.and_then(|lender| model.interfaces.get(&lender)).unwrap_or(interface);
    if holder.addresses.iter().any(|prefix| is_ip6(prefix) == request.is_ipv6) {
        return Err(retval::ADDRESS_FOUND_FOR_INTERFACE);
    }
    model.get_mut(request.sw_if_index)?.tables[usize::from(request.is_ipv6)] = request.vrf_id;
    model.drop_unused_tables();
    Ok(())
}

/// The message's `sw_if_index` is the lender.
fn set_unnumbered(model: &mut Model, request: &SwInterfaceSetUnnumbered) -> Outcome {
    let borrower = model.get(request.unnumbered_sw_if_index)?.tables;
    if !request.is_add {
        model.get_mut(request.unnumbered_sw_if_index)?.lender = None;
        return Ok(());
    }
    let lender = model.get(request.sw_if_index).map_err(|_| retval::INVALID_SW_IF_INDEX_2)?.tables;
    if lender != borrower {
        return Err(retval::UNEXPECTED_INTF_STATE);
    }
    model.get_mut(request.unnumbered_sw_if_index)?.lender = Some(request.sw_if_index.0);
    Ok(())
}
