//! A host with a VPP, and one container that has a VPP and a container-app of its own.

use std::{collections::BTreeMap, path::Path, time::Duration};

use engine_vpp::VppEngine;
use serde_json::{Value, json};
use userspace_core::{
    cx::Cx,
    engine::Engine,
    half::ContainerHalf,
    owner::{InstanceId, Owner},
    spec::Network,
};
use userspace_tests::{Container, Flavour};
use vpp_api_client::{messages::interface::SwInterfaceDump, types::SwIfIndex};

use crate::vpp::{inner::Inner, support::OnVpp};

pub(super) const SOON: Duration = Duration::from_secs(15);

/// See the module.
pub(super) struct Pair {
    pub(super) it: OnVpp,
    pub(super) red: Container,
    pub(super) inner: Inner,
}

impl Pair {
    /// A new one, if the machine has what it takes. Nothing is attached, and container-app does not run.
    pub(super) fn new(flavour: Flavour) -> Option<Self> {
        let it = OnVpp::with(&["host-local"], flavour)?;
        let red = it.host.container("red");
        let inner = Inner::start(&it, &red, flavour);
        Some(Self { it, red, inner })
    }

    /// A memif in a domain, with addresses. Each interface is on a network of its own: VPP has one interface a subnet.
    fn config(&self, name: &str) -> Value {
        let number = name.trim_start_matches("eth");
        let ranges =
            json!([[{"subnet": format!("10.2{number}.0.0/24")}], [{"subnet": format!("fd2{number}::/64")}]]);
        let bridge = format!("net{number}");
        let patch =
            json!({"name": bridge, "ipam": {"ranges": ranges}, "host": {"bridge": {"bridgeName": bridge}}});
        self.it.net_with_addresses(patch)
    }

    /// ADD of an interface.
    pub(super) fn add(&self, name: &str) -> Value {
        self.it.host.call("ADD", &self.config(name)).of(&self.red).ifname(name).run().result()
    }

    /// DEL of an interface.
    pub(super) fn del(&self, name: &str) {
        self.it.host.call("DEL", &self.config(name)).of(&self.red).ifname(name).run().silent();
    }

    /// The interfaces of the container's VPP, with their indices.
    pub(super) fn interfaces(&self) -> BTreeMap<String, SwIfIndex> {
        let all = self.inner.vpp.with_client(async |client| client.dump(&SwInterfaceDump::all()).await);
        let all = all.expect("list the interfaces").into_iter();
        let memifs = all.filter(|one| one.interface_name.to_string().starts_with("memif"));
        memifs.map(|one| (one.interface_name.to_string(), one.sw_if_index)).collect()
    }
}

/// Makes a published half in the container's VPP as another installation would: what container-app must not touch.
pub(super) fn make_as_another(inner: &Inner, half: &Path) {
    let half = ContainerHalf::from_json(&std::fs::read(half).expect("the half")).expect("a half");
    let spec = half.spec(Path::new("/tmp")).expect("a device");
    let owner = Owner::new(half.attachment, InstanceId::new(0xabcd));
    let engine = VppEngine::in_container(Some(inner.vpp.api_socket()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let cx = Cx::within(SOON);
        engine.ready(cx).await.expect("ready");
        engine.ensure(cx, &owner, &spec, &Network::None).await.expect("ensure");
    });
}
