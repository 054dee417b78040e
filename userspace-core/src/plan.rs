//! From what was asked to what will be made: defaults filled, complements derived, every contradiction refused.
//!
//! Pure: the same request gives the same plan. A plan is what the record keeps, so that DEL needs no configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    addr::MacAddr,
    conf::{HalfConf, NetType, SocketsConf},
    id::{AttachmentId, InterfaceName},
    netns::NetnsRef,
    owner::{InstanceId, Owner},
    spec::{
        Bandwidth, ContainerEnd, Device, EngineAt, EngineKind, InterfaceKind, InterfaceSpec, LogicalPort,
        Macvlan, Netdev, Network, Rate, Receive, Sandbox, Tap, Veth,
    },
};

mod able;
pub(crate) mod bridge;
mod pod;
mod refusal;
mod shared;
pub(crate) mod userspace;

pub(crate) use self::shared::{Parent, default_shared_dir, short};
pub use self::{
    bridge::OVS_BRIDGE,
    pod::{InPod, PodRef},
    refusal::Refusal,
    shared::{Access, SharedDir},
};

/// What a caller asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which attachment.
    pub attachment: AttachmentId,
    /// This installation.
    pub instance: InstanceId,
    /// The container's network namespace; kernel interfaces need it.
    pub netns: Option<NetnsRef>,
    /// The host's half as typed.
    pub host: HalfConf,
    /// The container's half as typed.
    pub container: HalfConf,
    /// What was asked for this one container, beyond the network's configuration.
    pub overrides: Overrides,
    /// The directory that the host shares with containers.
    pub shared_dir: Option<PathBuf>,
    /// Where the vswitch finds the sockets there, and who may use them.
    pub sockets: SocketsConf,
    /// The Kubernetes pod, when its annotations are to have a copy of the container's half.
    pub pod: Option<InPod>,
}

/// What can be asked for one container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The MAC address of the container's interface.
    pub mac: Option<MacAddr>,
    /// Rate limits.
    pub bandwidth: Option<Bandwidth>,
    /// The name of the container's port in OVN.
    pub ovn_port: Option<String>,
    /// The UID of the Kubernetes pod.
    pub pod_uid: Option<String>,
}

/// What will be made for one attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whose it is.
    pub owner: Owner,
    /// The host's half; none when the container's end is all there is (macvlan, tap).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Part>,
    /// The pair of kernel interfaces that the kernel's engine makes for another vswitch, where `host` attaches the host's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<Part>,
    /// The container's half.
    pub container: Container,
}

/// An interface, the engine that makes it and the network that it joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Who makes it.
    pub engine: EngineAt,
    /// What is made.
    pub spec: InterfaceSpec,
    /// What it is joined to.
    #[serde(default)]
    pub network: Network,
}

/// The container's half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// A kernel interface in the container's namespace, which is ready when ADD returns.
    Kernel(Part),
    /// Something in the container makes it from what is published.
    Published(Published),
}

/// A half that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// What makes it there.
    pub engine: EngineKind,
    /// The MAC address that it should have.
    pub mac: MacAddr,
    /// The half in the Go plugins' words, complete.
    pub config: HalfConf,
    /// The directory that the container sees, where the half and its socket are.
    pub shared: SharedDir,
    /// The container's network namespace. Nothing is made in it; it tells whether the container is still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<NetnsRef>,
    /// The UID of the Kubernetes pod: several pods can share a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    /// The pod whose annotations have a copy of the half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
}

