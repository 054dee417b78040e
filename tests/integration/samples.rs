//! The Go plugins' samples mean what they meant: each is accepted and planned as it is. Their keys and values, in our own writing.

use cni_userspace::netconf;
use serde_json::{Value, json};
use userspace_core::{
    id::AttachmentId,
    netns::NetnsRef,
    owner::InstanceId,
    plan::{self, Overrides, Plan, Request},
    spec::{Device, EngineKind, Network, SocketMode},
};
use userspace_tests::{Container, Flavour, Host, Memory, assert_same, merged, root};

use crate::{ovs::support::Vswitch, vpp::support::OnVpp};

fn host_local(net: u8) -> Value {
    json!({
        "type": "host-local",
        "subnet": format!("10.{net}.217.0/24"),
        "rangeStart": format!("10.{net}.217.131"),
        "rangeEnd": format!("10.{net}.217.190"),
        "routes": [{"dst": "0.0.0.0/0"}],
        "gateway": format!("10.{net}.217.1"),
    })
}

/// A sample with all that the Kubernetes ones share.
fn sample(version: &str, name: &str, halves: Value) -> Value {
    let base = json!({
        "cniVersion": version,
        "type": "userspace",
        "name": name,
        "kubeconfig": "/etc/cni/net.d/multus.d/multus.kubeconfig",
        "logFile": format!("/var/log/{name}-cni.log"),
        "logLevel": "debug",
    });
    merged(base, halves)
}

fn ovs() -> Value {
    json!({
        "host": {"engine": "ovs-dpdk", "iftype": "vhostuser", "netType": "bridge", "vhost": {"mode": "client"},
            "bridge": {"bridgeName": "br-4"}},
        "container": {"engine": "ovs-dpdk", "iftype": "vhostuser", "netType": "interface", "vhost": {"mode": "server"}},
        "ipam": host_local(56),
    })
}

fn vpp(bridge: Value) -> Value {
    json!({
        "host": {"engine": "vpp", "iftype": "memif", "netType": "bridge", "memif": {"role": "master", "mode": "ethernet"},
            "bridge": bridge},
        "container": {"engine": "vpp", "iftype": "memif", "netType": "interface",
            "memif": {"role": "slave", "mode": "ethernet"}},
        "ipam": host_local(56),
    })
}

fn tuned() -> Vec<Value> {
    let queues = json!({"mtu": 9000, "memif": {"rxQueues": 4, "txQueues": 4}});
    let rings =
        json!({"memif": {"ringSize": 2048, "bufferSize": 2048, "noZeroCopy": false, "useDma": false}});
    let multi_queue = json!({"host": merged(queues.clone(), rings), "container": queues});
    let vlan = json!({"host": {"mtu": 9000, "bridge": {"vlanId": 100}}, "container": {"mtu": 9000}, "ipam": {"routes": null}});
    let vpp_vhost = json!({
        "host": {"engine": "vpp", "iftype": "vhostuser", "netType": "bridge", "mtu": 1500, "bridge": {"bridgeName": "5"},
            "vhost": {"mode": "server", "enableGso": true, "enablePacked": false, "enableEventIdx": false}},
        "container": {"engine": "vpp", "iftype": "vhostuser", "netType": "interface", "vhost": {"mode": "client"}},
        "ipam": merged(host_local(56), json!({"routes": null})),
    });
    // The pod's annotation arrives as args.cni.
    let ovn = json!({"host": {"bridge": null}, "ipam": null, "args": {"cni": {
        "OvnPort": "4b1e1c9e", "mac": "fa:16:3e:11:22:33", "ips": ["192.168.1.8/24"]}}});
    vec![
        sample("1.0.0", "userspace-ovs-vlan-mtu", merged(ovs(), vlan)),
        sample("1.0.0", "userspace-vpp-memif-mq", merged(vpp(json!({"bridgeName": "4"})), multi_queue)),
        sample("1.0.0", "userspace-vpp-vhostuser", vpp_vhost),
        sample("1.0.0", "ovn-tenant", merged(ovs(), ovn)),
    ]
}

