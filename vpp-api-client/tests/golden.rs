//! Messages as a real VPP sent and took them (tests/golden/26.06.txt, whose first line has the command), against the same messages made
//! and read here.

#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use vpp_api_client::{
    Message,
    codec::{Cursor, Text},
    messages::{
        self,
        interface::{
            CreateLoopbackInstance, CreateLoopbackInstanceReply, SwInterfaceAddDelAddress,
            SwInterfaceDetails, SwInterfaceDump, SwInterfaceSetFlags, SwInterfaceTagAddDel,
            SwInterfaceTagAddDelReply,
        },
        ip::{IpAddressDetails, IpAddressDump, IpRouteLookup, IpRouteLookupReply, IpTableDetails},
        l2::{BridgeDomainAddDel, BridgeDomainDetails, BridgeDomainDump, SwInterfaceSetL2Bridge},
        memclnt::ControlPingReply,
        memif::{MemifCreateV2, MemifDetails, MemifSocketFilenameAddDelV2, MemifSocketFilenameAddDelV2Reply},
        policer::{PolicerAddDel, PolicerDetails},
        vpe::ShowVersionReply,
    },
    types::{
        Address, AddressFamily, BridgeMember, FibPath, IfStatus, MemifRole, Prefix, QosAction, QosActionType,
        SwIfIndex,
    },
};

const GOLDEN: &str = include_str!("golden/26.06.txt");

/// The number, the client's index and the context stand before a request's fields; there is no index before an answer's.
const BEFORE_REQUEST: usize = 10;
const BEFORE_ANSWER: usize = 6;

fn lines() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    GOLDEN.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, hex) = line.split_once(' ').unwrap();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (name, (0..hex.len()).step_by(2).map(byte).collect())
    })
}

/// The fields of all messages of that kind, in their order.
fn all<M: Message>() -> Vec<Vec<u8>> {
    let is_answer = M::NAME.contains("_reply_") || M::NAME.contains("_details_");
    let before = if is_answer { BEFORE_ANSWER } else { BEFORE_REQUEST };
    lines().filter(|(name, _)| *name == M::NAME).map(|(_, bytes)| bytes[before..].to_vec()).collect()
}

/// The messages of that kind are these, read and written.
fn are<M: Message + PartialEq + Debug>(expected: &[M]) {
    let found = all::<M>();
    assert_eq!(found.len(), expected.len(), "{}", M::NAME);
    for (bytes, expected) in found.iter().zip(expected) {
        let mut from = Cursor::new(bytes);
        assert_eq!(M::take(&mut from).unwrap(), *expected);
        assert_eq!(from.left(), 0, "{}", M::NAME);
        let mut written = Vec::new();
        expected.put(&mut written);
        assert_eq!(written, *bytes, "{}", M::NAME);
    }
}

fn text<const N: usize>(text: &str) -> Text<N> {
    text.parse().unwrap()
}

fn prefix(address: [u8; 4], length: u8) -> Prefix {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&address);
    Prefix { address: Address { family: AddressFamily::IP4, bytes }, length }
}

const LOOPBACK: SwIfIndex = SwIfIndex(1);

#[test]
fn every_message_is_one_that_is_known_here() {
    for (name, bytes) in lines() {
        assert!(messages::names().any(|known| known == name), "{name}");
        // No message of another kind makes the decoder panic either.
        messages::decode_all(&bytes);
    }
}

#[test]
fn version_and_ping() {
    let found = all::<ShowVersionReply>();
    let version = ShowVersionReply::take(&mut Cursor::new(&found[0])).unwrap();
    assert_eq!((version.program, version.version), (text("vpe"), text("26.06-release")));
    // Not as it was captured: see the file.
    assert_eq!(version.build_directory, text("/build/vpp"));
    let pings = all::<ControlPingReply>();
    assert_eq!(pings.len(), 7);
    assert_eq!(ControlPingReply::take(&mut Cursor::new(&pings[0])).unwrap().retval, 0);
}

