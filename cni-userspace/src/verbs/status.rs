//! STATUS: whether ADD could work now. Makes nothing, and answers within a second: runtimes ask every few.

use std::time::Duration;

use userspace_core::{
    engine::{EngineError, chain},
    ipam::Ipam,
    lifecycle,
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
    let ready = lifecycle::status(call.world(), cx, &[engine]).await;
    ready.map_err(|error| call.failed(&error))?;
    if let Some(ipam) = call.ipam() {
        let missing = |error: EngineError| CniError::new(code::NOT_AVAILABLE, chain(&error));
        ipam.installed().map_err(missing)?;
        let ready = ipam.run_for_network(cx, Command::Status).await;
        ready.map_err(|error| call.failed(&error))?;
    }
    Ok(Vec::new())
}
