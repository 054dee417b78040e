//! Two fresh namespaces, and the engines in them.

use std::{fs::File, future::Future, os::fd::AsRawFd, path::PathBuf, sync::Mutex, thread, time::Duration};

use engine_linux::LinuxEngine;
use kernel_links::{Link, Netlink, Netns};
use nix::sched::{CloneFlags, unshare};
use userspace_core::{
    cx::Cx,
    fault::{Action, Plan, arm},
    netns::NetnsRef,
    owner::{InstanceId, Owner},
    spec::{Bridge, ContainerEnd, Device, InterfaceSpec, Network, Veth, Vlan},
    testing::plans,
};

/// A container: its namespace lives as long as this.
pub(crate) struct World {
    pub(crate) netns: NetnsRef,
    pub(crate) host: Netlink,
    pub(crate) inside: Netlink,
    _held: File,
}

/// Runs `test` on a thread whose namespace is a fresh host's; one at a time, since the process has one set of fault points.
pub(crate) fn in_world<F: Future<Output = ()>>(test: impl FnOnce(World) -> F + Send + 'static) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let run = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a namespace of one's own: run as root");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { test(world()).await });
        arm(Plan { at: None, trace: None });
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

fn world() -> World {
    let fresh = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        File::open("/proc/thread-self/ns/net").unwrap()
    };
    let held = thread::spawn(fresh).join().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let inside = Netlink::open_in(&Netns::open(&path).unwrap()).unwrap();
    World { netns: NetnsRef::inspect(&path).unwrap(), host: Netlink::open().unwrap(), inside, _held: held }
}

impl World {
    /// A pair whose container's end is called `name`.
    pub(crate) fn veth(&self, name: &str) -> InterfaceSpec {
        self.spec(Device::Veth(Veth { end: self.end(name), finish_checksums: false }))
    }

    pub(crate) fn end(&self, name: &str) -> ContainerEnd {
        let mac = "02:00:00:00:00:01".parse().unwrap();
        ContainerEnd { netns: self.netns.clone(), name: name.parse().unwrap(), mac }
    }

    pub(crate) fn spec(&self, device: Device) -> InterfaceSpec {
        InterfaceSpec { mtu_bytes: Some(1400), ..InterfaceSpec::of(device) }
    }

    pub(crate) fn engine_inside(&self) -> LinuxEngine {
        LinuxEngine::in_netns(self.netns.clone())
    }

    pub(crate) async fn link(&self, name: &str) -> Option<Link> {
        self.host.link_by_name(name).await.unwrap()
    }
}

pub(crate) fn cx() -> Cx {
    Cx::within(Duration::from_secs(5))
}

pub(crate) fn owner(container: &str, interface: &str) -> Owner {
    Owner::new(plans::attachment(container, interface), InstanceId::new(7))
}

pub(crate) fn bridge(name: &str) -> Network {
    Network::Bridge(Bridge { name: name.to_owned(), vlan: Vlan::default() })
}

/// Makes the point fail, once: what a kill there leaves behind, left behind.
pub(crate) fn fail_at(point: &str) {
    arm(Plan { at: Some((point.to_owned(), Action::Fail)), trace: None });
}
