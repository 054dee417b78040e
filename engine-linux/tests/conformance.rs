//! The suite that every engine runs, against the kernel; and what only the kernel's engine promises.
//!
//! Each test is in network namespaces of its own, which go with the threads that sit in them. Needs root.

use std::{path::Path, sync::mpsc, thread, time::Duration};

use engine_linux::LinuxEngine;
use kernel_links::{Change, Netlink};
use nix::{
    sched::{CloneFlags, unshare},
    unistd::gettid,
};
use userspace_core::{
    addr::{Address, MacAddr, Route},
    cx::Cx,
    engine::{Engine, EngineError, ErrorKind, Hint},
    id::AttachmentId,
    netns::NetnsRef,
    owner::{InstanceId, Owner, network_mark},
    spec::{Bridge, ContainerEnd, Device, InterfaceSpec, Macvlan, MacvlanMode, Network, Tap, Vlan},
    testing::conformance::{Subject, run},
};

fn cx() -> Cx {
    Cx::within(Duration::from_secs(5))
}

/// Runs the test on a thread in a namespace of its own, the test's host, with a container beside it.
fn on_a_host<F: Future<Output = ()>>(test: impl FnOnce(NetnsRef) -> F + Send) {
    let container = Container::new();
    thread::scope(|scope| {
        let host = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("make a network namespace (are you root?)");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(test(container.netns.clone()));
        });
        if let Err(panic) = host.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// A namespace that lives as long as this: a thread sits in it.
struct Container {
    netns: NetnsRef,
    _stay: mpsc::Sender<()>,
}

impl Container {
    fn new() -> Self {
        let (stay, leave) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("make a network namespace (are you root?)");
            tell.send(gettid()).expect("the maker waits");
            let _ = leave.recv();
        });
        let tid = told.recv().expect("the thread is in its namespace");
        let path = format!("/proc/{}/task/{tid}/ns/net", std::process::id());
        let netns = NetnsRef::inspect(Path::new(&path)).expect("the namespace");
        Self { netns, _stay: stay }
    }
}

fn owner(container: &str) -> Owner {
    let attachment = AttachmentId {
        network: "net".parse().unwrap(),
        container: container.parse().unwrap(),
        interface: "net1".parse().unwrap(),
    };
    Owner::new(attachment, InstanceId::new(7))
}

fn end(netns: &NetnsRef, owner: &Owner) -> ContainerEnd {
    ContainerEnd {
        netns: netns.clone(),
        name: "net1".parse().unwrap(),
        mac: MacAddr::new(owner.tag.mac_bytes()),
    }
}

fn spec(device: Device) -> InterfaceSpec {
    InterfaceSpec { device, mac: None, mtu_bytes: Some(1400), bandwidth: None }
}

fn bridge(name: &str) -> Network {
    Network::Bridge(Bridge { name: name.to_owned(), vlan: Vlan::default() })
}

fn addresses() -> Vec<Address> {
    let address = |text: &str| Address { ip: text.parse().unwrap(), gateway: None };
    vec![address("10.0.0.1/24"), address("fd00::1/64")]
}

async fn conforms(engine: &LinuxEngine, device: impl Fn(&Owner) -> Device, network: Network) {
    let owner = owner("c1");
    let wanted = spec(device(&owner));
    let other_spec = InterfaceSpec { mtu_bytes: Some(1300), ..wanted.clone() };
    let subject = Subject {
        engine,
        spec: wanted,
        other_spec,
        network,
        owner,
        stranger: self::owner("c2"),
        addresses: addresses(),
    };
    run(cx(), &subject).await;
}

#[test]
fn a_veth_on_a_bridge_conforms() {
    on_a_host(async |netns| {
        let engine = LinuxEngine::host();
        conforms(&engine, |owner| Device::Veth(end(&netns, owner)), bridge("br1")).await;
        let left = Netlink::open().unwrap().link_by_name("br1").await.unwrap();
        assert_eq!(left, None, "the bridge goes with its last port");
    });
}

#[test]
fn a_macvlan_conforms_in_each_mode() {
    use MacvlanMode::{Bridge, Passthru, Private, Vepa};
    for mode in [Bridge, Private, Vepa, Passthru] {
        on_a_host(async |netns| {
            Netlink::open().unwrap().add_bridge("below").await.unwrap();
            let device = |owner: &Owner| {
                let end = end(&netns, owner);
                Device::Macvlan(Macvlan { end, master: "below".parse().unwrap(), mode })
            };
            conforms(&LinuxEngine::in_netns(netns.clone()), device, Network::None).await;
        });
    }
}

