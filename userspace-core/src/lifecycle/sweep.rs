//! Detaches what is recorded here and whose container is gone: attachments whose DEL never came, and for which nobody calls GC.

use std::time::Duration;

use super::{
    Detach, Fallback, World,
    detach::{DetachError, detach_locked},
};
use crate::{
    cx::Cx,
    engine::chain,
    id::AttachmentId,
    ipam::Ipam,
    lock::LockName,
    netns::Presence,
    owner::{InstanceId, OwnerTag},
    record::Record,
};

/// Finds the IPAM that gave a record's addresses, if one did.
pub type FindIpam<'a> = dyn Fn(&Record) -> Option<Box<dyn Ipam>> + Send + Sync + 'a;

/// How to sweep.
#[derive(Clone, Copy)]
pub struct Sweep<'a> {
    /// What each attachment may take.
    pub limit: Duration,
    /// Whether nothing is to be done, only told.
    pub is_dry: bool,
    /// Who takes the addresses back.
    pub ipam: &'a FindIpam<'a>,
}

/// One record, and what became of it.
#[derive(Debug)]
pub struct Swept {
    /// The attachment.
    pub attachment: AttachmentId,
    /// What is known of its container, and was done.
    pub judged: Judged,
}

/// Whether a record's container is gone.
#[derive(Debug)]
pub enum Judged {
    /// It is there; the record stays.
    Lives,
    /// Nothing can be said, for that reason; the record stays.
    Unknown(String),
    /// It is gone, and nothing was to be done.
    WouldGo,
    /// It is gone, and its attachment too.
    Removed,
    /// It is gone, and not all of its attachment: the record stays, for the next try.
    Failed(DetachError),
}

/// Looks at every record, and tells of each when it is done. Only what is certainly gone is detached, by its record alone.
pub async fn sweep(world: World<'_>, sweep: Sweep<'_>, told: &mut (dyn FnMut(&Swept) + Send)) -> Vec<Swept> {
    let mut done = Vec::new();
    for record in world.records.all() {
        let attachment = record.attachment().clone();
        let judged = match judge(&record) {
            Judged::WouldGo if !sweep.is_dry => remove(world, sweep, &attachment).await,
            judged => judged,
        };
        let one = Swept { attachment, judged };
        told(&one);
        done.push(one);
    }
    done
}

fn judge(record: &Record) -> Judged {
    let Some(netns) = record.plan.netns() else {
        return Judged::Unknown("no network namespace was recorded".to_owned());
    };
    match netns.presence() {
        Presence::There => Judged::Lives,
        Presence::Gone => Judged::WouldGo,
        Presence::Unknown(error) => {
            Judged::Unknown(format!("look at its network namespace {:?}: {}", netns.path, chain(&error)))
        }
    }
}

/// Judges once more with the lock held: another container of that id may have been attached meanwhile.
async fn remove(world: World<'_>, sweep: Sweep<'_>, id: &AttachmentId) -> Judged {
    let cx = Cx::within(sweep.limit);
    let tag = OwnerTag::new(id, InstanceId::ANY);
    let _lock = match world.lock(cx, &LockName::attachment(&tag)).await {
        Ok(lock) => lock,
        Err(error) => return Judged::Failed(DetachError(vec![error])),
    };
    let Some(record) = world.records.load(id) else {
        return Judged::Removed;
    };
    match judge(&record) {
        Judged::WouldGo => {}
        other => return other,
    }
    let ipam = (sweep.ipam)(&record);
    let target = Detach { attachment: id.clone(), ipam: ipam.as_deref(), fallback: Fallback::default() };
    match detach_locked(world, cx, &target, Some(record)).await {
        Ok(()) => Judged::Removed,
        Err(error) => Judged::Failed(error),
    }
}
