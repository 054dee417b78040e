//! The kernel tells the neighbours of every address when it is assigned. Needs tcpdump.

use std::{
    io::Read,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use engine_linux::LinuxEngine;
use userspace_core::{addr::Address, engine::Engine, spec::Network};

use crate::support::{bridge, cx, in_world, owner};

#[test]
fn a_bridge_hears_of_both_families() {
    in_world(|world| async move {
        let (owner, spec) = (owner("c1", "net1"), world.veth("net1"));
        let host = LinuxEngine::host().ensure(cx(), &owner, &spec, &Network::None).await.unwrap();
        host.join(cx(), &bridge("br7")).await.unwrap();
        // Started in this thread's namespace.
        let mut command = Command::new("tcpdump");
        command.args(["-Z", "root", "-lnni", "br7", "arp or icmp6[0] == 136"]);
        let Ok(mut dump) = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
            println!("skipped: there is no tcpdump");
            return;
        };
        thread::sleep(Duration::from_millis(400));
        let inside = world.engine_inside().ensure(cx(), &owner, &spec, &Network::None).await.unwrap();
        let address = |ip: &str| Address { ip: ip.parse().unwrap(), gateway: None };
        inside.assign(cx(), &[address("10.1.0.5/24"), address("fd00::5/64")], &[]).await.unwrap();
        thread::sleep(Duration::from_millis(400));
        dump.kill().unwrap();
        let mut heard = String::new();
        dump.stdout.take().unwrap().read_to_string(&mut heard).unwrap();
        dump.wait().unwrap();
        assert!(heard.contains("who-has 10.1.0.5 ") || heard.contains("Reply 10.1.0.5 "), "{heard}");
        assert!(heard.contains("fd00::5"), "{heard}");
    });
}
