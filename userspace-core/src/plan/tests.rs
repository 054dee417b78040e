//! What requests become, and which are refused with what.

use serde_json::{Value, json};

use super::*;
use crate::{
    json::{Strict, from_value},
    spec::{MemifRole, SocketMode},
};

fn half(value: Value) -> HalfConf {
    from_value::<Strict<HalfConf>>(value).unwrap().0
}

fn request(host: Value, container: Value) -> Request {
    Request {
        attachment: AttachmentId {
            network: "net".parse().unwrap(),
            container: "0123456789abcdef".parse().unwrap(),
            interface: "net1".parse().unwrap(),
        },
        instance: InstanceId::new(1),
        netns: Some(NetnsRef::own().unwrap()),
        host: half(host),
        container: half(container),
        overrides: Overrides::default(),
        shared_dir: Some("/run/shared".into()),
        sockets: SocketsConf::default(),
    }
}

fn refused(host: Value, container: Value) -> String {
    Plan::new(&request(host, container)).unwrap_err().to_string()
}

#[test]
fn a_veth_on_a_bridge_has_both_ends() {
    let host = json!({"engine": "linux", "iftype": "veth", "netType": "bridge", "mtu": 1400,
        "bridge": {"bridgeName": "br1"}});
    let plan = Plan::new(&request(host, json!({}))).unwrap();
    let host = plan.host.unwrap();
    assert_eq!(host.engine.kind, EngineKind::Linux);
    assert_eq!(host.spec.mtu_bytes, Some(1400));
    assert!(matches!(&host.network, Network::Bridge(bridge) if bridge.name == "br1"));
    let Container::Kernel(end) = &plan.container else {
        panic!("{:?}", plan.container);
    };
    assert!(end.engine.netns.is_some());
    assert_eq!(end.spec, host.spec);
    assert_eq!(end.spec.container_end().unwrap().name.as_str(), "net1");
}

#[test]
fn a_macvlan_and_a_tap_have_no_host_half() {
    let macvlan =
        json!({"engine": "linux", "iftype": "macvlan", "macvlan": {"master": "eth0", "mode": "vepa"}});
    let tap = json!({"engine": "linux", "iftype": "tap", "tap": {"owner": 1000}});
    for host in [macvlan, tap] {
        assert_eq!(Plan::new(&request(host, json!({}))).unwrap().host, None);
    }
}

#[test]
fn the_container_gets_the_complement() {
    let host = json!({"engine": "vpp", "iftype": "memif", "netType": "bridge",
        "memif": {"role": "master", "rxQueues": 2, "txQueues": 4}, "bridge": {"bridgeId": 4}});
    let plan = Plan::new(&request(host, json!({"engine": "ovs"}))).unwrap();
    let host = plan.host.unwrap();
    assert!(matches!(&host.network, Network::Bridge(bridge) if bridge.name == "4"));
    let Device::Memif(memif) = &host.spec.device else {
        panic!("{host:?}");
    };
    let Container::Published(theirs) = plan.container else {
        panic!("published");
    };
    let file = "memif-0123456789ab-net1.sock";
    assert_eq!(memif.socket, theirs.shared.link.join(file), "a short path of our own");
    assert_eq!(theirs.shared.dir.to_str(), Some("/run/shared/0123456789ab"));
    assert_eq!(theirs.shared.sockets, [file]);
    assert_eq!(theirs.engine, EngineKind::Ovs);
    let memif = theirs.config.memif.unwrap();
    assert_eq!(memif.role, Some(MemifRole::Slave));
    assert_eq!((memif.rx_queues, memif.tx_queues), (Some(4), Some(2)));
    assert_eq!(memif.socketfile.as_deref(), Some("memif-0123456789ab-net1.sock"));
}

#[test]
fn vhost_user_on_ovs_is_a_client_unless_asked() {
    let host = json!({"engine": "ovs-dpdk", "iftype": "vhostuser"});
    let plan = Plan::new(&request(host, json!({"engine": "dpdk"}))).unwrap();
    let Device::VhostUser(vhost) = plan.host.unwrap().spec.device else {
        panic!("a vhost-user port");
    };
    assert_eq!(vhost.mode, SocketMode::Client);
    let Container::Published(theirs) = plan.container else {
        panic!("published");
    };
    assert_eq!(theirs.config.vhost.unwrap().mode, Some(SocketMode::Server));
}

