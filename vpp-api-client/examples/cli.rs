//! Runs a command of VPP's command line: `cargo run --example cli SOCKET COMMAND…`.

use std::{io::Write, process::ExitCode};

use vpp_api_client::{Client, Error, Options, messages::vpe::CliInband};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (socket, command) = (arguments.next(), arguments.collect::<Vec<_>>().join(" "));
    let Some(socket) = socket.filter(|_| !command.is_empty()) else {
        eprintln!("usage: cli SOCKET COMMAND…");
        return ExitCode::FAILURE;
    };
    match run(&socket, &command).await {
        Ok(printed) => {
            // A closed pipe is no matter.
            let _ = std::io::stdout().write_all(printed.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cli: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(socket: &str, command: &str) -> Result<String, Error> {
    let vpp = Client::connect(Options::at(socket)).await?;
    let printed = vpp.request(&CliInband { cmd: command.into() }).await?.reply.to_string();
    vpp.close().await?;
    Ok(printed)
}
