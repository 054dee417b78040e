//! STATUS: whether ADD could work now. Makes nothing, and answers within a second: runtimes ask every few.

use std::time::Duration;

use userspace_core::{
    engine::{EngineError, chain},
    id::AttachmentId,
    ipam::Ipam,
    lifecycle,
    netns::NetnsRef,
    owner::InstanceId,
    plan::{Overrides, Part, Plan, Request},
    spec::EngineAt,
};

use super::{Call, del::host_engine};
use crate::{
    Outcome,
    command::Command,
    error::{CniError, code},
};

const LIMIT: Duration = Duration::from_millis(900);

pub(super) async fn run(call: &Call) -> Outcome<Vec<u8>> {
    let cx = call.cx().at_most(LIMIT);
    let engine: Option<EngineAt> = host_engine(&call.conf.host());
    let engine = engine.ok_or_else(|| {
        let msg = "host.engine is missing: one of \"vpp\", \"ovs-dpdk\", \"linux\"";
        CniError::new(code::CONFIG, msg)
    })?;
    let part = part(call);
    let ready = lifecycle::status(call.world(), cx, &engine, part.as_ref()).await;
    ready.map_err(|error| call.failed(&error))?;
    if let Some(ipam) = call.ipam() {
        let missing = |error: EngineError| CniError::new(code::NOT_AVAILABLE, chain(&error));
        ipam.installed().map_err(missing)?;
        let ready = ipam.run_for_network(cx, Command::Status).await;
        ready.map_err(|error| call.failed(&error))?;
    }
    Ok(Vec::new())
}

/// The host's part of some attachment to this network. None when the configuration alone makes no plan: ADD tells why.
fn part(call: &Call) -> Option<Part> {
    let attachment = AttachmentId {
        network: call.network.clone(),
        container: "status".parse().ok()?,
        interface: "status".parse().ok()?,
    };
    let request = Request {
        attachment,
        instance: InstanceId::ANY,
        netns: NetnsRef::own().ok(),
        host: call.conf.host(),
        container: call.conf.container(),
        overrides: Overrides::default(),
        shared_dir: call.conf.shared_dir.clone(),
        sockets: call.conf.sockets(),
        pod: None,
    };
    Plan::new(&request).ok()?.host
}
