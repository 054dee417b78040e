//! A vswitch, a remote store and an IPAM in memory, all on one fuse: the n-th effect can be made to fail, before or after it took
//! place.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;

use crate::{
    addr::{Address, Route},
    cx::Cx,
    engine::{Engine, EngineError, EngineInfo, ErrorKind, Hint, Interface, Owned},
    half::ContainerHalf,
    id::AttachmentId,
    ipam::{Allocation, Ipam},
    lifecycle::{Engines, Stores},
    owner::{Owner, OwnerTag, SpecDigest},
    plan::{PodRef, SharedDir},
    reconcile::State,
    remote::RemoteStore,
    shared::Sockets,
    spec::{EngineAt, EngineKind, InterfaceKind, InterfaceSpec, Network},
};

/// Everything outside, in memory. Clones share it.
#[derive(Clone, Default)]
pub struct Fake {
    model: Arc<Mutex<Model>>,
}

/// What there is in the fake.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct World {
    /// Interfaces by engine and name.
    pub interfaces: BTreeMap<(EngineAt, String), Port>,
    /// Networks, and whether they were made for an attachment.
    pub networks: BTreeMap<String, bool>,
    /// The destinations of routes that an engine (VPP) keeps apart from the interface that they lead to.
    pub routes: BTreeSet<(EngineAt, String)>,
    /// The links to the directories that containers share.
    pub shared: BTreeSet<PathBuf>,
    /// Published halves.
    pub published: BTreeMap<AttachmentId, ContainerHalf>,
    /// Copies of them in pods' annotations.
    pub copies: BTreeMap<AttachmentId, ContainerHalf>,
    /// Attachments that hold addresses.
    pub leases: BTreeSet<AttachmentId>,
}

/// An interface of the fake.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    owner: Owner,
    /// What it was made to.
    pub spec: InterfaceSpec,
    /// What it is joined to.
    pub network: Network,
    /// Its addresses.
    pub addresses: Vec<Address>,
    routes: Vec<Route>,
}

#[derive(Default)]
struct Model {
    world: World,
    fuse: Option<Fuse>,
    effects: usize,
    down: bool,
    hung: bool,
}

/// Which effect fails.
#[derive(Debug, Clone, Copy)]
pub struct Fuse {
    /// Its number, from 0.
    pub at: usize,
    /// Whether it takes place all the same.
    pub after: bool,
}

impl Fake {
    /// What there is now.
    pub fn world(&self) -> World {
        self.lock().world.clone()
    }

