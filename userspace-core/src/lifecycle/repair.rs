//! Makes again what a vswitch has lost, from the records, and nothing else.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    World,
    add::publish,
    lock_directory, network_of, shared_of,
    standing::{Piece, Standing, missing_of_published},
};
use crate::{
    addressing::{self, Assignment},
    cx::Cx,
    engine::{EngineError, ErrorKind, Interface},
    id::AttachmentId,
    lock::LockName,
    netns::Presence,
    owner::{InstanceId, OwnerTag},
    plan::{Container, Part},
    reconcile::Difference,
    record::Record,
    spec::{EngineAt, InterfaceKind},
};

/// What is to be repaired.
#[derive(Debug, Clone, Copy)]
pub struct Repair<'a> {
    /// The records whose host's half is made there; all when absent.
    pub only: Option<&'a EngineAt>,
    /// What each attachment may take, and a vswitch to answer at all.
    pub limit: Duration,
}

/// What became of one record.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// The attachment.
    pub attachment: AttachmentId,
    /// Where its host's half is made; none when it has none.
    pub engine: Option<EngineAt>,
    /// How it stands now.
    pub fate: Fate,
}

/// How a recorded host's half was found and left.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It was as it was made; nothing was touched.
    Stood,
    /// It was gone, and is there again.
    MadeAgain,
    /// It was there, but differed in that; now it does not.
    Mended(Vec<Difference>),
    /// It is not to be repaired.
    Skipped(Skipped),
    /// It is not as it was made.
    Failed(Arc<EngineError>),
}

/// Why a record is not repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// Its ADD did not get to its end: a DEL undoes it.
    Unfinished,
    /// The container's network namespace is gone: a DEL, GC or [`super::sweep`] detaches it.
    ContainerGone,
    /// All of it is in the container.
    NoHostHalf,
    /// It was detached meanwhile.
    Detached,
}

/// Brings every recorded host's half to what its record says, and tells of each when it is done. What stands is left as it is.
///
/// A vswitch that does not answer fails all its records at once. The containers' ends are touched only where they went with the host's.
pub async fn repair(
    world: World<'_>,
    repair: Repair<'_>,
    told: &mut (dyn FnMut(&Repaired) + Send),
) -> Vec<Repaired> {
    let mut done = Vec::new();
    let mut groups: BTreeMap<EngineAt, Vec<AttachmentId>> = BTreeMap::new();
    for record in world.records.all() {
        let engine = record.plan.host.as_ref().map(|host| host.engine.clone());
        if repair.only.is_some() && repair.only != engine.as_ref() {
            continue;
        }
        let attachment = record.attachment().clone();
        match (skipped(&record), engine) {
            (None, Some(engine)) => groups.entry(engine).or_default().push(attachment),
            (reason, engine) => {
                let fate = Fate::Skipped(reason.unwrap_or(Skipped::NoHostHalf));
                let one = Repaired { attachment, engine, fate };
                told(&one);
                done.push(one);
            }
        }
    }
    for (engine, attachments) in groups {
        let mut down = answers(world, repair, &engine).await.err().map(Arc::new);
        for attachment in attachments {
            let fate = match &down {
                Some(error) => Fate::Failed(Arc::clone(error)),
                None => repair_one(world, Cx::within(repair.limit), &attachment).await,
            };
            if down.is_none() && may_be_down(&fate) {
                // Or each of the others would wait for its own deadline.
                down = answers(world, repair, &engine).await.err().map(Arc::new);
            }
            let one = Repaired { attachment, engine: Some(engine.clone()), fate };
            told(&one);
            done.push(one);
        }
    }
    done
}

/// Whether the vswitch is there, and does what it is told.
async fn answers(world: World<'_>, repair: Repair<'_>, at: &EngineAt) -> Result<(), EngineError> {
    let cx = Cx::within(repair.limit);
    let engine = world.engines.open(at)?;
    engine.ready(cx).await?;
    engine.settled(cx).await
}

fn may_be_down(fate: &Fate) -> bool {
    let kinds = [ErrorKind::Unavailable, ErrorKind::TimedOut, ErrorKind::Degraded];
    matches!(fate, Fate::Failed(error) if kinds.contains(&error.kind()))
}

fn skipped(record: &Record) -> Option<Skipped> {
    let is_gone = || record.plan.netns().is_some_and(|netns| matches!(netns.presence(), Presence::Gone));
    if record.plan.host.is_none() {
        Some(Skipped::NoHostHalf)
    } else if record.allocation.is_none() {
        Some(Skipped::Unfinished)
    } else {
        is_gone().then_some(Skipped::ContainerGone)
    }
}

async fn repair_one(world: World<'_>, cx: Cx, id: &AttachmentId) -> Fate {
    match try_one(world, cx, id).await {
        Ok(fate) => fate,
        Err(error) => Fate::Failed(Arc::new(error)),
    }
}

