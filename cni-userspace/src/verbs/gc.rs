//! GC: detaches what is ours on this network and not listed, then tells the IPAM.

use std::collections::BTreeSet;

use userspace_core::{
    conf::HalfConf,
    id::{ContainerId, InterfaceName},
    ipam::Ipam,
    lifecycle::{self, Collect},
    spec::{EngineAt, EngineKind, InterfaceKind},
};

use super::{
    Call,
    del::{host_engine, on_host},
};
use crate::{
    Outcome,
    command::Command,
    error::{CniError, code},
};

pub(super) async fn run(call: &Call) -> Outcome<Vec<u8>> {
    let ipam = call.ipam();
    let cx = call.cx();
    let mut failed = Vec::new();
    // Without a list nothing is known to be garbage, for us or for the IPAM, which would take it for an empty one.
    let valid = valid(call)?;
    let has_list = valid.is_some();
    if let Some(valid) = valid {
        let instance = call.records.instance();
        let host = call.conf.host();
        let collect = Collect {
            network: call.network.clone(),
            instance: instance.map_err(|error| call.failed(&error))?,
            valid,
            engines: engines(&host),
            fallback: on_host(call),
            ipam: ipam.as_ref().map(|ipam| ipam as &dyn Ipam),
        };
        let collected = lifecycle::gc(call.world(), cx, &collect).await;
        tracing::info!(removed = collected.removed, "collected");
        failed = collected.failed;
    }
    if let Some(ipam) = ipam.as_ref().filter(|_| has_list)
        && let Err(error) = ipam.run_for_network(cx, Command::Gc).await
    {
        failed.push(error);
    }
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    Err(CniError::of_many(call.command, &failed))
}

/// Where marks are looked for: in the host's vswitch, and in the kernel when that makes pairs for it.
fn engines(host: &HalfConf) -> Vec<EngineAt> {
    let is_veth = host.iftype.map(InterfaceKind::from) == Some(InterfaceKind::Veth);
    let vswitch = host_engine(host);
    let beside =
        vswitch.as_ref().filter(|at| is_veth && at.kind != EngineKind::Linux).map(|_| EngineAt::HOST_KERNEL);
    vswitch.into_iter().chain(beside).collect()
}

/// The attachments to keep, under the key of 1.1.0 or its older name.
fn valid(call: &Call) -> Outcome<Option<BTreeSet<(ContainerId, InterfaceName)>>> {
    let conf = &call.conf;
    let Some(listed) = conf.valid_attachments.as_ref().or(conf.attachments.as_ref()) else {
        return Ok(None);
    };
    let invalid = |error: &dyn std::fmt::Display| {
        let msg = format!("configuration: \"cni.dev/valid-attachments\": {error}");
        CniError::new(code::CONFIG, msg)
    };
    let mut valid = BTreeSet::new();
    for one in listed {
        let container = one.container_id.parse().map_err(|error| invalid(&error))?;
        let interface = one.ifname.parse().map_err(|error| invalid(&error))?;
        valid.insert((container, interface));
    }
    Ok(Some(valid))
}
