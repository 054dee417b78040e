//! DEL: best effort. What ADD would refuse still detaches.

use std::path::Path;

use userspace_core::{
    conf::{BridgeConf, HalfConf, NetType},
    id::{AttachmentId, InterfaceName},
    ipam::Ipam,
    lifecycle::{self, Detach, Fallback},
    netns::NetnsRef,
    spec::{Bridge, EngineAt, EngineKind, Network, Vlan},
};

use super::Call;
use crate::{Outcome, error::CniError, ipam_exec::ExecIpam};

pub(super) async fn run(call: &Call) -> Outcome<Vec<u8>> {
    let attachment = call.attachment()?;
    let ipam = ipam(call, &attachment);
    let target =
        Detach { attachment, ipam: ipam.as_ref().map(|ipam| ipam as &dyn Ipam), fallback: fallback(call)? };
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
    let host = call.conf.host();
    Ok(Fallback {
        network: network(&host),
        host: host_engine(&host),
        container,
        shared_dir: call.conf.shared_dir.clone(),
    })
}

/// The host's engine as far as the configuration tells.
pub(super) fn host_engine(host: &HalfConf) -> Option<EngineAt> {
    let kind = EngineKind::from(host.engine?);
    Some(EngineAt { kind, socket: host.socket.clone(), netns: None })
}

/// The network that is locked while a member leaves.
pub(super) fn network(host: &HalfConf) -> Network {
    let BridgeConf { bridge_name, bridge_id, .. } = host.bridge.clone().unwrap_or_default();
    let name = bridge_name.or(bridge_id.map(|id| id.to_string()));
    // A name that no bridge can have was refused, and names none.
    let name = name.filter(|name| name.parse::<InterfaceName>().is_ok());
    match (host.net_type, name) {
        (Some(NetType::Bridge), Some(name)) => Network::Bridge(Bridge { name, vlan: Vlan::default() }),
        _ => Network::None,
    }
}
