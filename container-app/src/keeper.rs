//! Keeps one vswitch of the container as the picture says. It looks whenever the picture changes, the vswitch has come back or some time
//! has passed; what counts is what it sees then, not what woke it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::sleep};
use userspace_core::{
    cx::Cx,
    engine::{Engine, EngineError, EngineInfo, ErrorKind, Owned, chain},
    half::Desired,
    owner::{InstanceId, OwnerTag},
    spec::{Bridge, EngineKind, Network, Vlan},
};

use crate::{
    board::{Board, Standing},
    bring::{At, Brought, Failure, Was},
    metrics::Metrics,
    picture::{Picture, Task, Wanted},
    settings::Settings,
};

/// What the keepers follow. Nothing until the sources have been read once: what is not known is not withdrawn.
pub(crate) type Drawn = Option<Arc<Picture>>;

/// The pause between two attempts: doubled each time, from the first on.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest while a vswitch is away. Asking a socket that nobody listens at costs next to nothing.
const LAST_PAUSE_AWAY: Duration = Duration::from_millis(250);
/// The longest after a failure, and while there is nothing to be made.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Keeper {
    kind: EngineKind,
    engine: Arc<dyn Engine>,
    instance: InstanceId,
    limit: Duration,
    resync: Duration,
    board: Board,
    metrics: Metrics,
    /// What is ours in the vswitch, and what it was joined to.
    ours: BTreeMap<OwnerTag, Ours>,
    /// Whether the vswitch has been asked what is ours since it came.
    is_known: bool,
}

#[derive(Debug)]
struct Ours {
    name: String,
    network: Option<Network>,
    /// Whether its half has been read in this run.
    was_wanted: bool,
    /// What it was made anew for, without a difference having gone: it is not again.
    remade: Option<Desired>,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// There is nothing more to be done.
    Done,
    /// Something failed that may do next time.
    Failed,
    /// The vswitch does not answer.
    Away,
}

impl Keeper {
    pub(crate) fn new(
        kind: EngineKind,
        engine: Arc<dyn Engine>,
        settings: &Settings,
        board: Board,
        metrics: Metrics,
    ) -> Self {
        let Settings { instance, limit, resync, .. } = *settings;
        Self { kind, engine, instance, limit, resync, board, metrics, ours: BTreeMap::new(), is_known: false }
    }

    /// As long as there is somebody who draws pictures.
    pub(crate) async fn run(mut self, mut pictures: watch::Receiver<Drawn>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let picture = pictures.borrow_and_update().clone();
            let Some(picture) = picture else {
                if pictures.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let pass = self.pass(&picture).await;
            let has_work = picture.has_work(self.kind);
            let wait = match pass {
                Pass::Done => self.resync,
                Pass::Away if has_work => pause.min(LAST_PAUSE_AWAY),
                Pass::Away | Pass::Failed => pause.min(LAST_PAUSE),
            };
            pause = if pass == Pass::Done { FIRST_PAUSE } else { (pause * 2).min(LAST_PAUSE) };
            tokio::select! {
                changed = pictures.changed() => match changed {
                    Ok(()) => pause = FIRST_PAUSE,
                    Err(_) => return,
                },
                () = self.engine.until_gone(), if pass != Pass::Away => {
                    tracing::warn!(engine = %self.kind, "the vswitch went away");
                    self.is_known = false;
                    pause = FIRST_PAUSE;
                    // One that answers and goes at once must not keep us busy.
                    sleep(FIRST_PAUSE).await;
                }
                () = sleep(wait) => {}
            }
        }
    }

