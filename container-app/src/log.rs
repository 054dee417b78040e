//! The log, on standard error.

use tracing::{Level, level_filters::LevelFilter};

/// Begins to log what is of that level or more urgent.
pub(crate) fn init(level: Level) {
    let _ = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from_level(level))
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::io::stderr)
        .try_init();
}
