//! memif sockets that are names in the container's network namespace: no file, no link that a vswitch opens.

use std::{fs, os::fd::AsRawFd};

use engine_vpp::VppEngine;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use userspace_core::{
    cx::Cx,
    engine::{Engine, ErrorKind},
    netns::NetnsRef,
    spec::{AbstractSocket, MemifMode, MemifRole, MemifSocket, Network},
};
use userspace_tests::{Container, Flavour, merged};

use super::{
    conformance,
    restart::pings_go_on,
    support::{OnVpp, tag},
    traffic::two_meet,
};
use crate::{
    apps::{BLUE, LIMIT, PACKETS, RED, count, meet},
    container_app::eal::told,
};

fn named(patch: Value) -> Value {
    merged(json!({"host": {"memif": {"socketType": "abstract"}}}), patch)
}

fn name(container: &Container) -> String {
    format!("memif-{}", tag(container).digits(32))
}

/// Who listens at names of the container's namespace.
fn listeners(container: &Container) -> Vec<String> {
    let text = container
        .netns
        .inside(|| fs::read_to_string("/proc/thread-self/net/unix").expect("read the sockets"));
    let names = text.lines().filter_map(|line| line.rsplit_once(" @").map(|(_, name)| name));
    names.filter(|name| name.starts_with("memif-")).map(str::to_owned).collect()
}

fn the_socket_is_in_the_containers_namespace_alone(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let config = it.net(named(json!({})));
    let before = it.everything();
    for one in &containers {
        let result = it.host.add(one, &config);
        assert_eq!(result["interfaces"][0]["socketPath"], Value::Null, "it has no path");
        let published: Value =
            serde_json::from_slice(&fs::read(it.half(one, "eth0")).expect("the half")).expect("JSON");
        let memif = &published["config"]["memif"];
        assert_eq!([&memif["socketType"], &memif["socketfile"]], [&json!("abstract"), &json!(name(one))]);
        let files: Vec<_> = it.shared(one).read_dir().expect("the directory").collect();
        assert_eq!(files.len(), 1, "the half alone: {files:?}");
    }
    for one in &containers {
        assert_eq!(listeners(one), [name(one)]);
        it.host.check(one, &config).silent();
        it.host.del(one, &config);
        assert!(listeners(one).is_empty());
    }
    it.is_as(&before, "in the end");
}

