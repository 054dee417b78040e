//! The log: standard error and `logFile`, at the Go plugins' levels. Never standard output.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write, stderr},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Mutex,
};

use nix::fcntl::OFlag;
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::fmt;

use crate::netconf::NetConf;

/// The Go plugins' levels, quietest first.
const LEVELS: [(&str, Level); 6] = [
    ("panic", Level::ERROR),
    ("error", Level::ERROR),
    ("warning", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("verbose", Level::TRACE),
];

/// Begins to log as `conf` says. What is wrong with that is told in the log, and is no reason to fail.
pub(crate) fn init(conf: &NetConf) {
    let (level, unknown) = level(conf.log_level.as_deref());
    let (file, failed) = match conf.log_file.as_deref().map(open).transpose() {
        Ok(file) => (file, None),
        Err(error) => (None, Some(error)),
    };
    let _ = fmt()
        .with_max_level(LevelFilter::from_level(level))
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(Both { file }))
        .try_init();
    if let Some(level) = unknown {
        let known = LEVELS.map(|(name, _)| name).join(", ");
        tracing::warn!(level, known, "logLevel is unknown, using warning");
    }
    if let Some(error) = failed {
        tracing::warn!(path = ?conf.log_file, %error, "logFile cannot be opened");
    }
}

fn level(name: Option<&str>) -> (Level, Option<&str>) {
    let Some(name) = name else {
        return (Level::WARN, None);
    };
    let known = LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    match known {
        Some((_, level)) => (*level, None),
        None => (Level::WARN, Some(name)),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // A FIFO that nobody reads must not block.
    options.append(true).create(true).mode(0o600).custom_flags(OFlag::O_NONBLOCK.bits());
    options.open(path)
}

/// Standard error and the file, whichever takes it.
struct Both {
    file: Option<File>,
}

impl Write for Both {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            let _ = file.write_all(line);
        }
        let _ = stderr().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
