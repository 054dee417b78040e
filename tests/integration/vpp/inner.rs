//! A container that has a VPP of its own, whose half the engine makes from what the host published.

use std::time::Duration;

use engine_vpp::VppEngine;
use tokio::runtime::Builder;
use userspace_core::{
    cx::Cx,
    engine::Engine,
    half::ContainerHalf,
    owner::{InstanceId, Owner},
    spec::Network,
};
use userspace_tests::{Container, Flavour, Vpp};

use super::support::OnVpp;

const LIMIT: Duration = Duration::from_secs(15);

/// See the module.
pub(super) struct Inner {
    pub(super) vpp: Vpp,
    pub(super) container: Container,
}

impl Inner {
    /// A VPP for the container.
    pub(super) fn start(container: &Container, flavour: Flavour) -> Self {
        Self { vpp: Vpp::start_another(&container.netns, flavour), container: container.clone() }
    }

    /// Makes what was published for an interface, with its addresses; whose it is.
    pub(super) fn make(&self, it: &OnVpp, interface: &str) -> Owner {
        let text = it.published(&self.container, interface);
        let half = ContainerHalf::from_json(&text).expect("a half");
        let spec = half.spec(&it.shared(&self.container)).expect("a device");
        let owner = Owner::new(half.attachment, InstanceId::new(7));
        self.inside(async |engine, cx| {
            let info = engine.ready(cx).await.expect("ready");
            engine.supports(&info, &spec, &Network::None).expect("supported");
            let made = engine.ensure(cx, &owner, &spec, &Network::None).await.expect("ensure");
            let ips = &half.allocation.ips;
            made.assign(cx, ips, &half.allocation.routes).await.expect("assign");
            let state = made.observe(cx, &spec, &Network::None).await.expect("observe");
            assert_eq!(state.faults, []);
            let found = state.addresses.expect("known");
            assert!(ips.iter().all(|ip| found.contains(&ip.ip)), "{ips:?} in {found:?}");
        });
        owner
    }

    /// Removes it again.
    pub(super) fn remove(&self, owner: &Owner) {
        self.inside(async |engine, cx| {
            let found = engine.find(cx, &owner.tag, None).await.expect("find").expect("it is there");
            found.remove(cx).await.expect("remove");
            assert!(engine.find(cx, &owner.tag, None).await.expect("find").is_none());
        });
    }

    /// Does something with the engine in the container's network namespace, as a program there would.
    fn inside(&self, work: impl AsyncFnOnce(&VppEngine, Cx) + Send) {
        let engine = VppEngine::in_container(Some(self.vpp.api_socket()));
        self.container.netns.inside(|| {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async { work(&engine, Cx::within(LIMIT)).await });
        });
    }
}
