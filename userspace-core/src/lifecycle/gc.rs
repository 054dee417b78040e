//! Removes what nobody lists any more: attachments whose DEL never came.

use std::collections::{BTreeMap, BTreeSet};

use super::{Detach, Fallback, World, detach};
use crate::{
    cx::Cx,
    engine::EngineError,
    id::{AttachmentId, ContainerId, InterfaceName, NetworkName},
    ipam::Ipam,
    lifecycle::detach::DetachError,
    owner::{InstanceId, OwnerTag},
    spec::{EngineAt, Network},
};

/// What to collect.
#[derive(Clone)]
pub struct Collect<'a> {
    /// Of this network only.
    pub network: NetworkName,
    /// Made by this installation only.
    pub instance: InstanceId,
    /// The attachments that stay.
    pub valid: BTreeSet<(ContainerId, InterfaceName)>,
    /// Whose marks are looked at beside the records.
    pub engines: Vec<EngineAt>,
    /// The network that the host's halves are joined to, for those whose record is lost.
    pub joined: Network,
    /// Who takes the addresses back.
    pub ipam: Option<&'a dyn Ipam>,
}

/// What a collection did.
#[derive(Debug, Default)]
pub struct Collected {
    /// How many attachments are gone.
    pub removed: usize,
    /// What failed; the rest has been done.
    pub failed: Vec<EngineError>,
}

/// Detaches what is recorded or marked for the network and not valid. A failure does not stop the rest.
pub async fn gc(world: World<'_>, cx: Cx, collect: &Collect<'_>) -> Collected {
    let mut done = Collected::default();
    let mut recorded: Vec<AttachmentId> = Vec::new();
    for record in world.records.all() {
        let id = record.attachment();
        let ours = record.plan.owner.tag.instance() == collect.instance;
        if ours && id.network == collect.network {
            recorded.push(id.clone());
        }
    }
    let mut marked: BTreeMap<OwnerTag, Stray> = BTreeMap::new();
    for at in &collect.engines {
        match owned(world, cx, at, collect).await {
            Ok(strays) => marked.extend(strays),
            Err(error) => done.failed.push(error),
        }
    }
    let valid = collect.valid_tags();
    for id in recorded {
        let tag = OwnerTag::new(&id, collect.instance);
        marked.remove(&tag);
        if !valid.contains(&tag) {
            let gone = detach(world, cx, &collect.target(id, None)).await;
            done.note(gone);
        }
    }
    for (tag, stray) in marked {
        if !valid.contains(&tag) {
            let gone = remove_stray(world, cx, collect, &tag, stray).await;
            done.note(gone);
        }
    }
    done
}

/// A marked thing without a record.
struct Stray {
    at: EngineAt,
    id: Option<AttachmentId>,
}

impl Collect<'_> {
    fn valid_tags(&self) -> BTreeSet<OwnerTag> {
        let valid = self.valid.iter();
        valid
            .map(|(container, interface)| {
                let id = AttachmentId {
                    network: self.network.clone(),
                    container: container.clone(),
                    interface: interface.clone(),
                };
                OwnerTag::new(&id, self.instance)
            })
            .collect()
    }

    fn target(&self, attachment: AttachmentId, at: Option<EngineAt>) -> Detach<'_> {
        Detach {
            attachment,
            ipam: self.ipam,
            fallback: Fallback { host: at, network: self.joined.clone(), ..Fallback::default() },
        }
    }
}

impl Collected {
    fn note(&mut self, gone: Result<(), DetachError>) {
        match gone {
            Ok(()) => self.removed += 1,
            Err(error) => self.failed.extend(error.0),
        }
    }
}

async fn owned(
    world: World<'_>,
    cx: Cx,
    at: &EngineAt,
    collect: &Collect<'_>,
) -> Result<BTreeMap<OwnerTag, Stray>, EngineError> {
    let engine = world.engines.open(at)?;
    let all = engine.owned(cx).await?.into_iter();
    let ours = all.filter(|owned| {
        owned.tag.on_network(collect.network.as_str()) && owned.tag.instance() == collect.instance
    });
    Ok(ours
        .map(|owned| {
            let stray = Stray { at: at.clone(), id: owned.attachment };
            (owned.tag, stray)
        })
        .collect())
}

/// With its plain ids a stray is detached like any other; without them only the interface itself can be removed.
async fn remove_stray(
    world: World<'_>,
    cx: Cx,
    collect: &Collect<'_>,
    tag: &OwnerTag,
    stray: Stray,
) -> Result<(), DetachError> {
    if let Some(id) = stray.id {
        return detach(world, cx, &collect.target(id, Some(stray.at))).await;
    }
    let remove = async || {
        let engine = world.engines.open(&stray.at)?;
        let _lock = world.lock_network(cx, &stray.at, &collect.joined).await?;
        if let Some(interface) = engine.find(cx, tag, None).await? {
            interface.remove(cx).await?;
        }
        engine.prune(cx, tag, &collect.joined).await
    };
    remove().await.map_err(|error| DetachError(vec![error]))
}
