//! `container-app once`: makes what is published now.

use std::process::ExitCode;

use super::{fail, judge, read, show::print};
use crate::{
    board::Board,
    engines,
    keeper::{Keeper, Pass},
    metrics::Metrics,
    settings::Settings,
    sources::{Found, Sources},
};

pub(super) async fn run(settings: Settings) -> ExitCode {
    let found = match read(&mut Sources::of(&settings), &mut Found::default()).await {
        Ok(found) => found,
        Err(reason) => return fail(&reason),
    };
    let picture = judge(&found, &settings);
    let board = Board::new();
    board.publish(&picture.wanted);
    let mut is_done = true;
    for kind in engines::BUILT_IN {
        let Some(engine) = engines::open(*kind, &settings) else { continue };
        let pass = Keeper::new(*kind, engine, &settings, board.clone(), Metrics::new()).pass(&picture).await;
        // One that is away, and of which nothing is wanted, need not be there.
        is_done &= pass == Pass::Done || (pass == Pass::Away && !picture.has_work(*kind));
    }
    let state = board.state();
    print(&picture.wanted, &state);
    match state.missing(0) {
        None if is_done && found.rejected.is_empty() => ExitCode::SUCCESS,
        None if is_done => {
            let (path, reason) = &found.rejected[0];
            fail(&format!("{}: {reason}", path.display()))
        }
        None => fail("something that was withdrawn could not be removed"),
        Some(missing) => fail(&missing),
    }
}
