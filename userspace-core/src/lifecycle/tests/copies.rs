//! The copy of a half in a pod's annotations: there when ADD succeeds, and never in the way of what goes.

use super::*;
use crate::testing::stores;

#[tokio::test]
async fn the_fake_stores_conform() {
    let fake = Fake::default();
    let plan = plans::memif_of_pod("c", "net1");
    let (Some(shared), Some(pod)) = (shared_of(&plan), copy::pod_of(&plan)) else {
        panic!("{plan:?} publishes nothing");
    };
    stores::run(cx(), Stores::open(&fake, shared).as_ref()).await;
    stores::run(cx(), fake.of_pod(pod).unwrap().as_ref()).await;
}

#[tokio::test]
async fn a_copy_is_put_checked_and_taken_back() {
    let host = Host::new();
    let plan = plans::memif_of_pod("c1", "net1");
    host.add(plan.clone()).await.unwrap();
    let world = host.fake.world();
    assert_eq!(world.copies, world.published);
    host.check(&plan).await.unwrap();
    host.fake.meddle(|world| world.copies.clear());
    let error = host.check(&plan).await.unwrap_err().to_string();
    assert!(error.contains("the copy of the half in the pod's annotations is gone"), "{error}");
    host.del(&plan).await.unwrap();
    host.assert_empty("after DEL");
}

#[tokio::test]
async fn a_failure_of_the_copy_is_undone() {
    let host = Host::new();
    let plan = plans::memif_of_pod("c1", "net1");
    host.add(plan.clone()).await.unwrap();
    let last = host.fake.effects() - 1;
    host.del(&plan).await.unwrap();
    for after in [false, true] {
        host.fake.set_fuse(Some(Fuse { at: last, after }));
        let error = host.add(plan.clone()).await.unwrap_err();
        assert!(error.undo.is_empty(), "{error}");
        host.assert_empty(&format!("after the failure of the copy ({after})"));
    }
}

#[tokio::test]
async fn a_copy_that_cannot_be_taken_back_does_not_stop_a_del() {
    let host = Host::new();
    let plan = plans::memif_of_pod("c1", "net1");
    host.add(plan.clone()).await.unwrap();
    host.fake.set_fuse(None);
    host.del(&plan).await.unwrap();
    let last = host.fake.effects() - 1;
    host.add(plan.clone()).await.unwrap();
    host.fake.set_fuse(Some(Fuse { at: last, after: false }));
    host.del(&plan).await.unwrap();
    assert_eq!(host.fake.world().copies.len(), 1);
    host.fake.meddle(|world| world.copies.clear());
    host.assert_empty("but for the copy");
}

#[tokio::test]
async fn a_lost_record_takes_the_copy_of_the_pod_that_is_named() {
    let host = Host::new();
    let plan = plans::memif_of_pod("c1", "net1");
    host.add(plan.clone()).await.unwrap();
    host.records.forget(&plan.owner.attachment).unwrap();
    let pod = copy::pod_of(&plan).cloned().map(|pod| crate::plan::InPod { pod, volume: None });
    let target = Detach {
        attachment: plan.owner.attachment.clone(),
        ipam: Some(&host.fake),
        fallback: Fallback {
            host: plan.host.as_ref().map(|host| host.engine.clone()),
            network: network_of(&plan),
            pod,
            ..Fallback::default()
        },
    };
    detach(host.world(), cx(), &target).await.unwrap();
    host.assert_empty("after DEL");
}