#[test]
fn interfaces() {
    let numbered = CreateLoopbackInstance { is_specified: true, user_instance: 7, ..Default::default() };
    are(&[numbered, CreateLoopbackInstance::default()]);
    are(&[1, 2].map(|index| CreateLoopbackInstanceReply { retval: 0, sw_if_index: SwIfIndex(index) }));
    are(&[SwInterfaceSetFlags { sw_if_index: LOOPBACK, flags: IfStatus::ADMIN_UP }]);
    are(&[SwInterfaceTagAddDel { is_add: true, sw_if_index: LOOPBACK, tag: text("golden") }]);
    are(&[SwInterfaceTagAddDelReply { retval: 0 }]);
    are(&[SwInterfaceDump::named("loop7"), SwInterfaceDump::one(SwIfIndex(4000))]);
    are(&[SwInterfaceDetails {
        sw_if_index: LOOPBACK,
        sup_sw_if_index: LOOPBACK,
        l2_address: [0xde, 0xad, 0, 0, 0, 7],
        flags: IfStatus(3),
        link_mtu: 9000,
        mtu: [9000, 0, 0, 0],
        interface_name: text("loop7"),
        interface_dev_type: text("Loopback"),
        tag: text("golden"),
        ..Default::default()
    }]);
}

#[test]
fn addresses_and_routes() {
    let address = prefix([10, 1, 2, 3], 24);
    are(&[SwInterfaceAddDelAddress { sw_if_index: LOOPBACK, is_add: true, del_all: false, prefix: address }]);
    are(&[IpAddressDump { sw_if_index: LOOPBACK, is_ipv6: false }]);
    are(&[IpAddressDetails { sw_if_index: LOOPBACK, prefix: address }]);
    are(&[0, 99].map(|table_id| IpRouteLookup { table_id, exact: 1, prefix: address }));
    let found = all::<IpRouteLookupReply>();
    let [there, refused] = [0, 1].map(|at| IpRouteLookupReply::take(&mut Cursor::new(&found[at])).unwrap());
    assert_eq!((there.retval, there.table_id, there.prefix), (0, 0, address));
    assert_eq!(there.paths.items, [FibPath { sw_if_index: LOOPBACK, weight: 1, ..FibPath::default() }]);
    assert_eq!((refused.retval, refused.paths.items.len()), (-3, 0));
    are(&[false, true].map(|is_ip6| IpTableDetails {
        table_id: 0,
        is_ip6,
        name: text(if is_ip6 { "ipv6-VRF:0" } else { "ipv4-VRF:0" }),
    }));
}

#[test]
fn bridge_domains() {
    let domain =
        BridgeDomainAddDel { bd_id: 5, flood: true, forward: true, is_add: true, ..Default::default() };
    are(&[BridgeDomainAddDel { bd_tag: text("blue"), ..domain }]);
    let member = SwIfIndex(2);
    are(&[SwInterfaceSetL2Bridge {
        rx_sw_if_index: member,
        bd_id: 5,
        shg: 1,
        enable: true,
        ..Default::default()
    }]);
    are(&[BridgeDomainDump::all()]);
    are(&[BridgeDomainDetails {
        bd_id: 5,
        flood: true,
        forward: true,
        bd_tag: text("blue"),
        bvi_sw_if_index: SwIfIndex::NONE,
        uu_fwd_sw_if_index: SwIfIndex::NONE,
        members: vec![BridgeMember { context: 0, sw_if_index: member, shg: 1 }].into(),
        ..Default::default()
    }]);
}

#[test]
fn memifs() {
    let socket_filename = "/tmp/golden.sock".into();
    are(&[MemifSocketFilenameAddDelV2 { is_add: true, socket_id: 9, socket_filename }]);
    are(&[MemifSocketFilenameAddDelV2Reply { retval: 0, socket_id: 9 }]);
    let hw_addr = [2, 1, 2, 3, 4, 5];
    are(&[MemifCreateV2 { role: MemifRole::SLAVE, socket_id: 9, hw_addr, ..Default::default() }]);
    are(&[MemifDetails {
        sw_if_index: SwIfIndex(3),
        hw_addr,
        role: MemifRole::SLAVE,
        zero_copy: true,
        socket_id: 9,
        ring_size: 1,
        if_name: text("memif9/0"),
        ..Default::default()
    }]);
}

#[test]
fn policers() {
    let conform_action = QosAction { kind: QosActionType::TRANSMIT, dscp: 0 };
    let name = text("golden");
    are(&[PolicerAddDel {
        is_add: true,
        name,
        cir: 8000,
        cb: 100_000,
        conform_action,
        ..Default::default()
    }]);
    let found = all::<PolicerDetails>();
    let found = PolicerDetails::take(&mut Cursor::new(&found[0])).unwrap();
    assert_eq!((found.name, found.cir, found.cb), (name, 8000, 100_000));
    assert_eq!(found.conform_action, conform_action);
}
