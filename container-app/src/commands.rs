//! The commands, and what they share.

use std::process::ExitCode;

use userspace_core::{engine::chain, owner::OwnerTag};

use crate::{
    cli::Command,
    picture::{Picture, Rules},
    settings::Settings,
    sources::{Found, Sources},
};

mod eal;
mod look;
mod once;
mod run;
mod show;
mod wait;

pub(crate) async fn run(command: Command, settings: Settings) -> ExitCode {
    match command {
        Command::Run(typed) => run::run(settings, typed).await,
        Command::Once => once::run(settings).await,
        Command::Wait(typed) => wait::run(settings, typed).await,
        Command::Ready => wait::now(settings).await,
        Command::Show(typed) => show::run(settings, typed).await,
        Command::Eal(typed) => eal::run(settings, typed).await,
    }
}

/// What each of the halves asks for.
fn judge(found: &Found, settings: &Settings) -> Picture {
    let rules = Rules { engine: settings.engine, instance: settings.instance };
    let others = found.others.iter().map(|half| OwnerTag::new(&half.attachment, settings.instance));
    Picture {
        others: others.collect(),
        is_whole: found.rejected.is_empty(),
        ..Picture::of(&found.halves, &found.dir, rules)
    }
}

/// What is there now, or why that cannot be told.
async fn read(sources: &mut Sources, told: &mut Found) -> Result<Found, String> {
    let found = sources.read().await.map_err(|error| chain(&error))?;
    tell_rejected(&told.rejected, &found);
    told.rejected.clone_from(&found.rejected);
    match &found.problem {
        Some(problem) => Err(problem.clone()),
        None => Ok(found),
    }
}

/// Logs each document that cannot be read, once.
fn tell_rejected(before: &[(std::path::PathBuf, String)], found: &Found) {
    for rejected in found.rejected.iter().filter(|rejected| !before.contains(rejected)) {
        let (path, reason) = rejected;
        tracing::warn!(?path, reason, "a document that is not read");
    }
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("container-app: {reason}");
    ExitCode::FAILURE
}
