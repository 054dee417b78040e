//! What a person or a service manager runs. `userspace repair` and `userspace gc` act upon the records of one state directory, and know no
//! word of the CNI protocol but where IPAM plugins are; `userspace install` brings the plugin to a host.

use std::{
    ffi::OsString,
    io::{Write, stdout},
    path::PathBuf,
    time::Duration,
};

use serde_json::{Value, json};
use userspace_core::{id::AttachmentId, lifecycle::World, record::RecordDir, spec::EngineAt};

use self::arguments::{Flag, Given, Syntax};
use crate::{
    Answer,
    engines::{BuiltIn, Published},
    log,
    netconf::NetConf,
};

mod arguments;
mod ending;
pub(crate) mod gc;
#[cfg(feature = "install")]
pub(crate) mod install;
pub(crate) mod repair;
mod watch;

const STATE_DIR: Flag = Flag {
    name: "--state-dir",
    value: Some("DIR"),
    help: "whose records: the configurations' `stateDir` (default: /var/lib/cni/userspace)",
};

const TIMEOUT: Flag = Flag {
    name: "--timeout",
    value: Some("SECONDS"),
    help: "what each attachment may take, and a vswitch to answer: 1 to 3600 (default: 30)",
};

const JSON: Flag = Flag {
    name: "--json",
    value: None,
    help: "print one JSON document when all is done, and no lines for a person",
};

/// What the commands about records stand on.
struct Setup {
    records: RecordDir,
    engines: BuiltIn,
    stores: Published,
    limit: Duration,
}

impl Setup {
    fn of(given: &Given) -> Result<Self, String> {
        let usual = NetConf::default();
        let state_dir = given.value(&STATE_DIR).map_or_else(|| usual.state_dir(), PathBuf::from);
        let limit = match given.value(&TIMEOUT) {
            None => usual.timeout(),
            Some(text) => seconds(&TIMEOUT, text)?,
        };
        log::init(&usual);
        let records = RecordDir::new(state_dir);
        Ok(Self { stores: Published::new(&records), records, engines: BuiltIn::default(), limit })
    }

    fn world(&self) -> World<'_> {
        World { engines: &self.engines, stores: &self.stores, records: &self.records }
    }

    /// A directory that was mistyped looks like one without records.
    fn say_if_none(&self, count: usize) {
        if count == 0 {
            say(&format!("there are no records in {:?}", self.records.state_dir()));
        }
    }
}

fn seconds(flag: &Flag, text: &std::ffi::OsStr) -> Result<Duration, String> {
    let number = text.to_str().and_then(|text| text.parse::<u16>().ok());
    match number.filter(|number| (1..=3600).contains(number)) {
        Some(number) => Ok(Duration::from_secs(number.into())),
        None => Err(format!("{} {text:?}: is 1 to 3600 seconds", flag.name)),
    }
}

/// Answers `--help` and what cannot be, and runs the command otherwise: its status, or what is wrong with what was typed.
fn answer(syntax: &Syntax, args: &[OsString], run: impl FnOnce(&Given) -> Result<u8, String>) -> Answer {
    let done = match syntax.parse(args) {
        Ok(None) => return Answer { stdout: syntax.help().into_bytes(), status: 0 },
        Ok(Some(given)) => run(&given),
        Err(reason) => Err(reason),
    };
    let status = done.unwrap_or_else(|reason| {
        eprintln!("userspace {}: {reason}; try userspace {} --help", syntax.command, syntax.command);
        2
    });
    Answer { status, ..Answer::default() }
}

/// Runs `work` to its end: its status.
fn block_on(work: impl Future<Output = u8>) -> u8 {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("userspace: start the runtime: {error}");
            1
        }
    }
}

/// One line on standard output, at once. That nobody reads it does not stop the work.
fn say(line: &str) {
    let _ = writeln!(stdout().lock(), "{line}");
}

/// The document of a command: what became of each record, and how many of each fate there are.
fn document(setup: &Setup, records: Vec<Value>, counts: Value) -> String {
    json!({"stateDir": setup.records.state_dir(), "records": records, "counts": counts}).to_string()
}

/// A record in a document: whose it is and what became of it, then `more`.
fn entry(id: &AttachmentId, fate: &str, more: Value) -> Value {
    let mut entry =
        json!({"network": id.network, "container": id.container, "interface": id.interface, "fate": fate});
    if let (Value::Object(entry), Value::Object(more)) = (&mut entry, more) {
        entry.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    entry
}

fn name(id: &AttachmentId) -> String {
    format!("{}/{}/{}", id.network, id.container, id.interface)
}

fn place(at: &EngineAt) -> String {
    match &at.socket {
        Some(socket) => format!("{} at {socket:?}", at.kind),
        None => at.kind.to_string(),
    }
}
