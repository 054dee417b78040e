//! What a call costs does not grow with the interfaces of others.

use serde_json::{Value, json};
use userspace_tests::Container;
use vpp_api_client::messages::{
    interface::{CreateLoopbackInstance, SwInterfaceTagAddDel},
    l2::{BridgeDomainAddDel, SwInterfaceSetL2Bridge},
};

use super::support::OnVpp;

const MANY: u32 = 1000;

/// Interfaces of others, each in a domain of its own.
fn add_foreign_interfaces(it: &OnVpp) {
    let added = it.vpp.with_client(async |vpp| {
        for number in 0..MANY {
            let create =
                CreateLoopbackInstance { is_specified: true, user_instance: number, ..Default::default() };
            let sw_if_index = vpp.request(&create).await?.sw_if_index;
            let tag = format!("far {number}").parse().expect("a tag");
            vpp.request(&SwInterfaceTagAddDel { is_add: true, sw_if_index, tag }).await?;
            let bd_id = 100_000 + number;
            vpp.request(&BridgeDomainAddDel { bd_id, is_add: true, ..Default::default() }).await?;
            let join = SwInterfaceSetL2Bridge {
                rx_sw_if_index: sw_if_index,
                bd_id,
                enable: true,
                ..Default::default()
            };
            vpp.request(&join).await?;
        }
        Ok(())
    });
    added.expect("add interfaces");
}

/// The requests of a call, and how many messages came back.
fn requests(it: &OnVpp, call: impl FnOnce()) -> String {
    it.vpp.cli("fake reset-requests");
    call();
    it.vpp.cli("fake requests")
}

fn of_a_life(it: &OnVpp, red: &Container, config: &Value) -> [String; 3] {
    [
        requests(it, || drop(it.host.add(red, config))),
        requests(it, || it.host.check(red, config).silent()),
        requests(it, || it.host.del(red, config)),
    ]
}

#[test]
fn a_call_asks_as_much_with_1000_interfaces_as_with_none() {
    let Some(it) = OnVpp::fake(&[]) else { return };
    let red = it.host.container("red");
    let configs = [
        it.net(json!({"host": {"bridge": {"bridgeName": "7"}}})),
        it.net(json!({"host": {"bridge": {"vlanId": 7, "trunks": [8]}}})),
        it.net(json!({"host": {"iftype": "vhostuser"}})),
    ];
    let few = configs.each_ref().map(|config| of_a_life(&it, &red, config));
    add_foreign_interfaces(&it);
    let many = configs.each_ref().map(|config| of_a_life(&it, &red, config));
    assert_eq!(few, many);
    assert!(few[0][0].contains("memif_create_v2") && !few[0][0].contains("bridge_domain_dump"), "{few:#?}");
}

#[test]
fn a_del_asks_nothing_twice() {
    let Some(it) = OnVpp::fake(&[]) else { return };
    let (red, blue) = (it.host.container("red"), it.host.container("blue"));
    let config = it.net(json!({"host": {"bridge": {"bridgeName": "7"}}}));
    it.host.add(&blue, &config);
    let [_, _, asked] = of_a_life(&it, &red, &config);
    let asked: Vec<_> = asked
        .lines()
        .filter(|line| !line.ends_with("cli_inband") && !line.ends_with("control_ping"))
        .collect();
    // The questions and the two deletions go in a flight each; the domain is looked at when its lock is held.
    let wanted = [
        "1 bridge_domain_dump",
        "1 ip_unnumbered_dump",
        "1 memif_delete",
        "1 memif_socket_filename_add_del_v2",
        "2 policer_dump",
        "1 sw_interface_dump",
    ];
    assert_eq!(asked, wanted);
}
