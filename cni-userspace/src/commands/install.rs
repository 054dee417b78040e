//! `userspace install`: brings this program, and a configuration with it, to where a container runtime looks for them. It needs nothing
//! but itself, so that it runs in an image that has no other file. It knows no vswitch and no attachment.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use userspace_core::engine::{EngineError, ErrorKind, chain};

use self::piece::{Fate, Left, Piece};
use super::{
    answer,
    arguments::{Flag, Given, Syntax},
    block_on,
    ending::Ending,
    say, seconds,
};
use crate::Answer;

mod conf;
mod piece;

/// What a configuration's `type` calls the plugin, and thus its file's name.
const NAME: &str = "userspace";

const BIN_DIR: Flag = Flag {
    name: "--bin-dir",
    value: Some("DIR"),
    help: "the host's directory of CNI plugins (default: /host/opt/cni/bin)",
};

const CONF_FILE: Flag = Flag {
    name: "--conf-file",
    value: Some("FILE"),
    help: "a network's configuration to bring along (default: none)",
};

const CONF_DIR: Flag = Flag {
    name: "--conf-dir",
    value: Some("DIR"),
    help: "the host's directory of configurations (default: /host/etc/cni/net.d)",
};

const CONF_NAME: Flag = Flag {
    name: "--conf-name",
    value: Some("NAME"),
    help: "the configuration's name there: *.conflist for a list, *.conf for one plugin (default: FILE's own)",
};

const STAY: Flag = Flag {
    name: "--stay",
    value: None,
    help: "stay, and bring again what is removed or replaced; SIGTERM ends it",
};

const EVERY: Flag = Flag {
    name: "--every",
    value: Some("SECONDS"),
    help: "how often one that stays looks: 1 to 3600 (default: 10)",
};

const UNINSTALL: Flag = Flag {
    name: "--uninstall",
    value: None,
    help: "remove what the same command without this brings, unless it is another's by now",
};

const SYNTAX: Syntax = Syntax {
    command: "install",
    about: "Copies this program to where a container runtime looks for CNI plugins, and a configuration with it. Each file \
            is\nwritten beside its place and renamed: a runtime sees the old one or the new one. What is there already is \
            left alone.\nThe status is 1 when something could not be done.",
    flags: &[BIN_DIR, CONF_FILE, CONF_DIR, CONF_NAME, STAY, EVERY, UNINSTALL],
};

pub(crate) fn run(args: &[OsString]) -> Answer {
    answer(&SYNTAX, args, |given| {
        let places = Places::of(given)?;
        if given.has(&UNINSTALL) {
            return refuse_beside(&UNINSTALL, given, &[STAY, EVERY]).map(|()| status(uninstall(&places)));
        }
        if !given.has(&STAY) {
            return refuse_without(&STAY, given, &[EVERY]).map(|()| status(install(&places, true)));
        }
        let every = given.value(&EVERY).map_or(Ok(Duration::from_secs(10)), |text| seconds(&EVERY, text))?;
        Ok(block_on(stay(&places, every)))
    })
}

fn refuse_beside(flag: &Flag, given: &Given, others: &[Flag]) -> Result<(), String> {
    match others.iter().find(|other| given.has(other)) {
        Some(other) => Err(format!("{} does not go with {}", other.name, flag.name)),
        None => Ok(()),
    }
}

fn refuse_without(flag: &Flag, given: &Given, others: &[Flag]) -> Result<(), String> {
    match others.iter().find(|other| given.has(other)) {
        Some(other) => Err(format!("{} needs {}", other.name, flag.name)),
        None => Ok(()),
    }
}

/// Where what goes.
struct Places {
    bin_dir: PathBuf,
    conf: Option<Conf>,
}

/// A configuration, and where it goes.
struct Conf {
    file: PathBuf,
    dir: PathBuf,
    name: OsString,
}

