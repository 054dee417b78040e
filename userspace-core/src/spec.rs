//! What an interface should be, checked and complete: the words that plans, engines, records and comparisons share.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{addr::MacAddr, id::InterfaceName, netns::NetnsRef};

mod memif;
mod network;

pub use self::memif::{AbstractSocket, Memif, MemifMode, MemifRole, MemifSocket, MemifSocketType, Secret};
pub use self::network::{Bridge, Network, Vlan, VlanMode};

/// The vswitches, and what stands in a container in place of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// FD.io VPP, by its binary API.
    Vpp,
    /// Open vSwitch with the userspace datapath, by OVSDB.
    Ovs,
    /// The kernel, by rtnetlink.
    Linux,
    /// A DPDK application: nothing to drive, its half is only published.
    Dpdk,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vpp => "vpp",
            Self::Ovs => "ovs-dpdk",
            Self::Linux => "linux",
            Self::Dpdk => "dpdk",
        })
    }
}

/// An engine and where it listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EngineAt {
    /// Which engine.
    pub kind: EngineKind,
    /// Its control socket; the engine's usual one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// For [`EngineKind::Linux`] inside a container: that container's network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<NetnsRef>,
}

impl EngineAt {
    /// The kernel in the namespace of this process.
    pub const HOST_KERNEL: Self = Self { kind: EngineKind::Linux, socket: None, netns: None };
}

/// The kinds of interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InterfaceKind {
    /// Shared-memory packet interface.
    Memif,
    /// vhost-user, virtio's rings over a unix socket.
    VhostUser,
    /// A persistent kernel tap.
    Tap,
    /// A pair of kernel interfaces.
    Veth,
    /// A kernel interface on top of another.
    Macvlan,
    /// A kernel interface of the host that is there already, and is attached to the vswitch.
    Netdev,
}

impl InterfaceKind {
    /// Whether the container's end is a kernel interface, born in its network namespace.
    pub fn is_kernel(self) -> bool {
        matches!(self, Self::Tap | Self::Veth | Self::Macvlan)
    }
}

impl fmt::Display for InterfaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memif => "memif",
            Self::VhostUser => "vhostuser",
            Self::Tap => "tap",
            Self::Veth => "veth",
            Self::Macvlan => "macvlan",
            Self::Netdev => "netdev",
        })
    }
}

/// One interface as an engine should make it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSpec {
    /// The kind, with all that only that kind has.
    pub device: Device,
    /// The MAC address of this end; the engine's choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// The MTU in bytes; the engine's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu_bytes: Option<u32>,
    /// Rate limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Bandwidth>,
    /// How and where the vswitch receives from it.
    #[serde(default, skip_serializing_if = "Receive::is_default")]
    pub receive: Receive,
    /// What a network controller knows this interface by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logical_port: Option<LogicalPort>,
    /// Where the other end is, for people and other tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
}

/// How a vswitch receives from an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receive {
    /// Whether it polls; its own choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<RxMode>,
    /// The worker thread of each queue, from queue 0 on; its own choice when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<u32>,
}

impl Receive {
    /// Whether all is left to the vswitch.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How a vswitch learns of packets (VPP's `rx-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RxMode {
    /// It looks, all the time.
    Polling,
    /// It is told.
    Interrupt,
    /// It is told while there is little to receive, and looks while there is much.
    Adaptive,
}

/// An interface as a network controller (OVN) knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogicalPort {
    /// The controller's name of the port.
    pub id: String,
    /// The MAC address that is behind it: the container's.
    pub mac: MacAddr,
}

/// The place of a container's interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The interface's name there.
    pub interface: InterfaceName,
    /// The path of its network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<PathBuf>,
    /// The Kubernetes pod's UID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
}

impl InterfaceSpec {
    /// That device, with the engine's choice of all that is common to the kinds.
    pub fn of(device: Device) -> Self {
        Self {
            device,
            mac: None,
            mtu_bytes: None,
            bandwidth: None,
            receive: Receive::default(),
            logical_port: None,
            sandbox: None,
        }
    }

