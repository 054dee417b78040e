//! Bridge domains and rewrites of VLAN tags.

use vpp_api_client::{
    messages::{
        interface::CreateVlanSubif,
        l2::{
            BridgeDomainAddDel, BridgeDomainAddDelV2, BridgeDomainDetails, BridgeDomainDump,
            L2InterfaceEfpFilter, L2InterfaceVlanTagRewrite, SwInterfaceSetL2Bridge,
        },
        vpe::CliInband,
    },
    types::{L2PortType, SwIfIndex, VtrOp},
};

use crate::at::{At, text};

fn domain(bd_id: u32, is_add: bool) -> BridgeDomainAddDel {
    BridgeDomainAddDel { bd_id, is_add, flood: true, learn: true, ..BridgeDomainAddDel::default() }
}

pub(crate) async fn numbers(at: &At) {
    for (bd_id, is_add, expected) in [
        (0, true, -119),
        (0, false, -121),
        (301, false, -6),
        (301, true, 0),
        (301, true, -119),
        (301, false, 0),
        (0xff_ffff, true, 0),
        (0xff_ffff, false, 0),
        (0x100_0000, true, -122),
    ] {
        assert_eq!(at.retval(&domain(bd_id, is_add)).await, expected, "{bd_id} {is_add}");
    }
    let tag = text(&"t".repeat(63));
    at.done(&BridgeDomainAddDel { bd_tag: tag, mac_age: 7, ..domain(302, true) }).await;
    let found = at.dump(&BridgeDomainDump::one(302)).await;
    let BridgeDomainDetails { bd_id, flood, uu_flood, forward, learn, mac_age, bd_tag, .. } =
        found[0].clone();
    assert_eq!(
        (bd_id, flood, uu_flood, forward, learn, mac_age, bd_tag),
        (302, true, false, false, true, 7, tag)
    );
    assert_eq!((found[0].bvi_sw_if_index, found[0].uu_fwd_sw_if_index), (SwIfIndex::NONE, SwIfIndex::NONE));
    let numbers: Vec<_> = at.dump(&BridgeDomainDump::all()).await.iter().map(|found| found.bd_id).collect();
    assert_eq!(numbers, [302], "domain 0 is not shown");
    assert_eq!(at.dump(&BridgeDomainDump { bd_id: 302, sw_if_index: SwIfIndex(1) }).await, []);
    at.done(&domain(302, false)).await;
    if at.vpp.knows::<BridgeDomainAddDelV2>() {
        let any = BridgeDomainAddDelV2 { bd_id: u32::MAX, is_add: true, ..Default::default() };
        let bd_id = at.done(&any).await.bd_id;
        at.done(&BridgeDomainAddDelV2 { bd_id, is_add: false, ..any }).await;
    }
}

pub(crate) async fn members(at: &At) {
    let mut both = [at.loopback(11).await, at.loopback(12).await];
    both.sort_by_key(|index| index.0);
    let [one, two] = both;
    let join = |rx_sw_if_index, bd_id| SwInterfaceSetL2Bridge {
        rx_sw_if_index,
        bd_id,
        enable: true,
        ..SwInterfaceSetL2Bridge::default()
    };
    let members = async |bd_id| -> Vec<SwIfIndex> {
        let found = at.dump(&BridgeDomainDump::one(bd_id)).await;
        found[0].members.items.iter().map(|member| member.sw_if_index).collect()
    };
    // A domain is made by the way.
    for member in [one, two, one] {
        at.done(&join(member, 311)).await;
    }
    let mut found = members(311).await;
    found.sort_by_key(|index| index.0);
    assert_eq!(found, [one, two]);
    let made = &at.dump(&BridgeDomainDump::one(311)).await[0];
    assert_eq!((made.flood, made.uu_flood, made.forward, made.learn), (true, true, true, true));
    assert_eq!(at.retval(&domain(311, false)).await, -120);
    at.done(&join(one, 312)).await;
    assert_eq!((members(311).await, members(312).await), (vec![two], vec![one]), "one domain an interface");
    at.done(&SwInterfaceSetL2Bridge { enable: false, ..join(one, 0) }).await;
    assert_eq!(members(312).await, []);
    at.done(&SwInterfaceSetL2Bridge { enable: false, ..join(one, 312) }).await;
    for (request, expected) in [
        (join(SwIfIndex(4000), 311), -2),
        (join(one, 0x100_0000), -122),
        (SwInterfaceSetL2Bridge { port_type: L2PortType(9), ..join(one, 311) }, -7),
    ] {
        assert_eq!(at.retval(&request).await, expected, "{request:?}");
    }
    let bvi = |index| SwInterfaceSetL2Bridge { port_type: L2PortType::BVI, ..join(index, 311) };
    at.done(&bvi(one)).await;
    assert_eq!(at.retval(&bvi(two)).await, -152);
    assert_eq!(at.dump(&BridgeDomainDump::one(311)).await[0].bvi_sw_if_index, one);
    for index in [one, two] {
        at.delete_loopback(index).await;
    }
    for bd_id in [311, 312] {
        at.done(&domain(bd_id, false)).await;
    }
}

