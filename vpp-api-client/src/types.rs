//! The types that messages share (vnet/*_types.api).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    DecodeError,
    codec::{Cursor, Wire},
};

/// Defines a struct of fields, in their order on the wire.
macro_rules! layout {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq)]
        #[allow(missing_docs)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Wire for $name {
            const LEAST: usize = 0 $(+ <$type as Wire>::LEAST)*;

            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }

            fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
                Ok(Self { $($field: <$type as Wire>::take(from)?,)* })
            }
        }
    )*};
}

/// Defines a number with names for its values. Values without a name are kept.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident($repr:ty) { $($(#[$value_doc:meta])* $value:ident = $number:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name(pub $repr);

        #[allow(missing_docs)]
        impl $name {
            $($(#[$value_doc])* pub const $value: Self = Self($number);)*
        }

        impl Wire for $name {
            const LEAST: usize = <$repr as Wire>::LEAST;

            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
                Wire::take(from).map(Self)
            }
        }
    )*};
}

codes! {
    /// An interface's index.
    SwIfIndex(u32) {
        /// None, or all of them.
        NONE = 0xffff_ffff,
    }
    /// Flags of an interface (`if_status_flags`).
    IfStatus(u32) { DOWN = 0, ADMIN_UP = 1, LINK_UP = 2 }
    /// How packets are received (`rx_mode`).
    RxMode(u32) { UNKNOWN = 0, POLLING = 1, INTERRUPT = 2, ADAPTIVE = 3, DEFAULT = 4 }
    /// Flags of a sub-interface (`sub_if_flags`).
    SubIfFlags(u32) { ONE_TAG_EXACT = 18 }
    /// What a port of a bridge domain is for (`l2_port_type`).
    L2PortType(u32) { NORMAL = 0, BVI = 1, UU_FWD = 2 }
    /// What happens to VLAN tags (`l2_vtr_op_t` of vnet/l2/l2_vtr.h).
    VtrOp(u32) { DISABLED = 0, PUSH_1 = 1, POP_1 = 3 }
    /// Which end of a memif (`memif_role`).
    MemifRole(u32) { MASTER = 0, SLAVE = 1 }
    /// What a memif carries (`memif_mode`).
    MemifMode(u32) { ETHERNET = 0, IP = 1, PUNT_INJECT = 2 }
    /// What a host interface carries (`af_packet_mode`).
    AfPacketMode(u32) { ETHERNET = 1, IP = 2 }
    /// Flags of a host interface (`af_packet_flags`).
    AfPacketFlags(u32) { NONE = 0, QDISC_BYPASS = 1, CKSUM_GSO = 2 }
    /// Flags of a tap (`tap_flags`).
    TapFlags(u32) { NONE = 0, GSO = 1, PERSIST = 4, ATTACH = 8 }
    /// The family of an address (`address_family`).
    AddressFamily(u8) { IP4 = 0, IP6 = 1 }
    /// What a path of a route does (`fib_path_type`).
    FibPathType(u32) { NORMAL = 0, LOCAL = 1, DROP = 2 }
    /// The family of a path's next hop (`fib_path_nh_proto`).
    FibNhProto(u32) { IP4 = 0, IP6 = 1 }
    /// The unit of a policer's rates (`sse2_qos_rate_type`).
    RateType(u8) { KBPS = 0, PPS = 1 }
    /// How a policer rounds (`sse2_qos_round_type`).
    RoundType(u8) { CLOSEST = 0, UP = 1, DOWN = 2 }
    /// The kind of a policer (`sse2_qos_policer_type`).
    PolicerType(u8) { ONE_RATE_TWO_COLOUR = 0 }
    /// What a policer does with a packet (`sse2_qos_action_type`).
    QosActionType(u8) { DROP = 0, TRANSMIT = 1 }
}

layout! {
    /// An address with its family. IPv4's is the first four bytes.
    Address { family: AddressFamily, bytes: [u8; 16] }
    /// An address with the length of its network.
    Prefix { address: Address, length: u8 }
    /// An IPv4 address with the length of its network.
    Ip4Prefix { address: [u8; 4], length: u8 }
    /// An IPv6 address with the length of its network.
    Ip6Prefix { address: [u8; 16], length: u8 }
    /// A label of a path (`fib_mpls_label`).
    MplsLabel { is_uniform: u8, label: u32, ttl: u8, exp: u8 }
    /// One way that a route takes (`fib_path`), 167 bytes.
    FibPath {
        sw_if_index: SwIfIndex, table_id: u32, rpf_id: u32, weight: u8, preference: u8, kind: FibPathType, flags: u32,
        proto: FibNhProto, next_hop: [u8; 16], via_label: u32, obj_id: u32, classify_table_index: u32,
        label_count: u8, labels: [MplsLabel; 16],
    }
    /// A member of a bridge domain (`bridge_domain_sw_if`).
    BridgeMember { context: u32, sw_if_index: SwIfIndex, shg: u8 }
    /// What a policer does with packets of one colour (`sse2_qos_action`).
    QosAction { kind: QosActionType, dscp: u8 }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        let mut bytes = [0; 16];
        match address {
            IpAddr::V4(address) => {
                bytes[..4].copy_from_slice(&address.octets());
                Self { family: AddressFamily::IP4, bytes }
            }
            IpAddr::V6(address) => Self { family: AddressFamily::IP6, bytes: address.octets() },
        }
    }
}

impl Address {
    /// The address; none when its family is neither IPv4 nor IPv6.
    pub fn ip(&self) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.bytes;
        match self.family {
            AddressFamily::IP4 => Some(Ipv4Addr::new(a, b, c, d).into()),
            AddressFamily::IP6 => Some(Ipv6Addr::from(self.bytes).into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_api() {
        assert_eq!(FibPath::LEAST, 167);
        assert_eq!(Prefix::LEAST, 18);
        assert_eq!(Ip6Prefix::LEAST, 17);
    }

    #[test]
    fn addresses_come_back() {
        for text in ["10.1.2.3", "fd00::1"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Address::from(address).ip(), Some(address));
        }
        assert_eq!(Address { family: AddressFamily(7), bytes: [0; 16] }.ip(), None);
    }
}