    /// The kind alone.
    pub fn kind(&self) -> InterfaceKind {
        self.device.kind()
    }

    /// The container's end, for the kinds that have one in a network namespace.
    pub fn container_end(&self) -> Option<&ContainerEnd> {
        match &self.device {
            Device::Veth(veth) => Some(&veth.end),
            Device::Tap(tap) => Some(&tap.end),
            Device::Macvlan(macvlan) => Some(&macvlan.end),
            Device::Memif(_) | Device::VhostUser(_) | Device::Netdev(_) => None,
        }
    }
}

/// What makes a kind that kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// A memif.
    Memif(Memif),
    /// A vhost-user port.
    VhostUser(VhostUser),
    /// A tap whose kernel side is the container's interface.
    Tap(Tap),
    /// A veth pair: this is its host end, and tells of the other.
    Veth(Veth),
    /// A macvlan: there is only the container's end.
    Macvlan(Macvlan),
    /// A kernel interface of the host that is there already.
    Netdev(Netdev),
}

impl Device {
    /// The kind alone.
    pub fn kind(&self) -> InterfaceKind {
        match self {
            Self::Memif(_) => InterfaceKind::Memif,
            Self::VhostUser(_) => InterfaceKind::VhostUser,
            Self::Tap(_) => InterfaceKind::Tap,
            Self::Veth(_) => InterfaceKind::Veth,
            Self::Macvlan(_) => InterfaceKind::Macvlan,
            Self::Netdev(_) => InterfaceKind::Netdev,
        }
    }
}

/// The end of a kernel interface that is born in the container's network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerEnd {
    /// The namespace.
    pub netns: NetnsRef,
    /// Its name there.
    pub name: InterfaceName,
    /// Its MAC address.
    pub mac: MacAddr,
}

/// A pair of kernel interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Veth {
    /// The end in the container.
    #[serde(flatten)]
    pub end: ContainerEnd,
    /// Whether both ends finish the checksums of what they send. A vswitch in userspace takes packets from the pair as they are, and
    /// hands them to others that take an unfinished checksum for a wrong one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finish_checksums: bool,
}

/// A kernel interface of the host that is there already: made by another engine, for this one to attach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netdev {
    /// Its name.
    pub name: InterfaceName,
}

/// A persistent tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tap {
    /// The interface in the container.
    #[serde(flatten)]
    pub end: ContainerEnd,
    /// The user that may open it; root when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_uid: Option<u32>,
    /// The group that may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_gid: Option<u32>,
    /// Whether it may be opened once a queue.
    #[serde(default)]
    pub multi_queue: bool,
}

/// A macvlan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Macvlan {
    /// The interface in the container.
    #[serde(flatten)]
    pub end: ContainerEnd,
    /// The host's interface below it.
    pub master: InterfaceName,
    /// Who may talk to whom.
    pub mode: MacvlanMode,
}

/// The modes of macvlan (ip-link(8)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MacvlanMode {
    /// Endpoints of one parent reach each other directly.
    #[default]
    Bridge,
    /// They never do.
    Private,
    /// They do through an external switch that reflects.
    Vepa,
    /// The one endpoint takes the parent over.
    Passthru,
}

/// A vhost-user port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VhostUser {
    /// Which end this is.
    pub mode: SocketMode,
    /// The socket, as this end's engine opens it.
    pub socket: PathBuf,
    /// Queue pairs, where this end decides.
    pub queues: u8,
    /// How often OVS tries again to send to a full queue; its own number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_retries: Option<u8>,
    /// Generic segmentation offload.
    pub gso: bool,
    /// Packed virtqueues.
    pub packed: bool,
    /// Event index.
    pub event_idx: bool,
}

/// Who makes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SocketMode {
    /// This end connects.
    Client,
    /// This end listens.
    Server,
}

impl SocketMode {
    /// The other end's mode.
    pub fn complement(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Rate limits as the container sees them: ingress is what it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// What the container may receive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Rate>,
    /// What the container may send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Rate>,
}

/// A rate and how far it may be exceeded at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Bits a second.
    pub bits_per_second: u64,
    /// Bits.
    pub burst_bits: u64,
}
