//! Which engines this build has.

use std::sync::Arc;

use userspace_core::{engine::Engine, spec::EngineKind};

use crate::settings::Settings;

/// The vswitches of this build.
pub(crate) const BUILT_IN: &[EngineKind] = &[
    #[cfg(feature = "vpp")]
    EngineKind::Vpp,
    #[cfg(feature = "ovs")]
    EngineKind::Ovs,
];

/// The container's vswitch of that kind; nothing is connected yet. `None` when this build has none such.
pub(crate) fn open(kind: EngineKind, settings: &Settings) -> Option<Arc<dyn Engine>> {
    let socket = match kind {
        EngineKind::Vpp => settings.vpp_socket.clone(),
        EngineKind::Ovs => settings.ovs_socket.clone(),
        EngineKind::Linux | EngineKind::Dpdk => None,
    };
    match (kind, socket) {
        #[cfg(feature = "vpp")]
        (EngineKind::Vpp, socket) => Some(Arc::new(engine_vpp::VppEngine::in_container(socket))),
        #[cfg(feature = "ovs")]
        (EngineKind::Ovs, socket) => Some(Arc::new(engine_ovs::OvsEngine::in_container(socket))),
        _ => None,
    }
}
