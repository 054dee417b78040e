//! The command line of a person: without `CNI_COMMAND`, the plugin tells what it is.

use std::{collections::BTreeMap, ffi::OsString};

use crate::{Answer, commands, engines, version};

const ABOUT: &str = concat!("userspace ", env!("CARGO_PKG_VERSION"), ", a CNI plugin");

#[cfg(not(feature = "install"))]
const INSTALL: &str = "";
#[cfg(feature = "install")]
const INSTALL: &str = "       userspace install [--stay | --uninstall] [options]
                         bring this program, and a configuration with it, to where a container runtime looks
";

pub(crate) fn run(args: &[OsString], env: &BTreeMap<String, String>) -> Answer {
    let first = args.first().map(|arg| arg.to_string_lossy());
    match first.as_deref() {
        None => {
            eprintln!("{ABOUT} (CNI {}); try --help", version::ALL.map(|v| v.as_str()).join(", "));
            Answer::ok(Vec::new())
        }
        Some("--version" | "-V") => {
            Answer::ok(format!("{ABOUT} (engines: {})\n", engines::BUILT_IN.join(", ")).into_bytes())
        }
        Some("help") if args.len() > 1 => help_for(&args[1..], env),
        Some("--help" | "-h" | "help") => Answer::ok(help().into_bytes()),
        Some("repair") => commands::repair::run(&args[1..]),
        Some("gc") => commands::gc::run(&args[1..], env),
        #[cfg(feature = "install")]
        Some("install") => commands::install::run(&args[1..]),
        Some(other) => unknown(other),
    }
}

/// `help COMMAND` is `COMMAND --help`.
fn help_for(args: &[OsString], env: &BTreeMap<String, String>) -> Answer {
    let help = ["--help".into()];
    match args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().as_slice() {
        [command] if command == "repair" => commands::repair::run(&help),
        [command] if command == "gc" => commands::gc::run(&help, env),
        #[cfg(feature = "install")]
        [command] if command == "install" => commands::install::run(&help),
        words => unknown(&format!("help {}", words.join(" "))),
    }
}

fn unknown(words: &str) -> Answer {
    eprintln!("userspace: unknown argument {words:?}; try --help");
    Answer { status: 2, ..Answer::default() }
}

fn help() -> String {
    format!(
        "{ABOUT}: gives containers memif, vhost-user, veth, tap and macvlan interfaces

A container runtime runs it with CNI_COMMAND and other CNI_ variables set and a network configuration on standard input.
Standard output gets the result or an error object; logs go to standard error and to `logFile`.

Usage: CNI_COMMAND=ADD|DEL|CHECK|GC|STATUS|VERSION userspace < network.conf
       userspace repair [--watch | --json] [options]
                         make again what a vswitch has lost of the attachments that are recorded here
       userspace gc [--dry-run] [--json] [options]
                         detach the recorded attachments whose container is gone
{INSTALL}       userspace help [COMMAND] | --help | --version

Engines in this build: {}
CNI versions: {}

A configuration:
  {{
    \"cniVersion\": \"1.0.0\",
    \"name\": \"blue\",
    \"type\": \"userspace\",
    \"host\": {{ \"engine\": \"linux\", \"iftype\": \"veth\", \"netType\": \"bridge\", \"bridge\": {{ \"bridgeName\": \"blue0\" }} }},
    \"ipam\": {{ \"type\": \"host-local\", \"subnet\": \"10.20.0.0/24\" }}
  }}

Every key is explained in docs/netconf.md.
",
        engines::BUILT_IN.join(", "),
        version::ALL.map(|v| v.as_str()).join(", "),
    )
}
