//! Daemons and applications that die, hang and come back.

use std::{os::unix::net::UnixListener, sync::Arc, time::Duration};

use engine_ovs::OvsEngine;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use userspace_core::{
    engine::{Engine, EngineError},
    lifecycle::{self, Engines, Fate, Repair, Repaired, Stores, World},
    plan::SharedDir,
    record::RecordDir,
    remote::{RemoteStore, dir::DirStore},
    spec::EngineAt,
};
use userspace_tests::{Container, Memory, Testpmd, until};

use super::{
    apps::{BLUE, RED, attached, meet},
    support::{Vswitch, port_name},
};
use crate::apps::is_listened_at;

const SOON: Duration = Duration::from_secs(20);
const NOT_RUNNING: &str = "ovs-vswitchd is not running";

/// ovs-vswitchd's engine alone, and directories.
struct Library;

impl Engines for Library {
    fn open(&self, at: &EngineAt) -> Result<Arc<dyn Engine>, EngineError> {
        Ok(Arc::new(OvsEngine::host(at.socket.clone())))
    }
}

impl Stores for Library {
    fn open(&self, dir: &SharedDir) -> Arc<dyn RemoteStore> {
        Arc::new(DirStore::of(dir))
    }
}

/// Makes again what the vswitch has lost, from the records.
fn repair(it: &Vswitch) {
    let records = RecordDir::new(it.host.state_dir());
    let world = World { engines: &Library, stores: &Library, records: &records };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let wanted = Repair { only: None, limit: SOON };
    let all = runtime.block_on(lifecycle::repair(world, wanted, &mut |_| {}));
    assert!(!all.is_empty());
    for Repaired { attachment, fate, .. } in all {
        assert!(matches!(fate, Fate::Stood | Fate::MadeAgain | Fate::Mended(_)), "{attachment}: {fate:?}");
    }
}

/// The taps of bridges that ovs-vswitchd had before its death are nothing to a new one.
fn forget_taps(it: &Vswitch) {
    for name in ["blue0", "ovs-netdev"] {
        it.host.netns().exec(&format!("ip link delete {name}"));
    }
}

fn crash(it: &mut Vswitch, red: &Container, config: &Value) {
    it.ovs.kill_vswitchd();
    // The database learns of it by the end of the connection.
    until("CHECK fails", SOON, || it.host.check(red, config).finished.code != Some(0));
    it.host.call("CHECK", config).of(red).fails(11, &[NOT_RUNNING]);
}

#[test]
fn client_ports_come_back_with_ovs_vswitchd_and_packets_flow_again() {
    let Some(mut it) = Vswitch::new(Memory::NoHuge) else { return };
    let config = it.net(json!({}));
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let mut apps = [attached(&it, &red, &config, [RED, BLUE]), attached(&it, &blue, &config, [BLUE, RED])];
    meet(&mut apps);
    crash(&mut it, &red, &config);
    it.ovs.start_vswitchd();
    until("CHECK passes", SOON, || it.host.check(&red, &config).finished.code == Some(0));
    it.host.check(&blue, &config).silent();
    for app in &mut apps {
        app.wait_link_up(SOON);
    }
    meet(&mut apps);
    drop(apps);
    it.host.del(&red, &config);
    it.host.del(&blue, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn a_memif_is_found_dead_after_a_restart_and_made_again() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk", "hugepages"], Memory::Hugepages) else { return };
    let config = it.net(json!({"host": {"iftype": "memif"}}));
    let red = it.host.container("red");
    let before = it.everything();
    let result = it.host.add(&red, &config);
    let socket = it.socket(&red, &result);
    until("the socket answers", SOON, || is_listened_at(&socket));
    for by_repair in [true, false] {
        crash(&mut it, &red, &config);
        it.ovs.start_vswitchd();
        it.host.call("CHECK", &config).of(&red).fails(103, &["ofport", "-1"]);
        assert!(!is_listened_at(&socket), "nobody listens at the socket of the dead");
        if by_repair {
            repair(&it);
        } else {
            it.host.del(&red, &config);
            it.host.add(&red, &config);
        }
        it.host.check(&red, &config).silent();
        until("the socket answers", SOON, || is_listened_at(&socket));
    }
    it.host.del(&red, &config);
    forget_taps(&it);
    it.is_as(&before, "in the end");
}

// An ovs-vswitchd 3.1 that finds its old socket closes a descriptor twice. The next server port can then be mistaken for the
// bridge's management socket, and ovs-vswitchd hangs: it must not start before the old socket is gone.
#[test]
fn a_server_port_is_found_dead_after_a_restart_and_comes_back_without_its_old_socket() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let config = it.net(json!({"host": {"vhost": {"mode": "server"}}}));
    let red = it.host.container("red");
    let before = it.everything();
    let result = it.host.add(&red, &config);
    let socket = it.socket(&red, &result);
    assert!(is_listened_at(&socket));
    crash(&mut it, &red, &config);
    it.ovs.start_vswitchd();
    it.host.call("CHECK", &config).of(&red).fails(103, &["ofport", "-1"]);
    assert!(!is_listened_at(&socket), "nobody listens at the socket of the dead");
    // As a service manager does that clears the run directory.
    crash(&mut it, &red, &config);
    std::fs::remove_file(it.ovs.run_dir().join(port_name(&red))).expect("remove the socket");
    it.ovs.start_vswitchd();
    it.host.call("CHECK", &config).of(&red).fails(103, &["the socket"]);
    repair(&it);
    it.host.check(&red, &config).silent();
    assert!(is_listened_at(&socket));
    crash(&mut it, &red, &config);
    it.host.del(&red, &config);
    it.ovs.start_vswitchd();
    it.host.add(&red, &config);
    it.host.check(&red, &config).silent();
    assert!(is_listened_at(&socket));
    it.host.del(&red, &config);
    forget_taps(&it);
    it.is_as(&before, "in the end");
}