impl Plan {
    /// The plan for `request`.
    ///
    /// # Errors
    /// Names the key and the value that cannot be, and what would work.
    pub fn new(request: &Request) -> Result<Self, Refusal> {
        let Halves { host, container, kind } = Halves::of(request)?;
        let owner = Owner::new(request.attachment.clone(), request.instance);
        let mac = container_mac(request, host, &owner);
        let mtu_bytes = mtu(request, kind)?;
        let bandwidth = request.overrides.bandwidth.or(policing(&request.host));
        let network = network(host, request)?;
        let logical_port = logical_port(host, request, mac);
        // Only VPP's own end has an address that can be chosen: elsewhere the host's key means the container's.
        let derived = MacAddr::new(owner.tag.host_mac_bytes());
        let host_mac = (host == EngineKind::Vpp).then(|| request.host.mac.unwrap_or(derived));
        let receive = Receive {
            mode: request.host.rx_mode,
            workers: request.host.rx_workers.clone().unwrap_or_default(),
        };
        let sandbox = (host == EngineKind::Ovs).then(|| sandbox(request));
        if !kind.is_kernel() {
            let half = userspace::Half { request, owner: &owner, kind, host, container, mac, mtu_bytes };
            let (mut host, container) = half.split(network)?;
            host.spec =
                InterfaceSpec { mac: host_mac, bandwidth, receive, logical_port, sandbox, ..host.spec };
            able::check(&host, &request.host)?;
            return Ok(Self {
                owner,
                host: Some(host),
                pair: None,
                container: Container::Published(container),
            });
        }
        let end = ContainerEnd { netns: netns(request)?, name: request.attachment.interface.clone(), mac };
        let spec = InterfaceSpec { mtu_bytes, ..InterfaceSpec::of(kernel_device(kind, end, request, host)?) };
        let container = Part {
            engine: EngineAt { netns: request.netns.clone(), ..EngineAt::HOST_KERNEL },
            spec: spec.clone(),
            network: Network::None,
        };
        let engine = EngineAt { kind: host, socket: request.host.socket.clone(), netns: None };
        let (device, pair) = beside(&owner, host, &spec)?;
        let spec = InterfaceSpec { device, mac: host_mac, bandwidth, receive, logical_port, sandbox, ..spec };
        let part = Part { engine, spec, network };
        able::check(&part, &request.host)?;
        let alone = host == EngineKind::Linux && kind != InterfaceKind::Veth;
        Ok(Self { owner, host: (!alone).then_some(part), pair, container: Container::Kernel(container) })
    }

    /// Brings what the container is told in line with the host's half, which its engine may have completed.
    pub(crate) fn tell_container(&mut self) {
        let host = self.host.as_ref().map(|host| &host.spec.device);
        if let (Some(Device::Memif(host)), Container::Published(published)) = (host, &mut self.container)
            && let Some(theirs) = &mut published.config.memif
        {
            userspace::at_least(&mut theirs.rx_queues, host.tx_queues);
            userspace::at_least(&mut theirs.tx_queues, host.rx_queues);
        }
    }

    /// The container's network namespace.
    pub fn netns(&self) -> Option<&NetnsRef> {
        match &self.container {
            Container::Kernel(part) => part.spec.container_end().map(|end| &end.netns),
            Container::Published(published) => published.netns.as_ref(),
        }
    }

    /// The container's end in its namespace, when it is a kernel interface.
    pub fn container_end(&self) -> Option<&ContainerEnd> {
        match &self.container {
            Container::Kernel(part) => part.spec.container_end(),
            Container::Published(_) => None,
        }
    }
}

/// The engines and the kind, checked against what each engine can make.
struct Halves {
    host: EngineKind,
    container: EngineKind,
    kind: InterfaceKind,
}

impl Halves {
    fn of(request: &Request) -> Result<Self, Refusal> {
        let host = request
            .host
            .engine
            .ok_or_else(|| Refusal::missing("host.engine", "one of \"vpp\", \"ovs-dpdk\", \"linux\""))?;
        let kind = request.host.iftype.ok_or_else(|| {
            let known = "one of \"memif\", \"vhostuser\", \"veth\", \"tap\", \"macvlan\"";
            Refusal::missing("host.iftype", known)
        })?;
        let (host, kind) = (EngineKind::from(host), InterfaceKind::from(kind));
        let default = if kind.is_kernel() { EngineKind::Linux } else { host };
        let container = request.container.engine.map_or(default, EngineKind::from);
        if let Some(other) = request.container.iftype.map(InterfaceKind::from)
            && other != kind
        {
            let reason = format!("both halves are one kind, and host.iftype is \"{kind}\"");
            return Err(Refusal::of("container.iftype", other, reason));
        }
        userspace::refuse_socket_type(request, host, kind)?;
        refuse_engine("host.engine", host, kind, host_engines(kind))?;
        refuse_engine("container.engine", container, kind, container_engines(kind))?;
        if let (true, Some(NetType::Bridge)) = (kind.is_kernel(), request.container.net_type) {
            let reason = format!("the container's end of a {kind} takes \"interface\" or \"none\"");
            return Err(Refusal::of("container.netType", "bridge", reason));
        }
        Ok(Self { host, container, kind })
    }
}