pub(crate) async fn tag_rewrites(at: &At) {
    let sw_if_index = at.loopback(13).await;
    let sub = at.done(&CreateVlanSubif { sw_if_index, vlan_id: 9 }).await.sw_if_index;
    let rewrite = |sw_if_index, vtr_op| L2InterfaceVlanTagRewrite {
        sw_if_index,
        vtr_op,
        push_dot1q: 1,
        tag1: 100,
        tag2: 0,
    };
    let join = SwInterfaceSetL2Bridge {
        rx_sw_if_index: sw_if_index,
        bd_id: 321,
        enable: true,
        ..Default::default()
    };
    let shown = async |index| {
        let found = at.look(index).await.unwrap();
        (found.vtr_op, found.vtr_push_dot1q, found.vtr_tag1, found.vtr_tag2)
    };
    at.done(&join).await;
    at.done(&SwInterfaceSetL2Bridge { rx_sw_if_index: sub, ..join }).await;
    assert_eq!(shown(sw_if_index).await, (0, 0, 0, 0));
    at.done(&rewrite(sw_if_index, VtrOp::PUSH_1)).await;
    assert_eq!(shown(sw_if_index).await, (VtrOp::PUSH_1.0, 1, 100, 0));
    assert_eq!(at.retval(&rewrite(sw_if_index, VtrOp::POP_1)).await, -72, "its frames have no tag");
    at.done(&rewrite(sub, VtrOp::POP_1)).await;
    assert_eq!(shown(sub).await.0, VtrOp::POP_1.0);
    assert_eq!(at.retval(&rewrite(SwIfIndex(4000), VtrOp::PUSH_1)).await, -2);
    at.done(&rewrite(sw_if_index, VtrOp::DISABLED)).await;
    assert_eq!(shown(sw_if_index).await.0, 0);
    at.done(&rewrite(sw_if_index, VtrOp::PUSH_1)).await;
    at.done(&SwInterfaceSetL2Bridge { enable: false, ..join }).await;
    assert_eq!(shown(sw_if_index).await.0, 0, "it ends with the membership");
    at.delete_loopback(sw_if_index).await;
    at.done(&domain(321, false)).await;
}

/// The features of an interface that is in a domain, as VPP prints them; nothing on the fake.
async fn features(at: &At, sw_if_index: SwIfIndex) -> Option<String> {
    if !at.is_real {
        return None;
    }
    let name = at.look(sw_if_index).await?.interface_name;
    let cmd = format!("show interface features {name}");
    Some(at.done(&CliInband { cmd: cmd.as_str().into() }).await.reply.to_string().to_lowercase())
}

pub(crate) async fn what_was_set_before_joining(at: &At) {
    let sw_if_index = at.loopback(14).await;
    let rewrite =
        L2InterfaceVlanTagRewrite { sw_if_index, vtr_op: VtrOp::PUSH_1, push_dot1q: 1, tag1: 100, tag2: 0 };
    at.done(&rewrite).await;
    // Its answer is the number of whatever failed last.
    at.retval(&L2InterfaceEfpFilter { sw_if_index, enable_disable: true }).await;
    let join = SwInterfaceSetL2Bridge {
        rx_sw_if_index: sw_if_index,
        bd_id: 322,
        enable: true,
        ..Default::default()
    };
    at.done(&join).await;
    let found = at.look(sw_if_index).await.unwrap();
    assert_eq!((found.vtr_op, found.vtr_tag1), (VtrOp::PUSH_1.0, 100));
    if let Some(features) = features(at, sw_if_index).await {
        assert!(features.contains("efp"), "{features}");
    }
    at.delete_loopback(sw_if_index).await;
    at.done(&domain(322, false)).await;
}
