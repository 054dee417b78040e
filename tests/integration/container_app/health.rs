//! The health endpoint, as Kubernetes and Prometheus ask it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
};

use userspace_tests::{Flavour, until};

use super::support::{Pair, SOON};

/// The status and the body.
fn get(mut stream: impl Read + Write, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("ask");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read the answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

fn at(socket: &Path, path: &str) -> (u16, String) {
    get(UnixStream::connect(socket).expect("connect"), path)
}

#[test]
fn health_readiness_and_metrics_are_served_at_a_socket() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    let socket = it.inner.app.path("health.sock");
    it.inner.app.start_with(&format!("--health unix:{}", socket.display()));
    until("it listens", SOON, || UnixStream::connect(&socket).is_ok());
    assert_eq!(at(&socket, "/healthz").0, 200);
    let (status, body) = at(&socket, "/readyz");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("0 of 1 interfaces"), "{body}");
    it.add("eth0");
    until("it is ready", SOON, || at(&socket, "/readyz").0 == 200);
    let (status, metrics) = at(&socket, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "container_app_interfaces{state=\"up\"} 1",
        "container_app_engine_up{engine=\"vpp\"} 1",
        "container_app_engine_up{engine=\"ovs-dpdk\"} 0",
        "container_app_interfaces_made_total{engine=\"vpp\"} 1",
        "container_app_make_seconds_count{engine=\"vpp\"} 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    it.inner.vpp.kill();
    until("it is not ready", SOON, || at(&socket, "/readyz").0 == 503);
    assert_eq!(at(&socket, "/healthz").0, 200, "the vswitch's death is not the app's");
    assert_eq!(at(&socket, "/elsewhere").0, 404);
    assert_eq!(it.inner.app.stop(), Some(0));
    assert!(!socket.exists(), "the socket goes with it");
    it.del("eth0");
}

#[test]
fn they_are_served_on_the_loopback_interface_too() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    it.inner.app.start_with("--health 127.0.0.1:9100");
    let ask = || it.red.netns.inside(|| Some(get(TcpStream::connect("127.0.0.1:9100").ok()?, "/healthz").0));
    until("it answers", SOON, || ask() == Some(200));
}

#[test]
fn a_socket_that_was_left_behind_does_not_stop_the_next() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    let socket = it.inner.app.path("health.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("leave a socket"));
    it.inner.app.start_with(&format!("--health unix:{}", socket.display()));
    until("it listens", SOON, || UnixStream::connect(&socket).is_ok());
    let second = it.inner.app.command(&format!("run --health unix:{}", socket.display()));
    assert_eq!(second.code, Some(1), "one that listens is not replaced: {second:?}");
}
