//! The trait [`Engine`]: one VPP, on the host or in a container.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use userspace_core::{
    cx::Cx,
    engine::{Engine, EngineError, EngineInfo, ErrorKind, Hint, Interface, Owned, attached_already},
    owner::{Owner, OwnerTag},
    spec::{EngineKind, InterfaceSpec, Network},
};
use vpp_api_client::messages::{interface::SwInterfaceDump, vpe::ShowVersion};

use crate::{
    domain, error, features,
    find::{self, Found},
    gateway,
    interface::VppInterface,
    make,
    names::mark_of,
    place::{Place, Side},
};

/// One VPP. Connects when it is first asked something, and again when the connection has ended.
#[derive(Debug)]
pub struct VppEngine {
    place: Arc<Place>,
    /// Whose interface a preflight has just looked for in vain: the ensure that follows need not look again.
    absent: Mutex<Option<OwnerTag>>,
}

impl VppEngine {
    /// The VPP of the host, whose API is at `socket`; at the packages' usual place when absent.
    pub fn host(socket: Option<PathBuf>) -> Self {
        Self::at(socket, Side::Host)
    }

    /// The VPP of the container in which this process runs.
    pub fn in_container(socket: Option<PathBuf>) -> Self {
        Self::at(socket, Side::Container)
    }

    fn at(socket: Option<PathBuf>, side: Side) -> Self {
        Self { place: Arc::new(Place::new(socket, side)), absent: Mutex::default() }
    }

    fn absent(&self) -> MutexGuard<'_, Option<OwnerTag>> {
        self.absent.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[async_trait]
impl Engine for VppEngine {
    async fn ready(&self, cx: Cx) -> Result<EngineInfo, EngineError> {
        let vpp = self.place.client(cx).await?;
        let reply = vpp.request(&ShowVersion {}).await.map_err(error::doing("ask VPP for its version"))?;
        Ok(EngineInfo {
            kind: EngineKind::Vpp,
            version: reply.version.to_string(),
            features: features::of(&vpp),
        })
    }

    fn supports(
        &self,
        info: &EngineInfo,
        spec: &InterfaceSpec,
        network: &Network,
    ) -> Result<(), EngineError> {
        features::check(self.place.side, info, spec, network)
    }

    async fn preflight(
        &self,
        cx: Cx,
        owner: &Owner,
        spec: &InterfaceSpec,
        _network: &Network,
    ) -> Result<(), EngineError> {
        let vpp = self.place.client(cx).await?;
        match find::of_device(&vpp, &owner.tag, &spec.device).await? {
            Found::Ours(_) => Err(attached_already(&owner.attachment)),
            Found::Foreign(details) => Err(find::taken(&details)),
            // An earlier attempt that was killed is made anew.
            Found::Unmarked(_) => Ok(()),
            Found::Nothing => {
                *self.absent() = Some(owner.tag);
                Ok(())
            }
        }
    }

    async fn ensure(
        &self,
        cx: Cx,
        owner: &Owner,
        spec: &InterfaceSpec,
        _network: &Network,
    ) -> Result<Box<dyn Interface>, EngineError> {
        let vpp = self.place.client(cx).await?;
        let is_absent = self.absent().take() == Some(owner.tag);
        let made = make::ensure(&vpp, owner, spec, is_absent).await?;
        Ok(Box::new(VppInterface::new(Arc::clone(&self.place), made)))
    }

    async fn find(
        &self,
        cx: Cx,
        owner: &OwnerTag,
        hint: Option<&Hint>,
    ) -> Result<Option<Box<dyn Interface>>, EngineError> {
        let vpp = self.place.client(cx).await?;
        let found = find::anything(&vpp, owner, hint).await?;
        Ok(found.map(|found| {
            let interface = VppInterface::new(Arc::clone(&self.place), found);
            Box::new(interface) as Box<dyn Interface>
        }))
    }

    async fn prune(&self, cx: Cx, owner: &OwnerTag, network: &Network) -> Result<(), EngineError> {
        let vpp = self.place.client(cx).await?;
        match network {
            Network::Bridge(bridge) => domain::prune(&vpp, owner, &bridge.name).await,
            Network::Routed { vrf } => gateway::prune(&vpp, owner, *vrf).await,
            Network::None => Ok(()),
        }
    }

    async fn owned(&self, cx: Cx) -> Result<Vec<Owned>, EngineError> {
        let vpp = self.place.client(cx).await?;
        let all = vpp.dump(&SwInterfaceDump::all()).await.map_err(error::doing("list the interfaces"))?;
        let marks = all.iter().filter_map(|details| mark_of(details).0);
        Ok(marks.map(|mark| Owned { tag: mark.tag, attachment: mark.attachment }).collect())
    }

    async fn until_gone(&self) {
        if let Some(client) = self.place.connected().await {
            client.closed().await;
        }
    }
}

/// What only a message that cannot be would say.
pub(crate) fn protocol(doing: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::Protocol, doing)
}
