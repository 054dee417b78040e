//! `userspace repair --watch`: one task a vswitch that the records name. It repairs, waits until the vswitch has gone away and come back,
//! and repairs again. No lock is held while it waits, and no error ends it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, chain},
    lifecycle::{Engines, Fate},
    spec::EngineAt,
};

use super::{
    Setup,
    ending::Ending,
    place,
    repair::{Count, line, once},
    say,
};

/// How often the records are read again: a new one may name a vswitch that no other did.
const BETWEEN_READS: Duration = Duration::from_secs(2);

/// The pause between two attempts to reach a vswitch that is away: doubled each time, from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// The same between two repairs when one has failed while the vswitch stayed.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// Until SIGTERM or SIGINT.
pub(super) async fn run(setup: Arc<Setup>) -> u8 {
    let Some(mut ending) = Ending::of("repair") else { return 1 };
    let mut tasks: BTreeMap<EngineAt, JoinHandle<()>> = BTreeMap::new();
    say(&format!("watching the records in {:?}", setup.records.state_dir()));
    loop {
        tasks.retain(|_, task| !task.is_finished());
        for at in named(&setup) {
            tasks.entry(at.clone()).or_insert_with(|| tokio::spawn(tend(Arc::clone(&setup), at)));
        }
        if ending.comes_within(BETWEEN_READS).await {
            // What a task was in the middle of is as after a kill: the next repair goes on from there.
            say("ending");
            return 0;
        }
    }
}

/// The vswitches that the records name.
fn named(setup: &Setup) -> BTreeSet<EngineAt> {
    setup.records.all().into_iter().filter_map(|record| Some(record.plan.host?.engine)).collect()
}

/// Keeps the attachments of one vswitch as they were made, as long as a record names it.
async fn tend(setup: Arc<Setup>, at: EngineAt) {
    let engine = match setup.engines.open(&at) {
        Ok(engine) => engine,
        Err(error) => {
            say(&format!("{}: {}", place(&at), chain(&error)));
            // Not a task after another that ends at once.
            return sleep(LAST_RETRY).await;
        }
    };
    let mut retry = FIRST_RETRY;
    while until_ready(&setup, &at).await {
        let failed = repair(&setup, &at).await;
        let since = Instant::now();
        let gone = engine.until_gone();
        if failed == 0 {
            gone.await;
            retry = FIRST_RETRY;
        } else if timeout(retry, gone).await.is_err() {
            retry = (retry * 2).min(LAST_RETRY);
            continue;
        }
        say(&format!("{} went away", place(&at)));
        // One that answers and goes at once must not keep us busy.
        sleep(FIRST_PAUSE.saturating_sub(since.elapsed())).await;
    }
}

/// Waits until the vswitch answers; false when no record names it any more.
async fn until_ready(setup: &Setup, at: &EngineAt) -> bool {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut is_told = false;
    while let Err(error) = ready(setup, at).await {
        if !is_told {
            say(&format!("{} does not answer: {}", place(at), chain(&error)));
            is_told = true;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
        if !named(setup).contains(at) {
            return false;
        }
    }
    if is_told {
        say(&format!("{} answers again after {}", place(at), told(begin.elapsed())));
    }
    true
}

async fn ready(setup: &Setup, at: &EngineAt) -> Result<(), EngineError> {
    let engine = setup.engines.open(at)?;
    engine.ready(Cx::within(setup.limit)).await.map(drop)
}

/// One pass over the vswitch's records: how many failed.
async fn repair(setup: &Setup, at: &EngineAt) -> usize {
    let begin = Instant::now();
    let mut count = Count::default();
    once(setup, Some(at), &mut |one| {
        count.note(one);
        if !matches!(one.fate, Fate::Stood | Fate::Skipped(_)) {
            say(&line(one));
        }
    })
    .await;
    say(&format!("{}: {count} in {}", place(at), told(begin.elapsed())));
    count.failed
}

fn told(took: Duration) -> String {
    format!("{:.3} s", took.as_secs_f64())
}
