//! Applications of containers: testpmd, and packets that are sent and counted.

use std::{os::unix::net::UnixDatagram, path::Path, thread::sleep, time::Duration};

use nix::errno::Errno;
use userspace_tests::{Container, Memory, Testpmd, TestpmdBuilder, until};

pub(crate) const RED: &str = "02:00:00:00:00:01";
pub(crate) const BLUE: &str = "02:00:00:00:00:02";

/// How many bursts of 32 packets are sent at once. More would not fit the 256 descriptors of a testpmd that gets no time just then.
const BURSTS: u32 = 5;
/// All packets of them.
pub(crate) const PACKETS: u64 = 160;

/// Long enough for a machine that does much else.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);

/// A testpmd for the container that will send to `peer`, without a port as yet.
pub(crate) fn app(container: &Container, memory: Memory, peer: &str) -> TestpmdBuilder {
    let builder = Testpmd::build(&container.netns).peer(peer);
    if memory == Memory::Hugepages { builder } else { builder.no_huge() }
}

/// Sends until packets arrive, each way: a vswitch needs a moment to use a port whose other end has come. Then counts from 0.
pub(crate) fn meet(apps: &mut [Testpmd; 2]) {
    let [first, second] = apps;
    hear(first, second);
    hear(second, first);
    for app in apps {
        app.command("clear port stats all");
    }
}

/// Sends until a packet arrives. Neither is forwarding before and after.
pub(crate) fn hear(from: &mut Testpmd, to: &mut Testpmd) {
    to.start();
    until("a first packet arrives", LIMIT, || {
        from.send(1);
        sleep(Duration::from_millis(20));
        from.stop();
        to.received() > 0
    });
    settle(to);
    to.stop();
}

/// Waits until no more packets arrive; how many came in all.
pub(crate) fn settle(app: &mut Testpmd) -> u64 {
    loop {
        let before = app.received();
        sleep(Duration::from_millis(100));
        if app.received() == before {
            return before;
        }
    }
}

/// Sends [`PACKETS`], and waits until no more arrive; how many did. The other application is not forwarding before and after.
pub(crate) fn count(from: &mut Testpmd, to: &mut Testpmd) -> u64 {
    let [sent, received] = [from.sent(), to.received()];
    to.start();
    from.send(BURSTS);
    until("all packets are sent", LIMIT, || from.sent() - sent >= PACKETS);
    let came = settle(to) - received;
    from.stop();
    to.stop();
    assert_eq!(from.sent() - sent, PACKETS, "sent");
    came
}

/// A datagram socket cannot connect to one of another type: whoever listens does not hear of it.
pub(crate) fn is_listened_at(socket: &Path) -> bool {
    let probe = UnixDatagram::unbound().expect("a socket");
    let refused = probe.connect(socket).err().and_then(|error| error.raw_os_error());
    refused == Some(Errno::EPROTOTYPE as i32)
}
