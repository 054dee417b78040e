//! What cannot work is refused before anything is made, with the key and the value, and what would work.

use serde_json::{Value, json};
use userspace_tests::{Flavour, merged};
use vpp_api_client::{
    codec::Hidden,
    messages::{
        interface::{CreateLoopbackInstance, SwInterfaceAddDelAddress, SwInterfaceTagAddDel},
        l2::BridgeDomainAddDel,
        memif::{MemifCreate, MemifSocketFilenameAddDel},
        vhost_user::{CreateVhostUserIfV2, SwInterfaceVhostUserDump},
    },
    types::{MemifMode, MemifRole, Prefix, SwIfIndex},
};

use super::support::{OnVpp, tag};
use crate::apps::is_listened_at;

/// ADD fails like that, and leaves nothing; DEL has nothing to say.
fn refused(it: &OnVpp, config: &Value, code: u64, words: &[&str]) {
    let red = it.host.container("red");
    let before = it.everything();
    it.host.call("ADD", config).of(&red).fails(code, words);
    let when = format!("after the refusal for {words:?}");
    it.is_as(&before, &when);
    it.host.del(&red, config);
    it.is_as(&before, &when);
}

/// The same with that change to the host's half.
fn host_refused(it: &OnVpp, half: Value, code: u64, words: &[&str]) {
    refused(it, &it.net(json!({"host": half})), code, words);
}

fn what_vpp_cannot_make_is_told_by_its_key(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    for (half, words) in [
        // VPP 26.06 crashes on it.
        (json!({"memif": {"mode": "inject-punt"}}), &["host.memif.mode", "inject-punt", "ethernet"][..]),
        (json!({"memif": {"mode": "ip"}}), &["host.memif.mode", "ip", "interface"]),
        (json!({"memif": {"ringSize": 1000}}), &["host.memif.ringSize", "1000", "power of two"]),
        (json!({"memif": {"secret": "s".repeat(24)}}), &["host.memif.secret", "23"]),
        (json!({"memif": {"socketfile": "../up"}}), &["host.memif.socketfile", "../up"]),
        (json!({"memif": {"socketfile": "s".repeat(108)}}), &["socketfile", "sockets.root"]),
        (json!({"iftype": "macvlan"}), &["host.engine", "vpp", "macvlan", "linux"]),
        (
            json!({"iftype": "vhostuser", "vhost": {"txRetriesMax": 3}}),
            &["host.vhost.txRetriesMax", "ovs-dpdk"],
        ),
        (json!({"vrf": 7}), &["host.vrf", "7", "interface"]),
        (json!({"bridge": {"bridgeName": "0"}}), &["bridgeName", "0", "16777215"]),
        (json!({"bridge": {"bridgeName": "16777216"}}), &["bridgeName", "16777216", "16777215"]),
        (json!({"bridge": {"bridgeName": "n".repeat(41)}}), &["bridgeName", "40"]),
        (
            json!({"bridge": {"vlanId": 7, "vlanMode": "native-tagged"}}),
            &["vlanMode", "native-tagged", "ovs-dpdk"],
        ),
        (
            json!({"bridge": {"vlanId": 7, "vlanMode": "dot1q-tunnel"}}),
            &["vlanMode", "dot1q-tunnel", "ovs-dpdk"],
        ),
        (json!({"bridge": {"vlanId": 4095}}), &["vlanId", "4095"]),
    ] {
        host_refused(&it, half, 7, words);
    }
    host_refused(&it, json!({"rxWorkers": [1]}), 2, &["rxWorkers", "memif"]);
    for (patch, words) in [
        (json!({"sockets": {"root": "/run/with~tilde"}}), &["sockets.root", "/run/with~tilde"][..]),
        (json!({"sockets": {"root": format!("/run/{}", "r".repeat(100))}}), &["sockets.root", "106"]),
    ] {
        refused(&it, &it.net(patch), 7, words);
    }
}

