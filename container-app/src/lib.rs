//! The container's end: finds the halves that the host published, makes them with the container's own engine, keeps them so, and tells
//! who asks. It knows nothing of the CNI and of the host.
//!
//! ```text
//! sources  the shared directory, the annotations  ->  the halves that are for this container
//! picture  pure: what each half asks of which engine, or why not
//! keeper   one a vswitch: brings it to what the picture says, whenever the picture, the vswitch or the time changes
//! board    how each interface stands, for the commands, the health endpoint and the metrics
//! ```

mod board;
mod bring;
mod cli;
mod commands;
mod engines;
mod health;
mod keeper;
mod log;
mod metrics;
mod picture;
mod settings;
mod sources;

use std::process::ExitCode;

pub use clap::Parser;

pub use self::cli::Cli;
use self::settings::Settings;

/// Runs what was typed, to its end.
pub fn run(cli: Cli) -> ExitCode {
    let settings = match Settings::of(&cli) {
        Ok(settings) => settings,
        Err(reason) => {
            eprintln!("container-app: {reason}");
            return ExitCode::from(2);
        }
    };
    log::init(settings.log_level);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("container-app: start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(commands::run(cli.command.unwrap_or_default(), settings))
}