/// All of them: the examples, those of the CI set-ups, of the READMEs and of the tests, and of the image's description.
pub(crate) fn samples() -> Vec<Value> {
    let plain = json!({"kubeconfig": null, "logFile": null, "logLevel": null});
    let docker = json!({"sharedDir": "/run/openvswitch/", "host": {"netType": "interface", "bridge": null}, "ipam": null});
    let second = json!({"ipam": host_local(77)});
    let mut all = tuned();
    for version in ["0.3.1", "1.0.0"] {
        let named = |name: &str, halves: Value| sample(version, name, halves);
        all.push(named("userspace-ovs-net-1", ovs()));
        all.push(named("userspace-vpp-net-1", vpp(json!({"bridgeName": "4"}))));
        all.push(named("userspace-vpp-net-2", merged(vpp(json!({"bridgeName": "12"})), second.clone())));
        all.push(merged(named("memif-network", vpp(json!({"bridgeName": "4"}))), plain.clone()));
        all.push(merged(named("memif-network", vpp(json!({"bridgeId": 4}))), plain.clone()));
    }
    all.push(merged(merged(sample("1.0.0", "vpp-memif", vpp(Value::Null)), plain), docker));
    all
}

fn plan(config: &Value) -> Plan {
    let conf = netconf::parse(config.clone()).unwrap_or_else(|error| panic!("{error}: {config:#}"));
    let request = Request {
        attachment: AttachmentId {
            network: conf.name.clone().expect("a name").parse().expect("a network's name"),
            container: "0123456789abcdef".parse().expect("an id"),
            interface: "net1".parse().expect("a name"),
        },
        instance: InstanceId::new(1),
        netns: NetnsRef::own().ok(),
        host: conf.host(),
        container: conf.container(),
        overrides: Overrides {
            ovn_port: config["args"]["cni"]["OvnPort"].as_str().map(str::to_owned),
            ..Overrides::default()
        },
        shared_dir: conf.shared_dir.clone(),
        sockets: conf.sockets(),
        pod: None,
    };
    Plan::new(&request).unwrap_or_else(|refusal| panic!("{refusal}: {config:#}"))
}

#[test]
fn every_sample_is_planned_as_it_says() {
    for config in samples() {
        let plan = plan(&config);
        let host = plan.host.expect("a host's half");
        let typed = &config["host"];
        let engine = if typed["engine"] == "vpp" { EngineKind::Vpp } else { EngineKind::Ovs };
        assert_eq!(host.engine.kind, engine);
        match (&host.network, &typed["bridge"]) {
            (Network::Bridge(bridge), Value::Null) => assert_eq!(bridge.name, "br-int", "it has an OvnPort"),
            (Network::Bridge(bridge), typed) => {
                let name = typed["bridgeName"].as_str().map_or(typed["bridgeId"].to_string(), str::to_owned);
                assert_eq!(bridge.name, name);
                assert_eq!(bridge.vlan.id.map(u64::from), typed["vlanId"].as_u64());
            }
            (network, _) => assert_eq!((network, &typed["netType"]), (&Network::ROUTED, &json!("interface"))),
        }
        assert_eq!(host.spec.mtu_bytes.map(u64::from), typed["mtu"].as_u64());
        match host.spec.device {
            Device::Memif(memif) => {
                assert_eq!(u64::from(memif.rx_queues), typed["memif"]["rxQueues"].as_u64().unwrap_or(1))
            }
            Device::VhostUser(vhost) => {
                assert_eq!(vhost.mode == SocketMode::Server, typed["vhost"]["mode"] == "server")
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(plan.container, plan::Container::Published(_)));
    }
}

/// A row of docs/migrating.md, from the plan and from what is published.
fn row(config: &Value) -> String {
    let plan = plan(config);
    let host = plan.host.expect("a host's half");
    let network = match &host.network {
        Network::Bridge(bridge) => {
            let vlan = bridge.vlan.id.map(|id| format!(", VLAN {id}")).unwrap_or_default();
            format!("bridge {}{vlan}", bridge.name)
        }
        Network::Routed { .. } => "routed".to_owned(),
        Network::None => "joined to nothing".to_owned(),
    };
    let mtu = host.spec.mtu_bytes.map(|mtu| format!(", MTU {mtu}")).unwrap_or_default();
    let made = match &host.spec.device {
        Device::Memif(memif) if memif.rx_queues > 1 => {
            format!("memif, {:?}, {} queues", memif.role, memif.rx_queues)
        }
        Device::Memif(memif) => format!("memif, {:?}", memif.role),
        Device::VhostUser(vhost) => format!("vhostuser, {:?}", vhost.mode),
        other => format!("{other:?}"),
    };
    let plan::Container::Published(published) = plan.container else { panic!("it is published") };
    let (memif, vhost) = (published.config.memif, published.config.vhost);
    let end = memif.and_then(|memif| Some(format!("{:?}", memif.role?)));
    let end = end.or_else(|| Some(format!("{:?}", vhost?.mode?))).expect("an end");
    let addresses = match &config["ipam"]["subnet"] {
        Value::String(subnet) => format!(", an address of {subnet}"),
        _ => String::new(),
    };
    let name = config["name"].as_str().expect("a name");
    let version = config["cniVersion"].as_str().expect("a version");
    let made = format!("{made}, {network}{mtu}, on {}", host.engine.kind).to_lowercase();
    format!("| {name} | {version} | {made} | {}, for {}{addresses} |", end.to_lowercase(), published.engine)
}

/// `UPDATE=1 cargo test -p userspace-tests samples` writes the table.
#[test]
fn the_table_of_samples_is_current() {
    let rows: std::collections::BTreeSet<_> = samples().iter().map(row).collect();
    let table = format!("\n{}\n", rows.into_iter().collect::<Vec<_>>().join("\n"));
    let path = root().join("docs/migrating.md");
    let text = std::fs::read_to_string(&path).expect("docs/migrating.md");
    let head = "|---|---|---|---|";
    let (before, rest) = text.split_once(head).expect("the head of the table");
    let end = rest.find("\n\n").map_or(rest.len(), |at| at + 1);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{head}{table}{}", &rest[end..])).expect("write the table");
    }
    let is_same = rest[..end] == table;
    assert!(
        is_same || std::env::var_os("UPDATE").is_some(),
        "run UPDATE=1 cargo test -p userspace-tests samples"
    );
}

