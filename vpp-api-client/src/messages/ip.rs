//! Addresses, routes and routing tables (vnet/ip/ip.api).

use crate::{
    codec::{Counted, Text},
    types::{FibPath, Prefix, SwIfIndex},
};

messages! {
    of "core";

    /// Lists the addresses of an interface, of one family.
    dump IpAddressDump "ip_address_dump_2d033de4" -> IpAddressDetails { sw_if_index: SwIfIndex, is_ipv6: bool }
    /// One address.
    details IpAddressDetails "ip_address_details_ee29b797" { sw_if_index: SwIfIndex, prefix: Prefix }
    /// Adds or removes a route, or with `is_multipath` one of its paths.
    request IpRouteAddDel "ip_route_add_del_b8ecfe0d" -> IpRouteAddDelReply {
        is_add: bool, is_multipath: bool, table_id: u32, stats_index: u32, prefix: Prefix, paths: Counted<u8, FibPath>,
    }
    /// Done, or not.
    reply IpRouteAddDelReply "ip_route_add_del_reply_1992deab" { retval: i32, stats_index: u32 }
    /// Asks for one route: the longest match, or the very one.
    request IpRouteLookup "ip_route_lookup_710d6471" -> IpRouteLookupReply { table_id: u32, exact: u8, prefix: Prefix }
    /// The route.
    reply IpRouteLookupReply "ip_route_lookup_reply_5d8febcb" {
        retval: i32, table_id: u32, stats_index: u32, prefix: Prefix, paths: Counted<u8, FibPath>,
    }
    /// Lists the routes of a table.
    dump IpRouteDump "ip_route_dump_b9d2e09e" -> IpRouteDetails { table_id: u32, is_ip6: bool, name: Text<64> }
    /// One route.
    details IpRouteDetails "ip_route_details_bda8f315" {
        table_id: u32, stats_index: u32, prefix: Prefix, paths: Counted<u8, FibPath>,
    }
    /// Makes or removes a routing table.
    request IpTableAddDel "ip_table_add_del_0ffdaec0" -> IpTableAddDelReply {
        is_add: bool, table_id: u32, is_ip6: bool, name: Text<64>,
    }
    /// Done, or not.
    reply IpTableAddDelReply "ip_table_add_del_reply_e8d4e804" { retval: i32 }
    /// Lists the routing tables.
    dump IpTableDump "ip_table_dump_51077d14" -> IpTableDetails {}
    /// One routing table.
    details IpTableDetails "ip_table_details_c79fca0f" { table_id: u32, is_ip6: bool, name: Text<64> }
    /// Lists which interfaces borrow whose addresses.
    dump IpUnnumberedDump "ip_unnumbered_dump_f9e6675e" -> IpUnnumberedDetails { sw_if_index: SwIfIndex }
    /// One borrower and the lender.
    details IpUnnumberedDetails "ip_unnumbered_details_cc59bd42" { sw_if_index: SwIfIndex, ip_sw_if_index: SwIfIndex }
    /// Lets an interface take IPv6 packets without an address of its own.
    request SwInterfaceIp6EnableDisable "sw_interface_ip6_enable_disable_ae6cfcfb" -> SwInterfaceIp6EnableDisableReply {
        sw_if_index: SwIfIndex, enable: bool,
    }
    /// Done, or not.
    reply SwInterfaceIp6EnableDisableReply "sw_interface_ip6_enable_disable_reply_e8d4e804" { retval: i32 }
}
