//! The trait [`Interface`] for one port.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use userspace_core::{
    addr::{Address, Route},
    cx::Cx,
    engine::{EngineError, ErrorKind, Hint, Interface},
    owner::OwnerTag,
    reconcile::State,
    spec::{Bridge, InterfaceSpec, Network},
};

use crate::{
    address, observe,
    ovsdb::Uuid,
    place::{Place, Side},
    port,
};

/// A port that was made or found.
#[derive(Debug)]
pub(crate) struct OvsInterface {
    place: Arc<Place>,
    tag: OwnerTag,
    /// The Port row; none when only its limits are left of it.
    port: Option<Uuid>,
    /// The bridge that it was just made on.
    bridge: Mutex<Option<Bridge>>,
}

impl OvsInterface {
    pub(crate) fn new(place: Arc<Place>, tag: OwnerTag, port: Option<Uuid>, bridge: Option<Bridge>) -> Self {
        Self { place, tag, port, bridge: Mutex::new(bridge) }
    }

    fn bridge(&self) -> Option<Bridge> {
        self.bridge.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

#[async_trait]
impl Interface for OvsInterface {
    fn hint(&self) -> Hint {
        Hint::named(self.tag.host_name())
    }

    async fn observe(&self, cx: Cx, spec: &InterfaceSpec, _network: &Network) -> Result<State, EngineError> {
        let mut state = observe::run(cx, &self.place, &self.tag, spec).await?;
        if let (Side::Container, Some(Network::Bridge(bridge))) = (self.place.side, &state.network) {
            let (addresses, routes) = address::observe(cx, &bridge.name).await?;
            state.addresses = Some(addresses);
            state.routes = Some(routes);
        }
        Ok(state)
    }

    async fn join(&self, cx: Cx, network: &Network) -> Result<(), EngineError> {
        let Network::Bridge(wanted) = network else {
            let doing = "leave the bridge (every port of Open vSwitch is on one)";
            return Err(EngineError::new(ErrorKind::Unsupported, doing));
        };
        if self.bridge().as_ref() == Some(wanted) {
            return Ok(());
        }
        let gone =
            || EngineError::new(ErrorKind::Protocol, format!("join {:?} (it is gone)", self.tag.host_name()));
        let port = self.port.as_ref().ok_or_else(gone)?;
        port::join(cx, &self.place, port, wanted).await?;
        *self.bridge.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(wanted.clone());
        Ok(())
    }

    async fn assign(&self, cx: Cx, addresses: &[Address], routes: &[Route]) -> Result<(), EngineError> {
        match (self.place.side, self.bridge()) {
            (Side::Container, Some(bridge)) => address::assign(cx, &bridge.name, addresses, routes).await,
            _ if addresses.is_empty() && routes.is_empty() => Ok(()),
            _ => {
                let doing =
                    format!("give {:?} addresses (a port on the host has none)", self.tag.host_name());
                Err(EngineError::new(ErrorKind::Unsupported, doing))
            }
        }
    }

    async fn remove(self: Box<Self>, cx: Cx) -> Result<(), EngineError> {
        let found = port::look(cx, &self.place, &self.tag, None).await?;
        if !found.has_anything(&self.tag) {
            return Ok(());
        }
        port::remove(cx, &self.place, &self.tag, &found).await
    }
}
