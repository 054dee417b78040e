//! Many calls at once, and a binary that is replaced meanwhile.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use userspace_tests::{Container, Host, assert_same, plugin, run};

const MANY: usize = 60;

/// Does the work for all containers at once, each on a thread.
pub(crate) fn at_once<T: Send>(containers: &[Container], work: impl Fn(&Container) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = containers.iter().map(|one| scope.spawn(move || work(one))).collect();
        threads.into_iter().map(|thread| thread.join().expect("every call succeeds")).collect()
    })
}

fn distinct(what: &str, values: impl Iterator<Item = Value>) {
    let all: Vec<_> = values.map(|value| value.to_string()).collect();
    let different: BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), MANY, "{what}: {all:?}");
}

// 61
#[test]
fn many_adds_and_dels_at_once_on_a_bridge_that_is_not_there_yet() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let containers: Vec<_> = (0..MANY).map(|number| host.container(&format!("c{number}"))).collect();
    let config = host.net(json!({}));
    let before = host.world();
    let results = at_once(&containers, |one| host.add(one, &config));
    distinct("names", results.iter().map(|result| result["interfaces"][0]["name"].clone()));
    distinct("MAC addresses", results.iter().map(|result| result["interfaces"][1]["mac"].clone()));
    for family in [0, 1] {
        distinct("addresses", results.iter().map(|result| result["ips"][family]["address"].clone()));
    }
    let ports = host.netns().ip_json("link show master blue0");
    assert_eq!(ports.len(), MANY, "all are on one bridge");
    at_once(&containers, |one| host.check(one, &config).silent());
    at_once(&containers, |one| host.del(one, &config));
    assert_same(&before, &host.world(), "in the end");
}

// 61
#[test]
fn the_last_leaving_and_the_first_coming_do_not_lose_the_bridge() {
    let Some(host) = Host::new(&[]) else { return };
    let containers: Vec<_> = (0..6).map(|number| host.container(&format!("c{number}"))).collect();
    let config = host.net(json!({"ipam": null}));
    let before = host.world();
    at_once(&containers, |one| {
        for _ in 0..10 {
            host.add(one, &config);
            host.check(one, &config).silent();
            host.del(one, &config);
        }
    });
    assert_same(&before, &host.world(), "in the end");
}

// 61
#[test]
fn of_the_same_add_at_once_one_succeeds() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let before = host.world();
    let same: Vec<_> = (0..8).map(|_| red.clone()).collect();
    let outputs = at_once(&same, |one| host.call("ADD", &config).of(one).run());
    let succeeded = outputs.iter().filter(|output| output.finished.code == Some(0)).count();
    assert_eq!(succeeded, 1);
    for failed in outputs.iter().filter(|output| output.finished.code != Some(0)) {
        assert!(failed.error(100).contains("attached already"));
    }
    host.check(&red, &config).silent();
    at_once(&same, |one| host.del(one, &config));
    assert_same(&before, &host.world(), "in the end");
}

/// Copies the binary beside the installed one and renames it over that, again and again.
fn install_again_and_again(installed: &Path, stop: &AtomicBool) -> usize {
    let draft = installed.with_extension("new");
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        // By another process, since a thread that forks while this one writes would keep the copy open.
        let mut copy = Command::new("cp");
        copy.arg(plugin()).arg(&draft);
        run(&mut copy, b"", Duration::from_secs(20)).success("cp");
        fs::rename(&draft, installed).expect("rename the copy");
        count += 1;
    }
    count
}

// 63
#[test]
fn a_binary_that_is_replaced_by_rename_always_runs() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let red = host.container("red");
    let config = host.net(json!({}));
    let before = host.world();
    let installed = host.path("installed");
    fs::hard_link(plugin(), &installed)
        .or_else(|_| fs::copy(plugin(), &installed).map(drop))
        .expect("install");
    let stop = AtomicBool::new(false);
    let count = thread::scope(|scope| {
        let installer = scope.spawn(|| install_again_and_again(&installed, &stop));
        for _ in 0..25 {
            let call = |command| host.call(command, &config).of(&red).binary(&installed).run();
            call("ADD").result();
            call("CHECK").silent();
            call("DEL").silent();
        }
        stop.store(true, Ordering::Relaxed);
        installer.join().expect("the installer runs")
    });
    assert!(count > 5, "replaced only {count} times");
    assert_same(&before, &host.world(), "in the end");
}
