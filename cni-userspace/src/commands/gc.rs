//! `userspace gc`: detaches the recorded attachments whose container is gone.

use std::{collections::BTreeMap, ffi::OsString};

use serde_json::{Value, json};
use userspace_core::{
    ipam::Ipam,
    lifecycle::{self, Judged, Sweep, Swept},
    record::Record,
};

use super::{
    JSON, STATE_DIR, Setup, TIMEOUT, answer,
    arguments::{Flag, Syntax},
    block_on, document, entry, name, say,
};
use crate::{Answer, ipam_exec::ExecIpam};

/// Where the packages of container runtimes have the plugins.
const USUAL: &str = "/opt/cni/bin:/usr/lib/cni";

const CNI_PATH: Flag = Flag {
    name: "--cni-path",
    value: Some("PATH"),
    help: "where the IPAM plugins are (default: CNI_PATH of the environment, or /opt/cni/bin:/usr/lib/cni)",
};

const DRY_RUN: Flag = Flag { name: "--dry-run", value: None, help: "only say what would go" };

const SYNTAX: Syntax = Syntax {
    command: "gc",
    about: "Detaches the recorded attachments whose container is gone: its network namespace is no more, or the host has \
            been\nstarted anew since. Its addresses go back to the IPAM plugin. What is not certainly gone stays. The status \
            is 1\nwhen one could not be detached.",
    flags: &[STATE_DIR, CNI_PATH, TIMEOUT, DRY_RUN, JSON],
};

pub(crate) fn run(args: &[OsString], env: &BTreeMap<String, String>) -> Answer {
    answer(&SYNTAX, args, |given| {
        let setup = Setup::of(given)?;
        let typed = given.value(&CNI_PATH).map(|path| path.to_string_lossy().into_owned());
        let path = typed.or_else(|| env.get("CNI_PATH").cloned()).unwrap_or_else(|| USUAL.to_owned());
        let ipam = |record: &Record| {
            let found = ExecIpam::of_record(&record.config, &path)?;
            Some(Box::new(found) as Box<dyn Ipam>)
        };
        let sweep = Sweep { limit: setup.limit, is_dry: given.has(&DRY_RUN), ipam: &ipam };
        Ok(block_on(run_with(&setup, sweep, given.has(&JSON))))
    })
}

async fn run_with(setup: &Setup, sweep: Sweep<'_>, as_json: bool) -> u8 {
    let mut count = Count::default();
    let mut records = Vec::new();
    lifecycle::sweep(setup.world(), sweep, &mut |one| {
        count.note(one);
        if as_json {
            records.push(value(one));
        } else if let Some(line) = line(one) {
            say(&line);
        }
    })
    .await;
    let Count { live, would_go, removed, unknown, failed } = count;
    if as_json {
        let counts = json!({"live": live, "wouldGo": would_go, "removed": removed, "unknown": unknown, "failed": failed});
        say(&document(setup, records, counts));
    } else {
        setup.say_if_none(live + would_go + removed + unknown + failed);
        let gone = if sweep.is_dry { format!("{would_go} would go") } else { format!("{removed} removed") };
        say(&format!("{gone}, {live} live, {unknown} unknown, {failed} failed"));
    }
    u8::from(failed > 0)
}

/// What became of one record, for a program.
fn value(one: &Swept) -> Value {
    let (fate, reason) = match &one.judged {
        Judged::Lives => ("live", None),
        Judged::Unknown(reason) => ("unknown", Some(reason.clone())),
        Judged::WouldGo => ("wouldGo", None),
        Judged::Removed => ("removed", None),
        Judged::Failed(error) => ("failed", Some(error.to_string())),
    };
    entry(&one.attachment, fate, json!({"reason": reason}))
}

/// The same for a reader, who is not told of what is as it should be.
fn line(one: &Swept) -> Option<String> {
    let name = name(&one.attachment);
    match &one.judged {
        Judged::Lives => None,
        Judged::Unknown(reason) => Some(format!("stays       {name}: {reason}")),
        Judged::WouldGo => Some(format!("would go    {name}")),
        Judged::Removed => Some(format!("removed     {name}")),
        Judged::Failed(error) => Some(format!("failed      {name}: {error}")),
    }
}

#[derive(Debug, Default)]
struct Count {
    live: usize,
    would_go: usize,
    removed: usize,
    unknown: usize,
    failed: usize,
}

impl Count {
    fn note(&mut self, one: &Swept) {
        match one.judged {
            Judged::Lives => self.live += 1,
            Judged::Unknown(_) => self.unknown += 1,
            Judged::WouldGo => self.would_go += 1,
            Judged::Removed => self.removed += 1,
            Judged::Failed(_) => self.failed += 1,
        }
    }
}
