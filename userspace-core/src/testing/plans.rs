//! Sample plans.

use serde_json::{Value, json};

use crate::{
    conf::{HalfConf, SocketsConf},
    id::AttachmentId,
    json::{Strict, from_value},
    netns::NetnsRef,
    owner::InstanceId,
    plan::{Container, Overrides, Plan, PodRef, Request},
};

/// The instance of all sample plans.
pub fn instance() -> InstanceId {
    InstanceId::new(0x0a1b)
}

/// The attachment of `container` and `interface` on the network `net`.
///
/// # Panics
/// When a name has not its form.
pub fn attachment(container: &str, interface: &str) -> AttachmentId {
    AttachmentId {
        network: "net".parse().expect("a network name"),
        container: container.parse().expect("a container id"),
        interface: interface.parse().expect("an interface name"),
    }
}

/// A memif on VPP in bridge domain 4.
pub fn memif(container: &str, interface: &str) -> Plan {
    let host =
        json!({"engine": "vpp", "iftype": "memif", "netType": "bridge", "bridge": {"bridgeName": "4"}});
    of(container, interface, host)
}

/// A memif on VPP, routed.
pub fn routed_memif(container: &str, interface: &str) -> Plan {
    of(container, interface, json!({"engine": "vpp", "iftype": "memif", "netType": "interface"}))
}

/// A veth on the kernel, on the bridge `br`.
pub fn veth(container: &str, interface: &str) -> Plan {
    let host =
        json!({"engine": "linux", "iftype": "veth", "netType": "bridge", "bridge": {"bridgeName": "br"}});
    of(container, interface, host)
}

/// A veth on the kernel, routed.
pub fn routed(container: &str, interface: &str) -> Plan {
    let host = json!({"engine": "linux", "iftype": "veth", "netType": "interface"});
    of(container, interface, host)
}

/// A veth on Open vSwitch: a pair of the kernel's, and a port that attaches it.
pub fn attached(container: &str, interface: &str) -> Plan {
    let host = json!({"engine": "ovs-dpdk", "iftype": "veth", "bridge": {"bridgeName": "br"}});
    of(container, interface, host)
}

/// A macvlan, which has no host half.
pub fn macvlan(container: &str, interface: &str) -> Plan {
    let host = json!({"engine": "linux", "iftype": "macvlan", "macvlan": {"master": "eth0"}});
    of(container, interface, host)
}

/// The plan for a host's half as it is typed.
///
/// # Panics
/// When it is refused.
pub fn of(container: &str, interface: &str, host: Value) -> Plan {
    let host = from_value::<Strict<HalfConf>>(host).expect("a half").0;
    let request = Request {
        attachment: attachment(container, interface),
        instance: instance(),
        netns: Some(NetnsRef::own().expect("the own namespace")),
        host,
        container: HalfConf::default(),
        overrides: Overrides::default(),
        shared_dir: Some("/run/shared".into()),
        sockets: SocketsConf::default(),
        pod: None,
    };
    Plan::new(&request).expect("a plan")
}

/// A memif on VPP, of a pod whose annotations have a copy of the half.
pub fn memif_of_pod(container: &str, interface: &str) -> Plan {
    let mut plan = memif(container, interface);
    if let Container::Published(published) = &mut plan.container {
        published.pod = Some(PodRef {
            namespace: "default".to_owned(),
            name: "pod".to_owned(),
            uid: "0f9e".to_owned(),
            kubeconfig: "/etc/kubeconfig".into(),
            mapped_dir: "/var/lib/cni/usrspcni/".to_owned(),
        });
    }
    plan
}
