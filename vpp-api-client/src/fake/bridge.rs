//! Bridge domains and rewrites of VLAN tags.

use super::{
    handlers::Handlers,
    model::{Kind, Model, Outcome, Rewrite, retval},
};
use crate::{
    codec::Text,
    messages::l2::{
        BridgeDomainAddDel, BridgeDomainAddDelV2, BridgeDomainAddDelV2Reply, BridgeDomainDetails,
        BridgeDomainDump, L2InterfaceEfpFilter, L2InterfaceVlanTagRewrite, MAX_BD_ID, SwInterfaceSetL2Bridge,
    },
    types::{BridgeMember, L2PortType, SwIfIndex, VtrOp},
};

/// A bridge domain.
#[derive(Debug, Default)]
pub(crate) struct Domain {
    flags: [bool; 6],
    mac_age: u8,
    tag: Text<64>,
    members: Vec<(u32, u8)>,
    bvi: Option<u32>,
    uu_fwd: Option<u32>,
}

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.done(add_del);
    handlers.request(|model, request: &BridgeDomainAddDelV2| {
        let mut bd_id = request.bd_id;
        if request.is_add && bd_id == u32::MAX {
            bd_id = (1..=MAX_BD_ID).find(|id| !model.domains.contains_key(id)).unwrap_or(bd_id);
        }
        let retval = add_del(model, &older(request, bd_id)).err().unwrap_or_default();
        BridgeDomainAddDelV2Reply { retval, bd_id }
    });
    handlers.dump(|model, dump: &BridgeDomainDump| list(model, dump));
    handlers.done(set_bridge);
    handlers.done(rewrite);
    // No packets are filtered here, and no message tells whether they would be.
    handlers.done(|model, request: &L2InterfaceEfpFilter| model.get_mut(request.sw_if_index).map(drop));
}

fn older(request: &BridgeDomainAddDelV2, bd_id: u32) -> BridgeDomainAddDel {
    BridgeDomainAddDel {
        bd_id,
        flood: request.flood,
        uu_flood: request.uu_flood,
        forward: request.forward,
        learn: request.learn,
        arp_term: request.arp_term,
        arp_ufwd: request.arp_ufwd,
        mac_age: request.mac_age,
        bd_tag: request.bd_tag,
        is_add: request.is_add,
    }
}

/// Domain 0 is VPP's own.
fn add_del(model: &mut Model, request: &BridgeDomainAddDel) -> Outcome {
    let id = request.bd_id;
    if request.is_add {
        return match id {
            _ if id == 0 || model.domains.contains_key(&id) => Err(retval::BD_ALREADY_EXISTS),
            _ if id > MAX_BD_ID => Err(retval::BD_ID_EXCEED_MAX),
            _ => {
                let BridgeDomainAddDel { flood, uu_flood, forward, learn, arp_term, arp_ufwd, .. } = *request;
                let flags = [flood, uu_flood, forward, learn, arp_term, arp_ufwd];
                let (mac_age, tag) = (request.mac_age, request.bd_tag);
                model.domains.insert(id, Domain { flags, mac_age, tag, ..Domain::default() });
                Ok(())
            }
        };
    }
    match model.domains.get(&id) {
        _ if id == 0 => Err(retval::BD_NOT_MODIFIABLE),
        None => Err(retval::NO_SUCH_ENTRY),
        Some(domain) if !domain.members.is_empty() => Err(retval::BD_IN_USE),
        Some(_) => {
            model.domains.remove(&id);
            Ok(())
        }
    }
}

/// VPP does not look a member's domain up: with an interface it answers nothing.
fn list(model: &Model, dump: &BridgeDomainDump) -> Vec<BridgeDomainDetails> {
    if dump.sw_if_index != SwIfIndex::NONE || dump.bd_id == 0 {
        return Vec::new();
    }
    let wanted = model.domains.iter().filter(|(id, _)| dump.bd_id == u32::MAX || dump.bd_id == **id);
    wanted.map(|(id, domain)| details(*id, domain)).collect()
}

