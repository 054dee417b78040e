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
    id::AttachmentId,
    owner::{InstanceId, OwnerTag},
    spec::{Bridge, EngineKind, Network, Vlan},
};

use crate::{
    board::{Board, Standing},
    bring::{At, Brought, Was},
    metrics::Metrics,
    picture::{Task, Wanted},
    settings::Settings,
};

/// What the keepers follow. Nothing until the sources have been read once: what is not known is not withdrawn.
pub(crate) type Picture = Option<Arc<Vec<Wanted>>>;

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
    pub(crate) async fn run(mut self, mut pictures: watch::Receiver<Picture>) {
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
            let has_work = picture.iter().any(|wanted| wanted.engine() == Some(self.kind));
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
    pub(crate) async fn pass(&mut self, picture: &[Wanted]) -> Pass {
        let wanted: Vec<_> = picture.iter().filter(|wanted| wanted.engine() == Some(self.kind)).collect();
        let info = match self.meet().await {
            Ok(info) => info,
            Err(error) => {
                self.is_known = false;
                self.board.engine(self.kind, false);
                let reason = chain(&error);
                for one in &wanted {
                    self.tell(one.id(), Standing::Pending(reason.clone()));
                }
                return Pass::Away;
            }
        };
        self.board.engine(self.kind, true);
        let mut pass = Pass::Done;
        for tag in self.withdrawn(&wanted) {
            pass = self.remove(&info, &tag).await.unwrap_or(pass);
        }
        for one in wanted {
            if let Task::Make(_, desired) = &one.task {
                let at = self.at(&info);
                let begin = Instant::now();
                let made = if self.ours.contains_key(&one.owner.tag) {
                    at.bring(&one.owner, desired).await
                } else {
                    at.bring_first(&one.owner, desired).await
                };
                pass = self.note(&info, one, &desired.network, made, begin.elapsed()).await.unwrap_or(pass);
            }
        }
        pass
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

    fn withdrawn(&self, wanted: &[&Wanted]) -> Vec<OwnerTag> {
        let is_wanted = |tag: &OwnerTag| wanted.iter().any(|one| one.owner.tag.same_attachment(tag));
        self.ours.keys().filter(|tag| !is_wanted(tag)).copied().collect()
    }

    /// [`Pass::Failed`] when it could not be removed.
    async fn remove(&mut self, info: &EngineInfo, tag: &OwnerTag) -> Option<Pass> {
        let Ours { name, network } = self.ours.get(tag)?;
        match self.at(info).remove(tag, network.as_ref()).await {
            Ok(()) => {
                tracing::info!(engine = %self.kind, interface = name, "removed, as it is withdrawn");
                self.metrics.removed(self.kind);
                self.ours.remove(tag);
                None
            }
            Err(error) => {
                tracing::warn!(interface = name, error = chain(&error), "remove what is withdrawn");
                self.metrics.failed(self.kind);
                Some(Pass::Failed)
            }
        }
    }

    /// [`Pass::Failed`] when it may do next time.
    async fn note(
        &mut self,
        info: &EngineInfo,
        one: &Wanted,
        network: &Network,
        made: Result<Brought, EngineError>,
        took: Duration,
    ) -> Option<Pass> {
        let Brought { name, was } = match made {
            Ok(brought) => brought,
            Err(error) => return self.note_failure(one, &error),
        };
        let id = one.id();
        let millis = format!("{:.1}", took.as_secs_f64() * 1e3);
        match &was {
            Was::Right => {}
            Was::Gone => tracing::info!(interface = %id, name, millis = %millis, "made"),
            Was::Different(what) => tracing::info!(interface = %id, name, millis = %millis, what, "mended"),
        }
        if was != Was::Right {
            self.metrics.made(self.kind, took);
        }
        let ours = Ours { name: id.interface.to_string(), network: Some(network.clone()) };
        let before = self.ours.insert(one.owner.tag, ours).and_then(|before| before.network);
        if let Some(before) = before.filter(|before| before != network)
            && let Err(error) = self.engine.prune(self.at(info).cx, &one.owner.tag, &before).await
        {
            tracing::warn!(interface = %id, error = chain(&error), "remove the network that it was joined to");
        }
        self.tell(id, Standing::Up(name));
        None
    }

    fn note_failure(&mut self, one: &Wanted, error: &EngineError) -> Option<Pass> {
        self.metrics.failed(self.kind);
        // Half of it may be there, and is removed when it is withdrawn.
        let stray = Ours { name: one.id().interface.to_string(), network: network_of(one) };
        self.ours.entry(one.owner.tag).or_insert(stray);
        let reason = chain(error);
        if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Invalid) {
            self.tell(one.id(), Standing::Refused(reason));
            return None;
        }
        self.tell(one.id(), Standing::Pending(reason));
        Some(Pass::Failed)
    }

    /// Writes it on the board, and into the log when it is news.
    fn tell(&self, id: &AttachmentId, standing: Standing) {
        let reason = standing.reason().map(str::to_owned);
        if let (true, Some(reason)) = (self.board.set(id, standing), reason) {
            tracing::warn!(interface = %id, reason, "not up");
        }
    }
}

impl Ours {
    /// What an earlier run of this program has left: where a bridge is called as its interface, that is known.
    fn stray(kind: EngineKind, owned: &Owned) -> Self {
        let name = owned.attachment.as_ref().map(|id| id.interface.to_string());
        let network = name.clone().filter(|_| kind == EngineKind::Ovs);
        let network = network.map(|name| Network::Bridge(Bridge { name, vlan: Vlan::default() }));
        Self { name: name.unwrap_or_else(|| owned.tag.to_string()), network }
    }
}

fn network_of(one: &Wanted) -> Option<Network> {
    match &one.task {
        Task::Make(_, desired) => Some(desired.network.clone()),
        _ => None,
    }
}
