//! `userspace repair`: makes again what a vswitch has lost, once or whenever it comes back.

use std::{ffi::OsString, sync::Arc};

use serde_json::{Value, json};
use userspace_core::{
    engine::chain,
    lifecycle::{self, Fate, Repair, Repaired, Skipped},
    spec::EngineAt,
};

use super::{
    JSON, STATE_DIR, Setup, TIMEOUT, answer,
    arguments::{Flag, Syntax},
    block_on, document, entry, name, say, watch,
};
use crate::Answer;

const WATCH: Flag = Flag {
    name: "--watch",
    value: None,
    help: "stay, and do it again whenever a vswitch has come back; SIGTERM ends it",
};

const SYNTAX: Syntax = Syntax {
    command: "repair",
    about: "Makes again what a vswitch has lost: of each attachment that is recorded here, the host's half as it was \
            made.\nWhat stands is not touched. The status is 1 when one could not be made.",
    flags: &[STATE_DIR, TIMEOUT, WATCH, JSON],
};

pub(crate) fn run(args: &[OsString]) -> Answer {
    answer(&SYNTAX, args, |given| {
        let (watches, as_json) = (given.has(&WATCH), given.has(&JSON));
        if watches && as_json {
            return Err(format!("{} does not go with {}: a watch has no end", JSON.name, WATCH.name));
        }
        let setup = Setup::of(given)?;
        Ok(block_on(async {
            if watches {
                return watch::run(Arc::new(setup)).await;
            }
            report(&setup, as_json).await
        }))
    })
}

async fn report(setup: &Setup, as_json: bool) -> u8 {
    let mut count = Count::default();
    let mut records = Vec::new();
    once(setup, None, &mut |one| {
        count.note(one);
        if as_json {
            records.push(value(one));
        } else {
            say(&line(one));
        }
    })
    .await;
    if as_json {
        say(&document(setup, records, count.value()));
    } else {
        setup.say_if_none(count.all());
        say(&count.to_string());
    }
    u8::from(count.failed > 0)
}

/// One pass over all records, or over those of one vswitch.
pub(super) async fn once(setup: &Setup, only: Option<&EngineAt>, told: &mut (dyn FnMut(&Repaired) + Send)) {
    lifecycle::repair(setup.world(), Repair { only, limit: setup.limit }, told).await;
}

/// What became of one record, for a reader.
pub(super) fn line(one: &Repaired) -> String {
    let (word, why) = match &one.fate {
        Fate::Stood => ("stood", None),
        Fate::MadeAgain => ("made again", None),
        Fate::Mended(found) => {
            let all: Vec<_> = found.iter().map(ToString::to_string).collect();
            ("mended", Some(format!("found that {}", all.join("; "))))
        }
        Fate::Skipped(reason) => ("skipped", Some(because(*reason).to_owned())),
        Fate::Failed(error) => ("failed", Some(chain(&**error))),
    };
    let engine = one.engine.as_ref().map(|at| format!(" ({})", at.kind)).unwrap_or_default();
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("{word:<10}  {}{engine}{why}", name(&one.attachment))
}

/// The same for a program.
fn value(one: &Repaired) -> Value {
    let (fate, more) = match &one.fate {
        Fate::Stood => ("stood", json!({})),
        Fate::MadeAgain => ("madeAgain", json!({})),
        Fate::Mended(found) => {
            let differences = found
                .iter()
                .map(|one| json!({"what": one.what, "wanted": one.wanted, "found": one.found}))
                .collect::<Vec<_>>();
            ("mended", json!({"differences": differences}))
        }
        Fate::Skipped(reason) => ("skipped", json!({"reason": because(*reason)})),
        Fate::Failed(error) => ("failed", json!({"reason": chain(&**error)})),
    };
    let mut entry = entry(&one.attachment, fate, more);
    if let Some(at) = &one.engine {
        entry["engine"] = at.kind.to_string().into();
    }
    entry
}

fn because(reason: Skipped) -> &'static str {
    match reason {
        Skipped::Unfinished => "its ADD did not get to its end",
        Skipped::ContainerGone => "its container is gone",
        Skipped::NoHostHalf => "all of it is in the container",
        Skipped::Detached => "it was detached meanwhile",
    }
}

/// How many records had which fate.
#[derive(Debug, Default)]
pub(super) struct Count {
    stood: usize,
    made_again: usize,
    mended: usize,
    skipped: usize,
    pub(super) failed: usize,
}

impl Count {
    pub(super) fn note(&mut self, one: &Repaired) {
        let slot = match one.fate {
            Fate::Stood => &mut self.stood,
            Fate::MadeAgain => &mut self.made_again,
            Fate::Mended(_) => &mut self.mended,
            Fate::Skipped(_) => &mut self.skipped,
            Fate::Failed(_) => &mut self.failed,
        };
        *slot += 1;
    }

    fn value(&self) -> Value {
        let Self { stood, made_again, mended, skipped, failed } = self;
        json!({"stood": stood, "madeAgain": made_again, "mended": mended, "skipped": skipped, "failed": failed})
    }

    fn all(&self) -> usize {
        self.stood + self.made_again + self.mended + self.skipped + self.failed
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} stood, {} made again", self.stood, self.made_again)?;
        for (count, word) in [(self.mended, "mended"), (self.skipped, "skipped")] {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        write!(f, ", {} failed", self.failed)
    }
}