fn details(bd_id: u32, domain: &Domain) -> BridgeDomainDetails {
    let [flood, uu_flood, forward, learn, arp_term, arp_ufwd] = domain.flags;
    let member = |&(index, shg): &(u32, u8)| BridgeMember { context: 0, sw_if_index: SwIfIndex(index), shg };
    BridgeDomainDetails {
        bd_id,
        flood,
        uu_flood,
        forward,
        learn,
        arp_term,
        arp_ufwd,
        mac_age: domain.mac_age,
        bd_tag: domain.tag,
        bvi_sw_if_index: domain.bvi.map_or(SwIfIndex::NONE, SwIfIndex),
        uu_fwd_sw_if_index: domain.uu_fwd.map_or(SwIfIndex::NONE, SwIfIndex),
        members: domain.members.iter().map(member).collect::<Vec<_>>().into(),
    }
}

/// Into a domain, which is made when missing, or out of any.
fn set_bridge(model: &mut Model, request: &SwInterfaceSetL2Bridge) -> Outcome {
    let index = request.rx_sw_if_index.0;
    model.get(request.rx_sw_if_index)?;
    if request.port_type.0 > L2PortType::UU_FWD.0 {
        return Err(retval::INVALID_VALUE);
    }
    if request.enable && request.bd_id > MAX_BD_ID {
        return Err(retval::BD_ID_EXCEED_MAX);
    }
    if !request.enable {
        model.leave_domain(index);
        return Ok(());
    }
    let is_bvi = request.port_type == L2PortType::BVI;
    let bvi = model.domains.get(&request.bd_id).and_then(|domain| domain.bvi);
    if is_bvi && bvi.is_some_and(|bvi| bvi != index) {
        return Err(retval::BD_ALREADY_HAS_BVI);
    }
    model.leave_domain(index);
    if request.bd_id == 0 {
        return Ok(());
    }
    // One that is made by the way floods, forwards and learns.
    let made = || Domain { flags: [true, true, true, true, false, false], ..Domain::default() };
    let domain = model.domains.entry(request.bd_id).or_insert_with(made);
    match request.port_type {
        L2PortType::UU_FWD => domain.uu_fwd = Some(index),
        _ => domain.members.push((index, request.shg)),
    }
    if is_bvi {
        domain.bvi = Some(index);
    }
    Ok(())
}

impl Model {
    /// Takes the interface out of its domain; with that its rewrite of tags ends.
    pub(crate) fn leave_domain(&mut self, index: u32) {
        let mut was_in = false;
        for domain in self.domains.values_mut() {
            if let Some(place) = domain.members.iter().position(|(member, _)| *member == index) {
                // VPP moves the last into the gap.
                domain.members.swap_remove(place);
                was_in = true;
            }
            domain.bvi = domain.bvi.filter(|bvi| *bvi != index);
            domain.uu_fwd = domain.uu_fwd.filter(|uu_fwd| *uu_fwd != index);
        }
        if let Some(interface) = self.interfaces.get_mut(&index).filter(|_| was_in) {
            interface.rewrite = Rewrite::default();
        }
    }
}

fn rewrite(model: &mut Model, request: &L2InterfaceVlanTagRewrite) -> Outcome {
    let interface = model.get_mut(request.sw_if_index)?;
    if !interface.is_ethernet() {
        return Err(retval::INVALID_INTERFACE);
    }
    // What is popped must be in every frame (`l2_vtr_op_t`: 3 and 5 to 8 change tags, 4 and 7, 8 two of them).
    let needed = match request.vtr_op.0 {
        3 | 5 | 6 => 1,
        4 | 7 | 8 => 2,
        _ => 0,
    };
    let there = match interface.kind {
        Kind::Sub(sub) => sub.tags(),
        _ => 0,
    };
    if needed > there {
        return Err(retval::INVALID_VLAN_TAG_COUNT);
    }
    interface.rewrite = match request.vtr_op {
        VtrOp::DISABLED => Rewrite::default(),
        op => Rewrite { op, push_dot1q: request.push_dot1q, tags: [request.tag1, request.tag2] },
    };
    Ok(())
}
