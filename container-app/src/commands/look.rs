//! How the interfaces stand, without a change to anything.

use userspace_core::{
    cx::Cx,
    engine::{Engine, ErrorKind, chain},
    spec::EngineKind,
};

use super::{has_work, judge, read};
use crate::{
    board::{Board, Standing, State},
    bring::At,
    engines,
    picture::{Task, Wanted},
    settings::Settings,
};

/// The halves, and how each stands now.
pub(super) async fn look(settings: &Settings) -> Result<(Vec<Wanted>, State), String> {
    let found = read(settings).await?;
    let wanted = judge(&found, settings);
    let board = Board::new();
    board.publish(&wanted, &[]);
    board.trouble(found.rejected.len(), None);
    for kind in engines::BUILT_IN {
        if let (true, Some(engine)) = (has_work(&wanted, *kind), engines::open(*kind, settings)) {
            ask(settings, *kind, engine.as_ref(), &wanted, &board).await;
        }
    }
    Ok((wanted, board.state()))
}

async fn ask(settings: &Settings, kind: EngineKind, engine: &dyn Engine, wanted: &[Wanted], board: &Board) {
    let cx = Cx::within(settings.limit);
    let info = engine.ready(cx).await;
    board.engine(kind, info.is_ok());
    for one in wanted.iter().filter(|one| one.engine() == Some(kind)) {
        let Task::Make(_, desired) = &one.task else { continue };
        let standing = match &info {
            Err(error) => Standing::Pending(chain(error)),
            Ok(info) => match (At { engine, info, cx }).look(&one.owner, desired).await {
                Ok(name) => Standing::Up(name),
                Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Invalid) => {
                    Standing::Refused(chain(&error))
                }
                Err(error) => Standing::Pending(chain(&error)),
            },
        };
        board.set(one.id(), standing);
    }
}
