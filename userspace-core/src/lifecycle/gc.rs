//! Removes what nobody lists any more: attachments whose DEL never came.

use std::collections::{BTreeMap, BTreeSet};

use super::{Detach, Fallback, World, detach};
use crate::{
    cx::Cx,
    engine::EngineError,
    id::{AttachmentId, ContainerId, InterfaceName, NetworkName},
    ipam::Ipam,
    lifecycle::detach::DetachError,
    owner::{InstanceId, Owner, OwnerTag},
    spec::EngineAt,
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
    /// Where the parts of those are whose record is lost.
    pub fallback: Fallback,
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
    let mut recorded: Vec<Owner> = Vec::new();
    for record in world.records.all() {
        // A record in our own directory is ours, whatever instance it names.
        if record.attachment().network == collect.network {
            recorded.push(record.plan.owner);
        }
    }
    let mut marked: BTreeMap<OwnerTag, Stray> = BTreeMap::new();
    for at in &collect.engines {
        match owned(world, cx, at, collect).await {
            // The vswitch is asked first: from it a detach finds the kernel's pair too.
            Ok(strays) => strays.into_iter().for_each(|(tag, stray)| {
                marked.entry(tag).or_insert(stray);
            }),
            Err(error) => done.failed.push(error),
        }
    }
    let valid = collect.valid_tags();
    for owner in &recorded {
        marked.remove(&owner.tag);
    }
    recorded.retain(|owner| !collect.is_valid(&owner.attachment));
    marked.retain(|tag, _| !valid.contains(tag));
    let mut left = recorded.len() + marked.len();
    for Owner { attachment, .. } in recorded {
        let gone = detach(world, share(cx, left), &collect.target(attachment, None)).await;
        done.note(gone);
        left -= 1;
    }
    for (tag, stray) in marked {
        let gone = remove_stray(world, share(cx, left), collect, &tag, stray).await;
        done.note(gone);
        left -= 1;
    }
    match world.records.sweep(&collect.network, collect.valid_ids()) {
        Ok(removed) => done.removed += removed,
        Err(error) => done.failed.push(error),
    }
    done
}

/// A share of the time for one of `left` attachments, so that one that hangs does not keep the others from going.
fn share(cx: Cx, left: usize) -> Cx {
    let parts = u32::try_from(left + 1).unwrap_or(u32::MAX);
    cx.at_most(cx.remaining() / parts)
}

/// A marked thing without a record.
struct Stray {
    at: EngineAt,
    id: Option<AttachmentId>,
}

impl Collect<'_> {
    fn valid_ids(&self) -> impl Iterator<Item = AttachmentId> {
        self.valid.iter().map(|(container, interface)| AttachmentId {
            network: self.network.clone(),
            container: container.clone(),
            interface: interface.clone(),
        })
    }

    fn valid_tags(&self) -> BTreeSet<OwnerTag> {
        self.valid_ids().map(|id| OwnerTag::new(&id, self.instance)).collect()
    }

    fn is_valid(&self, id: &AttachmentId) -> bool {
        self.valid
            .iter()
            .any(|(container, interface)| *container == id.container && *interface == id.interface)
    }

    fn target(&self, attachment: AttachmentId, at: Option<EngineAt>) -> Detach<'_> {
        Detach { attachment, ipam: self.ipam, fallback: Fallback { host: at, ..self.fallback.clone() } }
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
        let _lock = world.lock_network(cx, &stray.at, &collect.fallback.network).await?;
        if let Some(interface) = engine.find(cx, tag, None).await? {
            interface.remove(cx).await?;
        }
        engine.prune(cx, tag, &collect.fallback.network).await
    };
    remove().await.map_err(|error| DetachError(vec![error]))
}
