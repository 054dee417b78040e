//! `container-app wait` and `container-app ready`: whether all interfaces are up. They look for themselves, so that they need not know
//! whether a `container-app run` is about.

use std::{process::ExitCode, time::Duration};

use tokio::time::{Instant, sleep};

use super::{fail, look::look};
use crate::{cli::Wait, settings::Settings};

/// How often it is looked.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

pub(super) async fn run(settings: Settings, typed: Wait) -> ExitCode {
    let deadline = Instant::now() + Duration::from_secs(typed.timeout);
    loop {
        // A vswitch that hangs must not make it longer.
        let limit = settings.limit.min(deadline.saturating_duration_since(Instant::now()).max(BETWEEN_LOOKS));
        let missing = match missing(&Settings { limit, ..settings.clone() }).await {
            None => return ExitCode::SUCCESS,
            Some(missing) => missing,
        };
        if Instant::now() + BETWEEN_LOOKS > deadline {
            return fail(&format!("not up after {} s: {missing}", typed.timeout));
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

pub(super) async fn now(settings: Settings) -> ExitCode {
    match missing(&settings).await {
        None => ExitCode::SUCCESS,
        Some(missing) => fail(&missing),
    }
}

async fn missing(settings: &Settings) -> Option<String> {
    match look(settings).await {
        Ok((_, state)) => state.missing(settings.expect),
        Err(reason) => Some(reason),
    }
}
