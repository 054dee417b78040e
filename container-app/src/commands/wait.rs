//! `container-app wait` and `container-app ready`: whether all interfaces are up. They look for themselves, so that they need not know
//! whether a `container-app run` is about.

use std::{process::ExitCode, time::Duration};

use tokio::time::{Instant, sleep};

use super::{fail, look::Looker};
use crate::{cli::Wait, settings::Settings};

/// How often it is looked.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A day.
const LONGEST: u64 = 86_400;

pub(super) async fn run(settings: Settings, typed: Wait) -> ExitCode {
    if typed.timeout > LONGEST {
        eprintln!("container-app: --timeout {}: is 0 to {LONGEST} seconds", typed.timeout);
        return ExitCode::from(2);
    }
    let deadline = Instant::now() + Duration::from_secs(typed.timeout);
    let limit = settings.limit;
    let mut looker = Looker::new(settings);
    loop {
        // A vswitch that hangs must not make it longer.
        let left = deadline.saturating_duration_since(Instant::now()).max(BETWEEN_LOOKS);
        let Some(missing) = looker.missing(limit.min(left)).await else {
            return ExitCode::SUCCESS;
        };
        if Instant::now() + BETWEEN_LOOKS > deadline {
            return fail(&format!("not up after {} s: {missing}", typed.timeout));
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

pub(super) async fn now(settings: Settings) -> ExitCode {
    let limit = settings.limit;
    match Looker::new(settings).missing(limit).await {
        None => ExitCode::SUCCESS,
        Some(missing) => fail(&missing),
    }
}
