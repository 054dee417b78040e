//! `container-app once`: makes what is published now.

use std::process::ExitCode;

use super::{fail, has_work, judge, read, show::print};
use crate::{
    board::Board,
    engines,
    keeper::{Keeper, Pass},
    metrics::Metrics,
    settings::Settings,
};

pub(super) async fn run(settings: Settings) -> ExitCode {
    let found = match read(&settings).await {
        Ok(found) => found,
        Err(reason) => return fail(&reason),
    };
    let wanted = judge(&found, &settings);
    let board = Board::new();
    board.publish(&wanted, &[]);
    let mut is_done = true;
    for kind in engines::BUILT_IN {
        let Some(engine) = engines::open(*kind, &settings) else { continue };
        let pass = Keeper::new(*kind, engine, &settings, board.clone(), Metrics::new()).pass(&wanted).await;
        // One that is away, and of which nothing is wanted, need not be there.
        is_done &= pass == Pass::Done || (pass == Pass::Away && !has_work(&wanted, *kind));
    }
    let state = board.state();
    print(&wanted, &state);
    match state.missing(0) {
        None if is_done => ExitCode::SUCCESS,
        None => fail("something that was withdrawn could not be removed"),
        Some(missing) => fail(&missing),
    }
}
