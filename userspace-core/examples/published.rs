//! Follows what a host publishes for this container, and prints what each interface asks for: the part that an application in Rust needs
//! to do without container-app.
//!
//! `published DIRECTORY`: the directory that the container shares with its host.

#![allow(clippy::print_stdout, reason = "it is what it is for")]

use std::{error::Error, time::Duration};

use userspace_core::{
    cx::Cx,
    engine::{ErrorKind, chain},
    remote::{RemoteView, dir::DirView},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("usage: published DIRECTORY")?;
    let view = DirView::new(dir);
    let mut last = None;
    loop {
        let cx = Cx::within(Duration::from_secs(3600));
        let snapshot = match view.snapshot(cx, last.as_ref()).await {
            // Nothing has changed for an hour.
            Err(error) if error.kind() == ErrorKind::TimedOut => continue,
            snapshot => snapshot?,
        };
        for (path, reason) in &snapshot.rejected {
            eprintln!("{}: {reason}", path.display());
        }
        for half in &snapshot.halves {
            let spec = match half.spec(view.dir()) {
                Ok(spec) => spec,
                Err(error) => {
                    eprintln!("{}: {}", half.attachment, chain(&error));
                    continue;
                }
            };
            let addresses: Vec<_> =
                half.allocation.ips.iter().map(|address| address.ip.to_string()).collect();
            println!("{} with {}: {:?}", half.attachment, addresses.join(", "), spec.device);
        }
        last = Some(snapshot.revision);
    }
}
