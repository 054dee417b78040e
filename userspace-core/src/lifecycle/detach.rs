//! Removes an attachment: the one teardown, for DEL, for the undo of a failed ADD and for GC.

use std::{fmt, path::PathBuf, sync::Arc};

use super::{Collecting, World, copy, gone_is_none, lock_directory, shared_of};
use crate::{
    conf::SocketsConf,
    cx::Cx,
    engine::{Engine, EngineError, ErrorKind, Hint, chain},
    fault,
    id::AttachmentId,
    ipam::Ipam,
    lock::{Lock, LockName},
    owner::{InstanceId, OwnerTag},
    plan::{
        Container, InPod, Parent, Part, Plan, PodRef, SharedDir, default_shared_dir,
        userspace::{memif_file, vhost_file},
    },
    record::Record,
    shared::Sockets,
    spec::{EngineAt, EngineKind, InterfaceKind, Network},
};

/// What is to go.
#[derive(Clone)]
pub struct Detach<'a> {
    /// Which attachment.
    pub attachment: AttachmentId,
    /// Who takes the addresses back.
    pub ipam: Option<&'a dyn Ipam>,
    /// Where to look when the record is lost.
    pub fallback: Fallback,
}

/// What the configuration of a DEL says, for want of a record. Read leniently: what ADD would refuse still detaches.
#[derive(Debug, Clone, Default)]
pub struct Fallback {
    /// The host's engine.
    pub host: Option<EngineAt>,
    /// The network that the host's half was joined to.
    pub network: Network,
    /// The kernel in the container.
    pub container: Option<EngineAt>,
    /// The directory that the containers shared; the engine's usual one when absent.
    pub shared_dir: Option<PathBuf>,
    /// Where the links to it are.
    pub sockets: SocketsConf,
    /// Names of sockets beside the usual ones.
    pub socket_files: Vec<String>,
    /// The pod, whose annotations may have a copy of the half.
    pub pod: Option<InPod>,
}

/// What could not be removed. All other steps have been done; the record stays, for the next try.
#[derive(Debug)]
pub struct DetachError(pub Vec<EngineError>);

impl std::error::Error for DetachError {}

impl fmt::Display for DetachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(|error| chain(error)).collect();
        f.write_str(&all.join("; "))
    }
}

/// Removes the attachment: what the record says, or without one what the marks and the fallback find. Absence is success.
///
/// # Errors
/// All steps that failed.
pub async fn detach(world: World<'_>, cx: Cx, target: &Detach<'_>) -> Result<(), DetachError> {
    let tag = OwnerTag::new(&target.attachment, InstanceId::ANY);
    let lock = world.lock(cx, &LockName::attachment(&tag)).await.map(Some);
    let _lock = without_its_lock(lock).map_err(|error| DetachError(vec![error]))?;
    let record = world.records.load(&target.attachment);
    detach_locked(world, cx, target, record).await
}

/// The same with the attachment's lock held.
pub(super) async fn detach_locked(
    world: World<'_>,
    cx: Cx,
    target: &Detach<'_>,
    record: Option<Record>,
) -> Result<(), DetachError> {
    let places = match &record {
        Some(record) => Places::of(record),
        None => Places { recorded: world.records.exists(&target.attachment), ..Places::guess(target) },
    };
    let mut failed = Collecting::default();
    let directory = lock_directory(world, half(cx), places.shared.as_ref()).await;
    let directory = failed.note(without_its_lock(directory));
    failed.note(withdraw(world, half(cx), &places, target).await);
    let mut removed = false;
    for at in places.host.iter().chain(&places.pair) {
        removed |= failed.note(remove_from(world, half(cx), &places, at).await) == Some(true);
    }
    failed.note(unshare(world, &places, removed));
    drop(directory);
    // The container's end of a pair has gone with the host's.
    if !(places.paired && removed) {
        failed.note(remove_container(world, half(cx), &places).await);
    }
    failed.note(prune(world, half(cx), &places).await);
    let known = places.recorded || removed;
    failed.note(release(cx, target, known).await);
    copy::take_back(world, cx, places.pod.as_ref(), &target.attachment).await;
    if failed.0.is_empty() {
        failed.note(forget(world, target));
    }
    if failed.0.is_empty() { Ok(()) } else { Err(DetachError(failed.0)) }
}

