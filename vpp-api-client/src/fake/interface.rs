//! Interfaces of every kind: flags, MTUs, tags, lists; loopbacks and sub-interfaces.

use super::{
    handlers::Handlers,
    model::{Change, Interface, Kind, Model, Outcome, Sub, cut, made, retval},
};
use crate::{
    messages::interface::{
        CreateLoopbackInstance, CreateLoopbackInstanceReply, CreateSubif, CreateSubifReply, CreateVlanSubif,
        CreateVlanSubifReply, DeleteLoopback, DeleteSubif, HwInterfaceSetMtu, SwInterfaceDetails,
        SwInterfaceDump, SwInterfaceRxPlacementDetails, SwInterfaceRxPlacementDump, SwInterfaceSetFlags,
        SwInterfaceSetMacAddress, SwInterfaceSetMtu, SwInterfaceSetRxMode, SwInterfaceSetRxPlacement,
        SwInterfaceTagAddDel,
    },
    types::{IfStatus, RxMode, SubIfFlags, SwIfIndex},
};

/// Loopbacks have numbers below this one.
const LOOPBACKS: u32 = 16 * 1024;

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.done(set_flags);
    handlers.done(|model, request: &SwInterfaceSetMtu| {
        model.get_mut(request.sw_if_index)?.mtu = request.mtu;
        Ok(())
    });
    handlers.done(set_device_mtu);
    handlers.done(set_mac);
    handlers.done(|model, request: &SwInterfaceTagAddDel| {
        let interface = model.get_mut(request.sw_if_index)?;
        if request.is_add && request.tag.as_bytes().is_empty() {
            return Err(retval::INVALID_VALUE);
        }
        interface.tag = if request.is_add { request.tag } else { cut("") };
        Ok(())
    });
    handlers.dump(|model, dump: &SwInterfaceDump| list(model, dump));
    handlers.done(set_rx_mode);
    handlers.done(set_rx_placement);
    handlers.dump(|model, dump: &SwInterfaceRxPlacementDump| queues(model, dump.sw_if_index));
    handlers.request(|model, request: &CreateLoopbackInstance| {
        let (retval, sw_if_index) = made(create_loopback(model, request));
        CreateLoopbackInstanceReply { retval, sw_if_index }
    });
    handlers.done(|model, request: &DeleteLoopback| match model.get(request.sw_if_index)?.kind {
        Kind::Loopback => {
            model.delete(request.sw_if_index.0);
            Ok(())
        }
        _ => Err(retval::INVALID_SW_IF_INDEX),
    });
    handlers.request(|model, request: &CreateVlanSubif| {
        let (retval, sw_if_index) = made(create_vlan(model, request));
        CreateVlanSubifReply { retval, sw_if_index }
    });
    handlers.request(|model, request: &CreateSubif| {
        let sub = Sub {
            parent: request.sw_if_index.0,
            id: request.sub_id,
            flags: request.flags.0,
            outer: request.outer_vlan_id,
            inner: request.inner_vlan_id,
        };
        let (retval, sw_if_index) = made(create_sub(model, sub));
        CreateSubifReply { retval, sw_if_index }
    });
    handlers.done(|model, request: &DeleteSubif| match model.get(request.sw_if_index)?.kind {
        Kind::Sub(_) => {
            model.delete(request.sw_if_index.0);
            Ok(())
        }
        _ => Err(retval::INVALID_SUB_SW_IF_INDEX),
    });
}

fn set_flags(model: &mut Model, request: &SwInterfaceSetFlags) -> Outcome {
    let is_up = request.flags.0 & IfStatus::ADMIN_UP.0 != 0;
    let parent = model.parent(request.sw_if_index)?;
    let parent_is_up = model.get(SwIfIndex(parent))?.is_up;
    let interface = model.get_mut(request.sw_if_index)?;
    // A sub-interface cannot be up while its parent is down.
    if is_up && matches!(interface.kind, Kind::Sub(_)) && !parent_is_up {
        return Err(retval::UNSPECIFIED);
    }
    if interface.is_up != is_up {
        interface.is_up = is_up;
        model.changes.push(Change { index: request.sw_if_index.0, is_up, deleted: false });
    }
    Ok(())
}

