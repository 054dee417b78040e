//! `container-app run`: follows what is published, for ever.

use std::{process::ExitCode, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{interval, sleep},
};
use userspace_core::engine::chain;

use super::{fail, judge, tell_rejected};
use crate::{
    board::{self, Board},
    cli::Run,
    engines,
    health::{self, Address},
    keeper::{Drawn, Keeper},
    metrics::Metrics,
    picture::{Picture, Task, Wanted},
    settings::Settings,
    sources::{BETWEEN_READS, Found, Sources},
};

pub(super) async fn run(settings: Settings, typed: Run) -> ExitCode {
    let address = match typed.health.as_deref().map(Address::parse).transpose() {
        Ok(address) => address,
        Err(reason) => {
            eprintln!("container-app: {reason}");
            return ExitCode::from(2);
        }
    };
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt)] = signals else {
        return fail("wait for SIGTERM: the runtime cannot");
    };
    let (board, metrics) = (Board::new(), Metrics::new());
    let served = match address {
        Some(address) => match health::listen(address, board.clone(), metrics.clone(), settings.expect).await
        {
            Ok(served) => Some(served),
            Err(error) => return fail(&format!("listen at {}: {error}", typed.health.unwrap_or_default())),
        },
        None => None,
    };
    let serving = async {
        match served {
            Some(served) => served.await,
            None => std::future::pending().await,
        }
    };
    let done = done(&board, settings.expect, typed.exit_when_done);
    tokio::select! {
        () = follow(&settings, &board, &metrics) => fail("nothing is followed any more"),
        () = serving => fail("the health endpoint has ended"),
        () = done => {
            tracing::info!("all interfaces are up: ending");
            ExitCode::SUCCESS
        }
        // What is made stays: the vswitch goes on without us, and the next run knows it again.
        _ = terminate.recv() => ended("SIGTERM"),
        _ = interrupt.recv() => ended("SIGINT"),
    }
}

fn ended(signal: &str) -> ExitCode {
    tracing::info!(signal, "ending");
    ExitCode::SUCCESS
}

/// Comes when all are up, if that is what ends the run.
async fn done(board: &Board, expect: usize, is_awaited: bool) {
    let mut changes = board.watch();
    let is_done = |state: &board::State| is_awaited && state.missing(expect).is_none();
    if changes.wait_for(is_done).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Draws a picture whenever the sources change, for the keepers of the vswitches.
async fn follow(settings: &Settings, board: &Board, metrics: &Metrics) {
    let pictures = watch::Sender::new(Drawn::None);
    for kind in engines::BUILT_IN {
        if let Some(engine) = engines::open(*kind, settings) {
            let keeper = Keeper::new(*kind, engine, settings, board.clone(), metrics.clone());
            tokio::spawn(keeper.run(pictures.subscribe()));
        }
    }
    let mut sources = Sources::of(settings);
    let mut followed = Followed::default();
    let mut resync = interval(settings.resync);
    loop {
        tokio::select! {
            found = sources.changed(&followed.found) => match found {
                Ok(found) => followed.draw(found, settings, board, &pictures),
                Err(error) => {
                    followed.fail(chain(&error), board);
                    sleep(BETWEEN_READS).await;
                }
            },
            _ = resync.tick() => followed.look_at_kernel(board),
        }
    }
}

/// What was seen last.
#[derive(Default)]
struct Followed {
    found: Found,
    picture: Arc<Picture>,
    failure: Option<String>,
}

impl Followed {
    fn draw(&mut self, found: Found, settings: &Settings, board: &Board, pictures: &watch::Sender<Drawn>) {
        tell_rejected(&self.found.rejected, &found);
        self.failure = None;
        board.trouble(found.rejected.len(), found.problem.clone());
        match &found.problem {
            // Whose they are is not known: what is there stays.
            Some(problem) => tracing::error!(dir = ?found.dir, problem, "nothing is made"),
            None => {
                let picture = Arc::new(judge(&found, settings));
                tracing::info!(dir = ?found.dir, interfaces = picture.wanted.len(), "published");
                tell_refused(&self.picture.wanted, &picture.wanted);
                board.publish(&picture.wanted);
                pictures.send_replace(Some(Arc::clone(&picture)));
                self.picture = picture;
            }
        }
        self.found = found;
    }

    fn fail(&mut self, reason: String, board: &Board) {
        if self.failure.as_ref() != Some(&reason) {
            tracing::error!(reason, "what is published cannot be read");
        }
        board.trouble(self.found.rejected.len(), Some(reason.clone()));
        self.failure = Some(reason);
        // Whatever is read next is news.
        self.found.forget();
    }

    /// The host's kernel makes these, and tells nobody here.
    fn look_at_kernel(&self, board: &Board) {
        for one in self.picture.wanted.iter().filter(|one| one.task == Task::Kernel) {
            board.set(one, board::at_first(one));
        }
    }
}

fn tell_refused(before: &[Wanted], wanted: &[Wanted]) {
    for one in wanted.iter().filter(|one| !before.contains(one)) {
        if let Task::Refused(reason) = &one.task {
            tracing::error!(interface = %one.id(), reason, "cannot be made");
        }
    }
}
