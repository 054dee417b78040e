//! Makes what a host published for a container in the container's own VPP, once: the address is on VPP's interface then.
//!
//! `container_half API_SOCKET DIRECTORY`: DIRECTORY is the one that the container shares with its host.

use std::{error::Error, fs, path::Path, time::Duration};

use engine_vpp::VppEngine;
use userspace_core::{
    cx::Cx,
    engine::Engine,
    half::ContainerHalf,
    owner::{InstanceId, Owner},
    spec::Network,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(socket), Some(dir)) = (arguments.next(), arguments.next()) else {
        return Err("usage: container_half API_SOCKET DIRECTORY".into());
    };
    let dir = Path::new(&dir);
    let engine = VppEngine::in_container(Some(socket.into()));
    let cx = Cx::within(Duration::from_secs(10));
    let info = engine.ready(cx).await?;
    for entry in fs::read_dir(dir)?.flatten() {
        if entry.path().extension().is_none_or(|end| end != "json") {
            continue;
        }
        let half = ContainerHalf::from_json(&fs::read(entry.path())?)?;
        let spec = half.spec(dir)?;
        engine.supports(&info, &spec, &Network::None)?;
        let name = half.attachment.interface.clone();
        let owner = Owner::new(half.attachment, InstanceId::new(1));
        let made = engine.ensure(cx, &owner, &spec, &Network::None).await?;
        made.assign(cx, &half.allocation.ips, &half.allocation.routes).await?;
        eprintln!("{name} is {} in VPP {}", made.hint().name.unwrap_or_default(), info.version);
    }
    Ok(())
}
