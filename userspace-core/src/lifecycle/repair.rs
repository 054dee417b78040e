//! Makes again what a vswitch has lost, from the records.

use super::{World, network_of, shared_of};
use crate::{
    addressing::{self, Assignment},
    cx::Cx,
    engine::EngineError,
    id::AttachmentId,
    lock::LockName,
    owner::{InstanceId, OwnerTag},
    plan::{Container, Part},
    record::Record,
};

/// What became of one record.
#[derive(Debug)]
pub struct Repaired {
    /// The attachment.
    pub attachment: AttachmentId,
    /// Whether its host's half stands; an error says why not.
    pub outcome: Result<(), EngineError>,
}

/// Brings every recorded host's half to what its record says. What stands already is left as it is.
pub async fn repair(world: World<'_>, cx: Cx) -> Vec<Repaired> {
    let mut all = Vec::new();
    for record in world.records.all() {
        let attachment = record.attachment().clone();
        let outcome = repair_one(world, cx, &attachment).await;
        all.push(Repaired { attachment, outcome });
    }
    all
}

async fn repair_one(world: World<'_>, cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
    let tag = OwnerTag::new(id, InstanceId::ANY);
    let _lock = world.lock(cx, &LockName::attachment(&tag)).await?;
    // A DEL may have come first.
    let Some(mut record) = world.records.load(id) else {
        return Ok(());
    };
    // An ADD that has not got so far is not repaired but undone, by its DEL.
    let (Some(part), Some(_)) = (record.plan.host.clone(), &record.allocation) else {
        return Ok(());
    };
    remake(world, cx, &mut record, &part).await
}

async fn remake(world: World<'_>, cx: Cx, record: &mut Record, part: &Part) -> Result<(), EngineError> {
    if let Some(shared) = shared_of(&record.plan) {
        world.stores.share(shared)?;
    }
    if let Some(pair) = &record.plan.pair {
        let engine = world.engines.open(&pair.engine)?;
        engine.ensure(cx, &record.plan.owner, &pair.spec, &pair.network).await?;
    }
    let engine = world.engines.open(&part.engine)?;
    let interface = engine.ensure(cx, &record.plan.owner, &part.spec, &part.network).await?;
    let lock = world.lock_network(cx, &part.engine, &part.network).await?;
    interface.join(cx, &part.network).await?;
    drop(lock);
    if let Some(shared) = shared_of(&record.plan) {
        world.stores.open_up(shared)?;
    }
    let allocation = record.allocation.clone().unwrap_or_default();
    let (host, container) = addressing::assign(&network_of(&record.plan), &allocation)?;
    if host != Assignment::default() {
        interface.assign(cx, &host.addresses, &host.routes).await?;
    }
    // A pair's other end went and came with this one.
    if let Container::Kernel(end) = &record.plan.container {
        let engine = world.engines.open(&end.engine)?;
        let interface = engine.ensure(cx, &record.plan.owner, &end.spec, &end.network).await?;
        if container != Assignment::default() {
            interface.assign(cx, &container.addresses, &container.routes).await?;
        }
    }
    let hint = Some(interface.hint());
    if record.host != hint {
        record.host = hint;
        world.records.save(record)?;
    }
    Ok(())
}
