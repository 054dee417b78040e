//! Which engines this build has, and where the halves are published.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use userspace_core::{
    engine::{Engine, EngineError, ErrorKind},
    lifecycle::{Engines, Stores},
    plan::SharedDir,
    record::RecordDir,
    remote::{RemoteStore, dir::DirStore},
    spec::{EngineAt, EngineKind},
};

/// The engines of this build, by the names of the configuration.
pub(crate) const BUILT_IN: &[&str] = &[
    #[cfg(feature = "vpp")]
    "vpp",
    #[cfg(feature = "linux")]
    "linux",
    #[cfg(feature = "ovs")]
    "ovs-dpdk",
];

/// The engines of this build. One on the host is opened once a call, with one connection; those in containers are as many as those.
#[derive(Default)]
pub(crate) struct BuiltIn {
    on_host: Mutex<BTreeMap<EngineAt, Arc<dyn Engine>>>,
}

impl Engines for BuiltIn {
    fn open(&self, at: &EngineAt) -> Result<Arc<dyn Engine>, EngineError> {
        if at.netns.is_some() {
            return Self::make(at);
        }
        let mut on_host = self.on_host.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(engine) = on_host.get(at) {
            return Ok(Arc::clone(engine));
        }
        let engine = Self::make(at)?;
        on_host.insert(at.clone(), Arc::clone(&engine));
        Ok(engine)
    }
}

impl BuiltIn {
    fn make(at: &EngineAt) -> Result<Arc<dyn Engine>, EngineError> {
        match at.kind {
            #[cfg(feature = "linux")]
            EngineKind::Linux => linux(at),
            #[cfg(not(feature = "linux"))]
            EngineKind::Linux => not_built_in(at.kind),
            #[cfg(feature = "ovs")]
            EngineKind::Ovs => Ok(Arc::new(engine_ovs::OvsEngine::host(at.socket.clone()))),
            #[cfg(not(feature = "ovs"))]
            EngineKind::Ovs => not_built_in(at.kind),
            #[cfg(feature = "vpp")]
            EngineKind::Vpp => Ok(Arc::new(engine_vpp::VppEngine::host(at.socket.clone()))),
            #[cfg(not(feature = "vpp"))]
            EngineKind::Vpp => not_built_in(at.kind),
            EngineKind::Dpdk => not_built_in(at.kind),
        }
    }
}

#[cfg(feature = "linux")]
fn linux(at: &EngineAt) -> Result<Arc<dyn Engine>, EngineError> {
    use engine_linux::LinuxEngine;
    Ok(match &at.netns {
        Some(netns) => Arc::new(LinuxEngine::in_netns(netns.clone())),
        None => Arc::new(LinuxEngine::host()),
    })
}

fn not_built_in(kind: EngineKind) -> Result<Arc<dyn Engine>, EngineError> {
    let built_in = match BUILT_IN {
        [] => "none".to_owned(),
        some => some.join(", "),
    };
    let doing = format!("use engine \"{kind}\" (this build of userspace has: {built_in})");
    Err(EngineError::new(ErrorKind::Unsupported, doing))
}

/// Halves are published to the shared directory; in a build with the feature `kube` a pod's annotations have copies.
pub(crate) struct Published {
    #[cfg(feature = "kube")]
    pub(crate) apis: crate::kube::Apis,
    #[cfg(feature = "kube")]
    records: RecordDir,
}

impl Published {
    /// For halves of which `records` tells.
    #[cfg_attr(not(feature = "kube"), expect(unused_variables, reason = "the directory tells by itself"))]
    pub(crate) fn new(records: &RecordDir) -> Self {
        Self {
            #[cfg(feature = "kube")]
            apis: crate::kube::Apis::default(),
            #[cfg(feature = "kube")]
            records: records.clone(),
        }
    }
}

impl Stores for Published {
    fn open(&self, dir: &SharedDir) -> Arc<dyn RemoteStore> {
        Arc::new(DirStore::of(dir))
    }

    #[cfg(feature = "kube")]
    fn of_pod(&self, pod: &userspace_core::plan::PodRef) -> Result<Arc<dyn RemoteStore>, EngineError> {
        Ok(Arc::new(self.apis.store(pod, &self.records)))
    }
}