fn set_device_mtu(model: &mut Model, request: &HwInterfaceSetMtu) -> Outcome {
    let interface = model.get_mut(request.sw_if_index)?;
    match interface.kind {
        Kind::Sub(_) => return Err(retval::INVALID_VALUE),
        _ if !interface.is_ethernet() => return Err(-30),
        _ => {}
    }
    interface.link_mtu = request.mtu;
    interface.mtu[0] = u32::from(request.mtu);
    Ok(())
}

fn set_mac(model: &mut Model, request: &SwInterfaceSetMacAddress) -> Outcome {
    let parent = model.parent(request.sw_if_index)?;
    let interface = model.get_mut(SwIfIndex(parent))?;
    if !interface.is_ethernet() {
        return Err(retval::UNIMPLEMENTED);
    }
    interface.mac = request.mac_address;
    Ok(())
}

/// One interface, or those whose names have the filter's text in them. Index 0 means all.
fn list(model: &Model, dump: &SwInterfaceDump) -> Vec<SwInterfaceDetails> {
    if !dump.name_filter_valid && dump.sw_if_index != SwIfIndex::NONE && dump.sw_if_index.0 != 0 {
        return details(model, dump.sw_if_index.0).into_iter().collect();
    }
    let filter = dump.name_filter.to_string().to_lowercase();
    let is_wanted = |name: &str| !dump.name_filter_valid || name.to_lowercase().contains(&filter);
    let wanted = model.interfaces.iter().filter(|(_, interface)| is_wanted(&interface.name));
    wanted.filter_map(|(index, _)| details(model, *index)).collect()
}

fn details(model: &Model, index: u32) -> Option<SwInterfaceDetails> {
    let interface = model.interfaces.get(&index)?;
    let parent_index = model.parent(SwIfIndex(index)).ok()?;
    let parent = model.interfaces.get(&parent_index)?;
    let sub = match interface.kind {
        Kind::Sub(sub) => Some(sub),
        _ => None,
    };
    let mut flags = IfStatus::DOWN.0;
    flags |= if interface.is_up { IfStatus::ADMIN_UP.0 } else { 0 };
    flags |= if has_link(parent) { IfStatus::LINK_UP.0 } else { 0 };
    Some(SwInterfaceDetails {
        sw_if_index: SwIfIndex(index),
        sup_sw_if_index: SwIfIndex(parent_index),
        l2_address: if sub.is_none() { interface.mac } else { [0; 6] },
        flags: IfStatus(flags),
        // IF_API_TYPE_HARDWARE and IF_API_TYPE_SUB of interface_types.api.
        kind: u32::from(sub.is_some()),
        link_mtu: parent.link_mtu,
        mtu: interface.mtu,
        sub_id: sub.map_or(0, |sub| sub.id),
        sub_number_of_tags: sub.map_or(0, Sub::tags),
        sub_outer_vlan_id: sub.map_or(0, |sub| sub.outer),
        sub_inner_vlan_id: sub.map_or(0, |sub| sub.inner),
        sub_if_flags: sub.map_or(0, |sub| sub.flags),
        vtr_op: interface.rewrite.op.0,
        vtr_push_dot1q: interface.rewrite.push_dot1q,
        vtr_tag1: interface.rewrite.tags[0],
        vtr_tag2: interface.rewrite.tags[1],
        interface_name: cut(&interface.name),
        interface_dev_type: cut(class(parent)),
        tag: interface.tag,
        ..SwInterfaceDetails::default()
    })
}

/// Peers never connect here, so that a memif or a vhost-user port has no link.
fn has_link(interface: &Interface) -> bool {
    match interface.kind {
        Kind::Loopback => interface.is_up,
        Kind::Tap(_) | Kind::HostInterface(_) => true,
        Kind::Local | Kind::Sub(_) | Kind::Memif(_) | Kind::VhostUser(_) => false,
    }
}

fn class(interface: &Interface) -> &'static str {
    match interface.kind {
        Kind::Local => "local",
        Kind::Loopback => "Loopback",
        Kind::Memif(_) => "memif",
        Kind::VhostUser(_) => "vhost-user",
        Kind::Tap(_) => "tap",
        Kind::HostInterface(_) => "af-packet",
        Kind::Sub(_) => "",
    }
}