async fn try_one(world: World<'_>, cx: Cx, id: &AttachmentId) -> Result<Fate, EngineError> {
    let tag = OwnerTag::new(id, InstanceId::ANY);
    let _lock = world.lock(cx, &LockName::attachment(&tag)).await?;
    let Some(mut record) = world.records.load(id) else {
        return Ok(Fate::Skipped(Skipped::Detached));
    };
    if let Some(reason) = skipped(&record) {
        return Ok(Fate::Skipped(reason));
    }
    let Some(part) = record.plan.host.clone() else {
        return Ok(Fate::Skipped(Skipped::NoHostHalf));
    };
    let before = Sight::of(world, cx, &record).await?;
    if before.is_right() {
        return Ok(Fate::Stood);
    }
    let begun = remake(world, cx, &mut record, &part, before.pair_is_gone).await;
    begun.map_err(|error| {
        let doing = format!("mend {id} ({})", told(&before));
        EngineError::new(error.kind(), doing).because(error)
    })?;
    let after = Sight::of(world, cx, &record).await?;
    if !after.is_right() {
        // What is set when an interface is made, and changed by somebody since, is not brought about by asking for it once more.
        let doing = format!("mend {id} (afterwards {})", told(&after));
        return Err(EngineError::new(ErrorKind::Conflict, doing));
    }
    Ok(if before.is_gone { Fate::MadeAgain } else { Fate::Mended(before.differences) })
}

fn told(sight: &Sight) -> String {
    if sight.is_gone {
        return "the host's half is gone".to_owned();
    }
    let all: Vec<_> = sight.differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

/// What is seen of the host's half and of all that it stands on.
struct Sight {
    is_gone: bool,
    /// Whether the container's kernel interface is gone with the host's end, or has not got its addresses since.
    pair_is_gone: bool,
    differences: Vec<Difference>,
}

impl Sight {
    async fn of(world: World<'_>, cx: Cx, record: &Record) -> Result<Self, EngineError> {
        let allocation = record.allocation.clone().unwrap_or_default();
        let (given, _) = addressing::assign(&network_of(&record.plan), &allocation)?;
        let mut sight = Self { is_gone: false, pair_is_gone: false, differences: Vec::new() };
        for piece in Piece::pair(&record.plan).into_iter().chain(Piece::host(record, &given)) {
            match piece.look(world, cx, &record.plan.owner.tag).await? {
                Standing::Right => {}
                Standing::Different(found) => sight.differences.extend(found),
                Standing::Gone => {
                    sight.is_gone = true;
                    sight.pair_is_gone |= piece.part.spec.kind() == InterfaceKind::Veth;
                }
            }
        }
        if record.host.is_none() && matches!(record.plan.container, Container::Kernel(_)) {
            // A repair of the pair did not get to its end.
            (sight.is_gone, sight.pair_is_gone) = (true, true);
        }
        if let Some(what) = missing_of_published(world, cx, record).await? {
            let (wanted, found) = ("there".to_owned(), "gone".to_owned());
            sight.differences.push(Difference { what: what.to_owned(), wanted, found });
        }
        Ok(sight)
    }

    fn is_right(&self) -> bool {
        !self.is_gone && self.differences.is_empty()
    }
}

/// The steps of ADD once more, each of which brings about a state.
async fn remake(
    world: World<'_>,
    cx: Cx,
    record: &mut Record,
    part: &Part,
    both_ends: bool,
) -> Result<(), EngineError> {
    if both_ends && record.host.take().is_some() {
        // Should this be killed with the pair made and the container's end bare, the next repair knows.
        world.records.save(record)?;
    }
    let plan = &record.plan;
    let _directory = lock_directory(world, cx, shared_of(plan)).await?;
    if let Some(shared) = shared_of(plan) {
        world.stores.share(shared)?;
    }
    if let Some(pair) = &plan.pair {
        let engine = world.engines.open(&pair.engine)?;
        engine.ensure(cx, &plan.owner, &pair.spec, &pair.network).await?;
    }
    let engine = world.engines.open(&part.engine)?;
    let host = engine.ensure(cx, &plan.owner, &part.spec, &part.network).await?;
    let lock = world.lock_network(cx, &part.engine, &part.network).await?;
    host.join(cx, &part.network).await?;
    drop(lock);
    if let Some(shared) = shared_of(plan) {
        world.stores.open_up(shared)?;
    }
    let allocation = record.allocation.clone().unwrap_or_default();
    let (for_host, for_container) = addressing::assign(&network_of(plan), &allocation)?;
    give(cx, host.as_ref(), for_host).await?;
    if let (Container::Kernel(end), true) = (&plan.container, both_ends) {
        let engine = world.engines.open(&end.engine)?;
        let container = engine.ensure(cx, &plan.owner, &end.spec, &end.network).await?;
        give(cx, container.as_ref(), for_container).await?;
    }
    if missing_of_published(world, cx, record).await?.is_some() {
        publish(world, cx, plan, &allocation).await?;
    }
    let hint = Some(host.hint());
    if record.host != hint {
        record.host = hint;
        world.records.save(record)?;
    }
    Ok(())
}

async fn give(cx: Cx, interface: &dyn Interface, given: Assignment) -> Result<(), EngineError> {
    if given == Assignment::default() {
        return Ok(());
    }
    interface.assign(cx, &given.addresses, &given.routes).await
}
