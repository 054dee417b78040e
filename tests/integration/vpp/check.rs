//! CHECK: what somebody changed in VPP or in the directories is named, and is fine again when it is put back.

use std::fs;

use serde_json::{Value, json};
use userspace_tests::{Container, Flavour};
use vpp_api_client::{
    Client, Error,
    messages::{
        interface::{
            SwInterfaceDetails, SwInterfaceDump, SwInterfaceSetFlags, SwInterfaceSetMtu,
            SwInterfaceSetUnnumbered, SwInterfaceTagAddDel,
        },
        ip::IpUnnumberedDump,
        l2::{BridgeDomainDump, L2InterfaceVlanTagRewrite, SwInterfaceSetL2Bridge},
        policer::PolicerAddDel,
    },
    types::{IfStatus, L2PortType, SwIfIndex, VtrOp},
};

use super::support::{OnVpp, tag};

/// The container's interface on the host.
async fn ours(vpp: &Client) -> Result<SwInterfaceDetails, Error> {
    let all = vpp.dump(&SwInterfaceDump::named("memif")).await?;
    Ok(all.into_iter().find(|one| one.tag.to_string().starts_with("uscni1-")).expect("the interface"))
}

/// CHECK fails with those words, and `userspace repair` puts it right without an ADD.
fn is_found_and_mended(it: &OnVpp, red: &Container, config: &Value, words: &[&str]) {
    it.host.call("CHECK", config).of(red).fails(103, words);
    let repaired = it.host.command("repair");
    assert_eq!(repaired.code, Some(0), "{words:?}: {repaired:#?}");
    it.host.check(red, config).silent();
}

fn what_is_changed_is_named_and_mended(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({"host": {"mtu": 1400, "bridge": {"vlanId": 7}}}));
    let before = it.everything();
    it.host.add(&red, &config);
    it.host.check(&red, &config).silent();
    let change = |what: &str| {
        it.vpp
            .with_client(async |vpp| {
                let sw_if_index = ours(&vpp).await?.sw_if_index;
                let domain = vpp.dump(&BridgeDomainDump::all()).await?.into_iter().find(|one| one.bd_id != 0);
                let bd_id = domain.expect("a domain").bd_id;
                match what {
                    "admin" => {
                        vpp.request(&SwInterfaceSetFlags { sw_if_index, flags: IfStatus(0) }).await.map(drop)
                    }
                    "mtu" => {
                        vpp.request(&SwInterfaceSetMtu { sw_if_index, mtu: [1300, 0, 0, 0] }).await.map(drop)
                    }
                    "vlan" => {
                        let rewrite = L2InterfaceVlanTagRewrite {
                            sw_if_index,
                            vtr_op: VtrOp::PUSH_1,
                            push_dot1q: 1,
                            tag1: 8,
                            tag2: 0,
                        };
                        vpp.request(&rewrite).await.map(drop)
                    }
                    _ => {
                        let leave = SwInterfaceSetL2Bridge {
                            rx_sw_if_index: sw_if_index,
                            bd_id,
                            port_type: L2PortType::NORMAL,
                            shg: 0,
                            enable: false,
                        };
                        vpp.request(&leave).await.map(drop)
                    }
                }
            })
            .expect("change it");
    };
    for (what, words) in [
        ("admin", &["admin"][..]),
        ("mtu", &["MTU", "1300", "1400"]),
        ("vlan", &["7", "8"]),
        ("bridge", &["network"]),
    ] {
        change(what);
        is_found_and_mended(&it, &red, &config, words);
    }
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

/// Without the mark it is not ours any more: CHECK says that it is gone, and nothing takes it for ours.
fn an_interface_without_its_mark_is_gone(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({}));
    it.host.add(&red, &config);
    let tagged = |text: &str| {
        it.vpp
            .with_client(async |vpp| {
                let all = vpp.dump(&SwInterfaceDump::named("memif")).await?;
                let sw_if_index = all[0].sw_if_index;
                vpp.request(&SwInterfaceTagAddDel {
                    is_add: true,
                    sw_if_index,
                    tag: text.parse().expect("a tag"),
                })
                .await
            })
            .expect("set the tag");
    };
    tagged("somebody else's");
    it.host.check(&red, &config).error(103);
    let repaired = it.host.command("repair");
    assert!(repaired.stdout.contains("1 failed"), "{repaired:#?}");
    it.host.del(&red, &config);
    assert_eq!(it.lines("somebody else's").len(), 1, "it stays");
}

fn limits_and_files_are_compared(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let (rate, letter, told) = match it.limits_what_it_bridges() {
        true => ("ingressRate", 'o', "the ingress limit"),
        false => ("egressRate", 'i', "the egress limit"),
    };
    let config = it.net(json!({"runtimeConfig": {"bandwidth": {rate: 8_000_000}}}));
    let before = it.everything();
    it.host.add(&red, &config);
    it.host.check(&red, &config).silent();
    let name = format!("{}{letter}", tag(&red).host_name());
    let policer =
        |is_add| PolicerAddDel { is_add, name: name.parse().expect("a name"), ..PolicerAddDel::default() };
    it.vpp.with_client(async |vpp| vpp.request(&policer(false)).await).expect("remove the policer");
    it.host.call("CHECK", &config).of(&red).fails(103, &[told, "8000 kbit/s", "none"]);
    it.host.del(&red, &config);
    it.host.add(&red, &config);
    let half = it.shared(&red).join(format!("configData-{}-eth0.json", red.id));
    let text = fs::read(&half).expect("the published half");
    fs::remove_file(&half).expect("remove it");
    it.host.call("CHECK", &config).of(&red).fails(103, &["published half"]);
    fs::write(&half, text).expect("put it back");
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

fn a_routed_interface_is_compared(flavour: Flavour) {
    let Some(it) = OnVpp::with(&["host-local"], flavour) else { return };
    let red = it.host.container("red");
    let config = it.net_with_addresses(json!({"host": {"netType": "interface", "bridge": null, "vrf": 7}}));
    let before = it.everything();
    it.host.add(&red, &config);
    it.host.check(&red, &config).silent();
    it.vpp
        .with_client(async |vpp| {
            let sw_if_index = ours(&vpp).await?.sw_if_index;
            let lent = vpp.dump(&IpUnnumberedDump { sw_if_index: SwIfIndex::NONE }).await?;
            let back = SwInterfaceSetUnnumbered {
                sw_if_index: lent[0].ip_sw_if_index,
                unnumbered_sw_if_index: sw_if_index,
                is_add: false,
            };
            vpp.request(&back).await
        })
        .expect("take the addresses back");
    is_found_and_mended(&it, &red, &config, &["the gateway's addresses"]);
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

on_both!(
    what_is_changed_is_named_and_mended,
    an_interface_without_its_mark_is_gone,
    limits_and_files_are_compared,
    a_routed_interface_is_compared,
);
