//! A bridge comes with its first member and goes with its last, wherever the two are interrupted.

use engine_linux::LinuxEngine;
use kernel_links::Change;
use userspace_core::{
    engine::{Engine, EngineError, ErrorKind},
    owner::{InstanceId, network_mark},
    spec::Network,
};

use crate::support::{World, bridge, cx, fail_at, in_world, owner};

async fn no_bridge_is_left(world: &World, when: &str) {
    let left: Vec<_> = world.host.links().await.unwrap().into_iter().map(|l| l.name).collect();
    assert_eq!(left, ["lo"], "{when}");
}

/// What DEL asks of the engine, as far as it gets.
async fn delete(engine: &LinuxEngine) -> Result<(), EngineError> {
    let tag = owner("c1", "net1").tag;
    if let Some(found) = engine.find(cx(), &tag, None).await? {
        found.remove(cx()).await?;
    }
    engine.prune(cx(), &tag, &bridge("br7")).await
}

#[test]
fn it_goes_with_the_last_member_only() {
    in_world(|world| async move {
        let engine = LinuxEngine::host();
        let one =
            engine.ensure(cx(), &owner("c1", "net1"), &world.veth("net1"), &Network::None).await.unwrap();
        let two =
            engine.ensure(cx(), &owner("c1", "net2"), &world.veth("net2"), &Network::None).await.unwrap();
        one.join(cx(), &bridge("br7")).await.unwrap();
        two.join(cx(), &bridge("br7")).await.unwrap();
        delete(&engine).await.unwrap();
        assert!(world.link("br7").await.is_some());
        two.remove(cx()).await.unwrap();
        delete(&engine).await.unwrap();
        no_bridge_is_left(&world, "the last member has left").await;
    });
}

#[test]
fn a_foreign_one_is_joined_and_left_alone() {
    in_world(|world| async move {
        world.host.add_bridge("br7").await.unwrap();
        let engine = LinuxEngine::host();
        let made =
            engine.ensure(cx(), &owner("c1", "net1"), &world.veth("net1"), &Network::None).await.unwrap();
        made.join(cx(), &bridge("br7")).await.unwrap();
        delete(&engine).await.unwrap();
        assert_eq!(world.link("br7").await.unwrap().alias, None);
        let made =
            engine.ensure(cx(), &owner("c1", "net1"), &world.veth("net1"), &Network::None).await.unwrap();
        let error = made.join(cx(), &bridge("lo")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    });
}

#[test]
fn an_interrupted_join_leaves_none_after_del() {
    for point in [
        "before create bridge",
        "after create bridge",
        "before join bridge",
        "after join bridge",
        "before name bridge",
        "after name bridge",
    ] {
        in_world(move |world| async move {
            let engine = LinuxEngine::host();
            let made =
                engine.ensure(cx(), &owner("c1", "net1"), &world.veth("net1"), &Network::None).await.unwrap();
            fail_at(point);
            made.join(cx(), &bridge("br7")).await.unwrap_err();
            delete(&engine).await.unwrap();
            no_bridge_is_left(&world, point).await;
        });
    }
}

#[test]
fn an_interrupted_del_leaves_none_after_the_next() {
    for point in ["before delete", "after delete", "before remove bridge", "after remove bridge"] {
        in_world(move |world| async move {
            let engine = LinuxEngine::host();
            let made =
                engine.ensure(cx(), &owner("c1", "net1"), &world.veth("net1"), &Network::None).await.unwrap();
            made.join(cx(), &bridge("br7")).await.unwrap();
            fail_at(point);
            delete(&engine).await.unwrap_err();
            delete(&engine).await.unwrap();
            no_bridge_is_left(&world, point).await;
        });
    }
}

#[test]
fn one_of_another_instance_is_left_to_it() {
    in_world(|world| async move {
        world.host.add_bridge("br7").await.unwrap();
        let theirs = network_mark(InstanceId::new(8));
        let mark = Change { alias: Some(theirs.clone()), ..Change::default() };
        world.host.change_link_named("br7", mark).await.unwrap();
        let engine = LinuxEngine::host();
        let made =
            engine.ensure(cx(), &owner("c1", "net1"), &world.veth("net1"), &Network::None).await.unwrap();
        made.join(cx(), &bridge("br7")).await.unwrap();
        delete(&engine).await.unwrap();
        assert_eq!(world.link("br7").await.unwrap().alias, Some(theirs));
    });
}

#[test]
fn it_goes_with_a_port_that_has_gone_by_itself() {
    in_world(|world| async move {
        let engine = LinuxEngine::host();
        let made =
            engine.ensure(cx(), &owner("c1", "net1"), &world.veth("net1"), &Network::None).await.unwrap();
        made.join(cx(), &bridge("br7")).await.unwrap();
        let end = world.inside.link_by_name("net1").await.unwrap().unwrap();
        world.inside.delete_link(end.index).await.unwrap();
        delete(&engine).await.unwrap();
        no_bridge_is_left(&world, "the port went with the container").await;
    });
}