/// Where an attachment's parts are.
struct Places {
    tag: OwnerTag,
    host: Option<EngineAt>,
    hint: Option<Hint>,
    network: Network,
    container: Option<EngineAt>,
    container_hint: Hint,
    paired: bool,
    /// Where the pair of the host's half was made, when another engine than the host's makes it.
    pair: Option<EngineAt>,
    shared: Option<SharedDir>,
    pod: Option<PodRef>,
    /// Whether there is a record, readable or not.
    recorded: bool,
}

impl Places {
    fn of(record: &Record) -> Self {
        let plan: &Plan = &record.plan;
        let container = match &plan.container {
            Container::Kernel(part) => Some(part.engine.clone()),
            Container::Published(_) => None,
        };
        let host = plan.host.as_ref();
        let is_veth = |part: &Part| part.spec.kind() == InterfaceKind::Veth;
        Self {
            tag: plan.owner.tag,
            host: host.map(|host| host.engine.clone()),
            hint: super::host_hint(record),
            network: super::network_of(plan),
            container,
            container_hint: named(&plan.owner.attachment),
            paired: plan.pair.is_some() || host.is_some_and(is_veth),
            pair: plan.pair.as_ref().map(|pair| pair.engine.clone()),
            shared: shared_of(plan).cloned(),
            pod: copy::pod_of(plan).cloned(),
            recorded: true,
        }
    }