    /// Changes what there is, behind everybody's back.
    pub fn meddle(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.lock().world);
    }

    /// Sets or removes the fuse and counts the effects from 0 again.
    pub fn set_fuse(&self, fuse: Option<Fuse>) {
        let mut model = self.lock();
        model.fuse = fuse;
        model.effects = 0;
    }

    /// How many effects there were since the fuse was set.
    pub fn effects(&self) -> usize {
        self.lock().effects
    }

    /// Lets the vswitch answer nothing, or answer again.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Lets the vswitch be there and say nothing.
    pub fn set_hung(&self, hung: bool) {
        self.lock().hung = hung;
    }

    /// The engine at `at`.
    pub fn engine(&self, at: &EngineAt) -> FakeEngine {
        FakeEngine { fake: self.clone(), at: at.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// One effect, unless the fuse blows.
    fn effect<T>(&self, change: impl FnOnce(&mut World) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let mut model = self.lock();
        if model.down {
            return Err(EngineError::new(ErrorKind::Unavailable, "connect to the fake vswitch"));
        }
        let number = model.effects;
        model.effects += 1;
        let blown = |fuse: &Fuse| fuse.at == number;
        let fuse = model.fuse.filter(blown);
        if fuse.is_some() {
            // It blows once: the undo works.
            model.fuse = None;
        }
        let failed = || EngineError::new(ErrorKind::Protocol, format!("do the effect {number}"));
        match fuse {
            Some(Fuse { after: false, .. }) => Err(failed()),
            Some(Fuse { after: true, .. }) => change(&mut model.world).and_then(|_| Err(failed())),
            None => change(&mut model.world),
        }
    }
}

impl Engines for Fake {
    fn open(&self, at: &EngineAt) -> Result<Arc<dyn Engine>, EngineError> {
        Ok(Arc::new(self.engine(at)))
    }
}

impl Stores for Fake {
    fn open(&self, _dir: &SharedDir) -> Arc<dyn RemoteStore> {
        Arc::new(self.clone())
    }

    fn of_pod(&self, _pod: &PodRef) -> Result<Arc<dyn RemoteStore>, EngineError> {
        Ok(Arc::new(Annotations(self.clone())))
    }

    fn refuse_used(&self, _dir: &SharedDir, _id: &AttachmentId) -> Result<(), EngineError> {
        Ok(())
    }

    fn share(&self, dir: &SharedDir) -> Result<(), EngineError> {
        self.effect(|world| {
            world.shared.insert(dir.link.clone());
            Ok(())
        })
    }

    fn open_up(&self, _dir: &SharedDir) -> Result<(), EngineError> {
        self.effect(|_| Ok(()))
    }

    fn is_shared(&self, dir: &SharedDir) -> bool {
        self.lock().world.shared.contains(&dir.link)
    }

    fn unshare(&self, dir: &SharedDir, _which: Sockets) -> Result<(), EngineError> {
        self.effect(|world| {
            world.shared.remove(&dir.link);
            Ok(())
        })
    }
}

/// An engine of the fake.
pub struct FakeEngine {
    fake: Fake,
    at: EngineAt,
}

impl FakeEngine {
    fn port(&self, name: String, hint: Option<&Hint>) -> Box<dyn Interface> {
        let routes = hint.map(|hint| hint.routes.clone());
        Box::new(FakeInterface { fake: self.fake.clone(), at: self.at.clone(), name, routes })
    }
}

#[async_trait]
impl Engine for FakeEngine {
    async fn ready(&self, cx: Cx) -> Result<EngineInfo, EngineError> {
        if self.fake.lock().hung {
            let never = std::future::pending::<Result<_, EngineError>>();
            return cx.bound(|| "ask the fake vswitch".to_owned(), never).await;
        }
        if self.fake.lock().down {
            return Err(EngineError::new(ErrorKind::Unavailable, "connect to the fake vswitch"));
        }
        Ok(EngineInfo { kind: self.at.kind, version: "fake".to_owned(), features: Vec::new() })
    }

    fn supports(&self, _: &EngineInfo, _: &InterfaceSpec, _: &Network) -> Result<(), EngineError> {
        Ok(())
    }

    async fn ensure(
        &self,
        _cx: Cx,
        owner: &Owner,
        spec: &InterfaceSpec,
        _network: &Network,
    ) -> Result<Box<dyn Interface>, EngineError> {
        let name = owner.tag.host_name();
        let key = (self.at.clone(), name.clone());
        self.fake.effect(|world| {
            let port = world.interfaces.entry(key).or_insert_with(|| Port {
                owner: owner.clone(),
                spec: spec.clone(),
                network: Network::None,
                addresses: Vec::new(),
                routes: Vec::new(),
            });
            if SpecDigest::of(&port.spec) == SpecDigest::of(spec) {
                return Ok(());
            }
            let doing = format!("make the interface {name:?} (one of another specification exists)");
            Err(EngineError::new(ErrorKind::Conflict, doing))
        })?;
        Ok(self.port(name, None))
    }

    async fn find(
        &self,
        _cx: Cx,
        owner: &OwnerTag,
        hint: Option<&Hint>,
    ) -> Result<Option<Box<dyn Interface>>, EngineError> {
        let name = owner.host_name();
        let model = self.fake.lock();
        let found = model.world.interfaces.get(&(self.at.clone(), name.clone()));
        let ours = found.is_some_and(|port| port.owner.tag.same_attachment(owner));
        Ok(ours.then(|| self.port(name, hint)))
    }

    async fn prune(&self, _cx: Cx, _owner: &OwnerTag, network: &Network) -> Result<(), EngineError> {
        let Some(name) = name_of(network) else {
            return Ok(());
        };
        self.fake.effect(|world| {
            let used = world.interfaces.values().any(|port| port.network == *network);
            if world.networks.get(&name) == Some(&true) && !used {
                world.networks.remove(&name);
            }
            Ok(())
        })
    }

    async fn owned(&self, _cx: Cx) -> Result<Vec<Owned>, EngineError> {
        let model = self.fake.lock();
        let here = model.world.interfaces.iter().filter(|((at, _), _)| *at == self.at);
        Ok(here
            .map(|(_, port)| Owned { tag: port.owner.tag, attachment: Some(port.owner.attachment.clone()) })
            .collect())
    }
}

/// A network that can be made: a bridge, or the gateways of a routing table.
fn name_of(network: &Network) -> Option<String> {
    match network {
        Network::None => None,
        Network::Bridge(bridge) => Some(bridge.name.clone()),
        Network::Routed { vrf } => Some(format!("table {vrf}")),
    }
}

struct FakeInterface {
    fake: Fake,
    at: EngineAt,
    name: String,
    /// The routes that lead to it, as its finder knew them.
    routes: Option<Vec<Route>>,
}

impl FakeInterface {
    fn keeps_routes_apart(&self) -> bool {
        self.at.kind == EngineKind::Vpp
    }

    fn kept(&self, route: &Route) -> (EngineAt, String) {
        (self.at.clone(), route.dst.to_string())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Port) -> T) -> Result<T, EngineError> {
        let key = (self.at.clone(), self.name.clone());
        self.fake.effect(|world| match world.interfaces.get_mut(&key) {
            Some(port) => Ok(change(port)),
            None => {
                let doing = format!("change the interface {:?} (it is gone)", self.name);
                Err(EngineError::new(ErrorKind::Protocol, doing))
            }
        })
    }
}

#[async_trait]
impl Interface for FakeInterface {
    fn hint(&self) -> Hint {
        Hint::named(self.name.clone())
    }

