//! What every engine promises, asked of the real Open vSwitch: on the host and, with addresses on the bridge's own port, in a container.

use std::{path::Path, time::Duration};

use engine_ovs::OvsEngine;
use userspace_core::{
    addr::Address,
    cx::Cx,
    id::AttachmentId,
    owner::{InstanceId, Owner},
    spec::{
        Bandwidth, Bridge, Device, InterfaceSpec, Memif, MemifMode, MemifRole, MemifSocket, Netdev, Network,
        Rate, SocketMode, VhostUser, Vlan,
    },
    testing::conformance::{self, Subject},
};
use userspace_tests::{Memory, Ovs};

use super::support::Vswitch;

const LIMIT: Duration = Duration::from_secs(60);

fn owner(container: &str) -> Owner {
    let attachment = AttachmentId {
        network: "blue".parse().expect("a network"),
        container: container.parse().expect("a container"),
        interface: "eth0".parse().expect("an interface"),
    };
    Owner::new(attachment, InstanceId::new(7))
}

fn spec(device: Device) -> InterfaceSpec {
    InterfaceSpec::of(device)
}

fn vhost_user(mode: SocketMode, socket: &Path) -> InterfaceSpec {
    spec(Device::VhostUser(VhostUser {
        mode,
        socket: socket.to_owned(),
        queues: 1,
        tx_retries: None,
        gso: false,
        packed: false,
        event_idx: false,
    }))
}

fn memif(role: MemifRole, socket: &Path) -> InterfaceSpec {
    spec(Device::Memif(Memif {
        role,
        mode: MemifMode::Ethernet,
        socket: MemifSocket::File(socket.to_owned()),
        rx_queues: 1,
        tx_queues: 1,
        ring_size: 1024,
        buffer_bytes: 2048,
        secret: None,
        zero_copy: true,
        dma: false,
    }))
}

/// Both directions, or what the vswitch takes only.
fn limited(spec: InterfaceSpec, ingress: bool) -> InterfaceSpec {
    let rate = Rate { bits_per_second: 8_000_000, burst_bits: 800_000 };
    let bandwidth = Bandwidth { ingress: ingress.then_some(rate), egress: Some(rate) };
    InterfaceSpec { bandwidth: Some(bandwidth), ..spec }
}

/// All checks, on a trunk of the bridge `green0`. An engine's connection is driven by one runtime.
fn conforms(engine: impl Fn() -> OvsEngine, spec: InterfaceSpec, addresses: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let vlan = Vlan { id: Some(7), trunks: vec![9, 8], mode: None };
    let trunks = vec![8, 9];
    let other_spec = match &spec.bandwidth {
        Some(_) => InterfaceSpec { bandwidth: None, ..spec.clone() },
        None => limited(spec.clone(), false),
    };
    let ip = |text: &&str| Address { ip: text.parse().expect("an address"), gateway: None };
    let subject = Subject {
        engine: &engine(),
        spec,
        other_spec,
        network: Network::Bridge(Bridge { name: "green0".to_owned(), vlan: Vlan { trunks, ..vlan } }),
        owner: owner("red"),
        stranger: owner("stranger"),
        addresses: addresses.iter().map(ip).collect(),
    };
    runtime.block_on(conformance::run(Cx::within(LIMIT), &subject));
}

#[test]
fn a_vhost_user_port_conforms_in_both_modes() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let engine = || OvsEngine::host(Some(it.ovs.db_socket()));
    let before = it.everything();
    for mode in [SocketMode::Client, SocketMode::Server] {
        let spec = vhost_user(mode, &it.host.path("red-eth0"));
        conforms(engine, spec.clone(), &[]);
        conforms(engine, InterfaceSpec { mtu_bytes: Some(1400), ..spec.clone() }, &[]);
        conforms(engine, limited(spec, true), &[]);
        it.is_as(&before, &format!("after {mode:?}"));
        // Its container's name of a server's socket is the directory's owner's to remove.
        let _ = std::fs::remove_file(it.host.path("red-eth0"));
    }
}

#[test]
fn a_kernel_interface_conforms_without_dpdk() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoDpdk) else { return };
    let engine = || OvsEngine::host(Some(it.ovs.db_socket()));
    let name = owner("red").tag.host_name();
    it.host.netns().ip(&format!("link add {name} type veth peer name peer0"));
    let before = it.everything();
    let spec = spec(Device::Netdev(Netdev { name: name.parse().expect("an interface name") }));
    conforms(engine, spec.clone(), &[]);
    conforms(engine, limited(spec, true), &[]);
    it.is_as(&before, "in the end");
}

#[test]
fn a_memif_conforms_on_the_host() {
    let Some(it) = Vswitch::with(&["ovs-dpdk", "hugepages"], Memory::Hugepages) else { return };
    let engine = || OvsEngine::host(Some(it.ovs.db_socket()));
    let before = it.everything();
    let spec = memif(MemifRole::Master, &it.host.path("memif.sock"));
    conforms(engine, spec.clone(), &[]);
    conforms(engine, limited(spec, true), &[]);
    it.is_as(&before, "in the end");
}

const ADDRESSES: [&str; 2] = ["10.9.0.2/24", "fd09::2/64"];

#[test]
fn a_virtio_device_conforms_in_a_container() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    // Seen from the container, `it` is the container: its peer is another's.
    let elsewhere = it.host.container("host");
    let peer = Ovs::start_another(&elsewhere.netns, Memory::NoHuge);
    peer.vsctl("add-br br0 -- set Bridge br0 datapath_type=netdev");
    peer.vsctl("add-port br0 listens -- set Interface listens type=dpdkvhostuser");
    let engine = || OvsEngine::in_container(Some(it.ovs.db_socket()));
    let before = it.everything();
    let spec = vhost_user(SocketMode::Client, &peer.run_dir().join("listens"));
    it.host.netns().inside(|| {
        conforms(engine, spec.clone(), &ADDRESSES);
        conforms(engine, limited(spec, false), &ADDRESSES);
    });
    it.is_as(&before, "in the end");
}

#[test]
fn a_memif_conforms_in_a_container() {
    let Some(it) = Vswitch::with(&["ovs-dpdk", "hugepages"], Memory::Hugepages) else { return };
    let engine = || OvsEngine::in_container(Some(it.ovs.db_socket()));
    let before = it.everything();
    let spec = memif(MemifRole::Master, &it.host.path("memif.sock"));
    it.host.netns().inside(|| {
        conforms(engine, spec.clone(), &ADDRESSES);
        conforms(engine, limited(spec, false), &ADDRESSES);
    });
    it.is_as(&before, "in the end");
}
