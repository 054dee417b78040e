//! The kernel tells the neighbours of every address when it is assigned. Needs tcpdump.

use std::{
    io::{BufRead, BufReader},
    process::{ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use engine_linux::LinuxEngine;
use userspace_core::{addr::Address, engine::Engine, spec::Network};

use crate::support::{bridge, cx, in_world, owner};

/// A line of tcpdump comes within milliseconds when the machine has nothing else to do.
const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn a_bridge_hears_of_both_families() {
    in_world(|world| async move {
        let (owner, spec) = (owner("c1", "net1"), world.veth("net1"));
        let host = LinuxEngine::host().ensure(cx(), &owner, &spec, &Network::None).await.unwrap();
        host.join(cx(), &bridge("br7")).await.unwrap();
        // Started in this thread's namespace.
        let mut command = Command::new("tcpdump");
        command.args(["-Z", "root", "-lnni", "br7", "arp or icmp6[0] == 136"]);
        let Ok(mut dump) = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() else {
            println!("skipped: there is no tcpdump");
            return;
        };
        // It says so when it listens.
        let says = BufReader::new(dump.stderr.take().unwrap());
        assert!(says.lines().map_while(Result::ok).any(|line| line.contains("listening on br7")));
        let heard = lines_of(dump.stdout.take().unwrap());
        let inside = world.engine_inside().ensure(cx(), &owner, &spec, &Network::None).await.unwrap();
        let address = |ip: &str| Address { ip: ip.parse().unwrap(), gateway: None };
        inside.assign(cx(), &[address("10.1.0.5/24"), address("fd00::5/64")], &[]).await.unwrap();
        let begin = Instant::now();
        let (mut ipv4, mut ipv6) = (false, false);
        while !(ipv4 && ipv6) {
            let left = LIMIT.saturating_sub(begin.elapsed());
            let Ok(line) = heard.recv_timeout(left) else { break };
            ipv4 |= line.contains("who-has 10.1.0.5 ") || line.contains("Reply 10.1.0.5 ");
            ipv6 |= line.contains("fd00::5");
        }
        dump.kill().unwrap();
        dump.wait().unwrap();
        assert_eq!((ipv4, ipv6), (true, true), "heard of IPv4 and of IPv6");
    });
}

/// The lines that come, read by a thread so that waiting for one can have a limit. It ends with the process.
fn lines_of(pipe: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