#[test]
fn a_repair_of_what_stands_changes_nothing() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({"runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}}));
    let before = it.everything();
    it.host.add(&red, &config);
    let row = || it.ovs.vsctl(&format!("--columns=_uuid,qos list Port {}", port_name(&red)));
    let (made, first) = (it.everything(), row());
    repair(&it);
    it.is_as(&made, "after the repair");
    assert_eq!(row(), first);
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn without_ovs_vswitchd_status_says_so_and_add_is_undone() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let [red, green] = ["red", "green"].map(|id| it.host.container(id));
    let config = it.net(json!({}));
    let before = it.everything();
    it.host.add(&red, &config);
    let attached = it.everything();
    crash(&mut it, &red, &config);
    it.host.call("STATUS", &config).fails(51, &[NOT_RUNNING]);
    it.host.call("ADD", &config).of(&green).fails(11, &[NOT_RUNNING]);
    it.is_as(&attached, "after the failed ADD");
    it.host.del(&green, &config);
    it.host.del(&red, &config);
    it.ovs.start_vswitchd();
    forget_taps(&it);
    it.is_as(&before, "in the end");
    it.host.call("STATUS", &config).run().silent();
}

#[test]
fn a_hung_ovs_vswitchd_lets_add_time_out_and_nothing_stays() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let [red, green] = ["red", "green"].map(|id| it.host.container(id));
    let limits = json!({"bandwidth": {"ingressRate": 8_000_000}});
    let config = it.net(json!({"timeoutSeconds": 4, "runtimeConfig": limits}));
    let before = it.everything();
    it.host.add(&red, &config);
    let attached = it.everything();
    let pid = it.ovs.vswitchd_pid().and_then(|pid| i32::try_from(pid).ok()).expect("a process id");
    kill(Pid::from_raw(pid), Signal::SIGSTOP).expect("stop it");
    let output = it.host.call("ADD", &config).of(&green).run();
    let text = output.error(11);
    assert!(!text.contains("left for DEL"), "{text}");
    assert!(output.finished.took < Duration::from_secs(5), "{output:?}");
    it.is_as(&attached, "after the failed ADD");
    // A DEL does not wait for it for ever.
    let output = it.host.call("DEL", &config).of(&red).run();
    output.silent();
    kill(Pid::from_raw(pid), Signal::SIGCONT).expect("let it go on");
    it.is_as(&before, "in the end");
    it.host.add(&red, &config);
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

#[test]
fn without_ovsdb_server_everything_waits_for_its_return() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let [red, green] = ["red", "green"].map(|id| it.host.container(id));
    let config = it.net(json!({"runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}}));
    let before = it.everything();
    it.host.add(&red, &config);
    it.ovs.kill_server();
    let refused = &["db.sock"];
    it.host.call("STATUS", &config).fails(50, refused);
    it.host.call("CHECK", &config).of(&red).fails(11, refused);
    let output = it.host.call("ADD", &config).of(&green).run();
    assert!(output.error(11).contains("db.sock") && output.finished.took < Duration::from_secs(5));
    it.host.call("DEL", &config).of(&red).fails(11, refused);
    // What was never attached can go.
    it.host.del(&green, &config);
    it.ovs.start_server();
    assert!(it.everything() != before, "the rows outlived it");
    it.host.call("STATUS", &config).run().silent();
    it.host.del(&red, &config);
    it.is_as(&before, "after the second DEL");
    it.host.add(&red, &config);
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

// IPAM runs when the port is made and the record is not complete: its plugin is what kills the server.
#[test]
fn ovsdb_server_killed_in_the_middle_of_an_add_leaves_what_del_finds() {
    let Some(mut it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let limits = json!({"bandwidth": {"ingressRate": 8_000_000}});
    let config = it.net(json!({"ipam": {"type": "stand-in"}, "runtimeConfig": limits}));
    let before = it.everything();
    let pid_file = it.ovs.run_dir().join("ovsdb-server.pid");
    let script = format!("kill -9 $(cat {}); exit 1", pid_file.display());
    it.host.stand_in().on("ADD", &script);
    let (_, text) = it.host.call("ADD", &config).of(&red).run().failure();
    // The undo finds the connection ended, or nobody to connect to.
    let gone = text.contains("db.sock") || text.contains("has ended");
    assert!(text.contains("left for DEL") && gone, "{text}");
    it.host.call("DEL", &config).of(&red).fails(11, &["db.sock"]);
    it.ovs.kill_server();
    it.ovs.start_server();
    assert!(it.everything() != before, "the port was made");
    it.host.del(&red, &config);
    it.is_as(&before, "after DEL");
}

#[test]
fn an_application_that_was_killed_is_in_nobodys_way() {
    let Some(it) = Vswitch::new(Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({}));
    let before = it.everything();
    let socket = it.socket(&red, &it.host.add(&red, &config));
    let launch = || {
        let mut app = Testpmd::build(&red.netns).no_huge().vhost_server(&socket, RED).launch();
        app.wait_link_up(SOON);
        app
    };
    launch().kill();
    assert!(socket.exists(), "or this test shows nothing");
    it.host.check(&red, &config).silent();
    it.host.del(&red, &config);
    it.is_as(&before, "after DEL");
    it.host.add(&red, &config);
    launch().kill();
    it.host.del(&red, &config);
    // One that was there before the container had a port, or whose DEL never came.
    std::fs::create_dir_all(it.shared(&red)).expect("make a directory");
    drop(UnixListener::bind(&socket).expect("leave a socket behind"));
    it.host.add(&red, &config);
    assert!(!socket.exists(), "nobody listened at it");
    drop(launch());
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}
