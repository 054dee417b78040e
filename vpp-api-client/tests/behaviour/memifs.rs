//! memif: sockets and interfaces.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
};

use vpp_api_client::{
    messages::{
        interface::SwInterfaceDetails,
        l2::{BridgeDomainAddDel, SwInterfaceSetL2Bridge},
        memif::{MemifCreateV2, MemifDelete, MemifDump, MemifSocketFilenameDump},
    },
    types::{MemifMode, MemifRole, SwIfIndex},
};

use crate::at::At;

pub(crate) async fn delete(at: &At, sw_if_index: SwIfIndex) {
    at.done(&MemifDelete { sw_if_index }).await;
}

pub(crate) async fn the_socket_table(at: &At) {
    let [path, other] = [at.path("a"), at.path("b")];
    for (socket_id, path, expected) in [
        (0, Some(path.as_str()), -73),
        (21, Some(""), -73),
        (21, None, -73),
        (21, Some(path.as_str()), 0),
        (21, Some(path.as_str()), 0),
        (21, Some(other.as_str()), -116),
    ] {
        assert_eq!(at.socket(socket_id, path).await, expected, "{socket_id} {path:?}");
    }
    let table = at.dump(&MemifSocketFilenameDump {}).await;
    let paths: Vec<_> = table.iter().map(|one| (one.socket_id, one.socket_filename.to_string())).collect();
    assert!(paths.contains(&(21, path)), "{paths:?}");
    assert_eq!(paths.iter().filter(|(id, _)| *id == 0).count(), 1, "VPP has one itself: {paths:?}");
    assert_eq!(at.socket(21, None).await, 0);
}

pub(crate) async fn interfaces_on_a_socket(at: &At) {
    assert_eq!(at.memif(22, |_| {}).await.0, -73, "no such socket");
    assert_eq!(at.socket(22, Some(&at.path("a"))).await, 0);
    assert_eq!(at.memif(22, |memif| memif.ring_size = 1000).await.0, -73);
    let (retval, index) = at.memif(22, |_| {}).await;
    assert_eq!(retval, 0);
    assert_eq!(at.memif(22, |_| {}).await.0, -68, "that number is taken");
    assert_eq!(
        at.memif(22, |memif| (memif.id, memif.role) = (1, MemifRole::SLAVE)).await.0,
        -68,
        "the other role"
    );
    let (retval, second) = at.memif(22, |memif| memif.id = 1).await;
    assert_eq!(retval, 0);
    let made = at.look(index).await.unwrap();
    assert_eq!(made.interface_name.to_string(), "memif22/0");
    let SwInterfaceDetails { flags, mtu, link_mtu, kind, .. } = made;
    assert_eq!((flags.0, mtu, link_mtu, kind), (0, [9000, 0, 0, 0], 9000, 0));
    assert_eq!(made.interface_dev_type.to_string(), "memif");
    assert_eq!(made.l2_address[..2], [2, 0xfe]);
    at.up(index).await;
    assert_eq!(at.look(index).await.unwrap().flags.0, 1, "nobody is connected");
    let mut all = at.dump(&MemifDump {}).await;
    all.sort_by_key(|one| one.id);
    let shown: Vec<_> =
        all.iter().map(|one| (one.sw_if_index, one.id, one.socket_id, one.role, one.ring_size)).collect();
    let master = MemifRole::MASTER;
    assert_eq!(shown, [(index, 0, 22, master, 1), (second, 1, 22, master, 1)]);
    assert_eq!(at.socket(22, None).await, -74, "in use");
    delete(at, index).await;
    delete(at, second).await;
    for nobody in [index, SwIfIndex(0)] {
        assert_eq!(at.retval(&MemifDelete { sw_if_index: nobody }).await, -2);
    }
    assert_eq!(at.socket(22, None).await, 0);
}

pub(crate) async fn a_poisoned_socket(at: &At) {
    let path = at.path("missing/a");
    assert_eq!(at.socket(23, Some(&path)).await, 0);
    assert_eq!(at.memif(23, |_| {}).await.0, -14);
    fs::create_dir(at.path("missing")).unwrap();
    let (retval, index) = at.memif(23, |_| {}).await;
    assert_eq!((retval, fs::exists(&path).unwrap()), (0, false), "it is done, and nothing listens");
    delete(at, index).await;
    assert_eq!(at.socket(23, None).await, 0);
    assert_eq!(at.socket(23, Some(&path)).await, 0);
    let (retval, index) = at.memif(23, |_| {}).await;
    assert_eq!((retval, fs::exists(&path).unwrap()), (0, true));
    delete(at, index).await;
    assert_eq!(at.socket(23, None).await, 0);
}

pub(crate) async fn paths_are_checked(at: &At) {
    // Releases that have it check them.
    if !at.vpp.knows::<MemifCreateV2>() {
        return;
    }
    fs::write(at.path("file"), "").unwrap();
    let short = at.path("");
    let fill = |length: usize| format!("{short}{}", "x".repeat(length - short.len()));
    for (path, expected) in [
        (at.path("til~de"), -14),
        (fill(106), 0),
        (fill(107), -14),
        (at.path("file"), -14),
        (at.path("fine_1.-"), 0),
    ] {
        assert_eq!(at.socket(24, Some(&path)).await, 0, "{path}");
        let (retval, index) = at.memif(24, |_| {}).await;
        assert_eq!(retval, expected, "{path}");
        if retval == 0 {
            delete(at, index).await;
        }
        assert_eq!(at.socket(24, None).await, 0, "{path}");
    }
}

pub(crate) async fn files_stay(at: &At) {
    let path = at.path("a");
    for _ in 0..2 {
        assert_eq!(at.socket(25, Some(&path)).await, 0);
        let (retval, index) = at.memif(25, |_| {}).await;
        assert_eq!(retval, 0, "a stale socket is replaced");
        let file = fs::symlink_metadata(&path).unwrap();
        assert!(file.file_type().is_socket());
        assert_eq!(file.permissions().mode() & 0o777, 0o775);
        delete(at, index).await;
        assert_eq!(at.socket(25, None).await, 0);
        assert!(fs::exists(&path).unwrap());
    }
}

pub(crate) async fn ip_mode(at: &At) {
    assert_eq!(at.socket(26, Some(&at.path("a"))).await, 0);
    let (retval, index) =
        at.memif(26, |memif| (memif.mode, memif.role) = (MemifMode::IP, MemifRole::SLAVE)).await;
    assert_eq!(retval, 0);
    let found = at.dump(&MemifDump {}).await;
    assert_eq!((found[0].mode, found[0].role, found[0].hw_addr), (MemifMode::IP, MemifRole::SLAVE, [0; 6]));
    assert_eq!(at.look(index).await.unwrap().l2_address, [0; 6]);
    let join =
        SwInterfaceSetL2Bridge { rx_sw_if_index: index, bd_id: 601, enable: true, ..Default::default() };
    assert_eq!(at.retval(&join).await, 0, "VPP takes it, though it carries no Ethernet");
    delete(at, index).await;
    at.done(&BridgeDomainAddDel { bd_id: 601, is_add: false, ..Default::default() }).await;
    assert_eq!(at.socket(26, None).await, 0);
}
