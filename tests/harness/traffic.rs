//! Packets between namespaces.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use crate::{netns::Netns, wait::until};

const LIMIT: Duration = Duration::from_secs(20);

/// Whether `target` answers one single ping within a second.
pub fn ping(from: &Netns, target: &str) -> bool {
    from.exec(&format!("ping -n -c 1 -W 1 {target}")).code == Some(0)
}

/// Sends `megabytes` by TCP from a client in one namespace to a server in another; they must arrive whole. A checksum that a virtual
/// link left to hardware shows here, and not in a ping.
pub fn transfer(client: &Netns, server: &Netns, address: &str, megabytes: usize) {
    let address: IpAddr = address.parse().expect("an IP address");
    let bind = SocketAddr::new(address, 0);
    let listener =
        server.inside(|| TcpListener::bind(bind)).unwrap_or_else(|error| panic!("listen on {bind}: {error}"));
    let target = listener.local_addr().expect("the port");
    let sent = pattern(megabytes << 20);
    thread::scope(|scope| {
        let received = scope.spawn(|| receive(&listener));
        client.inside(|| send(target, &sent));
        let received = received.join().expect("the server ran");
        assert!(
            received == sent,
            "{} of {} bytes arrived, or not as they were sent",
            received.len(),
            sent.len()
        );
    });
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

fn send(target: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect_timeout(&target, LIMIT)
        .unwrap_or_else(|error| panic!("connect to {target}: {error}"));
    stream.set_write_timeout(Some(LIMIT)).expect("set a timeout");
    stream.write_all(bytes).unwrap_or_else(|error| panic!("send to {target}: {error}"));
}

fn receive(listener: &TcpListener) -> Vec<u8> {
    // The client may never come, and accept() has no timeout.
    listener.set_nonblocking(true).expect("do not block");
    let mut accepted = None;
    until("a client connects", LIMIT, || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (mut stream, _) = accepted.expect("a client");
    stream.set_nonblocking(false).expect("block");
    stream.set_read_timeout(Some(LIMIT)).expect("set a timeout");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("receive");
    bytes
}
