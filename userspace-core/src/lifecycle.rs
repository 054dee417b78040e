//! The order of steps, for every engine the same.
//!
//! ```text
//! add     lock, refuse | record, share, ensure, join, IPAM, record, assign, publish, copy     a failure behind the bar is undone
//! detach  lock | withdraw, remove, unshare, prune the network, IPAM release,
//!         take back the copy, forget                                                          every step runs, whatever failed before
//! check   observe the halves, compare with the record; look for the copy; IPAM check
//! gc      detach what is recorded or marked, of this network and instance, and not listed as valid
//! repair  for each record: observe the host's half; where that does not stand: share, ensure, join, assign again, observe again
//! sweep   detach what is recorded and whose container's network namespace is gone
//! ```
//!
//! # Guarantees
//! * The record stands before the first effect and goes after the last, so that [`detach`] finds what a killed [`add`] made.
//! * The undo of a failed [`add`] *is* [`detach`], with a time budget of its own.
//! * A refusal is not a failure: what already exists is refused before the bar, and stays.
//!
//! # Assumptions
//! * `detach` must tolerate that `add` never ran, ran half, or ran on a host that has since been restarted.
//! * Engines, stores and IPAM can be asked the same thing twice.

use std::sync::Arc;

use crate::{
    addr::MacAddr,
    addressing,
    cx::Cx,
    engine::{Engine, EngineError, ErrorKind, Hint, chain},
    id::{AttachmentId, InterfaceName},
    ipam::Allocation,
    lock::{Lock, LockName},
    plan::{Container, Part, Plan, PodRef, SharedDir},
    record::{Record, RecordDir},
    remote::{RemoteStore, dir::refuse_used},
    shared::{self, Sockets},
    spec::{EngineAt, Network},
};

mod add;
mod check;
mod copy;
mod detach;
mod gc;
mod repair;
mod standing;
mod sweep;

pub use self::{
    add::{AddError, AddRequest, add},
    check::{CheckError, Expected, check},
    detach::{Detach, DetachError, Fallback, detach},
    gc::{Collect, Collected, gc},
    repair::{Fate, Repair, Repaired, Skipped, repair},
    sweep::{FindIpam, Judged, Sweep, Swept, sweep},
};

/// Everything outside that the steps act upon.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Opens engines.
    pub engines: &'a dyn Engines,
    /// Opens remote stores.
    pub stores: &'a dyn Stores,
    /// The records of this host.
    pub records: &'a RecordDir,
}

/// Opens the engine at a place. Which engines there are is the caller's build.
pub trait Engines: Send + Sync {
    /// The engine at `at`; nothing is connected yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when this build has no such engine, [`ErrorKind::NamespaceGone`] when its namespace is no more.
    fn open(&self, at: &EngineAt) -> Result<Arc<dyn Engine>, EngineError>;
}

/// Opens the remote store that a plan publishes to, and keeps the directories that containers share with the host.
pub trait Stores: Send + Sync {
    /// The store in a container's directory: on this host, and the first source for the container.
    fn open(&self, dir: &SharedDir) -> Arc<dyn RemoteStore>;

    /// The store in a pod's annotations, which has copies: somewhere else, slow at times, or out of reach. So it is asked when no lock but
    /// the pod's is held, ADD alone insists on it, and nothing that is made again from the records waits for it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when this build has none.
    fn of_pod(&self, pod: &PodRef) -> Result<Arc<dyn RemoteStore>, EngineError> {
        let PodRef { namespace, name, .. } = pod;
        let doing = format!(
            "use the annotations of the pod \"{namespace}/{name}\" (this build has not got the feature kube)"
        );
        Err(EngineError::new(ErrorKind::Unsupported, doing))
    }

    /// Refuses a socket that another attachment of the container has.
    ///
    /// # Errors
    /// As [`crate::remote::dir::refuse_used`].
    fn refuse_used(&self, dir: &SharedDir, id: &AttachmentId) -> Result<(), EngineError> {
        refuse_used(dir, id)
    }

    /// Makes a container's directory, before the vswitch opens a socket in it.
    ///
    /// # Errors
    /// As [`shared::prepare`].
    fn share(&self, dir: &SharedDir) -> Result<(), EngineError> {
        shared::prepare(dir)
    }

