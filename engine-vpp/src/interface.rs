//! The trait [`Interface`] for one interface of VPP's.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use ipnet::IpNet;
use userspace_core::{
    addr::{Address, Route},
    cx::Cx,
    engine::{EngineError, Hint, Interface},
    owner::OwnerTag,
    reconcile::State,
    spec::{InterfaceSpec, Network},
};
use vpp_api_client::{messages::interface::SwInterfaceDetails, types::SwIfIndex};

use crate::{
    address, domain,
    engine::protocol,
    gateway, observe,
    place::{Place, Side},
    remove::{self, Seen},
};

/// What was made or found.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) tag: OwnerTag,
    /// None when only a socket or a policer is left of it.
    pub(crate) index: Option<SwIfIndex>,
    pub(crate) name: String,
    /// Whether it was just made, and so is in no network.
    pub(crate) is_new: bool,
    /// Whether it has its tag, and so all that it should have.
    pub(crate) is_complete: bool,
    /// The routes that may lead to it, as far as its caller knows.
    pub(crate) routes: Vec<IpNet>,
    /// What was learnt of it on the way.
    pub(crate) seen: Option<Seen>,
}

impl Made {
    /// Without an interface.
    pub(crate) fn nothing(tag: OwnerTag) -> Self {
        Self {
            tag,
            index: None,
            name: String::new(),
            is_new: false,
            is_complete: false,
            routes: Vec::new(),
            seen: None,
        }
    }

    /// An interface that was there.
    pub(crate) fn found(tag: OwnerTag, details: &SwInterfaceDetails) -> Self {
        Self {
            index: Some(details.sw_if_index),
            name: details.interface_name.to_string(),
            is_complete: !details.tag.to_string().is_empty(),
            ..Self::nothing(tag)
        }
    }

    /// Its index, where it must have one.
    pub(crate) fn index(&self) -> Result<SwIfIndex, EngineError> {
        self.index.ok_or_else(|| protocol(format!("use {:?} (it is gone)", self.name)))
    }
}

#[derive(Debug)]
pub(crate) struct VppInterface {
    place: Arc<Place>,
    made: Made,
    is_new: AtomicBool,
    is_assigned: AtomicBool,
    is_joined: AtomicBool,
}

impl VppInterface {
    pub(crate) fn new(place: Arc<Place>, made: Made) -> Self {
        let is_new = AtomicBool::new(made.is_new);
        let unset = AtomicBool::default;
        Self { place, made, is_new, is_assigned: unset(), is_joined: unset() }
    }
}

#[async_trait]
impl Interface for VppInterface {
    fn hint(&self) -> Hint {
        Hint { index: self.made.index.map(|index| index.0), ..Hint::named(self.made.name.clone()) }
    }

    async fn observe(&self, cx: Cx, spec: &InterfaceSpec, network: &Network) -> Result<State, EngineError> {
        let vpp = self.place.client(cx).await?;
        observe::run(&vpp, self.place.side, &self.made, spec, network).await
    }

    async fn join(&self, cx: Cx, network: &Network) -> Result<(), EngineError> {
        let vpp = self.place.client(cx).await?;
        // Only the first join knows that there is nothing to look for.
        let is_new = self.is_new.swap(false, Ordering::Relaxed);
        self.is_joined.store(true, Ordering::Relaxed);
        match network {
            Network::None => Ok(()),
            Network::Bridge(bridge) => domain::join(&vpp, &self.made, is_new, bridge).await,
            Network::Routed { vrf } => gateway::join(&vpp, &self.made, *vrf).await,
        }
    }

    async fn assign(&self, cx: Cx, addresses: &[Address], routes: &[Route]) -> Result<(), EngineError> {
        let vpp = self.place.client(cx).await?;
        match self.place.side {
            Side::Host => gateway::assign(&vpp, &self.made, addresses, routes).await,
            // Only the first time is there nothing to look for.
            Side::Container if self.made.is_new && !self.is_assigned.swap(true, Ordering::Relaxed) => {
                address::assign_first(&vpp, &self.made, addresses, routes).await
            }
            Side::Container => address::assign(&vpp, &self.made, addresses, routes).await,
        }
    }

    async fn remove(self: Box<Self>, cx: Cx) -> Result<(), EngineError> {
        let vpp = self.place.client(cx).await?;
        // What was seen before it was joined holds no longer.
        let Self { made, is_joined, .. } = *self;
        let seen = made.seen.filter(|_| !is_joined.into_inner());
        remove::run(&vpp, &Made { seen, ..made }).await
    }
}
