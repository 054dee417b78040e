//! Prints VPP's version and its interfaces: `cargo run --example interfaces [SOCKET]`.

use vpp_api_client::{
    Client, DEFAULT_SOCKET, Error, Options,
    messages::{interface::SwInterfaceDump, vpe::ShowVersion},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.to_owned());
    let vpp = Client::connect(Options::at(socket)).await?;
    print(&format!("VPP {}", vpp.request(&ShowVersion {}).await?.version));
    for interface in vpp.dump(&SwInterfaceDump::all()).await? {
        print(&format!("{:>5} {:<32} {}", interface.sw_if_index.0, interface.interface_name, interface.tag));
    }
    vpp.close().await
}

/// A closed pipe is no matter.
fn print(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