/// What the host's engine makes of a kernel interface, and the pair that the kernel's engine makes for another vswitch.
fn beside(owner: &Owner, host: EngineKind, spec: &InterfaceSpec) -> Result<(Device, Option<Part>), Refusal> {
    if host == EngineKind::Linux || spec.kind() != InterfaceKind::Veth {
        return Ok((spec.device.clone(), None));
    }
    let name = owner.tag.host_name();
    let name = name.parse().map_err(|_| Refusal::of("the interface on the host", &name, "is no name"))?;
    let pair = Part { engine: EngineAt::HOST_KERNEL, spec: spec.clone(), network: Network::None };
    Ok((Device::Netdev(Netdev { name }), Some(pair)))
}

fn sandbox(request: &Request) -> Sandbox {
    Sandbox {
        interface: request.attachment.interface.clone(),
        netns: request.netns.as_ref().map(|netns| netns.path.clone()),
        pod_uid: request.overrides.pod_uid.clone(),
    }
}

/// The pod's port in OVN is told to all of its networks; those of other engines have no use for it.
fn logical_port(host: EngineKind, request: &Request, mac: MacAddr) -> Option<LogicalPort> {
    let id = request.overrides.ovn_port.clone().filter(|_| host == EngineKind::Ovs)?;
    Some(LogicalPort { id, mac })
}

/// Which engines make that kind on the host.
fn host_engines(kind: InterfaceKind) -> &'static [EngineKind] {
    use EngineKind::{Linux, Ovs, Vpp};
    match kind {
        InterfaceKind::Memif | InterfaceKind::VhostUser => &[Vpp, Ovs],
        // ovs-vswitchd makes a new tap at each start: no place for the container's end.
        InterfaceKind::Tap => &[Linux, Vpp],
        InterfaceKind::Veth => &[Linux, Ovs, Vpp],
        InterfaceKind::Macvlan => &[Linux],
        InterfaceKind::Netdev => &[],
    }
}

/// Which engines can be named for that kind in the container. VPP has no vhost-user client there, but is accepted as a label:
/// the Go plugins' samples say so, and the container app tells what it cannot do.
fn container_engines(kind: InterfaceKind) -> &'static [EngineKind] {
    use EngineKind::{Dpdk, Linux, Ovs, Vpp};
    if kind.is_kernel() { &[Linux] } else { &[Vpp, Ovs, Dpdk] }
}

fn refuse_engine(
    key: &str,
    engine: EngineKind,
    kind: InterfaceKind,
    able: &[EngineKind],
) -> Result<(), Refusal> {
    if able.contains(&engine) {
        return Ok(());
    }
    let able: Vec<_> = able.iter().map(|able| format!("\"{able}\"")).collect();
    let reason = format!("does not make a {kind} there; {} would", able.join(" or "));
    Err(Refusal::of(key, engine, reason))
}

/// The container's MAC: asked for it, or for its half, or for the host's half where that means the container's (VPP's own
/// interface has an address itself), or derived from the ids so that it stays when the interface is made again.
fn container_mac(request: &Request, host: EngineKind, owner: &Owner) -> MacAddr {
    let typed = request.overrides.mac.or(request.container.mac);
    let from_host = request.host.mac.filter(|_| host != EngineKind::Vpp);
    typed.or(from_host).unwrap_or_else(|| MacAddr::new(owner.tag.mac_bytes()))
}