/// In the namespace anybody may have the name first. VPP's number of that socket is of use again afterwards.
fn a_name_that_is_taken_is_told(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let config = it.net(named(json!({})));
    let before = it.everything();
    // A name is taken for one type of socket; the fake's is another than VPP's.
    let taken = [SockType::Stream, SockType::SeqPacket].map(|kind| {
        let address = UnixAddr::new_abstract(name(&red).as_bytes()).expect("an address");
        red.netns.inside(|| {
            let made = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
            bind(made.as_raw_fd(), &address).expect("take the name");
            made
        })
    });
    it.host
        .call("ADD", &config)
        .of(&red)
        .fails(5, &["create a memif on @memif-", "master", "somebody has the name"]);
    it.is_as(&before, "after the failure");
    drop(taken);
    it.host.add(&red, &config);
    assert_eq!(listeners(&red), [name(&red)]);
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

/// VPP comes back empty: the name is there again, and only in the very namespace that was recorded.
fn a_lost_one_is_made_again_where_it_was(flavour: Flavour) {
    let Some(mut it) = OnVpp::new(flavour) else { return };
    let config = it.net(named(json!({})));
    let red = it.host.container("red");
    let before = it.everything();
    let blue = it.host.container("blue");
    it.host.add(&red, &config);
    it.host.add(&blue, &config);
    it.vpp.kill();
    assert!(listeners(&red).is_empty());
    blue.netns.delete();
    it.vpp.restart();
    it.host.check(&red, &config).error(103);
    let repaired = it.host.command("repair");
    assert_eq!(repaired.code, Some(0), "{repaired:#?}");
    for line in
        ["made again  blue/red/eth0 (vpp)\n", "skipped     blue/blue/eth0 (vpp): its container is gone\n"]
    {
        assert!(repaired.stdout.contains(line), "{repaired:#?}");
    }
    assert_eq!(listeners(&red), [name(&red)]);
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.host.del(&blue, &config);
    it.vpp.kill();
    it.vpp.restart();
    it.is_as(&before, "in the end");
}

/// Whatever is at the path by now: VPP is not sent there.
fn another_namespace_at_the_path_is_refused(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let before = it.everything();
    let there = NetnsRef::inspect(&red.netns.path()).expect("a namespace");
    let engine = VppEngine::host(Some(it.vpp.api_socket()));
    for netns in [
        NetnsRef { inode: there.inode + 1, ..there.clone() },
        NetnsRef { boot_id: "another".to_owned(), ..there.clone() },
        NetnsRef { path: "/run/netns/no-such-name".into(), ..there },
    ] {
        let socket = AbstractSocket { name: name(&red), netns: Some(netns) };
        let spec = conformance::memif(MemifRole::Master, MemifMode::Ethernet, MemifSocket::Abstract(socket));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let made = runtime.block_on(async {
            let owner = conformance::owner("red");
            engine.ensure(Cx::within(LIMIT), &owner, &spec, &Network::None).await.map(drop)
        });
        assert_eq!(made.expect_err("it is another").kind(), ErrorKind::NamespaceGone);
        it.is_as(&before, "after the refusal");
    }
}

fn what_cannot_be_is_refused(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let before = it.everything();
    for (patch, words) in [
        (
            json!({"host": {"iftype": "vhostuser"}}),
            &["host.memif.socketType", "abstract", "iftype \"memif\""][..],
        ),
        (
            json!({"host": {"memif": {"socketfile": "a.sock"}}}),
            &["host.memif.socketfile", "a.sock", "derived"],
        ),
        (
            json!({"host": {"memif": {"socketType": "other"}}}),
            &["host.memif.socketType", "other", "abstract"],
        ),
        (
            json!({"container": {"memif": {"socketType": "file"}}}),
            &["container.memif.socketType", "file", "abstract"],
        ),
    ] {
        it.host.call("ADD", &it.net(named(patch))).of(&red).fails(7, words);
        it.is_as(&before, &format!("after {words:?}"));
    }
}

/// Before 23.06 VPP makes a file of the name; 23.06 itself stays in the namespace where it opened one.
#[test]
fn a_release_that_has_them_not_is_told() {
    for (release, word) in [("22.10", "memif_socket_filename_add_del_v2"), ("23.06", "23.10")] {
        let Some(it) = OnVpp::fake(&["--release", release]) else { return };
        let red = it.host.container("red");
        let config = it.net(named(json!({})));
        let before = it.everything();
        it.host.call("ADD", &config).of(&red).fails(2, &["socketType", release, word]);
        it.is_as(&before, release);
        it.host.del(&red, &config);
        it.is_as(&before, release);
    }
}

/// An application of DPDK's in the container connects to the name.
#[test]
fn applications_reach_each_other_by_names() {
    let Some(it) = OnVpp::with(&["testpmd"], Flavour::Real) else { return };
    let config = it.net(named(json!({"container": {"engine": "dpdk"}})));
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let ends = [(0, RED, BLUE), (1, BLUE, RED)];
    let mut apps = ends.map(|(index, mac, peer)| {
        let one = &containers[index];
        it.host.add(one, &merged(config.clone(), json!({"container": {"mac": mac}})));
        told(one, &it.shared(one), peer)
    });
    meet(&mut apps);
    let [first, second] = &mut apps;
    assert_eq!([count(first, second), count(second, first)], [PACKETS, PACKETS], "received, each way");
    drop(apps);
    for one in &containers {
        it.host.check(one, &config).silent();
        it.host.del(one, &config);
    }
    it.is_as(&before, "in the end");
}

#[test]
fn containers_with_a_vpp_meet() {
    two_meet(named(json!({})));
}

#[test]
fn containers_with_a_vpp_meet_with_the_roles_turned() {
    two_meet(named(json!({"host": {"memif": {"role": "slave"}}})));
}

#[test]
fn containers_with_a_vpp_meet_routed() {
    two_meet(named(json!({"host": {"netType": "interface", "bridge": null}})));
}

#[test]
fn pings_go_on_after_a_repair() {
    pings_go_on(named(json!({})));
}

#[test]
fn pings_go_on_after_a_repair_with_the_roles_turned() {
    pings_go_on(named(json!({"host": {"memif": {"role": "slave"}}})));
}

on_both!(
    the_socket_is_in_the_containers_namespace_alone,
    a_name_that_is_taken_is_told,
    a_lost_one_is_made_again_where_it_was,
    another_namespace_at_the_path_is_refused,
    what_cannot_be_is_refused
);
