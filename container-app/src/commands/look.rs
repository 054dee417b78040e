//! How the interfaces stand, without a change to anything.

use std::{sync::Arc, time::Duration};

use userspace_core::{
    cx::Cx,
    engine::{Engine, chain},
    spec::EngineKind,
};

use super::{judge, read};
use crate::{
    board::{Board, Standing, State},
    bring::{At, Failure},
    engines,
    picture::{Task, Wanted},
    settings::Settings,
    sources::{Found, Sources},
};

/// Looks, and looks again: over the same connections, and with each rejected document told once.
pub(super) struct Looker {
    settings: Settings,
    sources: Sources,
    told: Found,
    engines: Vec<(EngineKind, Arc<dyn Engine>)>,
}

impl Looker {
    pub(super) fn new(settings: Settings) -> Self {
        let open = |kind: &EngineKind| Some((*kind, engines::open(*kind, &settings)?));
        let engines = engines::BUILT_IN.iter().filter_map(open).collect();
        Self { sources: Sources::of(&settings), told: Found::default(), engines, settings }
    }

    /// The halves, and how each stands now. A vswitch has as long as `limit` to say so.
    pub(super) async fn look(&mut self, limit: Duration) -> Result<(Vec<Wanted>, State), String> {
        let found = read(&mut self.sources, &mut self.told).await?;
        let picture = judge(&found, &self.settings);
        let board = Board::new();
        board.publish(&picture.wanted);
        board.trouble(found.rejected.len(), None);
        for (kind, engine) in self.engines.iter().filter(|(kind, _)| picture.has_work(*kind)) {
            ask(Cx::within(limit), *kind, engine.as_ref(), &picture.wanted, &board).await;
        }
        Ok((picture.wanted, board.state()))
    }

    /// What is missing until all are up.
    pub(super) async fn missing(&mut self, limit: Duration) -> Option<String> {
        match self.look(limit).await {
            Ok((_, state)) => state.missing(self.settings.expect),
            Err(reason) => Some(reason),
        }
    }
}

async fn ask(cx: Cx, kind: EngineKind, engine: &dyn Engine, wanted: &[Wanted], board: &Board) {
    let info = engine.ready(cx).await;
    board.engine(kind, info.is_ok());
    for one in wanted.iter().filter(|one| one.engine() == Some(kind)) {
        let Task::Make(_, desired) = &one.task else { continue };
        let standing = match &info {
            Err(error) => Standing::Pending(chain(error)),
            Ok(info) => match (At { engine, info, cx }).look(&one.owner, desired).await {
                Ok(name) => Standing::Up(name),
                Err(Failure::Refused(error)) => Standing::Refused(chain(&error)),
                Err(Failure::Failed(error)) => Standing::Pending(chain(&error)),
            },
        };
        board.set(one, standing);
    }
}
