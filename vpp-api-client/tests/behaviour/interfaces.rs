//! Interfaces of every kind, loopbacks and sub-interfaces.

use vpp_api_client::{
    messages::{
        interface::{
            CreateLoopbackInstance, CreateSubif, CreateVlanSubif, DeleteLoopback, DeleteSubif,
            SwInterfaceDump, SwInterfaceEvent, SwInterfaceRxPlacementDump, SwInterfaceSetFlags,
            SwInterfaceSetMacAddress, SwInterfaceSetMtu, SwInterfaceSetRxMode, SwInterfaceSetRxPlacement,
            SwInterfaceTagAddDel, WantInterfaceEvents,
        },
        ip::IpUnnumberedDump,
        l2::{BridgeDomainAddDel, BridgeDomainDump, SwInterfaceSetL2Bridge},
        vpe::CliInband,
    },
    types::{IfStatus, RxMode, SubIfFlags, SwIfIndex},
};

use crate::at::{At, text};

const NOBODY: SwIfIndex = SwIfIndex(4000);

pub(crate) async fn indices_and_filters(at: &At) {
    let index = at.loopback(77).await;
    assert_eq!(at.look(NOBODY).await, None);
    let names = async |dump| {
        let all = at.dump(&dump).await;
        all.iter()
            .map(|one: &vpp_api_client::messages::interface::SwInterfaceDetails| {
                one.interface_name.to_string()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(names(SwInterfaceDump::one(index)).await, ["loop77"]);
    assert_eq!(names(SwInterfaceDump::named("OOP77")).await, ["loop77"], "in either case");
    assert_eq!(names(SwInterfaceDump::named("nobody")).await, [""; 0]);
    // Index 0 means all.
    for dump in [SwInterfaceDump::all(), SwInterfaceDump::one(SwIfIndex(0))] {
        let all = names(dump).await;
        assert_eq!(all[0], "local0");
        assert!(all.contains(&"loop77".to_owned()));
    }
    at.delete_loopback(index).await;
}

pub(crate) async fn tags(at: &At) {
    let sw_if_index = at.loopback(1).await;
    let longest = "t".repeat(63);
    for tag in ["a", longest.as_str(), "b"] {
        at.done(&SwInterfaceTagAddDel { is_add: true, sw_if_index, tag: text(tag) }).await;
        assert_eq!(at.look(sw_if_index).await.unwrap().tag.to_string(), tag);
    }
    let empty = SwInterfaceTagAddDel { is_add: true, sw_if_index, tag: text("") };
    assert_eq!(at.retval(&empty).await, -7);
    at.done(&SwInterfaceTagAddDel { is_add: false, ..empty }).await;
    assert_eq!(at.look(sw_if_index).await.unwrap().tag.to_string(), "");
    let nobody = SwInterfaceTagAddDel { is_add: true, sw_if_index: NOBODY, tag: text("a") };
    assert_eq!(at.retval(&nobody).await, -2);
    at.delete_loopback(sw_if_index).await;
    // Another of that index has none.
    let again = at.loopback(1).await;
    assert_eq!(at.look(again).await.unwrap().tag.to_string(), "");
    at.delete_loopback(again).await;
}

pub(crate) async fn flags_and_mtus(at: &At) {
    let sw_if_index = at.loopback(1).await;
    let made = at.look(sw_if_index).await.unwrap();
    assert_eq!((made.flags.0, made.link_mtu, made.mtu), (0, 9000, [9000, 0, 0, 0]));
    assert_eq!(made.l2_address, [0xde, 0xad, 0, 0, 0, 1]);
    assert_eq!((made.sup_sw_if_index, made.kind), (sw_if_index, 0));
    assert_eq!(made.interface_dev_type.to_string(), "Loopback");
    at.up(sw_if_index).await;
    at.done(&SwInterfaceSetMtu { sw_if_index, mtu: [1400, 0, 0, 0] }).await;
    at.done(&SwInterfaceSetMacAddress { sw_if_index, mac_address: [2, 1, 2, 3, 4, 5] }).await;
    let set = at.look(sw_if_index).await.unwrap();
    assert_eq!((set.flags.0, set.mtu, set.l2_address), (3, [1400, 0, 0, 0], [2, 1, 2, 3, 4, 5]));
    at.done(&SwInterfaceSetFlags { sw_if_index, flags: IfStatus::DOWN }).await;
    assert_eq!(at.look(sw_if_index).await.unwrap().flags.0 & IfStatus::ADMIN_UP.0, 0);
    assert_eq!(at.retval(&SwInterfaceSetFlags { sw_if_index: NOBODY, flags: IfStatus::ADMIN_UP }).await, -2);
    assert_eq!(at.retval(&SwInterfaceSetMtu { sw_if_index: NOBODY, mtu: [1400, 0, 0, 0] }).await, -2);
    at.delete_loopback(sw_if_index).await;
}

pub(crate) async fn loopbacks(at: &At) {
    let sw_if_index = at.loopback(16383).await;
    assert_eq!(at.look(sw_if_index).await.unwrap().interface_name.to_string(), "loop16383");
    for user_instance in [16383, 16384] {
        let taken = CreateLoopbackInstance { is_specified: true, user_instance, ..Default::default() };
        assert_eq!(at.retval(&taken).await, -31, "{user_instance}");
    }
    at.delete_loopback(sw_if_index).await;
    assert_eq!(at.retval(&DeleteLoopback { sw_if_index }).await, -2);
    assert_eq!(at.retval(&DeleteLoopback { sw_if_index: SwIfIndex(0) }).await, -2);
}

pub(crate) async fn sub_interfaces(at: &At) {
    let sw_if_index = at.loopback(2).await;
    let sub = at.done(&CreateVlanSubif { sw_if_index, vlan_id: 100 }).await.sw_if_index;
    assert_eq!(at.retval(&CreateVlanSubif { sw_if_index, vlan_id: 100 }).await, -56);
    for vlan_id in [0, 4096] {
        assert_eq!(at.retval(&CreateVlanSubif { sw_if_index, vlan_id }).await, -55, "{vlan_id}");
    }
    let other = CreateSubif {
        sw_if_index,
        sub_id: 200,
        flags: SubIfFlags::ONE_TAG_EXACT,
        outer_vlan_id: 200,
        inner_vlan_id: 0,
    };
    at.done(&other).await;
    assert_eq!(at.retval(&other).await, -56);
    assert_eq!(at.retval(&CreateSubif { sw_if_index: NOBODY, ..other }).await, -2);
    let found = at.dump(&SwInterfaceDump::named("loop2.")).await;
    let shown = found.iter().map(|sub| {
        (sub.interface_name.to_string(), sub.sup_sw_if_index, sub.sub_outer_vlan_id, sub.sub_number_of_tags)
    });
    let expected =
        [("loop2.100".to_owned(), sw_if_index, 100, 1), ("loop2.200".to_owned(), sw_if_index, 200, 1)];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    assert_eq!(found[0].kind, 1);
    assert_eq!((found[0].mtu, found[0].sub_if_flags), ([0; 4], 18));
    // Its parent is down.
    assert_eq!(at.retval(&SwInterfaceSetFlags { sw_if_index: sub, flags: IfStatus::ADMIN_UP }).await, -1);
    at.up(sw_if_index).await;
    at.up(sub).await;
    at.done(&DeleteSubif { sw_if_index: sub }).await;
    assert_eq!(at.retval(&DeleteSubif { sw_if_index: sub }).await, -2);
    assert_eq!(at.retval(&DeleteSubif { sw_if_index }).await, -98);
    at.delete_loopback(sw_if_index).await;
    assert_eq!(at.dump(&SwInterfaceDump::named("loop2")).await, [], "sub-interfaces go with it");
}

pub(crate) async fn deletion_takes_all_along(at: &At) {
    let bd_id = 501;
    at.done(&BridgeDomainAddDel { bd_id, forward: true, is_add: true, ..Default::default() }).await;
    let lender = at.loopback(3).await;
    let [member, borrower] = [at.loopback(4).await, at.loopback(5).await];
    let enter = SwInterfaceSetL2Bridge { rx_sw_if_index: member, bd_id, enable: true, ..Default::default() };
    at.done(&enter).await;
    let sub = at.done(&CreateVlanSubif { sw_if_index: member, vlan_id: 7 }).await.sw_if_index;
    at.done(&SwInterfaceSetL2Bridge { rx_sw_if_index: sub, ..enter }).await;
    assert_eq!(at.address(lender, true, "10.77.0.1/24").await, 0);
    super::addresses::lend(at, lender, borrower).await;
    at.delete_loopback(member).await;
    assert_eq!(at.dump(&BridgeDomainDump::one(bd_id)).await[0].members.items, []);
    at.done(&BridgeDomainAddDel { bd_id, is_add: false, ..Default::default() }).await;
    at.delete_loopback(borrower).await;
    assert_eq!(at.dump(&IpUnnumberedDump { sw_if_index: SwIfIndex::NONE }).await, []);
    at.delete_loopback(lender).await;
    // Its address is free again.
    let other = at.loopback(3).await;
    assert_eq!(at.address(other, true, "10.77.0.1/24").await, 0);
    at.delete_loopback(other).await;
}

pub(crate) async fn receive_queues(at: &At) {
    let sw_if_index = at.loopback(1).await;
    assert_eq!(at.dump(&SwInterfaceRxPlacementDump { sw_if_index }).await, []);
    let mode =
        |sw_if_index, mode| SwInterfaceSetRxMode { sw_if_index, queue_id_valid: false, queue_id: 0, mode };
    assert_eq!(at.retval(&mode(sw_if_index, RxMode::POLLING)).await, 0);
    let queue = SwInterfaceSetRxMode { queue_id_valid: true, ..mode(sw_if_index, RxMode::POLLING) };
    assert_eq!(at.retval(&queue).await, -9, "it has none");
    let place = SwInterfaceSetRxPlacement { sw_if_index, queue_id: 0, worker_id: 0, is_main: true };
    assert_eq!(at.retval(&place).await, -9);
    assert_eq!(at.retval(&mode(NOBODY, RxMode::POLLING)).await, -2);
    assert_eq!(at.socket(31, Some(&at.path("s"))).await, 0);
    let (_, memif) = at.memif(31, |_| {}).await;
    // No peer, no queues.
    assert_eq!(at.dump(&SwInterfaceRxPlacementDump { sw_if_index: memif }).await, []);
    assert_eq!(at.retval(&mode(memif, RxMode::INTERRUPT)).await, 0);
    at.delete_loopback(sw_if_index).await;
    super::memifs::delete(at, memif).await;
    assert_eq!(at.socket(31, None).await, 0);
}

pub(crate) async fn events(at: &At) {
    let mut events = at.vpp.events::<SwInterfaceEvent>().unwrap();
    let want = WantInterfaceEvents { enable_disable: 1, pid: 4711 };
    assert_eq!(at.retval(&want).await, 0);
    let index = at.loopback(6).await;
    at.up(index).await;
    let up = loop {
        let event = events.next().await.unwrap().unwrap();
        if event.sw_if_index == index && event.flags.0 & IfStatus::ADMIN_UP.0 != 0 {
            break event;
        }
    };
    assert_eq!((up.pid, up.deleted), (4711, false));
    at.delete_loopback(index).await;
    let gone = loop {
        let event = events.next().await.unwrap().unwrap();
        if event.deleted {
            break event;
        }
    };
    assert_eq!(gone.sw_if_index, index);
    assert_eq!(at.retval(&WantInterfaceEvents { enable_disable: 0, pid: 4711 }).await, 0);
}

pub(crate) async fn command_line(at: &At) {
    let version = at.done(&CliInband { cmd: "show version".into() }).await;
    assert!(version.reply.to_string().starts_with("vpp v"));
    let unknown = at.vpp.ask(&CliInband { cmd: "no such".into() }).await.unwrap();
    assert_eq!((unknown.retval, unknown.reply.to_string()), (-1, "unknown input `no such'\n".to_owned()));
}
