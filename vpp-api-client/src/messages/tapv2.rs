//! Taps (plugins/tap/tapv2.api; a plugin from 26.02).

use crate::{
    codec::{LongText, Text},
    types::{Ip4Prefix, Ip6Prefix, SwIfIndex, TapFlags},
};

messages! {
    of "tap plugin";

    /// Makes a tap, with its kernel end.
    request TapCreateV3 "tap_create_v3_3f3fd1df" -> TapCreateV3Reply {
        id: u32, use_random_mac: bool, mac_address: [u8; 6], num_rx_queues: u16, num_tx_queues: u16, tx_ring_sz: u16,
        rx_ring_sz: u16, host_mtu_set: bool, host_mtu_size: u32, host_mac_addr_set: bool, host_mac_addr: [u8; 6],
        host_ip4_prefix_set: bool, host_ip4_prefix: Ip4Prefix, host_ip6_prefix_set: bool, host_ip6_prefix: Ip6Prefix,
        host_ip4_gw_set: bool, host_ip4_gw: [u8; 4], host_ip6_gw_set: bool, host_ip6_gw: [u8; 16], tap_flags: TapFlags,
        host_namespace_set: bool, host_namespace: Text<64>, host_if_name_set: bool, host_if_name: Text<64>,
        host_bridge_set: bool, host_bridge: Text<64>, tag: LongText,
    }
    /// The tap.
    reply TapCreateV3Reply "tap_create_v3_reply_5383d31f" { retval: i32, sw_if_index: SwIfIndex }
    /// Removes a tap.
    request TapDeleteV2 "tap_delete_v2_f9e6675e" -> TapDeleteV2Reply { sw_if_index: SwIfIndex }
    /// Done, or not.
    reply TapDeleteV2Reply "tap_delete_v2_reply_e8d4e804" { retval: i32 }
    /// Lists one tap, or all.
    dump SwInterfaceTapV2Dump "sw_interface_tap_v2_dump_f9e6675e" -> SwInterfaceTapV2Details { sw_if_index: SwIfIndex }
    /// One tap.
    details SwInterfaceTapV2Details "sw_interface_tap_v2_details_1e2b2a47" {
        sw_if_index: SwIfIndex, id: u32, tx_ring_sz: u16, rx_ring_sz: u16, host_mtu_size: u32, host_mac_addr: [u8; 6],
        host_ip4_prefix: Ip4Prefix, host_ip6_prefix: Ip6Prefix, tap_flags: TapFlags, dev_name: Text<64>,
        host_if_name: Text<64>, host_namespace: Text<64>, host_bridge: Text<64>,
    }
}
