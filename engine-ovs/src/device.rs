//! Which interface of Open vSwitch a device is, and whether this vswitch has such.

use std::{collections::BTreeMap, path::Path};

use userspace_core::{
    cx::Cx,
    engine::{EngineError, EngineInfo, ErrorKind},
    owner::OwnerTag,
    shared::remove_dead_socket,
    spec::{Device, InterfaceSpec, Memif, MemifRole, MemifSocket, Network, SocketMode},
};

use crate::{
    kind::Rows,
    memif,
    place::{Place, Side},
    server_socket, vhost_user,
};

/// The type of a kernel interface; OVS writes it as nothing.
const SYSTEM: &str = "";

/// What the Interface row says of the device.
pub(crate) fn rows(side: Side, tag: &OwnerTag, spec: &InterfaceSpec) -> Result<Rows, EngineError> {
    match &spec.device {
        Device::VhostUser(vhost) => vhost_user::rows(side, tag, vhost, spec.mac),
        Device::Memif(memif) => memif::rows(tag, memif, spec.mac),
        Device::Netdev(_) => Ok(Rows { kind: SYSTEM, options: BTreeMap::new() }),
        Device::Tap(_) | Device::Veth(_) | Device::Macvlan(_) => Err(not_made(spec)),
    }
}

/// Whether the device is DPDK's, which needs a bridge of the userspace datapath. The MTU of the others is the kernel's.
pub(crate) fn is_dpdk(spec: &InterfaceSpec) -> bool {
    !matches!(spec.device, Device::Netdev(_))
}

/// Whether this vswitch has what the device needs.
pub(crate) fn supports(
    side: Side,
    info: &EngineInfo,
    spec: &InterfaceSpec,
    network: &Network,
) -> Result<(), EngineError> {
    let unsupported = |doing: String| Err(EngineError::new(ErrorKind::Unsupported, doing));
    let Network::Bridge(_) = network else {
        return unsupported(format!(
            "make a {} on ovs-dpdk without a bridge (its ports are on one)",
            spec.kind()
        ));
    };
    let kind = match &spec.device {
        Device::VhostUser(vhost) => vhost_user::kind(side, vhost.mode),
        Device::Memif(memif) => {
            memif::supports(side, info, memif, spec)?;
            "dpdk"
        }
        Device::Netdev(_) => "system",
        Device::Tap(_) | Device::Veth(_) | Device::Macvlan(_) => return Err(not_made(spec)),
    };
    if is_dpdk(spec) && !info.has("dpdk") {
        return unsupported(format!(
            "make a {} (DPDK is not initialised in this Open vSwitch: other_config:dpdk-init of Open_vSwitch)",
            spec.kind()
        ));
    }
    if !info.has(&format!("type:{kind}")) {
        return unsupported(format!(
            "make a {} (this Open vSwitch has no interface type {kind:?})",
            spec.kind()
        ));
    }
    Ok(())
}

/// What a feature of [`EngineInfo`] begins with that ends in the number of queues on which this Open vSwitch sends.
pub(crate) const SEND_QUEUES: &str = "send-queues:";

/// A memif has as many queues as its client says, and what Open vSwitch sends on another is lost without a word. So both ends get as
/// many as it sends on.
pub(crate) fn complete(info: &EngineInfo, spec: &mut InterfaceSpec) {
    let needed = info.features.iter().find_map(|feature| feature.strip_prefix(SEND_QUEUES)?.parse().ok());
    if let (Device::Memif(memif), Some(needed)) = (&mut spec.device, needed) {
        memif.rx_queues = memif.rx_queues.max(needed);
        memif.tx_queues = memif.tx_queues.max(needed);
    }
}

/// The container's name of the socket, when ovs-vswitchd makes the socket itself.
fn server<'s>(place: &Place, spec: &'s InterfaceSpec) -> Option<&'s Path> {
    match &spec.device {
        Device::VhostUser(vhost) if vhost_user::is_server(place.side, vhost.mode) => Some(&vhost.socket),
        _ => None,
    }
}

/// Refuses what is known to fail when the port is made.
pub(crate) async fn preflight(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    spec: &InterfaceSpec,
) -> Result<(), EngineError> {
    match server(place, spec) {
        Some(target) => server_socket::preflight(cx, place, tag, target).await,
        None => Ok(()),
    }
}

/// Clears the way for a port that is about to be made.
pub(crate) async fn prepare(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    spec: &InterfaceSpec,
) -> Result<(), EngineError> {
    if let Some(target) = server(place, spec) {
        tracing::warn!(socket = ?target, "a vhost-user server port dies with ovs-vswitchd; a client port comes back");
        return server_socket::prepare(cx, place, tag, target).await;
    }
    match &spec.device {
        // What one that died has left would keep the next from listening.
        Device::Memif(Memif { role: MemifRole::Master, socket: MemifSocket::File(path), .. }) => {
            remove_dead_socket(path)
        }
        Device::VhostUser(vhost) if place.side == Side::Container && vhost.mode == SocketMode::Server => {
            remove_dead_socket(&vhost.socket)
        }
        _ => Ok(()),
    }
}

/// What is left to do when the port is there.
pub(crate) async fn finish(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    spec: &InterfaceSpec,
) -> Result<(), EngineError> {
    match server(place, spec) {
        Some(target) => server_socket::hand_over(cx, place, tag, target).await,
        None => Ok(()),
    }
}

/// Whether the container can reach the socket that ovs-vswitchd has made for it.
pub(crate) async fn is_reachable(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    spec: &InterfaceSpec,
) -> Result<bool, EngineError> {
    match server(place, spec) {
        Some(target) => server_socket::is_handed_over(cx, place, tag, target).await,
        None => Ok(true),
    }
}

fn not_made(spec: &InterfaceSpec) -> EngineError {
    let doing = format!("make a {} on ovs-dpdk (\"vhostuser\", \"memif\" and \"veth\" work)", spec.kind());
    EngineError::new(ErrorKind::Unsupported, doing)
}