    /// Lets the container use the sockets that the vswitch has made there.
    ///
    /// # Errors
    /// As [`shared::open_up`].
    fn open_up(&self, dir: &SharedDir) -> Result<(), EngineError> {
        shared::open_up(dir)
    }

    /// Whether the vswitch can still reach it.
    fn is_shared(&self, dir: &SharedDir) -> bool {
        shared::is_linked(dir)
    }

    /// Removes what [`Self::share`] made and the sockets that are left: `which` of them. Absence is success.
    ///
    /// # Errors
    /// As [`shared::remove`].
    fn unshare(&self, dir: &SharedDir, which: Sockets) -> Result<(), EngineError> {
        shared::remove(dir, which)
    }
}

/// What an ADD made, in the words of its caller's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The vswitch's name of the host's half.
    pub host: Option<String>,
    /// The container's interface.
    pub container: Endpoint,
    /// Its addresses.
    pub allocation: Allocation,
}

/// The container's interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub name: InterfaceName,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its MTU, when one was asked for.
    pub mtu_bytes: Option<u32>,
    /// The socket that it is made over, on the host; none for a kernel interface.
    pub socket: Option<std::path::PathBuf>,
}

/// Whether the engine at `at` answers and can make what the network would ask of it, when that is known.
///
/// # Errors
/// The engine's own.
pub async fn status(world: World<'_>, cx: Cx, at: &EngineAt, part: Option<&Part>) -> Result<(), EngineError> {
    let engine = world.engines.open(at)?;
    let info = engine.ready(cx).await?;
    tracing::debug!(engine = %info.kind, version = info.version, "the engine is ready");
    match part {
        Some(part) => engine.supports(&info, &part.spec, &part.network),
        None => Ok(()),
    }
}

impl World<'_> {
    async fn lock(&self, cx: Cx, name: &LockName) -> Result<Lock, EngineError> {
        Lock::take(cx, self.records.state_dir(), name).await
    }

    async fn lock_network(
        &self,
        cx: Cx,
        engine: &EngineAt,
        network: &Network,
    ) -> Result<Option<Lock>, EngineError> {
        match LockName::network(engine, network) {
            Some(name) => self.lock(cx, &name).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Errors that were met on the way of a teardown that went on.
#[derive(Debug, Default)]
struct Collecting(Vec<EngineError>);

impl Collecting {
    /// Notes the failure of a step, if it is one.
    fn note<T>(&mut self, step: Result<T, EngineError>) -> Option<T> {
        match step {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::warn!(error = chain(&error), "a step of the teardown failed");
                self.0.push(error);
                None
            }
        }
    }
}

/// The container's directory of a plan whose half is published.
fn shared_of(plan: &Plan) -> Option<&SharedDir> {
    match &plan.container {
        Container::Published(published) => Some(&published.shared),
        Container::Kernel(_) => None,
    }
}

/// A sibling's last interface that goes must not take the directory away from one that comes. A volume stays in any case, and may be that of
/// many pods.
async fn lock_directory(
    world: World<'_>,
    cx: Cx,
    shared: Option<&SharedDir>,
) -> Result<Option<Lock>, EngineError> {
    match shared.filter(|shared| !shared.is_volume) {
        Some(shared) => world.lock(cx, &LockName::directory(shared)).await.map(Some),
        None => Ok(None),
    }
}

/// How the host's network decides about the container's addresses.
fn network_of(plan: &Plan) -> Network {
    match &plan.host {
        Some(host) => host.network.clone(),
        None => Network::None,
    }
}

/// Where the host's half was made, and the routes that lead to it.
fn host_hint(record: &Record) -> Option<Hint> {
    let allocation = record.allocation.clone().unwrap_or_default();
    // What cannot be assigned was refused: no route leads there.
    let given = addressing::assign(&network_of(&record.plan), &allocation).unwrap_or_default();
    let routes = given.0.routes;
    match &record.host {
        Some(hint) => Some(Hint { routes, ..hint.clone() }),
        None if routes.is_empty() => None,
        None => Some(Hint { routes, ..Hint::default() }),
    }
}

/// A vanished namespace took everything in it along.
fn gone_is_none<T>(found: Result<Option<T>, EngineError>) -> Result<Option<T>, EngineError> {
    match found {
        Err(error) if error.kind() == ErrorKind::NamespaceGone => Ok(None),
        other => other,
    }
}

#[cfg(test)]
mod tests;
