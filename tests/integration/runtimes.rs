//! Real runtimes: podman and containerd each run a container on our network, the two reach each other, and nothing is left of them.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Host, assert_same, until};

pub(crate) mod sandbox;

use sandbox::Sandbox;

const NEEDS: [&str; 6] = ["podman", "containerd", "ctr", "runc", "busybox", "host-local"];
const SOON: Duration = Duration::from_secs(20);
const SOCKET: &str = "/run/containerd.sock";
const IMAGE: &str = "localhost/busy:1";

/// The network as both runtimes read it, for all that they know of the specification.
fn conflist(host: &Host) -> Value {
    let mut plugin = host.net(json!({"ipam": {"routes": [{"dst": "0.0.0.0/0"}]}}));
    let keys = plugin.as_object_mut().expect("an object");
    let (version, name) = (keys.remove("cniVersion"), keys.remove("name"));
    json!({"cniVersion": version, "name": name, "plugins": [plugin]})
}

/// `ctr`, in a namespace of containerd that gives its cgroups a name of ours.
fn ctr(sandbox: &Sandbox<'_>, words: &str) -> String {
    format!("ctr --address {SOCKET} --namespace {} {words}", sandbox.label())
}

fn podman_run(sandbox: &Sandbox<'_>) {
    let tuning = format!("--cgroup-parent /{} --name one --network blue", sandbox.label());
    sandbox.exec(&format!("podman run --detach {tuning} {IMAGE}"));
}

/// Starts containerd with the image of podman's; its container runs on until it is killed, as `ctr run` does its DEL only then.
fn ctr_run(sandbox: &mut Sandbox<'_>, archive: &Path) {
    sandbox.exec(&format!("podman save --format oci-archive --output {} {IMAGE}", archive.display()));
    sandbox.start("containerd --config /etc/cni/containerd.toml");
    until("containerd answers", SOON, || sandbox.try_exec(&ctr(sandbox, "version")).code == Some(0));
    sandbox.exec(&ctr(sandbox, &format!("images import {}", archive.display())));
    sandbox.start(&ctr(sandbox, &format!("run --rm --cni {IMAGE} two /bin/sleep 1000")));
    until("its container runs", SOON, || sandbox.exec(&ctr(sandbox, "task list")).contains("RUNNING"));
}

fn reach_each_other(sandbox: &Sandbox<'_>) {
    for ping in ["ping -c 1 -W 1", "ping -6 -c 1 -W 1"] {
        let [first, second] =
            if ping.contains("-6") { ["fd20::2", "fd20::3"] } else { ["10.20.0.2", "10.20.0.3"] };
        sandbox.exec(&format!("podman exec one {ping} {second}"));
        sandbox.exec(&ctr(sandbox, &format!("task exec --exec-id ping two {ping} {first}")));
    }
}

#[test]
fn podman_and_containerd_run_containers_that_reach_each_other() {
    let Some(host) = Host::new(&NEEDS) else { return };
    let before = host.world();
    let mut sandbox = Sandbox::new(&host, &conflist(&host));
    sandbox.import(IMAGE);
    podman_run(&sandbox);
    ctr_run(&mut sandbox, &host.path("busy.tar"));
    let ports = host.netns().ip_json("link show master blue0");
    assert_eq!(ports.len(), 2, "{ports:?}");
    reach_each_other(&sandbox);
    sandbox.exec(&ctr(&sandbox, "task kill --signal 9 two"));
    until("ctr has removed its container", SOON, || {
        host.netns().ip_json("link show master blue0").len() == 1
    });
    sandbox.exec("podman rm --force --time 0 one");
    until("the records go", SOON, || host.world().lines("records").is_empty());
    assert_same(&before, &host.world(), "after both have gone");
}

#[test]
fn podman_attaches_again_what_it_restarts() {
    let Some(host) = Host::new(&["podman", "runc", "busybox", "host-local"]) else { return };
    let before = host.world();
    let sandbox = Sandbox::new(&host, &conflist(&host));
    sandbox.import(IMAGE);
    podman_run(&sandbox);
    sandbox.exec("podman restart --time 0 one");
    let addresses = sandbox.exec("podman exec one ip address show eth0");
    assert!(addresses.contains("10.20.0.3/24") && addresses.contains("fd20::3/64"), "{addresses}");
    sandbox.exec("podman rm --force --time 0 one");
    assert_same(&before, &host.world(), "after it has gone");
}