    /// Brings the vswitch to what the picture says, as far as that can be done now.
    pub(crate) async fn pass(&mut self, picture: &Picture) -> Pass {
        let wanted: Vec<_> = picture.wanted.iter().filter(|one| one.engine() == Some(self.kind)).collect();
        let info = match self.meet().await {
            Ok(info) => info,
            Err(error) => return self.away(&wanted, &error),
        };
        self.board.engine(self.kind, true);
        let mut pass = Pass::Done;
        for tag in self.withdrawn(picture, &wanted) {
            if let Err(error) = self.remove(&info, &tag).await {
                if self.is_away(&error).await {
                    return self.away(&wanted, &error);
                }
                pass = Pass::Failed;
            }
        }
        for one in &wanted {
            let Task::Make(_, desired) = &one.task else { continue };
            let begin = Instant::now();
            match self.bring(&info, one, desired).await {
                Ok(brought) => self.note(&info, one, desired, brought, begin.elapsed()).await,
                Err(failure) => {
                    if self.is_away(failure.error()).await {
                        return self.away(&wanted, failure.error());
                    }
                    pass = self.note_failure(one, failure).unwrap_or(pass);
                }
            }
        }
        pass
    }

    /// Whether the vswitch is the reason of a failure: then each of the others would wait for its own deadline. One interface that takes too
    /// long must not keep those behind it from being made.
    async fn is_away(&self, error: &EngineError) -> bool {
        let may_be = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut);
        may_be && self.engine.ready(Cx::within(self.limit)).await.is_err()
    }

    /// The vswitch does not answer, or no longer.
    fn away(&mut self, wanted: &[&Wanted], error: &EngineError) -> Pass {
        self.is_known = false;
        self.board.engine(self.kind, false);
        let reason = chain(error);
        for one in wanted {
            self.tell(one, Standing::Pending(reason.clone()));
        }
        Pass::Away
    }

    async fn bring(&self, info: &EngineInfo, one: &Wanted, desired: &Desired) -> Result<Brought, Failure> {
        let at = self.at(info);
        match self.ours.get(&one.owner.tag) {
            None => at.bring_first(&one.owner, desired).await,
            Some(ours) => at.bring(&one.owner, desired, ours.remade.as_ref() != Some(desired)).await,
        }
    }

    /// Connects, and asks a vswitch that has come anew what is ours in it.
    async fn meet(&mut self) -> Result<EngineInfo, EngineError> {
        let cx = Cx::within(self.limit);
        let info = self.engine.ready(cx).await?;
        if !self.is_known {
            self.engine.settled(cx).await?;
            let found = self.engine.owned(cx).await?;
            let found = found.into_iter().filter(|owned| owned.tag.instance() == self.instance);
            self.ours = found.map(|owned| (owned.tag, Ours::stray(self.kind, &owned))).collect();
            self.is_known = true;
            tracing::info!(engine = %self.kind, version = info.version, ours = self.ours.len(), "connected");
        }
        Ok(info)
    }

    fn at<'a>(&'a self, info: &'a EngineInfo) -> At<'a> {
        At { engine: self.engine.as_ref(), info, cx: Cx::within(self.limit) }
    }

    /// What is ours and published no more. What an earlier run made goes only when every document could be read: one of those that could
    /// not may be its.
    fn withdrawn(&self, picture: &Picture, wanted: &[&Wanted]) -> Vec<OwnerTag> {
        let is_wanted = |tag: &OwnerTag| wanted.iter().any(|one| one.owner.tag.same_attachment(tag));
        // One of another engine now is wanted no more here; one that was not chosen is none of this run's business.
        let elsewhere = |tag: &OwnerTag| picture.others.iter().any(|other| other.same_attachment(tag));
        let is_sure = |ours: &Ours| ours.was_wanted || picture.is_whole;
        let gone = self.ours.iter().filter(|(tag, ours)| !is_wanted(tag) && !elsewhere(tag) && is_sure(ours));
        gone.map(|(tag, _)| *tag).collect()
    }

    async fn remove(&mut self, info: &EngineInfo, tag: &OwnerTag) -> Result<(), EngineError> {
        let Some(Ours { name, network, .. }) = self.ours.get(tag) else { return Ok(()) };
        let removed = self.at(info).remove(tag, network.as_ref()).await;
        match &removed {
            Ok(()) => {
                tracing::info!(engine = %self.kind, interface = name, "removed, as it is withdrawn");
                self.metrics.removed(self.kind);
                self.ours.remove(tag);
            }
            Err(error) => {
                tracing::warn!(interface = name, error = chain(error), "remove what is withdrawn");
                self.metrics.failed(self.kind);
            }
        }
        removed
    }

    async fn note(
        &mut self,
        info: &EngineInfo,
        one: &Wanted,
        desired: &Desired,
        brought: Brought,
        took: Duration,
    ) {
        let Brought { name, was } = brought;
        let id = one.id();
        let millis = format!("{:.1}", took.as_secs_f64() * 1e3);
        match &was {
            Was::Right => {}
            Was::Gone => tracing::info!(interface = %id, name, millis = %millis, "made"),
            Was::Different(what) => tracing::info!(interface = %id, name, millis = %millis, what, "mended"),
            Was::Remade(what) => tracing::info!(interface = %id, name, millis = %millis, what, "made anew"),
        }
        if was != Was::Right {
            self.metrics.made(self.kind, took);
        }
        let network = &desired.network;
        let remade = match was {
            Was::Remade(_) => Some(desired.clone()),
            Was::Right | Was::Gone => None,
            Was::Different(_) => self.ours.get(&one.owner.tag).and_then(|ours| ours.remade.clone()),
        };
        let ours = Ours { was_wanted: true, remade, ..Ours::of(one, Some(network.clone())) };
        let before = self.ours.insert(one.owner.tag, ours).and_then(|before| before.network);
        if let Some(before) = before.filter(|before| before != network)
            && let Err(error) = self.engine.prune(self.at(info).cx, &one.owner.tag, &before).await
        {
            tracing::warn!(interface = %id, error = chain(&error), "remove the network that it was joined to");
        }
        self.tell(one, Standing::Up(name));
    }

    /// [`Pass::Failed`] when it may do next time.
    fn note_failure(&mut self, one: &Wanted, failure: Failure) -> Option<Pass> {
        self.metrics.failed(self.kind);
        // Half of it may be there, and is removed when it is withdrawn; what may have been made anew in vain is not again.
        let Task::Make(_, desired) = &one.task else { return None };
        let ours = Ours::of(one, Some(desired.network.clone()));
        let ours = self.ours.entry(one.owner.tag).or_insert(ours);
        ours.was_wanted = true;
        let reason = chain(failure.error());
        match failure {
            Failure::Refused(_) => {
                self.tell(one, Standing::Refused(reason));
                None
            }
            Failure::Failed(error) => {
                if error.kind() == ErrorKind::Conflict {
                    ours.remade = Some((**desired).clone());
                }
                self.tell(one, Standing::Pending(reason));
                Some(Pass::Failed)
            }
        }
    }

    /// Writes it on the board, and into the log when it is news.
    fn tell(&self, one: &Wanted, standing: Standing) {
        let reason = standing.reason().map(str::to_owned);
        if let (true, Some(reason)) = (self.board.set(one, standing), reason) {
            tracing::warn!(interface = %one.id(), reason, "not up");
        }
    }
}

impl Ours {
    fn of(one: &Wanted, network: Option<Network>) -> Self {
        Self { name: one.id().interface.to_string(), network, was_wanted: false, remade: None }
    }

    /// What an earlier run of this program has left: where a bridge is called as its interface, that is known.
    fn stray(kind: EngineKind, owned: &Owned) -> Self {
        let name = owned.attachment.as_ref().map(|id| id.interface.to_string());
        let network = name.clone().filter(|_| kind == EngineKind::Ovs);
        let network = network.map(|name| Network::Bridge(Bridge { name, vlan: Vlan::default() }));
        let name = name.unwrap_or_else(|| owned.tag.to_string());
        Self { name, network, was_wanted: false, remade: None }
    }
}
