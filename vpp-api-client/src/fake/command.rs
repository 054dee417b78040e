//! The program `fake-vpp`, for packages that have a test program of their own.

use std::{ffi::OsString, process::ExitCode};

use super::{Fake, Setup};

const HELP: &str = "\
A VPP of memory, for tests of its clients. It answers at SOCKET until it is killed.

usage: fake-vpp SOCKET [OPTION]...

  --release YY.MM        the release that it has the messages of (default 26.06; 22.10 is the oldest)
  --without PLUGIN       leaves a plugin's messages out: memif, vhost, tap, af_packet, policer
  --other-crc MESSAGE    gives a message another checksum, as a release with another layout would
  --help                 prints this

It is led by commands of cli_inband: fake hang, retval, die, die-at, heal, requests, reset-requests.
";

/// What a client that says `fake die` makes of the program, as a shell tells of one that was killed with signal 9.
const KILLED: u8 = 137;

/// Runs the program with these arguments, its own name left out.
pub fn run(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    match parse(arguments) {
        Ok(Some((socket, setup))) => match serve(&socket, &setup) {
            Ok(()) => ExitCode::from(KILLED),
            Err(error) => fail(&format!("listen at {socket:?}: {error}")),
        },
        Ok(None) => {
            use std::io::Write;
            // A closed pipe is no matter.
            let _ = std::io::stdout().write_all(HELP.as_bytes());
            ExitCode::SUCCESS
        }
        Err(reason) => fail(&format!("{reason} (see --help)")),
    }
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("fake-vpp: {reason}");
    ExitCode::FAILURE
}

fn serve(socket: &OsString, setup: &Setup) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        Fake::bind(socket, setup)?.run().await;
        Ok(())
    })
}

/// The socket and the kind of VPP; none for `--help`.
fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Option<(OsString, Setup)>, String> {
    let mut setup = Setup::default();
    let mut socket = None;
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--release" => {
                let release = value()?.parse();
                setup.release = release.map_err(|error: super::release::NotARelease| error.to_string())?;
            }
            "--without" => setup.without.push(value()?),
            "--other-crc" => setup.other_layout.push(value()?),
            flag if flag.starts_with('-') => return Err(format!("no option {flag:?}")),
            _ if socket.is_none() => socket = Some(OsString::from(argument)),
            more => return Err(format!("one socket only, not {more:?} too")),
        }
    }
    let socket = socket.ok_or("where is the socket to be?")?;
    Ok(Some((socket, setup)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<(OsString, Setup)>, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_a_socket_and_options() {
        let (socket, setup) =
            parsed("--without memif /s --release 23.06 --other-crc memif_create --without tap")
                .unwrap()
                .unwrap();
        assert_eq!(socket, "/s");
        assert_eq!(setup.release.to_string(), "23.06");
        assert_eq!(setup.without, ["memif", "tap"]);
        assert_eq!(setup.other_layout, ["memif_create"]);
        assert!(parsed("/s --help").unwrap().is_none());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in ["", "/a /b", "/a --release", "/a --release 9", "/a --what"] {
            assert!(parsed(line).is_err(), "{line:?}");
        }
    }
}