#[test]
fn a_tap_conforms() {
    on_a_host(async |netns| {
        let device = |owner: &Owner| {
            let end = end(&netns, owner);
            Device::Tap(Tap { end, owner_uid: Some(1000), group_gid: Some(1000), multi_queue: true })
        };
        conforms(&LinuxEngine::in_netns(netns.clone()), device, Network::None).await;
    });
}

/// The host's end of a veth for `owner`, and the container's.
async fn pair(netns: &NetnsRef, owner: &Owner) -> Result<InterfaceSpec, EngineError> {
    let spec = spec(Device::Veth(end(netns, owner)));
    LinuxEngine::host().ensure(cx(), owner, &spec).await?;
    LinuxEngine::in_netns(netns.clone()).ensure(cx(), owner, &spec).await?;
    Ok(spec)
}

#[test]
fn the_containers_end_is_born_as_it_should_be() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        pair(&netns, &owner).await.unwrap();
        let engine = LinuxEngine::in_netns(netns);
        let found = engine.find(cx(), &owner.tag, None).await.unwrap().expect("by its mark");
        let state = found.observe(cx()).await.unwrap();
        assert_eq!(state.mac, Some(MacAddr::new(owner.tag.mac_bytes())));
        assert_eq!((state.mtu_bytes, state.admin_up), (Some(1400), Some(true)));
    });
}

#[test]
fn ipv6_addresses_can_be_used_at_once() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        pair(&netns, &owner).await.unwrap();
        let engine = LinuxEngine::in_netns(netns.clone());
        let found = engine.find(cx(), &owner.tag, None).await.unwrap().expect("by its mark");
        found.assign(cx(), &addresses(), &[]).await.unwrap();
        let inside = kernel_links::Netns::open(&netns.path).unwrap();
        let netlink = Netlink::open_in(&inside).unwrap();
        let link = netlink.link_by_name("net1").await.unwrap().unwrap();
        let present = netlink.addresses(link.index).await.unwrap();
        let ours: Vec<_> = present.iter().filter(|address| address.ours).collect();
        assert_eq!(ours.len(), 2, "{present:?}");
        assert!(ours.iter().all(|address| !address.tentative), "{present:?}");
    });
}

#[test]
fn routes_have_all_their_attributes_and_go_when_unwanted() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        pair(&netns, &owner).await.unwrap();
        let engine = LinuxEngine::in_netns(netns);
        let found = engine.find(cx(), &owner.tag, None).await.unwrap().expect("by its mark");
        let gateway = "10.0.0.254".parse().unwrap();
        let full = Route {
            mtu: Some(1300),
            advmss: Some(1200),
            priority: Some(77),
            table: Some(1000),
            scope: Some(0),
            ..Route::new("10.9.0.0/16".parse().unwrap(), Some(gateway))
        };
        let plain = Route::new("::/0".parse().unwrap(), Some("fd00::fe".parse().unwrap()));
        let both = [full.clone(), plain.clone()];
        for wanted in [&both[..], &both[..], &both[..1]] {
            found.assign(cx(), &addresses(), wanted).await.unwrap();
            let present = found.observe(cx()).await.unwrap().routes.unwrap();
            assert!(present.contains(&full), "{present:?}");
            let default = present.iter().any(|route| route.dst == plain.dst && route.gw == plain.gw);
            assert_eq!(default, wanted.len() == 2, "{present:?}");
        }
    });
}

#[test]
fn what_is_not_yet_marked_is_found_by_its_name() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        let spec = pair(&netns, &owner).await.unwrap();
        let netlink = Netlink::open().unwrap();
        let name = format!("us{}", owner.tag.digits(13));
        let unmark = Change { alias: Some(String::new()), up: Some(false), ..Change::default() };
        netlink.change_link_named(&name, unmark).await.unwrap();
        let engine = LinuxEngine::host();
        assert!(engine.find(cx(), &owner.tag, None).await.unwrap().is_some());
        engine.ensure(cx(), &owner, &spec).await.unwrap();
        let link = netlink.link_by_name(&name).await.unwrap().unwrap();
        assert!(link.up && link.alias.is_some_and(|alias| alias.contains(" c1 net1")));
    });
}