/// Each of one engine's, attached, looked at and detached.
fn are_attached(host: &Host, red: &Container, engine: &str, over: &Value) {
    for config in samples().iter().filter(|config| config["host"]["engine"] == engine) {
        let mut config = merged(config.clone(), over.clone());
        if config["ipam"].is_object() {
            config["ipam"]["dataDir"] = json!(host.lease_dir());
        }
        let result = host.add(red, &config);
        assert_eq!(result["cniVersion"], config["cniVersion"], "{result:#}");
        if config["cniVersion"] != "0.3.1" {
            host.check(red, &merged(config.clone(), json!({"prevResult": result}))).silent();
        }
        host.del(red, &config);
    }
}

#[test]
fn every_sample_for_vpp_is_attached() {
    let Some(it) = OnVpp::with(&["host-local"], Flavour::Fake) else { return };
    let red = it.host.container("0123456789abcdef");
    let before = it.everything();
    let over = json!({"stateDir": it.host.state_dir(), "logFile": it.host.path("log"), "sharedDir": it.host.path("shared"),
        "sockets": {"root": it.root()}, "host": {"socket": it.vpp.api_socket()}});
    are_attached(&it.host, &red, "vpp", &over);
    it.is_as(&before, "in the end");
}

#[test]
fn every_sample_for_ovs_is_attached() {
    let Some(it) = Vswitch::with(&["ovs-dpdk", "host-local"], Memory::NoHuge) else { return };
    // OVN has made its bridge.
    it.ovs.vsctl("add-br br-int -- set Bridge br-int datapath_type=netdev");
    let red = it.host.container("0123456789abcdef");
    let before = it.everything();
    let over = json!({"stateDir": it.host.state_dir(), "logFile": it.host.path("log"), "sharedDir": it.host.path("shared"),
        "sockets": {"root": it.root()}, "host": {"socket": it.ovs.db_socket()}});
    are_attached(&it.host, &red, "ovs-dpdk", &over);
    it.is_as(&before, "in the end");
}

#[test]
fn every_sample_fails_for_want_of_its_engine_alone() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let ours = json!({"stateDir": host.state_dir(), "logFile": host.path("log"), "sharedDir": host.path("shared"),
            "sockets": {"root": host.path("sockets")}});
    let before = host.world();
    for config in samples() {
        let engine = config["host"]["engine"].as_str().expect("an engine");
        let mut config = merged(config.clone(), ours.clone());
        if config["ipam"].is_object() {
            config["ipam"]["dataDir"] = json!(host.lease_dir());
        }
        config["host"]["socket"] = json!(host.path("no.sock"));
        let call = host.call("ADD", &config).of(&red);
        match engine {
            "vpp" => call.fails(11, &["VPP", "no.sock"]),
            _ => call.fails(11, &["Open vSwitch", "no.sock"]),
        }
        assert_same(&before, &host.world(), "after the refusal");
    }
}
