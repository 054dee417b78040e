//! One half of the configuration as it is typed: the keys of the Go plugins under their names, and ours beside them.
//!
//! Nothing here is checked against anything else; [`crate::plan`] does that. A key that is absent is `None`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    addr::MacAddr,
    spec::{
        EngineKind, InterfaceKind, MacvlanMode, MemifMode, MemifRole, MemifSocketType, RxMode, Secret,
        SocketMode, VlanMode,
    },
};

/// The host's or the container's half of an attachment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct HalfConf {
    /// What makes this half. Default for the container: the host's engine; for veth, tap and macvlan: `linux`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineName>,
    /// The kind of interface. Default for the container: the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iftype: Option<InterfaceType>,
    /// What the interface is joined to. Default: `none` (for the container `interface` when there are addresses).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_type: Option<NetType>,
    /// The MTU in bytes, 68 to 65535. Absent or 0: the engine's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The MAC address, six pairs of hex digits. Default: one that is derived from the container and the interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub mac: Option<MacAddr>,
    /// The routing table of `netType` interface (VPP), made when missing. Default 0: VPP's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrf: Option<u32>,
    /// How the vswitch learns of packets (VPP). Default: VPP's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_mode: Option<RxMode>,
    /// The worker thread that receives from each queue, from queue 0 on (VPP). Default: VPP's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_workers: Option<Vec<u32>>,
    /// The engine's control socket (VPP's API socket, OVS's database socket). Default: the engine's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Options of `iftype` memif.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memif: Option<MemifConf>,
    /// Options of `iftype` vhostuser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vhost: Option<VhostConf>,
    /// Options of `iftype` tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tap: Option<TapConf>,
    /// Options of `iftype` macvlan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macvlan: Option<MacvlanConf>,
    /// Options of `netType` bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<BridgeConf>,
}

/// The names of engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// FD.io VPP.
    Vpp,
    /// Open vSwitch with DPDK.
    #[serde(alias = "ovs")]
    OvsDpdk,
    /// The kernel.
    Linux,
    /// In the container only: a DPDK application.
    Dpdk,
}

/// The names of interface kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum InterfaceType {
    /// Shared-memory packet interface.
    Memif,
    /// vhost-user.
    VhostUser,
    /// A persistent kernel tap.
    Tap,
    /// A pair of kernel interfaces.
    Veth,
    /// A kernel interface on top of another.
    Macvlan,
}

impl From<EngineName> for EngineKind {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Vpp => Self::Vpp,
            EngineName::OvsDpdk => Self::Ovs,
            EngineName::Linux => Self::Linux,
            EngineName::Dpdk => Self::Dpdk,
        }
    }
}

impl From<EngineKind> for EngineName {
    fn from(kind: EngineKind) -> Self {
        match kind {
            EngineKind::Vpp => Self::Vpp,
            EngineKind::Ovs => Self::OvsDpdk,
            EngineKind::Linux => Self::Linux,
            EngineKind::Dpdk => Self::Dpdk,
        }
    }
}

impl From<InterfaceType> for InterfaceKind {
    fn from(name: InterfaceType) -> Self {
        match name {
            InterfaceType::Memif => Self::Memif,
            InterfaceType::VhostUser => Self::VhostUser,
            InterfaceType::Tap => Self::Tap,
            InterfaceType::Veth => Self::Veth,
            InterfaceType::Macvlan => Self::Macvlan,
        }
    }
}

/// The names of what an interface can be joined to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NetType {
    /// Nothing.
    None,
    /// A layer-2 domain of the vswitch.
    Bridge,
    /// Addresses and routes on the interface itself.
    Interface,
}

/// Options of a memif.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MemifConf {
    /// Which end this is. Default for the host: master; for the container: the other one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<MemifRole>,
    /// What it carries. Default: ethernet. `inject-punt` is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<MemifMode>,
    /// What the socket is: a file in the container's directory, or (VPP from 23.10) a name in the container's network namespace. Both
    /// halves have one. Default: file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket_type: Option<MemifSocketType>,
    /// The socket's file name, without a directory. Default: `memif-<first 12 of the container id>-<interface>.sock`. Of an abstract socket
    /// it is the name, which is derived and published, and cannot be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socketfile: Option<String>,
    /// Receive queues, 1 to 255. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_queues: Option<u8>,
    /// Transmit queues, 1 to 255. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_queues: Option<u8>,
    /// Descriptors in a ring: a power of two, at most 16384. Default: 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_size: Option<u32>,
    /// Bytes in a packet buffer. Default: 2048.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_size: Option<u16>,
    /// A secret that both ends must know, at most 23 characters. Never logged or published in an annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub secret: Option<Secret>,
    /// Copies packets even where they could stay in place. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_zero_copy: Option<bool>,
    /// Lets a DMA engine copy (VPP from 23.06). Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_dma: Option<bool>,
}

/// Options of a vhost-user port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct VhostConf {
    /// Who makes the socket. Default on OVS: client (the application listens); on VPP: server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<SocketMode>,
    /// The group that may use the socket: a name of /etc/group, or a number. Stands above `sockets.group`. Default: unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The socket's file name, without a directory. Default: `<first 12 of the container id>-<interface>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socketfile: Option<String>,
    /// Queue pairs of the container's port, 1 to 128. The vswitch follows. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<u8>,
    /// How often the vswitch tries again to send to a full queue (OVS, `tx-retries-max`): 0 to 32. Default: OVS's own, 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_retries_max: Option<u8>,
    /// Generic segmentation offload (VPP). Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_gso: Option<bool>,
    /// Packed virtqueues (VPP). Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_packed: Option<bool>,
    /// Event index (VPP). Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_event_idx: Option<bool>,
    /// What the vswitch takes from the container, in kilobits a second. Default 0: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_policing_rate: Option<u64>,
    /// How far the rate may be exceeded at once, in kilobits. Default 0: the vswitch's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_policing_burst: Option<u64>,
}

/// Where the vswitch finds the sockets of containers, and who may use them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct SocketsConf {
    /// The directory of links by which the vswitch reaches the containers' directories. Root alone may write to it. Default:
    /// /run/userspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// The numeric id of the user that a container's directory and a socket that the vswitch makes there belong to. Default:
    /// unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// Their group: a name of /etc/group, or a number. Default: unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Their mode in octal digits, 0 to 777; of a socket without its execute bits. Default: unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Options of a tap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TapConf {
    /// The numeric id of the user that may open it. Default: root, unless there is a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// The numeric id of the group that may open it; beside an owner both must fit. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
    /// Whether it can be opened once a queue. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_queue: Option<bool>,
}

/// Options of a macvlan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MacvlanConf {
    /// The host's interface below it. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// Who may talk to whom. Default: bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<MacvlanMode>,
}

/// Options of a layer-2 domain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BridgeConf {
    /// The bridge's name (Linux, OVS) or the bridge domain's number or name (VPP). Default on OVS: br0; elsewhere required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge_name: Option<String>,
    /// The bridge domain's number (VPP). Older than `bridgeName`, which wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge_id: Option<u32>,
    /// The access VLAN, or the native one beside `trunks`: 1 to 4094. Default 0: untagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan_id: Option<u16>,
    /// The VLANs that a trunk port carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunks: Option<Vec<u16>>,
    /// OVS's `vlan_mode`. Default: inferred from `vlanId` and `trunks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan_mode: Option<VlanMode>,
}
