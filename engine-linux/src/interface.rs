//! The trait [`Interface`] for one kernel interface.

use std::sync::Arc;

use async_trait::async_trait;
use kernel_links::{Link, Route as KernelRoute};
use userspace_core::{
    addr::{Address, MacAddr, Route},
    cx::Cx,
    engine::{EngineError, Hint, Interface},
    fault,
    owner::OwnerTag,
    reconcile::State,
    spec::{Bridge, InterfaceSpec, Network, Vlan},
};

use crate::{assign, bridge, error, place::Place};

/// An interface that was made or found.
#[derive(Debug)]
pub(crate) struct LinuxInterface {
    place: Arc<Place>,
    link: Link,
    tag: OwnerTag,
}

impl LinuxInterface {
    pub(crate) fn new(place: Arc<Place>, link: Link, tag: OwnerTag) -> Self {
        Self { place, link, tag }
    }

    /// The interface as it is now. It is gone when its index is, or has come to mean another.
    async fn now(&self, cx: Cx) -> Result<Option<Link>, EngineError> {
        let index = self.link.index;
        let look = async { self.place.netlink.link_by_index(index).await.map_err(error::of) };
        let found = cx.bound(|| format!("look up {:?}", self.link.name), look).await?;
        let marked = |link: &Link| link.alias.is_some() && link.alias == self.link.alias;
        Ok(found.filter(|link| link.name == self.link.name || marked(link)))
    }

    async fn network(&self, cx: Cx, link: &Link) -> Result<Network, EngineError> {
        let Some(master) = link.master else {
            return Ok(Network::None);
        };
        let look = async { self.place.netlink.link_by_index(master).await.map_err(error::of) };
        let bridge = cx.bound(|| format!("look up the bridge {master}"), look).await?;
        Ok(bridge.map_or(Network::None, |bridge| {
            Network::Bridge(Bridge { name: bridge.name, vlan: Vlan::default() })
        }))
    }
}

#[async_trait]
impl Interface for LinuxInterface {
    fn hint(&self) -> Hint {
        Hint { index: Some(self.link.index), ..Hint::named(self.link.name.clone()) }
    }

    async fn observe(&self, cx: Cx, _spec: &InterfaceSpec, _network: &Network) -> Result<State, EngineError> {
        let Some(link) = self.now(cx).await? else {
            return Ok(State { admin_up: Some(false), ..State::default() });
        };
        let netlink = &self.place.netlink;
        let ask = async {
            let addresses = netlink.addresses(link.index).await.map_err(error::of)?;
            let routes = netlink.routes(link.index).await.map_err(error::of)?;
            Ok::<_, EngineError>((addresses, routes))
        };
        let (addresses, routes) = cx.bound(|| format!("observe {:?}", link.name), ask).await?;
        Ok(State {
            device: None,
            admin_up: Some(link.up),
            mac: link.mac.map(MacAddr::new),
            mtu_bytes: Some(link.mtu),
            network: Some(self.network(cx, &link).await?),
            addresses: Some(addresses.into_iter().map(|address| address.ip).collect()),
            routes: Some(routes.into_iter().map(route).collect()),
            faults: Vec::new(),
        })
    }

    async fn join(&self, cx: Cx, network: &Network) -> Result<(), EngineError> {
        match network {
            // What a routed interface needs is set with its addresses.
            Network::None | Network::Routed { .. } => Ok(()),
            Network::Bridge(wanted) if !wanted.vlan.is_untouched() => Err(bridge::no_vlan(&wanted.name)),
            Network::Bridge(wanted) => {
                bridge::join(cx, &self.place, &self.link, &self.tag, &wanted.name).await
            }
        }
    }

    async fn assign(&self, cx: Cx, addresses: &[Address], routes: &[Route]) -> Result<(), EngineError> {
        assign::run(cx, &self.place, &self.link, addresses, routes).await
    }

    async fn remove(self: Box<Self>, cx: Cx) -> Result<(), EngineError> {
        let Some(link) = self.now(cx).await? else {
            return Ok(());
        };
        fault::point("before delete")?;
        self.place.delete(cx, &link).await?;
        fault::point("after delete")
    }
}

fn route(route: KernelRoute) -> Route {
    Route {
        dst: route.dst,
        gw: route.gateway,
        mtu: route.mtu,
        advmss: route.advmss,
        priority: route.priority,
        table: route.table,
        scope: route.scope,
    }
}
