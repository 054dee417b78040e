//! The program `fake-vpp`: what is left when it is killed, and what it is told by its arguments.

#![allow(clippy::unwrap_used)]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use vpp_api_client::{
    Client, Error, Options,
    messages::{
        memif::{MemifCreateV2, MemifDelete},
        vpe::{CliInband, ShowVersion},
    },
};

struct Program(Child);

impl Program {
    async fn start(socket: &Path, arguments: &[&str]) -> (Self, Client) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fake-vpp"));
        let process = command.arg(socket).args(arguments).stdin(Stdio::null()).spawn().unwrap();
        let program = Self(process);
        for _ in 0..500 {
            if let Ok(client) = Client::connect(Options::at(socket)).await {
                return (program, client);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("fake-vpp does not answer");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn its_socket_stays_when_it_is_killed_and_the_next_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let (program, client) = Program::start(&socket, &[]).await;
    drop(program);
    tokio::time::timeout(Duration::from_secs(10), client.closed()).await.unwrap();
    assert!(socket.exists());
    assert!(matches!(client.reconnect().await, Err(Error::Connect { .. })));
    let (mut program, client) = Program::start(&socket, &[]).await;
    let died = client.request(&CliInband { cmd: "fake die".into() }).await;
    drop(died);
    assert_eq!(program.0.wait().unwrap().code(), Some(137), "as a shell tells of one that was killed");
    assert!(socket.exists());
}

#[tokio::test]
async fn arguments_choose_the_kind_of_vpp() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let arguments = ["--release", "22.10", "--without", "vhost", "--other-crc", "memif_delete"];
    let (_program, client) = Program::start(&socket, &arguments).await;
    let version = client.request(&ShowVersion {}).await.unwrap().version.to_string();
    assert!(version.starts_with("22.10"), "{version}");
    assert!(!client.knows::<MemifCreateV2>());
    let other = client.request(&MemifDelete::default()).await.unwrap_err();
    assert!(matches!(other, Error::OtherLayout { .. }), "{other}");
}

#[test]
fn what_it_does_not_understand_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_fake-vpp")).arg("--what").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("fake-vpp: no option \"--what\""), "{said}");
}
