//! DEL: best effort. What ADD would refuse still detaches.

use std::path::Path;

use userspace_core::{
    conf::{BridgeConf, HalfConf, NetType},
    id::{AttachmentId, InterfaceName},
    ipam::Ipam,
    lifecycle::{self, Detach, Fallback},
    netns::NetnsRef,
    plan::OVS_BRIDGE,
    spec::{Bridge, EngineAt, EngineKind, Network, Vlan},
};

use super::{Call, pod};
use crate::{Outcome, device_info, error::CniError, ipam_exec::ExecIpam};

pub(super) async fn run(call: &Call) -> Outcome<Vec<u8>> {
    let attachment = call.attachment()?;
    let ipam = ipam(call, &attachment);
    let pod = match call.records.load(&attachment) {
        Some(_) => None,
        None => pod::of_del(call).await,
    };
    let fallback = Fallback { pod, ..fallback(call)? };
    let target = Detach { attachment, ipam: ipam.as_ref().map(|ipam| ipam as &dyn Ipam), fallback };
    device_info::remove(&call.conf);
    let done = lifecycle::detach(call.world(), call.cx(), &target).await;
    done.map_err(|errors| CniError::of_detach(call.command, &errors))?;
    Ok(Vec::new())
}

/// The IPAM that gave the addresses: that of the record, when the configuration has changed since.
fn ipam(call: &Call, id: &AttachmentId) -> Option<ExecIpam> {
    let recorded = call.records.load(id).map(|record| record.config);
    let changed = recorded.filter(|config| config.get("ipam") != call.conf.ipam.as_ref());
    match changed {
        Some(config) => ExecIpam::of_config(&config, &call.env),
        None => call.ipam(),
    }
}

/// Where to look when there is no record.
fn fallback(call: &Call) -> Outcome<Fallback> {
    let netns = &call.target()?.netns;
    let container = NetnsRef::inspect(Path::new(netns)).ok().map(|netns| EngineAt {
        kind: EngineKind::Linux,
        socket: None,
        netns: Some(netns),
    });
    Ok(Fallback { container, ..on_host(call) })
}

/// The host's side of it.
pub(super) fn on_host(call: &Call) -> Fallback {
    let host = call.conf.host();
    let memif = host.memif.as_ref().and_then(|memif| memif.socketfile.clone());
    let vhost = host.vhost.as_ref().and_then(|vhost| vhost.socketfile.clone());
    // A name with a directory in it was refused.
    let files = [memif, vhost].into_iter().flatten().filter(|name| !name.contains('/'));
    Fallback {
        network: network(&host),
        host: host_engine(&host),
        container: None,
        shared_dir: call.conf.shared_dir.clone(),
        sockets: call.conf.sockets(),
        socket_files: files.collect(),
        pod: None,
    }
}

/// The host's engine as far as the configuration tells.
pub(super) fn host_engine(host: &HalfConf) -> Option<EngineAt> {
    let kind = EngineKind::from(host.engine?);
    Some(EngineAt { kind, socket: host.socket.clone(), netns: None })
}

/// The network that is locked while a member leaves.
pub(super) fn network(host: &HalfConf) -> Network {
    let BridgeConf { bridge_name, bridge_id, .. } = host.bridge.clone().unwrap_or_default();
    let is_ovs = host.engine.map(EngineKind::from) == Some(EngineKind::Ovs);
    let name = bridge_name.or(bridge_id.map(|id| id.to_string()));
    let name = name.or(is_ovs.then(|| OVS_BRIDGE.to_owned()));
    // A name that no bridge can have was refused, and names none.
    let name = name.filter(|name| name.parse::<InterfaceName>().is_ok());
    match name.filter(|_| is_ovs || host.net_type == Some(NetType::Bridge)) {
        Some(name) => Network::Bridge(Bridge { name, vlan: Vlan::default() }),
        None if host.net_type == Some(NetType::Interface) => Network::Routed { vrf: host.vrf.unwrap_or(0) },
        None => Network::None,
    }
}
