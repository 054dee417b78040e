//! Checksum offload of a real pair, whose ends have one name in two fresh namespaces. Needs root.

// A test's helper may panic as a test does.
#![allow(clippy::unwrap_used)]

use std::{fs::File, thread};

use kernel_links::{Error, Netlink, Netns, VethPair, set_tx_checksum, tx_checksum};
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
};

/// Runs `test` on a thread whose namespace is a fresh one, with a pair to another. Both go with the thread.
fn beside_a_pair(test: impl FnOnce(&Netns) + Send + 'static) {
    let run = move || {
        let other = thread::spawn(fresh).join().unwrap();
        fresh();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let made = async {
            let pair = VethPair {
                name: "net1",
                mtu: None,
                peer_netns: &other,
                peer_name: "net1",
                peer_mac: [2, 0, 0, 0, 0, 1],
            };
            Netlink::open().unwrap().add_veth(&pair).await.unwrap();
        };
        runtime.block_on(made);
        test(&other);
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

/// Takes the thread to a namespace of its own.
fn fresh() -> Netns {
    unshare(CloneFlags::CLONE_NEWNET).expect("a namespace of one's own: run as root");
    File::open("/proc/thread-self/ns/net").unwrap().into()
}

#[test]
fn it_goes_off_and_comes_back() {
    beside_a_pair(|_| {
        assert_eq!(tx_checksum("net1"), Ok(true), "what a veth has by itself");
        for on in [false, false, true] {
            set_tx_checksum("net1", on).unwrap();
            assert_eq!(tx_checksum("net1"), Ok(on));
        }
    });
}

#[test]
fn the_interface_is_that_of_the_namespace_where_it_is_asked_for() {
    beside_a_pair(|other| {
        other.run(|| set_tx_checksum("net1", false)).unwrap();
        assert_eq!(other.run(|| tx_checksum("net1")), Ok(false));
        assert_eq!(tx_checksum("net1"), Ok(true));
    });
}

#[test]
fn a_refusal_says_of_what_and_why() {
    let check = |done: Result<(), Error>, errno, text: &str| {
        let error = done.unwrap_err();
        assert_eq!(error.errno(), Some(errno), "{error}");
        assert!(error.to_string().starts_with(text), "{error}");
    };
    beside_a_pair(move |_| {
        let text = "turn off transmit checksum offload of the interface \"nosuch\": ";
        check(set_tx_checksum("nosuch", false), Errno::ENODEV, text);
        let text = "turn off transmit checksum offload of the interface \"lo\": ";
        check(set_tx_checksum("lo", false), Errno::EOPNOTSUPP, text);
        let text = "look up transmit checksum offload of the interface \"net1-and-12-more\": ";
        check(tx_checksum("net1-and-12-more").map(drop), Errno::EINVAL, text);
    });
}