#[test]
fn somebody_elses_interfaces_are_a_conflict_and_stay() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        let netlink = Netlink::open().unwrap();
        let name = format!("us{}", owner.tag.digits(13));
        netlink.add_bridge(&name).await.unwrap();
        let engine = LinuxEngine::host();
        let spec = spec(Device::Veth(end(&netns, &owner)));
        let error = engine.ensure(cx(), &owner, &spec).await.err().expect("a conflict");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        assert!(engine.find(cx(), &owner.tag, None).await.unwrap().is_none());
        assert!(netlink.link_by_name(&name).await.unwrap().is_some());

        let inside = kernel_links::Netns::open(&netns.path).unwrap();
        let inside = Netlink::open_in(&inside).unwrap();
        inside.add_bridge("net1").await.unwrap();
        let other = self::owner("c2");
        let error = engine.ensure(cx(), &other, &spec).await.err().expect("a conflict");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        assert!(error.to_string().contains("\"net1\""), "{error:?}");
        assert!(inside.link_by_name("net1").await.unwrap().is_some());
    });
}

#[test]
fn a_bridge_that_was_there_stays_and_a_name_that_is_no_bridge_is_a_conflict() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        let netlink = Netlink::open().unwrap();
        netlink.add_bridge("foreign").await.unwrap();
        pair(&netns, &owner).await.unwrap();
        let engine = LinuxEngine::host();
        let port = engine.find(cx(), &owner.tag, None).await.unwrap().expect("it is there");
        let error = port.join(cx(), &bridge("lo")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        port.join(cx(), &bridge("foreign")).await.unwrap();
        port.remove(cx()).await.unwrap();
        assert!(netlink.link_by_name("foreign").await.unwrap().is_some());
    });
}

#[test]
fn what_a_kill_left_of_a_bridge_goes_with_the_port() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        pair(&netns, &owner).await.unwrap();
        let netlink = Netlink::open().unwrap();
        let unfinished = format!("ub{}", owner.tag.digits(13));
        netlink.add_bridge(&unfinished).await.unwrap();
        let engine = LinuxEngine::host();
        let port = engine.find(cx(), &owner.tag, None).await.unwrap().expect("it is there");
        port.remove(cx()).await.unwrap();
        assert_eq!(netlink.link_by_name(&unfinished).await.unwrap(), None);
    });
}

#[test]
fn a_bridge_of_another_instance_is_left_to_it() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        let netlink = Netlink::open().unwrap();
        netlink.add_bridge("theirs").await.unwrap();
        let mark = Change { alias: Some(network_mark(InstanceId::new(8))), ..Change::default() };
        netlink.change_link_named("theirs", mark).await.unwrap();
        pair(&netns, &owner).await.unwrap();
        let engine = LinuxEngine::host();
        let port = engine.find(cx(), &owner.tag, None).await.unwrap().expect("it is there");
        port.join(cx(), &bridge("theirs")).await.unwrap();
        port.remove(cx()).await.unwrap();
        assert!(netlink.link_by_name("theirs").await.unwrap().is_some());
    });
}

#[test]
fn a_namespace_that_is_gone_has_nothing() {
    on_a_host(async |netns| {
        let gone = NetnsRef { inode: netns.inode + 1, ..netns };
        let engine = LinuxEngine::in_netns(gone);
        let hint = Hint { index: None, name: Some("net1".to_owned()) };
        assert!(engine.find(cx(), &owner("c1").tag, Some(&hint)).await.unwrap().is_none());
        let error = engine.ready(cx()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NamespaceGone);
    });
}

#[test]
fn the_kernels_own_sentence_reaches_the_caller() {
    on_a_host(async |netns| {
        let owner = owner("c1");
        Netlink::open().unwrap().add_bridge("below").await.unwrap();
        let device = Device::Macvlan(Macvlan {
            end: end(&netns, &owner),
            master: "below".parse().unwrap(),
            mode: MacvlanMode::Bridge,
        });
        let spec = InterfaceSpec { mtu_bytes: Some(9000), ..spec(device) };
        let error = LinuxEngine::in_netns(netns).ensure(cx(), &owner, &spec).await.err().expect("too large");
        let text = userspace_core::engine::chain(&error);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        assert!(text.contains("macvlan.master \"below\""), "{text}");
    });
}
