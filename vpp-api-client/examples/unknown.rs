//! Prints which messages of this crate the VPP at SOCKET does not have: `cargo run --example unknown SOCKET`.

use std::{collections::BTreeSet, io::Write};

use vpp_api_client::{Client, DEFAULT_SOCKET, Error, Options, messages};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.to_owned());
    let vpp = Client::connect(Options::at(socket)).await?;
    let theirs: BTreeSet<&[u8]> = vpp.table().iter().map(|(name, _)| name).collect();
    for name in messages::names().filter(|name| !theirs.contains(name.as_bytes())) {
        // A closed pipe is no matter.
        let _ = writeln!(std::io::stdout(), "{name}");
    }
    vpp.close().await
}