    /// The host's engine. Without a record, one that this build has not got has made nothing: its ADD was refused.
    fn open(&self, world: World<'_>, at: &EngineAt) -> Result<Option<Arc<dyn Engine>>, EngineError> {
        match world.engines.open(at) {
            Err(error) if error.kind() == ErrorKind::Unsupported && !self.recorded => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Without a record nothing was made as far as we know: a vswitch that does not answer is then no reason to fail, or a container
    /// whose ADD it refused could never go. Should the record be lost, GC finds the mark when the vswitch is back.
    fn absent_if_never_made<T>(&self, found: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
        match found {
            Err(error)
                if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut) && !self.recorded =>
            {
                tracing::warn!(error = chain(&error), "there is no record, and the vswitch does not answer");
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    fn guess(target: &Detach<'_>) -> Self {
        let fallback = target.fallback.clone();
        let tag = OwnerTag::new(&target.attachment, InstanceId::ANY);
        let kind = fallback.host.as_ref().map(|host| host.kind);
        // The kernel's interfaces share no directory.
        let vswitch = kind.filter(|kind| *kind != EngineKind::Linux);
        let parent = fallback.shared_dir.or_else(|| Some(PathBuf::from(default_shared_dir(vswitch?))));
        let volume = fallback.pod.as_ref().and_then(|found| found.volume.clone());
        let shared = |dir: PathBuf| {
            let id = &target.attachment;
            let parent = Parent { dir: &dir, volume };
            let mut found = SharedDir::guess(parent, &fallback.sockets, &id.container, &tag);
            found.sockets.extend([memif_file(id), vhost_file(id)]);
            found.sockets.extend(fallback.socket_files);
            found
        };
        Self {
            tag,
            host: fallback.host,
            hint: None,
            network: fallback.network,
            container: fallback.container,
            container_hint: named(&target.attachment),
            paired: false,
            pair: vswitch.map(|_| EngineAt::HOST_KERNEL),
            shared: parent.map(shared),
            pod: fallback.pod.map(|found| found.pod),
            recorded: false,
        }
    }
}

/// A step's time, so that a vswitch that hangs does not keep the steps behind it from being done.
fn half(cx: Cx) -> Cx {
    cx.at_most(cx.remaining() / 2)
}

/// A state directory that cannot be used must not keep the rest from going.
fn without_its_lock(taken: Result<Option<Lock>, EngineError>) -> Result<Option<Lock>, EngineError> {
    match taken {
        Err(error) if error.kind() == ErrorKind::Io => {
            tracing::warn!(error = chain(&error), "detaching without the lock");
            Ok(None)
        }
        taken => taken,
    }
}

fn named(id: &AttachmentId) -> Hint {
    Hint::named(id.interface.as_str())
}

async fn withdraw(world: World<'_>, cx: Cx, places: &Places, target: &Detach<'_>) -> Result<(), EngineError> {
    match &places.shared {
        Some(shared) => world.stores.open(shared).withdraw(cx, &target.attachment).await,
        None => Ok(()),
    }
}

fn unshare(world: World<'_>, places: &Places, removed: bool) -> Result<(), EngineError> {
    let Some(shared) = &places.shared else {
        return Ok(());
    };
    fault::point("before unshare")?;
    // What the configuration alone names may be a sibling's, unless there was an interface of ours: its socket may be listened on for
    // a moment yet.
    let which = if places.recorded || removed { Sockets::All } else { Sockets::Dead };
    world.stores.unshare(shared, which)?;
    fault::point("after unshare")
}

/// Whether the attachment had something there.
async fn remove_from(world: World<'_>, cx: Cx, places: &Places, at: &EngineAt) -> Result<bool, EngineError> {
    let Some(engine) = places.open(world, at)? else {
        return Ok(false);
    };
    let found = engine.find(cx, &places.tag, places.hint.as_ref()).await;
    let Some(interface) = places.absent_if_never_made(found)?.flatten() else {
        return Ok(false);
    };
    fault::point("before remove host")?;
    interface.remove(cx).await?;
    fault::point("after remove host")?;
    Ok(true)
}

async fn remove_container(world: World<'_>, cx: Cx, places: &Places) -> Result<(), EngineError> {
    let Some(at) = &places.container else {
        return Ok(());
    };
    let engine = match gone_is_none(world.engines.open(at).map(Some))? {
        Some(engine) => engine,
        None => return Ok(()),
    };
    let hint = Some(&places.container_hint);
    let found = gone_is_none(engine.find(cx, &places.tag, hint).await)?;
    let Some(interface) = found else {
        return Ok(());
    };
    fault::point("before remove container")?;
    gone_is_none(interface.remove(cx).await.map(Some))?;
    fault::point("after remove container")
}

/// Takes the network (a bridge, a vswitch's routing table) away with its last member. Also when the host's half was gone already: a pair
/// goes by itself with its container, and leaves the bridge behind.
async fn prune(world: World<'_>, cx: Cx, places: &Places) -> Result<(), EngineError> {
    let Some(at) = places.host.as_ref().filter(|_| places.network != Network::None) else {
        return Ok(());
    };
    let Some(engine) = places.open(world, at)? else {
        return Ok(());
    };
    let _lock = without_its_lock(world.lock_network(cx, at, &places.network).await)?;
    let pruned = engine.prune(cx, &places.tag, &places.network).await;
    places.absent_if_never_made(pruned).map(drop)
}

async fn release(cx: Cx, target: &Detach<'_>, known: bool) -> Result<(), EngineError> {
    let Some(ipam) = target.ipam else {
        return Ok(());
    };
    if let Err(error) = ipam.installed()
        && !known
    {
        // Its ADD was refused for the same reason.
        tracing::warn!(
            error = chain(&error),
            "nothing is known of the attachment, and its IPAM is not there"
        );
        return Ok(());
    }
    fault::point("before IPAM release")?;
    ipam.release(cx, &target.attachment).await?;
    fault::point("after IPAM release")
}

fn forget(world: World<'_>, target: &Detach<'_>) -> Result<(), EngineError> {
    fault::point("before forget")?;
    world.records.forget(&target.attachment)?;
    fault::point("after forget")
}