impl Places {
    fn of(given: &Given) -> Result<Self, String> {
        let path = |flag, usual: &str| given.value(flag).map_or_else(|| usual.into(), PathBuf::from);
        let Some(file) = given.value(&CONF_FILE).map(PathBuf::from) else {
            refuse_without(&CONF_FILE, given, &[CONF_DIR, CONF_NAME])?;
            return Ok(Self { bin_dir: path(&BIN_DIR, "/host/opt/cni/bin"), conf: None });
        };
        let own = file.file_name().unwrap_or_default();
        let name = given.value(&CONF_NAME).unwrap_or(own).to_owned();
        if Path::new(&name).file_name() != Some(&name) {
            return Err(format!("{} {name:?}: is no file's name", CONF_NAME.name));
        }
        let conf = Conf { dir: path(&CONF_DIR, "/host/etc/cni/net.d"), file, name };
        Ok(Self { bin_dir: path(&BIN_DIR, "/host/opt/cni/bin"), conf: Some(conf) })
    }

    /// The files, in the order in which they are brought: a runtime may act upon a configuration as soon as it is there.
    /// The configuration is read anew each time, since a mounted one changes; a broken one is refused here, before anything is touched.
    fn pieces(&self) -> Result<Vec<Piece>, EngineError> {
        let mut pieces = vec![Piece::at(&self.bin_dir, OsStr::new(NAME), this_program()?, 0o755)?];
        if let Some(conf) = &self.conf {
            let text = conf::read(&conf.file, &conf.name)?;
            // For its owner alone: it can hold a memif's secret.
            pieces.push(Piece::at(&conf.dir, &conf.name, text, 0o600)?);
        }
        Ok(pieces)
    }
}

/// The program that runs, also when its own path is gone meanwhile.
fn this_program() -> Result<Vec<u8>, EngineError> {
    let failed = |error| EngineError::new(ErrorKind::Io, "read this program").because(error);
    fs::read("/proc/self/exe").map_err(failed)
}

/// Brings all, and tells each file's fate; `tells_all` tells of those too that stood.
fn install(places: &Places, tells_all: bool) -> Result<(), EngineError> {
    for piece in places.pieces()? {
        let fate = piece.put()?;
        let word = match fate {
            Fate::Stood if !tells_all => continue,
            Fate::Stood => "stood",
            Fate::Made => "installed",
            Fate::Replaced => "replaced",
        };
        say(&format!("{word:<10}  {}", piece.path().display()));
    }
    Ok(())
}

/// In the other order: no configuration is to name a plugin that is gone.
fn uninstall(places: &Places) -> Result<(), EngineError> {
    let mut foreign = None;
    for piece in places.pieces()?.iter().rev() {
        let path = piece.path();
        match piece.take_away()? {
            Left::Removed => say(&format!("removed     {}", path.display())),
            Left::Absent => say(&format!("absent      {}", path.display())),
            Left::Foreign(error) => foreign = Some(error),
        }
    }
    foreign.map_or(Ok(()), Err)
}

fn status(done: Result<(), EngineError>) -> u8 {
    match done {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("userspace install: {}", chain(&error));
            1
        }
    }
}

/// Brings all, and again whenever it is not as it should be, until SIGTERM or SIGINT. Only a first failure ends it: then nothing has
/// worked yet, and whoever started it should see that.
async fn stay(places: &Places, every: Duration) -> u8 {
    let Some(mut ending) = Ending::of(SYNTAX.command) else { return 1 };
    if let Err(error) = install(places, true) {
        return status(Err(error));
    }
    say(&format!("staying, with a look every {} s", every.as_secs()));
    let mut told = None;
    while !ending.comes_within(every).await {
        let failure = install(places, false).err().map(|error| chain(&error));
        // The same failure at every look is told once.
        if told != failure {
            let line = failure
                .as_ref()
                .map_or_else(|| "all is well again".to_owned(), |why| format!("failed      {why}"));
            say(&line);
        }
        told = failure;
    }
    say("ending");
    0
}