#[test]
fn what_cannot_be_is_refused_with_what_would_work() {
    let veth = json!({"engine": "linux", "iftype": "veth"});
    for (host, container, expected) in [
        (
            json!({"iftype": "veth"}),
            json!({}),
            "host.engine is missing: one of \"vpp\", \"ovs-dpdk\", \"linux\"",
        ),
        (
            json!({"engine": "linux"}),
            json!({}),
            "host.iftype is missing: one of \"memif\", \"vhostuser\", \"veth\", \"tap\", \"macvlan\"",
        ),
        (
            json!({"engine": "linux", "iftype": "memif"}),
            json!({}),
            "host.engine \"linux\": does not make a memif there; \"vpp\" or \"ovs-dpdk\" would",
        ),
        (
            json!({"engine": "ovs", "iftype": "tap"}),
            json!({}),
            "host.engine \"ovs-dpdk\": does not make a tap there; \"linux\" or \"vpp\" would",
        ),
        (
            veth.clone(),
            json!({"engine": "vpp"}),
            "container.engine \"vpp\": does not make a veth there; \"linux\" would",
        ),
        (
            veth.clone(),
            json!({"iftype": "tap"}),
            "container.iftype \"tap\": both halves are one kind, and host.iftype is \"veth\"",
        ),
        (
            veth.clone(),
            json!({"netType": "bridge"}),
            "container.netType \"bridge\": the container's end of a veth takes \"interface\" or \"none\"",
        ),
        (veth.clone(), json!({"mtu": 20}), "container.mtu \"20\": an MTU is 68 to 65535 bytes"),
        (
            json!({"engine": "linux", "iftype": "veth", "netType": "bridge"}),
            json!({}),
            "host.bridge.bridgeName is missing: name the bridge to join",
        ),
        (
            json!({"engine": "linux", "iftype": "tap", "netType": "interface"}),
            json!({}),
            "host.netType \"interface\": a tap on linux takes \"none\" only",
        ),
        (
            json!({"engine": "linux", "iftype": "macvlan"}),
            json!({}),
            "host.macvlan.master is missing: name the host's interface below it",
        ),
    ] {
        assert_eq!(refused(host, container), expected);
    }
}

#[test]
fn what_no_memif_can_be_is_refused() {
    for (host, container, expected) in [
        (
            json!({"engine": "vpp", "iftype": "memif", "memif": {"ringSize": 1000}}),
            json!({}),
            "host.memif.ringSize \"1000\": a ring has a power of two of descriptors, at most 16384",
        ),
        (
            json!({"engine": "vpp", "iftype": "memif", "memif": {"mode": "inject-punt"}}),
            json!({}),
            "host.memif.mode \"inject-punt\": VPP crashes on it; \"ethernet\" and \"ip\" work",
        ),
        (
            json!({"engine": "vpp", "iftype": "memif", "memif": {"role": "slave"}}),
            json!({"memif": {"role": "slave"}}),
            "container.memif.role \"slave\": one end is master, the other slave, and host.memif.role says the same",
        ),
        (
            json!({"engine": "vpp", "iftype": "memif", "memif": {"socketfile": "../x"}}),
            json!({}),
            "host.memif.socketfile \"../x\": a file name has letters, digits, '_', '.' and '-', and no directory",
        ),
        (
            json!({"engine": "vpp", "iftype": "memif", "memif": {"secret": "123456789012345678901234"}}),
            json!({}),
            "host.memif.secret \"…\": a secret has at most 23 bytes, this one 24",
        ),
    ] {
        assert_eq!(refused(host, container), expected);
    }
}

#[test]
fn vlans_on_linux_are_refused() {
    for bridge in [
        json!({"bridgeName": "b", "vlanId": 5}),
        json!({"bridgeName": "b", "trunks": [5]}),
        json!({"bridgeName": "b", "vlanMode": "access"}),
    ] {
        let host = json!({"engine": "linux", "iftype": "veth", "netType": "bridge", "bridge": bridge});
        assert!(refused(host, json!({})).contains("name another bridgeName"));
    }
}

#[test]
fn the_mac_is_the_most_particular_one() {
    let mac = |text: &str| text.parse::<MacAddr>().unwrap();
    let host = json!({"engine": "linux", "iftype": "veth", "mac": "02:00:00:00:00:01"});
    let mut request = request(host, json!({}));
    let found = |request: &Request| Plan::new(request).unwrap().container_end().unwrap().mac;
    assert_eq!(found(&request), mac("02:00:00:00:00:01"));
    request.container.mac = Some(mac("02:00:00:00:00:02"));
    assert_eq!(found(&request), mac("02:00:00:00:00:02"));
    request.overrides.mac = Some(mac("02:00:00:00:00:03"));
    assert_eq!(found(&request), mac("02:00:00:00:00:03"));
}