fn set_rx_mode(model: &mut Model, request: &SwInterfaceSetRxMode) -> Outcome {
    let interface = model.get_mut(request.sw_if_index)?;
    if matches!(interface.kind, Kind::Sub(_)) {
        return Err(retval::INVALID_VALUE);
    }
    let mode = if request.mode == RxMode::DEFAULT { RxMode::POLLING } else { request.mode };
    // One without queues is content with any mode.
    if !request.queue_id_valid {
        interface.queues.iter_mut().for_each(|queue| queue.1 = mode);
        return Ok(());
    }
    queue(interface, request.queue_id)?.1 = mode;
    Ok(())
}

fn queue(interface: &mut Interface, id: u32) -> Outcome<&mut (u32, RxMode)> {
    let id = usize::try_from(id).unwrap_or(usize::MAX);
    interface.queues.get_mut(id).ok_or(retval::UNIMPLEMENTED)
}

/// There are no workers: only the main thread can receive.
fn set_rx_placement(model: &mut Model, request: &SwInterfaceSetRxPlacement) -> Outcome {
    let interface = model.get_mut(request.sw_if_index)?;
    if matches!(interface.kind, Kind::Sub(_)) {
        return Err(retval::INVALID_VALUE);
    }
    if !request.is_main {
        return Err(retval::UNIMPLEMENTED);
    }
    queue(interface, request.queue_id)?.0 = 0;
    Ok(())
}

fn queues(model: &Model, sw_if_index: SwIfIndex) -> Vec<SwInterfaceRxPlacementDetails> {
    let all = model.interfaces.iter();
    let wanted = all.filter(|(index, _)| sw_if_index == SwIfIndex::NONE || sw_if_index.0 == **index);
    let mut found = Vec::new();
    for (index, interface) in wanted {
        for (queue_id, (worker_id, mode)) in (0..).zip(interface.queues.iter().copied()) {
            let sw_if_index = SwIfIndex(*index);
            found.push(SwInterfaceRxPlacementDetails { sw_if_index, queue_id, worker_id, mode });
        }
    }
    found
}

fn create_loopback(model: &mut Model, request: &CreateLoopbackInstance) -> Outcome<u32> {
    let is_free = |number: &u32| {
        let name = format!("loop{number}");
        model.interfaces.values().all(|interface| interface.name != name)
    };
    let mut numbers = 0..LOOPBACKS;
    let number = if request.is_specified {
        numbers.find(|number| *number == request.user_instance).filter(is_free)
    } else {
        numbers.find(is_free)
    };
    let number = number.ok_or(retval::INVALID_REGISTRATION)?;
    let [.., low] = number.to_be_bytes();
    let mac = match request.mac_address {
        [0, 0, 0, 0, 0, 0] => [0xde, 0xad, 0, 0, 0, low],
        given => given,
    };
    Ok(model.add(Interface::new(format!("loop{number}"), Kind::Loopback, mac)))
}

fn create_vlan(model: &mut Model, request: &CreateVlanSubif) -> Outcome<u32> {
    let parent = model.parent(request.sw_if_index)?;
    let outer = u16::try_from(request.vlan_id).ok().filter(|id| (1..=4095).contains(id));
    let outer = outer.ok_or(retval::INVALID_VLAN)?;
    let flags = SubIfFlags::ONE_TAG_EXACT.0;
    create_sub(model, Sub { parent, id: request.vlan_id, flags, outer, inner: 0 })
}

fn create_sub(model: &mut Model, sub: Sub) -> Outcome<u32> {
    let parent = model.get(SwIfIndex(sub.parent))?;
    let is_same = |other: &Interface| matches!(other.kind, Kind::Sub(other) if (other.parent, other.id) == (sub.parent, sub.id));
    if model.interfaces.values().any(is_same) {
        return Err(retval::VLAN_ALREADY_EXISTS);
    }
    if !parent.is_ethernet() || matches!(parent.kind, Kind::Sub(_)) {
        return Err(retval::UNSPECIFIED);
    }
    let name = format!("{}.{}", parent.name, sub.id);
    let mut interface = Interface::new(name, Kind::Sub(sub), [0; 6]);
    interface.mtu = [0; 4];
    Ok(model.add(interface))
}