fn mtu(request: &Request, kind: InterfaceKind) -> Result<Option<u32>, Refusal> {
    let host = checked_mtu("host.mtu", request.host.mtu)?;
    let container = checked_mtu("container.mtu", request.container.mtu)?;
    if let (true, Some(host), Some(container)) = (kind.is_kernel(), host, container)
        && host != container
    {
        let reason = format!("both ends of a {kind} have one MTU, and host.mtu is {host}");
        return Err(Refusal::of("container.mtu", container, reason));
    }
    Ok(if kind.is_kernel() { host.or(container) } else { host })
}

/// 68 is the least MTU of IPv4 (RFC 791), 65535 the most that the kernel and the vswitches take.
pub(crate) fn checked_mtu(key: &str, mtu: Option<u32>) -> Result<Option<u32>, Refusal> {
    match mtu {
        None | Some(0) => Ok(None),
        Some(68..=65535) => Ok(mtu),
        Some(other) => Err(Refusal::of(key, other, "an MTU is 68 to 65535 bytes")),
    }
}

fn netns(request: &Request) -> Result<NetnsRef, Refusal> {
    let reason = "a kernel interface is made in the container's network namespace";
    let netns = request.netns.clone();
    netns.ok_or_else(|| Refusal::missing("the network namespace", reason))
}

/// F's policing keys speak as OVS does: ingress into the switch is what the container sends.
fn policing(host: &HalfConf) -> Option<Bandwidth> {
    let vhost = host.vhost.as_ref()?;
    let rate = vhost.ingress_policing_rate.filter(|rate| *rate > 0)?;
    let burst = vhost.ingress_policing_burst.unwrap_or(0);
    Some(Bandwidth {
        ingress: None,
        egress: Some(Rate {
            bits_per_second: rate.saturating_mul(1000),
            burst_bits: burst.saturating_mul(1000),
        }),
    })
}

fn kernel_device(
    kind: InterfaceKind,
    end: ContainerEnd,
    request: &Request,
    host: EngineKind,
) -> Result<Device, Refusal> {
    match kind {
        InterfaceKind::Tap => {
            let tap = request.host.tap.clone().unwrap_or_default();
            Ok(Device::Tap(Tap {
                end,
                // The kernel lets everybody open a tap that has neither an owner nor a group.
                owner_uid: tap.owner.or(tap.group.is_none().then_some(0)),
                group_gid: tap.group,
                multi_queue: tap.multi_queue.unwrap_or(false),
            }))
        }
        InterfaceKind::Macvlan => {
            let macvlan = request.host.macvlan.clone().unwrap_or_default();
            let key = "host.macvlan.master";
            let master =
                macvlan.master.ok_or_else(|| Refusal::missing(key, "name the host's interface below it"))?;
            let master: InterfaceName =
                master.parse().map_err(|_| Refusal::of(key, &master, "is not an interface name"))?;
            Ok(Device::Macvlan(Macvlan { end, master, mode: macvlan.mode.unwrap_or_default() }))
        }
        _ => Ok(Device::Veth(Veth { end, finish_checksums: host != EngineKind::Linux })),
    }
}

fn network(engine: EngineKind, request: &Request) -> Result<Network, Refusal> {
    let mut bridge = request.host.bridge.clone().unwrap_or_default();
    if request.overrides.ovn_port.is_some() && engine == EngineKind::Ovs {
        // OVN's ports are on its integration bridge (ovn-architecture(7)).
        bridge.bridge_name.get_or_insert_with(|| "br-int".to_owned());
    }
    match request.host.net_type.unwrap_or(NetType::None) {
        NetType::Interface => Ok(Network::Routed { vrf: request.host.vrf.unwrap_or(0) }),
        NetType::Bridge => bridge::of(engine, "host.bridge", &bridge).map(Network::Bridge),
        // Every port of OVS is on a bridge.
        NetType::None if engine == EngineKind::Ovs => {
            bridge::of(engine, "host.bridge", &bridge).map(Network::Bridge)
        }
        NetType::None => Ok(Network::None),
    }
}

/// A half's own MTU, or the other half's.
fn mtu_or(typed: Option<u32>, other: Option<u32>) -> Option<u32> {
    typed.filter(|mtu| *mtu != 0).or(other)
}

#[cfg(test)]
mod tests;