#[test]
fn a_plugin_that_is_missing_is_told_from_another_layout() {
    for (arguments, half, words) in [
        (&["--without", "memif"][..], json!({}), &["memif", "memif plugin"][..]),
        (&["--without", "vhost"], json!({"iftype": "vhostuser"}), &["vhostuser", "vhost plugin"]),
        (&["--without", "af_packet"], json!({"iftype": "veth"}), &["netdev", "af_packet plugin"]),
        (&["--without", "tap"], json!({"iftype": "tap"}), &["tap plugin"]),
        (
            &["--other-crc", "create_vhost_user_if_v2"],
            json!({"iftype": "vhostuser"}),
            &["create_vhost_user_if_v2_dba1cc1d", "laid out in another way"],
        ),
    ] {
        let Some(it) = OnVpp::fake(arguments) else { return };
        host_refused(&it, half, 2, words);
        let limited = json!({"runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}});
        if arguments[1] == "memif" {
            it.host.call("STATUS", &it.net(json!({}))).run().error(50);
        } else {
            let red = it.host.container("red");
            it.host.add(&red, &it.net(limited.clone()));
            it.host.del(&red, &it.net(limited));
        }
    }
    let Some(it) = OnVpp::fake(&["--without", "policer"]) else { return };
    let limited = json!({"runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}});
    refused(&it, &it.net(limited), 2, &["bandwidth", "policer plugin"]);
}

#[test]
fn an_older_release_gets_the_older_messages() {
    for release in ["22.10", "23.02", "23.06", "24.10", "26.06"] {
        let Some(it) = OnVpp::fake(&["--release", release]) else { return };
        let red = it.host.container("red");
        let before = it.everything();
        for half in [json!({}), json!({"iftype": "vhostuser"})] {
            let config = it.net(json!({"host": half}));
            it.host.add(&red, &config);
            it.host.check(&red, &config).silent();
            it.host.del(&red, &config);
            it.is_as(&before, release);
        }
    }
    let Some(it) = OnVpp::fake(&["--release", "23.02"]) else { return };
    host_refused(&it, json!({"memif": {"useDMA": true}}), 2, &["DMA", "memif_create_v2"]);
}

/// Before 26.06 VPP takes a policer of what it bridges, and never asks it.
#[test]
fn an_older_release_limits_what_a_container_gets_only_where_it_routes() {
    for release in ["24.10", "26.02"] {
        let Some(it) = OnVpp::fake(&["--release", release]) else { return };
        for bandwidth in
            [json!({"ingressRate": 8_000_000}), json!({"ingressRate": 8_000_000, "egressRate": 4_000_000})]
        {
            let config = it.net(json!({"runtimeConfig": {"bandwidth": bandwidth}}));
            refused(&it, &config, 2, &["ingressRate", release, "26.06", "\"interface\"", "egressRate"]);
        }
        let red = it.host.container("red");
        let before = it.everything();
        for patch in [
            json!({"runtimeConfig": {"bandwidth": {"egressRate": 4_000_000}}}),
            json!({
                "host": {"netType": "interface", "bridge": null},
                "runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}},
            }),
        ] {
            let config = it.net(patch);
            it.host.add(&red, &config);
            it.host.check(&red, &config).silent();
            it.host.del(&red, &config);
            it.is_as(&before, release);
        }
    }
}

/// The number of the container's memif socket.
fn number(it: &OnVpp, red: &userspace_tests::Container) -> u32 {
    it.host.add(red, &it.net(json!({})));
    let line = it.lines("memif socket").into_iter().find(|line| !line.contains("socket 0 "));
    it.host.del(red, &it.net(json!({})));
    let line = line.expect("a socket");
    line.split_whitespace().nth(2).and_then(|word| word.parse().ok()).expect("a number")
}

/// A memif that could not listen leaves its socket's number known, and VPP then says "done" to the next one and listens nowhere.
fn a_poisoned_socket_number_is_of_no_harm(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let before = it.everything();
    let socket_id = number(&it, &red);
    it.vpp
        .with_client(async |vpp| {
            let nowhere = "/nowhere/at/all.sock".parse().expect("a path");
            vpp.request(&MemifSocketFilenameAddDel { is_add: true, socket_id, socket_filename: nowhere })
                .await?;
            let create = MemifCreate {
                role: MemifRole::MASTER,
                mode: MemifMode::ETHERNET,
                socket_id,
                secret: Hidden::default(),
                ..MemifCreate::default()
            };
            let refused = vpp.request(&create).await.expect_err("it cannot listen there");
            assert_eq!(refused.retval(), Some(-14));
            Ok(())
        })
        .expect("poison the number");
    let result = it.host.add(&red, &it.net(json!({})));
    let socket = it.socket(&red, &result);
    assert!(is_listened_at(&socket), "{socket:?}");
    it.host.del(&red, &it.net(json!({})));
    it.is_as(&before, "in the end");
}

/// VPP answers that there is a port on that path, and which: it is not ours, and stays.
fn a_port_of_somebody_elses_on_the_same_path_is_a_conflict(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({"host": {"iftype": "vhostuser", "vhost": {"mode": "client"}}}));
    it.host.add(&red, &config);
    let ports = it
        .vpp
        .with_client(async |vpp| vpp.dump(&SwInterfaceVhostUserDump { sw_if_index: SwIfIndex::NONE }).await);
    let path = ports.expect("list the ports")[0].sock_filename;
    it.host.del(&red, &config);
    let foreign =
        CreateVhostUserIfV2 { is_server: false, sock_filename: path, ..CreateVhostUserIfV2::default() };
    it.vpp.with_client(async |vpp| vpp.request(&foreign).await).expect("make a port");
    let before = it.everything();
    it.host.call("ADD", &config).of(&red).fails(100, &["vhost-user", "exists already"]);
    it.is_as(&before, "after the conflict");
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

/// An interface with our name and no mark of ours, as a human could have made it.
fn a_name_that_somebody_else_has_is_a_conflict(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let socket_id = number(&it, &red);
    let path = it.vpp.path("other.sock").display().to_string();
    it.vpp
        .with_client(async |vpp| {
            let socket_filename = path.parse().expect("a path");
            vpp.request(&MemifSocketFilenameAddDel { is_add: true, socket_id, socket_filename }).await?;
            let create = MemifCreate { role: MemifRole::SLAVE, socket_id, ..MemifCreate::default() };
            let made = vpp.request(&create).await?;
            let tag = "an administrator's".parse().expect("a tag");
            vpp.request(&SwInterfaceTagAddDel { is_add: true, sw_if_index: made.sw_if_index, tag }).await
        })
        .expect("make a memif");
    let before = it.everything();
    it.host.call("ADD", &it.net(json!({}))).of(&red).fails(100, &["not ours", "an administrator's"]);
    it.is_as(&before, "after the conflict");
    it.host.del(&red, &it.net(json!({})));
    it.is_as(&before, "in the end");
}

/// An administrator's domain is joined, by its number and by the name that its tag is, and stays.
fn a_domain_that_was_there_stays(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let add = |bd_id: u32, tag: &str| BridgeDomainAddDel {
        bd_id,
        forward: true,
        learn: true,
        flood: true,
        is_add: true,
        bd_tag: tag.parse().expect("a tag"),
        ..BridgeDomainAddDel::default()
    };
    it.vpp
        .with_client(async |vpp| {
            vpp.request(&add(4711, "")).await?;
            vpp.request(&add(12, "blue")).await
        })
        .expect("make domains");
    let before = it.everything();
    for (name, number) in [("4711", "domain 4711 "), ("blue", "domain 12 ")] {
        let config = it.net(json!({"host": {"bridge": {"bridgeName": name}}}));
        it.host.add(&red, &config);
        assert!(it.lines(number)[0].contains("memif"), "{:?}", it.lines("bridge domain"));
        it.host.check(&red, &config).silent();
        it.host.del(&red, &config);
        it.is_as(&before, name);
    }
}

/// VPP has one number for an address that is there and for one that overlaps: -105, of IPv6 -127.
fn a_gateway_that_somebody_else_has_is_a_conflict(flavour: Flavour) {
    let Some(it) = OnVpp::with(&["host-local"], flavour) else { return };
    for address in ["10.20.0.1/24", "fd20::1/64"] {
        let net: ipnet::IpNet = address.parse().expect("an address");
        let prefix = Prefix { address: net.addr().into(), length: net.prefix_len() };
        let instance = u32::from(net.prefix_len());
        it.vpp
            .with_client(async |vpp| {
                let create = CreateLoopbackInstance {
                    is_specified: true,
                    user_instance: instance,
                    ..Default::default()
                };
                let sw_if_index = vpp.request(&create).await?.sw_if_index;
                let add = SwInterfaceAddDelAddress { sw_if_index, is_add: true, del_all: false, prefix };
                vpp.request(&add).await
            })
            .expect("make a loopback with an address");
        let family = if net.addr().is_ipv4() { "10.20.0.0/24" } else { "fd20::/64" };
        let config = it.net_with_addresses(json!({
            "host": {"netType": "interface", "bridge": null},
            "ipam": {"ranges": [[{"subnet": family}]]},
        }));
        let gateway = address.split('/').next().expect("an address");
        refused(&it, &config, 100, &[gateway, "another interface"]);
    }
}

fn a_second_add_is_refused_and_the_first_stays(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({}));
    it.host.add(&red, &config);
    let before = it.everything();
    for patch in [json!({}), json!({"host": {"memif": {"ringSize": 512}}})] {
        it.host.call("ADD", &merged(config.clone(), patch)).of(&red).fails(100, &["attached already"]);
        it.is_as(&before, "after the second ADD");
    }
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    assert!(it.lines(&tag(&red).digits(8)).is_empty());
}

on_both!(
    what_vpp_cannot_make_is_told_by_its_key,
    a_poisoned_socket_number_is_of_no_harm,
    a_port_of_somebody_elses_on_the_same_path_is_a_conflict,
    a_name_that_somebody_else_has_is_a_conflict,
    a_domain_that_was_there_stays,
    a_gateway_that_somebody_else_has_is_a_conflict,
    a_second_add_is_refused_and_the_first_stays,
);
