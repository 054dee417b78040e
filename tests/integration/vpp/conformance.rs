//! What every engine promises, asked of VPP: on the host and, with addresses on the interface itself, in a container.

use std::{path::Path, time::Duration};

use engine_vpp::VppEngine;
use userspace_core::{
    addr::Address,
    cx::Cx,
    id::AttachmentId,
    netns::NetnsRef,
    owner::{InstanceId, Owner},
    spec::{
        AbstractSocket, Bandwidth, Bridge, Device, InterfaceSpec, Memif, MemifMode, MemifRole, MemifSocket,
        Netdev, Network, Rate, Receive, RxMode, SocketMode, VhostUser, Vlan,
    },
    testing::conformance::{self, Subject},
};
use userspace_tests::Flavour;

use super::support::OnVpp;

const LIMIT: Duration = Duration::from_secs(60);

/// What a container's interface is to have.
const ADDRESSES: [&str; 2] = ["10.9.0.2/24", "fd09::2/64"];

pub(super) fn owner(container: &str) -> Owner {
    let attachment = AttachmentId {
        network: "blue".parse().expect("a network"),
        container: container.parse().expect("a container"),
        interface: "eth0".parse().expect("an interface"),
    };
    Owner::new(attachment, InstanceId::new(7))
}

pub(super) fn memif(role: MemifRole, mode: MemifMode, socket: MemifSocket) -> InterfaceSpec {
    InterfaceSpec::of(Device::Memif(Memif {
        role,
        mode,
        socket,
        rx_queues: 1,
        tx_queues: 1,
        ring_size: 1024,
        buffer_bytes: 2048,
        secret: None,
        zero_copy: true,
        dma: false,
    }))
}

fn file(it: &OnVpp) -> MemifSocket {
    MemifSocket::File(it.vpp.path("memif.sock"))
}

fn vhost_user(mode: SocketMode, socket: &Path) -> InterfaceSpec {
    InterfaceSpec::of(Device::VhostUser(VhostUser {
        mode,
        socket: socket.to_owned(),
        queues: 1,
        tx_retries: None,
        gso: true,
        packed: true,
        event_idx: true,
    }))
}

/// Limited each way, as far as this VPP can on each network.
fn limited(it: &OnVpp, spec: InterfaceSpec) -> InterfaceSpec {
    let rate = Rate { bits_per_second: 8_000_000, burst_bits: 800_000 };
    let ingress = it.limits_what_it_bridges().then_some(rate);
    let bandwidth = Bandwidth { ingress, egress: Some(rate) };
    InterfaceSpec { bandwidth: Some(bandwidth), ..spec }
}

/// The domains, VLANs and tables that an interface can be joined to.
fn networks(spec: &InterfaceSpec) -> Vec<Network> {
    let bridge = |name: &str, id: Option<u16>, trunks: &[u16]| {
        let vlan = Vlan { id, trunks: trunks.to_vec(), mode: None };
        Network::Bridge(Bridge { name: name.to_owned(), vlan })
    };
    let routed = [Network::None, Network::Routed { vrf: 0 }, Network::Routed { vrf: 7 }];
    match &spec.device {
        Device::Memif(memif) if memif.mode == MemifMode::Ip => routed.to_vec(),
        _ => [bridge("green", None, &[]), bridge("77", Some(7), &[]), bridge("green", Some(7), &[8, 9])]
            .into_iter()
            .chain(routed)
            .collect(),
    }
}

/// All checks, on each network. An engine's connection is driven by one runtime.
fn conforms(it: &OnVpp, spec: &InterfaceSpec) {
    for network in networks(spec) {
        let engine = VppEngine::host(Some(it.vpp.api_socket()));
        run(it, &engine, spec.clone(), network.clone(), &[]);
    }
}

fn conforms_in_a_container(it: &OnVpp, spec: &InterfaceSpec) {
    let engine = VppEngine::in_container(Some(it.vpp.api_socket()));
    run(it, &engine, spec.clone(), Network::None, &ADDRESSES);
}

fn run(it: &OnVpp, engine: &VppEngine, spec: InterfaceSpec, network: Network, addresses: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let other_spec = match &spec.bandwidth {
        Some(_) => InterfaceSpec { bandwidth: None, ..spec.clone() },
        None => limited(it, spec.clone()),
    };
    let ip = |text: &&str| Address { ip: text.parse().expect("an address"), gateway: None };
    let subject = Subject {
        engine,
        spec,
        other_spec,
        network,
        owner: owner("red"),
        stranger: owner("stranger"),
        addresses: addresses.iter().map(ip).collect(),
    };
    runtime.block_on(conformance::run(Cx::within(LIMIT), &subject));
}

fn a_memif(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let before = it.everything();
    let socket = file(&it);
    for role in [MemifRole::Master, MemifRole::Slave] {
        for mode in [MemifMode::Ethernet, MemifMode::Ip] {
            let spec = memif(role, mode, socket.clone());
            conforms(&it, &spec);
            conforms_in_a_container(&it, &spec);
            it.is_as(&before, &format!("after {role:?}, {mode:?}"));
        }
    }
}

/// On a name in another namespace, and in a container on one in VPP's own.
fn a_memif_on_an_abstract_socket(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let before = it.everything();
    let netns = NetnsRef::inspect(&red.netns.path()).expect("a namespace");
    let named = |netns| MemifSocket::Abstract(AbstractSocket { name: "memif-0a".to_owned(), netns });
    for role in [MemifRole::Master, MemifRole::Slave] {
        conforms(&it, &memif(role, MemifMode::Ethernet, named(Some(netns.clone()))));
        conforms_in_a_container(&it, &memif(role, MemifMode::Ethernet, named(None)));
        it.is_as(&before, &format!("after {role:?}"));
    }
}

fn a_memif_with_everything_set(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let before = it.everything();
    let spec = InterfaceSpec {
        mac: Some("02:00:00:00:00:09".parse().expect("a MAC address")),
        mtu_bytes: Some(1400),
        receive: Receive { mode: Some(RxMode::Interrupt), workers: Vec::new() },
        ..limited(&it, memif(MemifRole::Master, MemifMode::Ethernet, file(&it)))
    };
    conforms(&it, &spec);
    conforms_in_a_container(&it, &spec);
    it.is_as(&before, "in the end");
}

fn a_vhost_user_port(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let before = it.everything();
    for mode in [SocketMode::Client, SocketMode::Server] {
        let spec = vhost_user(mode, &it.vpp.path("vhost.sock"));
        conforms(&it, &spec);
        conforms(&it, &InterfaceSpec { mtu_bytes: Some(1400), ..limited(&it, spec) });
        it.is_as(&before, &format!("after {mode:?}"));
    }
}

fn a_kernel_interface(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let name = owner("red").tag.host_name();
    it.host.netns().ip(&format!("link add {name} type veth peer name peer0"));
    let before = it.everything();
    let netdev = Netdev { name: name.parse().expect("an interface name") };
    let spec = InterfaceSpec::of(Device::Netdev(netdev));
    conforms(&it, &spec);
    conforms(&it, &limited(&it, spec));
    it.is_as(&before, "in the end");
}

on_both!(
    a_memif,
    a_memif_on_an_abstract_socket,
    a_memif_with_everything_set,
    a_vhost_user_port,
    a_kernel_interface
);