    async fn observe(
        &self,
        _cx: Cx,
        _spec: &InterfaceSpec,
        _network: &Network,
    ) -> Result<State, EngineError> {
        let model = self.fake.lock();
        let key = (self.at.clone(), self.name.clone());
        let port = model
            .world
            .interfaces
            .get(&key)
            .ok_or_else(|| EngineError::new(ErrorKind::Protocol, format!("observe {:?}", self.name)))?;
        let mut state = State::desired(&port.spec, &port.network);
        if matches!(state.network, Some(Network::Routed { .. })) {
            state.network = Some(Network::None);
        }
        state.mac = port.spec.container_end().map(|end| end.mac).or(port.spec.mac);
        state.addresses = Some(port.addresses.iter().map(|a| a.ip).collect());
        let is_kept = |route: &&Route| model.world.routes.contains(&self.kept(route));
        state.routes = if self.keeps_routes_apart() {
            self.routes.as_ref().map(|known| known.iter().filter(is_kept).cloned().collect())
        } else {
            Some(port.routes.clone())
        };
        Ok(state)
    }

    async fn join(&self, _cx: Cx, network: &Network) -> Result<(), EngineError> {
        if let Some(name) = name_of(network) {
            self.fake.effect(|world| {
                world.networks.entry(name).or_insert(true);
                Ok(())
            })?;
        }
        self.change(|port| port.network = network.clone())
    }

    async fn assign(&self, _cx: Cx, addresses: &[Address], routes: &[Route]) -> Result<(), EngineError> {
        self.change(|port| port.addresses = addresses.to_vec())?;
        if self.keeps_routes_apart() {
            return self.fake.effect(|world| {
                world.routes.extend(routes.iter().map(|route| self.kept(route)));
                Ok(())
            });
        }
        self.change(|port| port.routes = routes.to_vec())
    }

    async fn remove(self: Box<Self>, _cx: Cx) -> Result<(), EngineError> {
        let key = (self.at.clone(), self.name.clone());
        self.fake.effect(|world| {
            for route in self.routes.iter().flatten() {
                world.routes.remove(&self.kept(route));
            }
            // A pair's ends go together; each has the owner's name.
            if world.interfaces.remove(&key).is_some_and(|port| port.spec.kind() == InterfaceKind::Veth) {
                world.interfaces.retain(|(_, name), _| *name != key.1);
            }
            Ok(())
        })
    }
}

#[async_trait]
impl RemoteStore for Fake {
    async fn publish(&self, _cx: Cx, half: &ContainerHalf) -> Result<(), EngineError> {
        self.effect(|world| {
            world.published.insert(half.attachment.clone(), half.clone());
            Ok(())
        })
    }

    async fn withdraw(&self, _cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
        self.effect(|world| {
            world.published.remove(id);
            Ok(())
        })
    }

    async fn is_published(&self, _cx: Cx, id: &AttachmentId) -> Result<bool, EngineError> {
        Ok(self.lock().world.published.contains_key(id))
    }
}

/// The pods' annotations of the fake. An API that is down or hangs does so with the vswitch.
struct Annotations(Fake);

#[async_trait]
impl RemoteStore for Annotations {
    async fn publish(&self, _cx: Cx, half: &ContainerHalf) -> Result<(), EngineError> {
        self.0.effect(|world| {
            world.copies.insert(half.attachment.clone(), half.clone());
            Ok(())
        })
    }

    async fn withdraw(&self, cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
        if self.0.lock().hung {
            let never = std::future::pending::<Result<(), EngineError>>();
            return cx.bound(|| "ask the fake API".to_owned(), never).await;
        }
        self.0.effect(|world| {
            world.copies.remove(id);
            Ok(())
        })
    }

    async fn is_published(&self, _cx: Cx, id: &AttachmentId) -> Result<bool, EngineError> {
        let model = self.0.lock();
        if model.down {
            return Err(EngineError::new(ErrorKind::Unavailable, "connect to the fake API"));
        }
        Ok(model.world.copies.contains_key(id))
    }
}

#[async_trait]
impl Ipam for Fake {
    async fn allocate(&self, _cx: Cx, id: &AttachmentId) -> Result<Allocation, EngineError> {
        self.effect(|world| {
            if !world.leases.insert(id.clone()) {
                let doing = format!("allocate addresses for {id} (it has some)");
                return Err(EngineError::new(ErrorKind::Conflict, doing));
            }
            Ok(())
        })?;
        let host = u8::try_from(self.lock().world.leases.len()).unwrap_or(u8::MAX);
        Ok(Allocation {
            ips: vec![Address {
                ip: ipnet::IpNet::new([10, 1, 0, host].into(), 24).unwrap_or_default(),
                gateway: Some([10, 1, 0, 254].into()),
            }],
            ..Allocation::default()
        })
    }

    async fn release(&self, _cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
        self.effect(|world| {
            world.leases.remove(id);
            Ok(())
        })
    }

    async fn check(&self, _cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
        if self.lock().world.leases.contains(id) {
            return Ok(());
        }
        Err(EngineError::new(ErrorKind::Conflict, format!("check the addresses of {id}")))
    }
}
