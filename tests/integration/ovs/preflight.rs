//! What cannot work is refused before anything is made, with the key and the value, and what would work.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use userspace_tests::{Memory, merged};

use super::support::{Vswitch, port_name};

/// ADD fails like that, and leaves nothing; DEL has nothing to say.
fn refused(it: &Vswitch, config: &Value, code: u64, words: &[&str]) {
    let red = it.host.container("red");
    let before = it.everything();
    it.host.call("ADD", config).of(&red).fails(code, words);
    let when = format!("after the refusal for {words:?}");
    it.is_as(&before, &when);
    it.host.del(&red, config);
    it.is_as(&before, &when);
}

/// The same with that change to the host's half.
fn host_refused(it: &Vswitch, half: Value, code: u64, words: &[&str]) {
    refused(it, &it.net(json!({"host": half})), code, words);
}

#[test]
fn without_dpdk_only_kernel_interfaces_are_made() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoDpdk) else { return };
    for iftype in ["vhostuser", "memif"] {
        host_refused(&it, json!({"iftype": iftype}), 2, &[iftype, "DPDK is not initialised", "dpdk-init"]);
    }
    let red = it.host.container("red");
    let config = it.net(json!({"host": {"iftype": "veth"}}));
    let before = it.everything();
    it.host.add(&red, &config);
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn what_ovs_cannot_make_is_told_by_its_key() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    host_refused(&it, json!({"iftype": "memif"}), 2, &["memif", "hugepages", "--no-huge", "vhostuser"]);
    for (half, words) in [
        (json!({"iftype": "memif", "memif": {"role": "slave"}}), &["host.memif.role", "slave", "master"][..]),
        (json!({"iftype": "memif", "memif": {"mode": "ip"}}), &["host.memif.mode", "ip", "ethernet"]),
        (json!({"iftype": "memif", "mtu": 1400}), &["host.mtu", "1400", "vhostuser"]),
        (json!({"netType": "interface", "bridge": null}), &["host.netType", "interface", "bridge"]),
        (json!({"vhost": {"enableGso": true}}), &["host.vhost.enableGso", "vpp"]),
        (json!({"vhost": {"txRetriesMax": 33}}), &["host.vhost.txRetriesMax", "33", "32"]),
        (json!({"vhost": {"socketfile": "../up"}}), &["host.vhost.socketfile", "../up"]),
        (json!({"iftype": "tap"}), &["host.engine", "ovs-dpdk", "tap"]),
        (json!({"vhost": {"group": "no-such-group"}}), &["no-such-group", "vhost.group"]),
        (json!({"vhost": {"socketfile": "s".repeat(108)}}), &["106", "socketfile", "sockets.root"]),
    ] {
        host_refused(&it, half, 7, words);
    }
}

#[test]
fn directories_that_cannot_be_used_are_told() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let file = it.host.path("file");
    fs::write(&file, "").expect("write a file");
    let open = it.host.path("open");
    fs::create_dir(&open).expect("make a directory");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("open it up");
    let open_text = open.display().to_string();
    let long = it.host.path(&"r".repeat(100));
    for (patch, code, words) in [
        (json!({"sharedDir": file}), 5, &["the container's directory", "/file"][..]),
        (json!({"sharedDir": "not/absolute"}), 7, &["sharedDir", "not/absolute", "absolute"]),
        (json!({"sockets": {"root": "not/absolute"}}), 7, &["sockets.root", "not/absolute", "absolute"]),
        (json!({"sockets": {"root": "/with space"}}), 7, &["sockets.root", "/with space"]),
        (json!({"sockets": {"root": open}}), 7, &[&open_text, "others than root"]),
        (json!({"sockets": {"root": long}}), 7, &["106", "sockets.root"]),
        (json!({"sockets": {"mode": "0999"}}), 7, &["sockets.mode", "0999"]),
        (json!({"sockets": {"group": "no-such-group"}}), 7, &["sockets.group", "no-such-group"]),
    ] {
        refused(&it, &it.net(patch), code, words);
    }
    assert!(fs::read_dir(&open).expect("it stays").next().is_none());
    assert!(!long.exists());
}

#[test]
fn a_bridge_of_another_datapath_is_refused_for_dpdk() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    // Without the kernel's datapath vswitchd cannot make it, and the tool would wait for that.
    it.ovs.vsctl("--no-wait add-br other0 -- set Bridge other0 datapath_type=system");
    let words = ["other0", "datapath_type", "system", "netdev"];
    host_refused(&it, json!({"bridge": {"bridgeName": "other0"}}), 100, &words);
    it.ovs.vsctl("--no-wait del-br other0");
}

#[test]
fn a_port_of_somebody_elses_with_our_name_stays() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let (red, config) = (it.host.container("red"), it.net(json!({})));
    let port = port_name(&red);
    it.host.add(&red, &config);
    assert_eq!(it.ovs.vsctl("list-ports blue0"), port, "or this test is about another name");
    it.host.del(&red, &config);
    let path = it.host.path("theirs");
    it.ovs.vsctl("add-br blue0 -- set Bridge blue0 datapath_type=netdev");
    it.ovs.vsctl(&format!(
        "add-port blue0 {port} -- set Interface {port} type=dpdkvhostuserclient options:vhost-server-path={}",
        path.display()
    ));
    refused(&it, &config, 100, &[&port, "somebody else's"]);
    it.ovs.vsctl("del-br blue0");
}

/// A directory on another filesystem than `than`, if the machine has one.
fn elsewhere(than: &Path) -> Option<tempfile::TempDir> {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    let mut dirs = ["/dev/shm", "/run", "/tmp"].map(PathBuf::from).into_iter();
    let dir = dirs.find(|dir| device(dir).is_some() && device(dir) != device(than))?;
    tempfile::tempdir_in(dir).ok()
}

#[test]
#[allow(clippy::print_stdout, reason = "the test runner shows it")]
fn a_server_port_whose_socket_cannot_be_handed_over_is_refused() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let Some(dir) = elsewhere(&it.ovs.run_dir()) else {
        println!("skipped: a_server_port_whose_socket_cannot_be_handed_over_is_refused: no other filesystem");
        return;
    };
    let shared = dir.path().join("shared");
    let config = it.net(json!({"sharedDir": shared, "host": {"vhost": {"mode": "server"}}}));
    refused(&it, &config, 2, &["one filesystem", "mode \"client\""]);
    let left: Vec<_> = fs::read_dir(&shared).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    let config = merged(config, json!({"host": {"vhost": {"mode": "client"}}}));
    let red = it.host.container("red");
    it.host.add(&red, &config);
    it.host.del(&red, &config);
}

#[test]
fn ports_of_ovn_are_for_ovs_alone() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let ovn = json!({"args": {"cni": {"OvnPort": "ovn-red"}}});
    // Its bridge is ovn-controller's to make.
    let missing = merged(it.net(json!({"host": {"bridge": null}})), ovn.clone());
    refused(&it, &missing, 100, &["br-int", "ovn-controller"]);
    // The name is told to all networks of a pod; those of the kernel's have no use for it.
    let config = merged(it.host.net(json!({"ipam": null})), ovn);
    let red = it.host.container("red");
    let before = it.everything();
    it.host.add(&red, &config);
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}
