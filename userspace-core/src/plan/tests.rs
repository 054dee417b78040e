//! What requests become, and which are refused with what.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::{
    json::{Strict, from_value},
    spec::{MemifRole, MemifSocket, MemifSocketType, SocketMode},
};

fn half(value: Value) -> HalfConf {
    from_value::<Strict<HalfConf>>(value).unwrap().0
}

fn request(host: Value, container: Value) -> Request {
    Request {
        attachment: AttachmentId {
            network: "net".parse().unwrap(),
            container: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            interface: "net1".parse().unwrap(),
        },
        instance: InstanceId::new(1),
        netns: Some(NetnsRef::own().unwrap()),
        host: half(host),
        container: half(container),
        overrides: Overrides::default(),
        shared_dir: Some("/run/shared".into()),
        sockets: SocketsConf::default(),
        pod: None,
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
    assert_eq!(memif.socket.path(), Some(theirs.shared.link.join(file).as_path()), "a short path of our own");
    assert_eq!(theirs.shared.dir.to_str(), Some("/run/shared/0123456789ab"));
    assert_eq!(theirs.shared.sockets, [file]);
    assert_eq!(theirs.engine, EngineKind::Ovs);
    let memif = theirs.config.memif.unwrap();
    assert_eq!(memif.role, Some(MemifRole::Slave));
    assert_eq!((memif.rx_queues, memif.tx_queues), (Some(4), Some(2)));
    assert_eq!(memif.socketfile.as_deref(), Some("memif-0123456789ab-net1.sock"));
}

#[test]
fn an_abstract_socket_has_a_name_of_its_own() {
    let typed = json!({"socketType": "abstract"});
    let mut names = BTreeSet::new();
    for (interface, host, container) in [
        ("net1", typed.clone(), json!({})),
        ("net2", json!({}), typed.clone()),
        ("net3", typed.clone(), typed.clone()),
    ] {
        let host = json!({"engine": "vpp", "iftype": "memif", "memif": host});
        let mut request = request(host, json!({"memif": container}));
        request.attachment.interface = interface.parse().unwrap();
        let plan = Plan::new(&request).unwrap();
        let Some(Part { spec: InterfaceSpec { device: Device::Memif(memif), .. }, .. }) = plan.host else {
            panic!("a memif");
        };
        let MemifSocket::Abstract(socket) = memif.socket else {
            panic!("a name");
        };
        assert_eq!(socket.netns, request.netns, "the container's");
        let Container::Published(theirs) = plan.container else {
            panic!("published");
        };
        assert!(theirs.shared.sockets.is_empty());
        let theirs = theirs.config.memif.unwrap();
        assert_eq!(theirs.socket_type, Some(MemifSocketType::Abstract));
        assert_eq!(theirs.socketfile.as_ref(), Some(&socket.name));
        assert!(names.insert(socket.name));
    }
    let host = json!({"engine": "vpp", "iftype": "memif", "memif": typed});
    let request = Request { netns: None, ..request(host, json!({})) };
    assert!(Plan::new(&request).unwrap_err().to_string().contains("network namespace"));
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
        (
            json!({"engine": "ovs", "iftype": "memif", "memif": {"socketType": "abstract"}}),
            json!({}),
            "host.memif.socketType \"abstract\": is a feature of engine \"vpp\" on the host; others take \"file\"",
        ),
        (
            json!({"engine": "vpp", "iftype": "vhostuser"}),
            json!({"memif": {"socketType": "abstract"}}),
            "container.memif.socketType \"abstract\": is for iftype \"memif\"",
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

#[test]
fn a_veth_on_ovs_is_a_pair_of_the_kernels_and_a_port() {
    let host = json!({"engine": "ovs-dpdk", "iftype": "veth", "mtu": 1400, "socket": "/db"});
    let plan = Plan::new(&request(host, json!({}))).unwrap();
    let (pair, host) = (plan.pair.unwrap(), plan.host.unwrap());
    let Device::Netdev(port) = &host.spec.device else {
        panic!("{host:?}");
    };
    assert_eq!(port.name.as_str(), plan.owner.tag.host_name());
    assert_eq!((pair.engine.kind, host.engine.kind), (EngineKind::Linux, EngineKind::Ovs));
    assert!(matches!(&pair.spec.device, Device::Veth(veth) if veth.finish_checksums));
    assert!(matches!(&plan.container, Container::Kernel(part) if part.spec == pair.spec));
    assert!(matches!(&host.network, Network::Bridge(bridge) if bridge.name == "br0"), "every port is on one");
}

#[test]
fn what_ovs_cannot_make_is_refused_by_its_key() {
    let memif = |memif: Value| json!({"engine": "ovs-dpdk", "iftype": "memif", "memif": memif});
    let vhost = |vhost: Value| json!({"engine": "ovs-dpdk", "iftype": "vhostuser", "vhost": vhost});
    for (host, expected) in [
        (memif(json!({"role": "slave"})), "host.memif.role \"slave\""),
        (memif(json!({"mode": "ip"})), "host.memif.mode \"ip\""),
        (memif(json!({"useDma": true})), "host.memif.useDma \"true\""),
        (json!({"engine": "ovs-dpdk", "iftype": "memif", "mtu": 9000}), "host.mtu \"9000\""),
        (vhost(json!({"enableGso": true})), "host.vhost.enableGso \"true\""),
        (vhost(json!({"txRetriesMax": 33})), "host.vhost.txRetriesMax \"33\""),
        (vhost(json!({"queues": 129})), "vhost.queues \"129\""),
        (
            json!({"engine": "ovs-dpdk", "iftype": "vhostuser", "netType": "interface"}),
            "host.netType \"interface\"",
        ),
        (json!({"engine": "ovs-dpdk", "iftype": "veth", "vhost": {"mode": "client"}}), "host.vhost \"{…}\""),
        (json!({"engine": "ovs-dpdk", "iftype": "tap"}), "host.engine \"ovs-dpdk\""),
    ] {
        let text = refused(host, json!({}));
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn the_limits_of_a_port_are_its_alone() {
    let limits = json!({"ingressPolicingRate": 1000, "ingressPolicingBurst": 100});
    let host = json!({"engine": "ovs-dpdk", "iftype": "vhostuser", "vhost": limits});
    let mut request = request(host, json!({}));
    let plan = |request: &Request| Plan::new(request).unwrap().host.unwrap().spec;
    let egress = plan(&request).bandwidth.unwrap().egress.unwrap();
    assert_eq!((egress.bits_per_second, egress.burst_bits), (1_000_000, 100_000), "what the container sends");
    request.host.iftype = half(json!({"iftype": "veth"})).iftype;
    request.host.vhost = None;
    let rate = Rate { bits_per_second: 5, burst_bits: 6 };
    request.overrides.bandwidth = Some(Bandwidth { ingress: Some(rate), egress: None });
    assert_eq!(plan(&request).bandwidth.unwrap().ingress, Some(rate));
    assert_eq!(Plan::new(&request).unwrap().pair.unwrap().spec.bandwidth, None, "not the kernel's");
}

#[test]
fn a_port_of_ovn_is_bound_on_ovs_alone() {
    let mut request = request(json!({"engine": "ovs-dpdk", "iftype": "vhostuser"}), json!({}));
    request.overrides.ovn_port = Some("port-7".to_owned());
    request.overrides.pod_uid = Some("uid".to_owned());
    let host = Plan::new(&request).unwrap().host.unwrap();
    assert_eq!(host.spec.logical_port.unwrap().id, "port-7");
    assert_eq!(host.spec.sandbox.unwrap().pod_uid.as_deref(), Some("uid"));
    assert!(matches!(&host.network, Network::Bridge(bridge) if bridge.name == "br-int"));
    request.host.bridge = half(json!({"bridge": {"bridgeName": "br-ovn"}})).bridge;
    let host = Plan::new(&request).unwrap().host.unwrap();
    assert!(matches!(&host.network, Network::Bridge(bridge) if bridge.name == "br-ovn"));
    request.host = half(json!({"engine": "linux", "iftype": "veth"}));
    assert_eq!(Plan::new(&request).unwrap().host.unwrap().spec.logical_port, None);
}

fn shared(request: &Request) -> SharedDir {
    match Plan::new(request).unwrap().container {
        Container::Published(published) => published.shared,
        Container::Kernel(_) => panic!("published"),
    }
}

#[test]
fn containers_whose_names_begin_alike_have_directories_of_their_own() {
    let mut request = request(json!({"engine": "ovs-dpdk", "iftype": "vhostuser"}), json!({}));
    let mut dir = |id: &str| {
        request.attachment.container = id.parse().unwrap();
        shared(&request).dir.display().to_string()
    };
    assert_eq!(
        dir("0123456789abcdef0123456789abcdef"),
        "/run/shared/0123456789ab",
        "as the Go plugins have it"
    );
    assert_eq!(dir("nginx1"), "/run/shared/nginx1");
    let (one, other) = (dir("default-nginx1"), dir("default-nginx2"));
    assert!(one.starts_with("/run/shared/default-ngin-") && one != other, "{one} {other}");
}

#[test]
fn sockets_have_a_short_path_and_their_users() {
    let mut request = request(
        json!({"engine": "ovs-dpdk", "iftype": "vhostuser", "vhost": {"group": "hugetlbfs", "socketfile": "s"}}),
        json!({}),
    );
    request.shared_dir = Some(format!("/{}", "x".repeat(200)).into());
    request.sockets = SocketsConf {
        owner: Some(1000),
        group: Some("users".to_owned()),
        mode: Some("0770".to_owned()),
        root: Some("/links".into()),
    };
    let found = shared(&request);
    assert_eq!(found.link.parent().unwrap().to_str(), Some("/links"));
    assert_eq!(found.sockets, ["s"]);
    let group = Some("hugetlbfs".to_owned());
    assert_eq!(found.access, Access { owner_uid: Some(1000), group, mode: Some(0o770) });
    for (key, change) in [
        ("sockets.mode \"999\"", SocketsConf { mode: Some("999".to_owned()), ..request.sockets.clone() }),
        ("sockets.root \"links\"", SocketsConf { root: Some("links".into()), ..request.sockets.clone() }),
        ("sockets.root \"/a,b\"", SocketsConf { root: Some("/a,b".into()), ..request.sockets.clone() }),
        (
            "the socket's path",
            SocketsConf { root: Some(format!("/{}", "x".repeat(90)).into()), ..request.sockets.clone() },
        ),
    ] {
        request.sockets = change;
        let text = Plan::new(&request).unwrap_err().to_string();
        assert!(text.starts_with(key), "{text}");
    }
}
