//! Bridge domains and VLAN tags (vnet/l2/l2.api).

use crate::{
    codec::{Counted, Text},
    types::{BridgeMember, L2PortType, SwIfIndex, VtrOp},
};

messages! {
    of "core";

    /// Makes, changes or removes a bridge domain.
    request BridgeDomainAddDel "bridge_domain_add_del_600b7170" -> BridgeDomainAddDelReply {
        bd_id: u32, flood: bool, uu_flood: bool, forward: bool, learn: bool, arp_term: bool, arp_ufwd: bool, mac_age: u8,
        bd_tag: Text<64>, is_add: bool,
    }
    /// Done, or not.
    reply BridgeDomainAddDelReply "bridge_domain_add_del_reply_e8d4e804" { retval: i32 }
    /// From 23.02: makes or removes a bridge domain; `bd_id` 0xffffffff lets VPP choose the number.
    request BridgeDomainAddDelV2 "bridge_domain_add_del_v2_600b7170" -> BridgeDomainAddDelV2Reply {
        bd_id: u32, flood: bool, uu_flood: bool, forward: bool, learn: bool, arp_term: bool, arp_ufwd: bool, mac_age: u8,
        bd_tag: Text<64>, is_add: bool,
    }
    /// Its number.
    reply BridgeDomainAddDelV2Reply "bridge_domain_add_del_v2_reply_fcb1e980" { retval: i32, bd_id: u32 }
    /// Lists one bridge domain, or all. `sw_if_index` is always 0xffffffff.
    dump BridgeDomainDump "bridge_domain_dump_74396a43" -> BridgeDomainDetails { bd_id: u32, sw_if_index: SwIfIndex }
    /// One bridge domain.
    details BridgeDomainDetails "bridge_domain_details_0fa506fd" {
        bd_id: u32, flood: bool, uu_flood: bool, forward: bool, learn: bool, arp_term: bool, arp_ufwd: bool, mac_age: u8,
        bd_tag: Text<64>, bvi_sw_if_index: SwIfIndex, uu_fwd_sw_if_index: SwIfIndex, members: Counted<u32, BridgeMember>,
    }
    /// Puts an interface into a bridge domain, or takes it out.
    request SwInterfaceSetL2Bridge "sw_interface_set_l2_bridge_d0678b13" -> SwInterfaceSetL2BridgeReply {
        rx_sw_if_index: SwIfIndex, bd_id: u32, port_type: L2PortType, shg: u8, enable: bool,
    }
    /// Done, or not.
    reply SwInterfaceSetL2BridgeReply "sw_interface_set_l2_bridge_reply_e8d4e804" { retval: i32 }
    /// Sets what happens to the VLAN tags of an interface in a bridge domain.
    request L2InterfaceVlanTagRewrite "l2_interface_vlan_tag_rewrite_62cc0bbc" -> L2InterfaceVlanTagRewriteReply {
        sw_if_index: SwIfIndex, vtr_op: VtrOp, push_dot1q: u32, tag1: u32, tag2: u32,
    }
    /// Done, or not.
    reply L2InterfaceVlanTagRewriteReply "l2_interface_vlan_tag_rewrite_reply_e8d4e804" { retval: i32 }
    /// Lets an interface send only what it could have received: with a tag that it pushes, frames with that tag; of a sub-interface, frames
    /// with its tag. The reply's `retval` may be that of an earlier, failed request about an address (VPP 22.10 to 26.06).
    request L2InterfaceEfpFilter "l2_interface_efp_filter_5501adee" -> L2InterfaceEfpFilterReply {
        sw_if_index: SwIfIndex, enable_disable: bool,
    }
    /// Done, or not.
    reply L2InterfaceEfpFilterReply "l2_interface_efp_filter_reply_e8d4e804" { retval: i32 }
}

/// What bridge domains need of a number: 1 to 2^24 - 1. Domain 0 is VPP's own.
pub const MAX_BD_ID: u32 = 0xff_ffff;

impl BridgeDomainDump {
    /// The bridge domain of that number.
    pub fn one(bd_id: u32) -> Self {
        Self { bd_id, sw_if_index: SwIfIndex::NONE }
    }

    /// All bridge domains.
    pub fn all() -> Self {
        Self::one(u32::MAX)
    }
}
