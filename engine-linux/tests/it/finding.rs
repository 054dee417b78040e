//! What is ours is found whatever became of its name; what is not is never touched.

use engine_linux::LinuxEngine;
use kernel_links::Change;
use userspace_core::{
    engine::{Engine, ErrorKind, Hint},
    netns::NetnsRef,
    spec::Network,
};

use crate::support::{cx, fail_at, in_world, owner};

#[test]
fn an_unmarked_pair_is_found_and_marked_again() {
    in_world(|world| async move {
        let engine = LinuxEngine::host();
        let owner = owner("c1", "net1");
        fail_at("after create veth");
        engine.ensure(cx(), &owner, &world.veth("net1"), &Network::None).await.err().unwrap();
        assert!(engine.find(cx(), &owner.tag, None).await.unwrap().is_some());
        engine.ensure(cx(), &owner, &world.veth("net1"), &Network::None).await.unwrap();
        assert_eq!(engine.owned(cx()).await.unwrap().len(), 1);
    });
}

#[test]
fn an_unmarked_pair_of_another_specification_is_no_match() {
    in_world(|world| async move {
        let engine = LinuxEngine::host();
        let owner = owner("c1", "net1");
        fail_at("after create veth");
        engine.ensure(cx(), &owner, &world.veth("net1"), &Network::None).await.err().unwrap();
        let mut other = world.veth("net1");
        other.mtu_bytes = Some(1300);
        if let Ok(made) = engine.ensure(cx(), &owner, &other, &Network::None).await {
            assert_eq!(made.observe(cx(), &other, &Network::None).await.unwrap().mtu_bytes, Some(1300));
        }
    });
}

#[test]
fn a_renamed_host_end_is_found_by_the_hint() {
    in_world(|world| async move {
        let engine = LinuxEngine::host();
        let owner = owner("c1", "net1");
        let made = engine.ensure(cx(), &owner, &world.veth("net1"), &Network::None).await.unwrap();
        let hint = made.hint();
        let down = Change { up: Some(false), ..Change::default() };
        world.host.change_link(hint.index.unwrap(), down).await.unwrap();
        let rename = Change { name: Some("other".to_owned()), ..Change::default() };
        world.host.change_link(hint.index.unwrap(), rename).await.unwrap();
        assert!(engine.find(cx(), &owner.tag, Some(&hint)).await.unwrap().is_some());
    });
}

#[test]
fn somebody_elses_name_in_the_container_is_a_conflict() {
    in_world(|world| async move {
        world.inside.add_bridge("net1").await.unwrap();
        let engine = LinuxEngine::host();
        let error = engine
            .ensure(cx(), &owner("c1", "net1"), &world.veth("net1"), &Network::None)
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let inside = world.inside.link_by_name("net1").await.unwrap().unwrap();
        assert_eq!((inside.kind.as_deref(), inside.alias), (Some("bridge"), None));
        assert_eq!(world.host.links().await.unwrap().len(), 1);
    });
}

#[test]
fn a_namespace_that_is_gone_has_nothing() {
    in_world(|world| async move {
        let gone = NetnsRef { inode: world.netns.inode + 1, ..world.netns.clone() };
        let engine = LinuxEngine::in_netns(gone);
        let hint = Hint::named("net1");
        let found = engine.find(cx(), &owner("c1", "net1").tag, Some(&hint)).await.unwrap();
        assert!(found.is_none());
        assert_eq!(engine.ready(cx()).await.unwrap_err().kind(), ErrorKind::NamespaceGone);
    });
}
