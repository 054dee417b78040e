//! Interfaces of every kind (vnet/interface.api).

use crate::{
    codec::{LongText, Text},
    types::{IfStatus, Prefix, RxMode, SubIfFlags, SwIfIndex},
};

messages! {
    of "core";

    /// Sets an interface up or down.
    request SwInterfaceSetFlags "sw_interface_set_flags_f5aec1b8" -> SwInterfaceSetFlagsReply {
        sw_if_index: SwIfIndex, flags: IfStatus,
    }
    /// Done, or not.
    reply SwInterfaceSetFlagsReply "sw_interface_set_flags_reply_e8d4e804" { retval: i32 }
    /// Lists interfaces: one, those whose name has `name_filter` in it, or all.
    dump SwInterfaceDump "sw_interface_dump_aa610c27" -> SwInterfaceDetails {
        sw_if_index: SwIfIndex, name_filter_valid: bool, name_filter: LongText,
    }
    /// One interface.
    details SwInterfaceDetails "sw_interface_details_6c221fc7" {
        sw_if_index: SwIfIndex, sup_sw_if_index: SwIfIndex, l2_address: [u8; 6], flags: IfStatus, kind: u32,
        link_duplex: u32, link_speed: u32, link_mtu: u16, mtu: [u32; 4], sub_id: u32, sub_number_of_tags: u8,
        sub_outer_vlan_id: u16, sub_inner_vlan_id: u16, sub_if_flags: u32, vtr_op: u32, vtr_push_dot1q: u32, vtr_tag1: u32,
        vtr_tag2: u32, outer_tag: u16, b_dmac: [u8; 6], b_smac: [u8; 6], b_vlanid: u16, i_sid: u32,
        interface_name: Text<64>, interface_dev_type: Text<64>, tag: Text<64>,
    }
    /// Sets or removes an interface's tag.
    request SwInterfaceTagAddDel "sw_interface_tag_add_del_426f8bc1" -> SwInterfaceTagAddDelReply {
        is_add: bool, sw_if_index: SwIfIndex, tag: Text<64>,
    }
    /// Done, or not.
    reply SwInterfaceTagAddDelReply "sw_interface_tag_add_del_reply_e8d4e804" { retval: i32 }
    /// Sets an interface's MTUs: layer 3, IPv4, IPv6, MPLS.
    request SwInterfaceSetMtu "sw_interface_set_mtu_5cbe85e5" -> SwInterfaceSetMtuReply {
        sw_if_index: SwIfIndex, mtu: [u32; 4],
    }
    /// Done, or not.
    reply SwInterfaceSetMtuReply "sw_interface_set_mtu_reply_e8d4e804" { retval: i32 }
    /// Sets the MTU of the device.
    request HwInterfaceSetMtu "hw_interface_set_mtu_e6746899" -> HwInterfaceSetMtuReply { sw_if_index: SwIfIndex, mtu: u16 }
    /// Done, or not.
    reply HwInterfaceSetMtuReply "hw_interface_set_mtu_reply_e8d4e804" { retval: i32 }
    /// Sets the MAC address.
    request SwInterfaceSetMacAddress "sw_interface_set_mac_address_c536e7eb" -> SwInterfaceSetMacAddressReply {
        sw_if_index: SwIfIndex, mac_address: [u8; 6],
    }
    /// Done, or not.
    reply SwInterfaceSetMacAddressReply "sw_interface_set_mac_address_reply_e8d4e804" { retval: i32 }
    /// Sets how packets are received.
    request SwInterfaceSetRxMode "sw_interface_set_rx_mode_b04d1cfe" -> SwInterfaceSetRxModeReply {
        sw_if_index: SwIfIndex, queue_id_valid: bool, queue_id: u32, mode: RxMode,
    }
    /// Done, or not.
    reply SwInterfaceSetRxModeReply "sw_interface_set_rx_mode_reply_e8d4e804" { retval: i32 }
    /// Sets which thread receives from a queue.
    request SwInterfaceSetRxPlacement "sw_interface_set_rx_placement_db65f3c9" -> SwInterfaceSetRxPlacementReply {
        sw_if_index: SwIfIndex, queue_id: u32, worker_id: u32, is_main: bool,
    }
    /// Done, or not.
    reply SwInterfaceSetRxPlacementReply "sw_interface_set_rx_placement_reply_e8d4e804" { retval: i32 }
    /// Lists an interface's receive queues.
    dump SwInterfaceRxPlacementDump "sw_interface_rx_placement_dump_f9e6675e" -> SwInterfaceRxPlacementDetails {
        sw_if_index: SwIfIndex,
    }
    /// One receive queue. Thread 0 is the main one, thread n + 1 is worker n.
    details SwInterfaceRxPlacementDetails "sw_interface_rx_placement_details_9e44a7ce" {
        sw_if_index: SwIfIndex, queue_id: u32, worker_id: u32, mode: RxMode,
    }
    /// Makes a loopback with that number in its name.
    request CreateLoopbackInstance "create_loopback_instance_d36a3ee2" -> CreateLoopbackInstanceReply {
        mac_address: [u8; 6], is_specified: bool, user_instance: u32,
    }
    /// The loopback.
    reply CreateLoopbackInstanceReply "create_loopback_instance_reply_5383d31f" { retval: i32, sw_if_index: SwIfIndex }
    /// Removes a loopback.
    request DeleteLoopback "delete_loopback_f9e6675e" -> DeleteLoopbackReply { sw_if_index: SwIfIndex }
    /// Done, or not.
    reply DeleteLoopbackReply "delete_loopback_reply_e8d4e804" { retval: i32 }
    /// Makes a sub-interface for one VLAN.
    request CreateVlanSubif "create_vlan_subif_af34ac8b" -> CreateVlanSubifReply { sw_if_index: SwIfIndex, vlan_id: u32 }
    /// The sub-interface.
    reply CreateVlanSubifReply "create_vlan_subif_reply_5383d31f" { retval: i32, sw_if_index: SwIfIndex }
    /// Makes a sub-interface.
    request CreateSubif "create_subif_790ca755" -> CreateSubifReply {
        sw_if_index: SwIfIndex, sub_id: u32, flags: SubIfFlags, outer_vlan_id: u16, inner_vlan_id: u16,
    }
    /// The sub-interface.
    reply CreateSubifReply "create_subif_reply_5383d31f" { retval: i32, sw_if_index: SwIfIndex }
    /// Removes a sub-interface.
    request DeleteSubif "delete_subif_f9e6675e" -> DeleteSubifReply { sw_if_index: SwIfIndex }
    /// Done, or not.
    reply DeleteSubifReply "delete_subif_reply_e8d4e804" { retval: i32 }
    /// Puts an interface into a routing table.
    request SwInterfaceSetTable "sw_interface_set_table_df42a577" -> SwInterfaceSetTableReply {
        sw_if_index: SwIfIndex, is_ipv6: bool, vrf_id: u32,
    }
    /// Done, or not.
    reply SwInterfaceSetTableReply "sw_interface_set_table_reply_e8d4e804" { retval: i32 }
    /// Asks for an interface's routing table.
    request SwInterfaceGetTable "sw_interface_get_table_2d033de4" -> SwInterfaceGetTableReply {
        sw_if_index: SwIfIndex, is_ipv6: bool,
    }
    /// The table.
    reply SwInterfaceGetTableReply "sw_interface_get_table_reply_a6eb0109" { retval: i32, vrf_id: u32 }
    /// Lends an interface another one's addresses.
    request SwInterfaceSetUnnumbered "sw_interface_set_unnumbered_154a6439" -> SwInterfaceSetUnnumberedReply {
        sw_if_index: SwIfIndex, unnumbered_sw_if_index: SwIfIndex, is_add: bool,
    }
    /// Done, or not.
    reply SwInterfaceSetUnnumberedReply "sw_interface_set_unnumbered_reply_e8d4e804" { retval: i32 }
    /// Adds or removes an address.
    request SwInterfaceAddDelAddress "sw_interface_add_del_address_5463d73b" -> SwInterfaceAddDelAddressReply {
        sw_if_index: SwIfIndex, is_add: bool, del_all: bool, prefix: Prefix,
    }
    /// Done, or not.
    reply SwInterfaceAddDelAddressReply "sw_interface_add_del_address_reply_e8d4e804" { retval: i32 }
    /// Asks for [`SwInterfaceEvent`]s, or no more.
    request WantInterfaceEvents "want_interface_events_476f5a08" -> WantInterfaceEventsReply { enable_disable: u32, pid: u32 }
    /// Done, or not.
    reply WantInterfaceEventsReply "want_interface_events_reply_e8d4e804" { retval: i32 }
    /// An interface went up or down, or was deleted.
    event SwInterfaceEvent "sw_interface_event_2d3d95a7" {
        client_index: u32, pid: u32, sw_if_index: SwIfIndex, flags: IfStatus, deleted: bool,
    }
}

impl SwInterfaceDump {
    /// All interfaces.
    pub fn all() -> Self {
        Self { sw_if_index: SwIfIndex::NONE, ..Self::default() }
    }

    /// The interface of that index, if there is one.
    pub fn one(sw_if_index: SwIfIndex) -> Self {
        Self { sw_if_index, ..Self::default() }
    }

    /// Those whose name has `part` in it, in upper or lower case. VPP sends these only.
    pub fn named(part: &str) -> Self {
        Self { sw_if_index: SwIfIndex::NONE, name_filter_valid: true, name_filter: part.into() }
    }
}
