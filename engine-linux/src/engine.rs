//! The trait [`Engine`]: which kind of interface is made where.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use kernel_links::Link;
use userspace_core::{
    cx::Cx,
    engine::{Engine, EngineError, EngineInfo, ErrorKind, Hint, Interface, Owned},
    netns::NetnsRef,
    owner::{Owner, OwnerTag, SpecDigest},
    spec::{Device, EngineKind, InterfaceKind, InterfaceSpec, Network},
};

use crate::{
    bridge, container_end, error,
    interface::LinuxInterface,
    macvlan,
    place::{Owner as LinkOwner, Place, derived_name, is_marked, is_ours, owner_of},
    tap, veth,
};

/// The kernel in one network namespace. Connects when it is first asked something.
#[derive(Debug)]
pub struct LinuxEngine {
    netns: Option<NetnsRef>,
    place: OnceLock<Arc<Place>>,
}

impl LinuxEngine {
    /// The kernel in the process's own namespace: the host's.
    pub fn host() -> Self {
        Self { netns: None, place: OnceLock::new() }
    }

    /// The kernel in a container's namespace.
    pub fn in_netns(netns: NetnsRef) -> Self {
        Self { netns: Some(netns), place: OnceLock::new() }
    }

    fn place(&self) -> Result<&Arc<Place>, EngineError> {
        if let Some(place) = self.place.get() {
            return Ok(place);
        }
        let place = Arc::new(Place::open(self.netns.as_ref())?);
        Ok(self.place.get_or_init(|| place))
    }

    fn interface(&self, place: &Arc<Place>, link: Link, tag: OwnerTag) -> Box<dyn Interface> {
        Box::new(LinuxInterface::new(Arc::clone(place), link, tag))
    }

    /// In a container the interface has the name that it was given, or still the derived one, or another by now.
    async fn find_in_container(
        &self,
        cx: Cx,
        place: &Place,
        tag: &OwnerTag,
        hint: Option<&Hint>,
    ) -> Result<Option<Link>, EngineError> {
        if let Some(name) = hint.and_then(|hint| hint.name.as_deref())
            && let Some(link) = place.link(cx, name).await?
            && is_marked(&link, tag)
        {
            return Ok(Some(link));
        }
        // A container has few interfaces.
        let list = async { place.netlink.links().await.map_err(error::of) };
        let links = cx.bound(|| "list the interfaces".to_owned(), list).await?;
        let ours = |link: &Link| {
            let kinds = ["macvlan", "tun"];
            kinds.iter().any(|kind| is_ours(link, tag, kind)) || is_marked(link, tag)
        };
        Ok(links.into_iter().find(ours))
    }
}

#[async_trait]
impl Engine for LinuxEngine {
    async fn ready(&self, _cx: Cx) -> Result<EngineInfo, EngineError> {
        self.place()?;
        let system = nix::sys::utsname::uname().map_err(|errno| {
            EngineError::new(ErrorKind::Protocol, "ask for the kernel's release").because(errno)
        })?;
        Ok(EngineInfo {
            kind: EngineKind::Linux,
            version: system.release().to_string_lossy().into_owned(),
            features: Vec::new(),
        })
    }

    fn supports(
        &self,
        _info: &EngineInfo,
        spec: &InterfaceSpec,
        network: &Network,
    ) -> Result<(), EngineError> {
        let unsupported = |doing: String| Err(EngineError::new(ErrorKind::Unsupported, doing));
        let kind = spec.kind();
        if !kind.is_kernel() {
            let doing = format!("make a {kind} on linux (\"vpp\" and \"ovs-dpdk\" make one)");
            return unsupported(doing);
        }
        if kind != InterfaceKind::Veth && *network != Network::None {
            return unsupported(format!("join a {kind} to a network (on linux it takes none)"));
        }
        if let Network::Bridge(wanted) = network
            && !wanted.vlan.is_untouched()
        {
            return Err(bridge::no_vlan(&wanted.name));
        }
        if spec.bandwidth.is_some() {
            let doing = "limit the bandwidth on linux (chain the plugin \"bandwidth\" instead)";
            return unsupported(doing.to_owned());
        }
        Ok(())
    }

    async fn ensure(
        &self,
        cx: Cx,
        owner: &Owner,
        spec: &InterfaceSpec,
        _network: &Network,
    ) -> Result<Box<dyn Interface>, EngineError> {
        let place = self.place()?;
        let mark = owner.mark(SpecDigest::of(spec));
        let link = match (&spec.device, &place.netns) {
            (Device::Veth(veth), None) => veth::ensure(cx, place, &mark, veth, spec).await?,
            (Device::Veth(veth), Some(_)) => container_end::adopt(cx, place, &mark, veth).await?,
            (Device::Macvlan(device), Some(netns)) => {
                let made = macvlan::Wanted { netns, device, mtu: spec.mtu_bytes };
                macvlan::ensure(cx, place, &mark, &made).await?
            }
            (Device::Tap(device), Some(netns)) => {
                let made = tap::Wanted { netns, device, mtu: spec.mtu_bytes };
                tap::ensure(cx, place, &mark, &made).await?
            }
            (other, _) => {
                let doing = format!("make a {} in this namespace", other.kind());
                return Err(EngineError::new(ErrorKind::Unsupported, doing));
            }
        };
        Ok(self.interface(place, link, owner.tag))
    }

    async fn find(
        &self,
        cx: Cx,
        owner: &OwnerTag,
        hint: Option<&Hint>,
    ) -> Result<Option<Box<dyn Interface>>, EngineError> {
        let place = match self.place() {
            Err(error) if error.kind() == ErrorKind::NamespaceGone => return Ok(None),
            other => other?,
        };
        let found = match &place.netns {
            None => {
                let named = place.link(cx, &derived_name(owner)).await?;
                match (named.filter(|link| is_ours(link, owner, "veth")), hint.and_then(|hint| hint.index)) {
                    (Some(link), _) => Some(link),
                    // It was renamed: by its index it counts only with its mark.
                    (None, Some(index)) => {
                        let look = async { place.netlink.link_by_index(index).await.map_err(error::of) };
                        let found = cx.bound(|| format!("look up the interface {index}"), look).await?;
                        found.filter(|link| is_marked(link, owner))
                    }
                    (None, None) => None,
                }
            }
            Some(_) => self.find_in_container(cx, place, owner, hint).await?,
        };
        Ok(found.map(|link| {
            // The instance that made it decides about its network.
            let tag = match owner_of(&link) {
                LinkOwner::Marked(mark) => mark.tag,
                LinkOwner::Unmarked | LinkOwner::Foreign => *owner,
            };
            self.interface(place, link, tag)
        }))
    }

    async fn prune(&self, cx: Cx, owner: &OwnerTag, network: &Network) -> Result<(), EngineError> {
        match network {
            Network::Bridge(wanted) => bridge::prune(cx, self.place()?, owner, &wanted.name).await,
            Network::None | Network::Routed { .. } => Ok(()),
        }
    }

    async fn owned(&self, cx: Cx) -> Result<Vec<Owned>, EngineError> {
        let place = self.place()?;
        let list = async { place.netlink.links().await.map_err(error::of) };
        let links = cx.bound(|| "list the interfaces".to_owned(), list).await?;
        let owned = links.iter().filter_map(|link| match owner_of(link) {
            LinkOwner::Marked(mark) => Some(Owned { tag: mark.tag, attachment: mark.attachment }),
            LinkOwner::Unmarked | LinkOwner::Foreign => None,
        });
        Ok(owned.collect())
    }
}
