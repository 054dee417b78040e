//! The order of steps over the in-memory vswitch, with a failure at every effect.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use super::*;
use crate::{
    addr::Address,
    ipam::Ipam,
    testing::{
        conformance::{Subject, run},
        fake::{Fake, Fuse},
        plans,
    },
};

mod copies;
mod repairing;
mod sweeping;

struct Host {
    fake: Fake,
    records: RecordDir,
    _dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { fake: Fake::default(), records: RecordDir::new(dir.path()), _dir: dir }
    }

    fn world(&self) -> World<'_> {
        World { engines: &self.fake, stores: &self.fake, records: &self.records }
    }

    async fn add(&self, plan: Plan) -> Result<Outcome, AddError> {
        let request = AddRequest {
            plan,
            config: json!({"name": "net"}),
            ipam: Some(&self.fake),
            addresses: Allocation::default(),
            undo_budget: Duration::from_secs(5),
        };
        add(self.world(), cx(), request).await
    }

    async fn del(&self, plan: &Plan) -> Result<(), DetachError> {
        let target = Detach {
            attachment: plan.owner.attachment.clone(),
            ipam: Some(&self.fake),
            fallback: Fallback {
                host: plan.host.as_ref().map(|host| host.engine.clone()),
                network: network_of(plan),
                container: match &plan.container {
                    crate::plan::Container::Kernel(part) => Some(part.engine.clone()),
                    crate::plan::Container::Published(_) => None,
                },
                ..Fallback::default()
            },
        };
        detach(self.world(), cx(), &target).await
    }

    async fn check(&self, plan: &Plan) -> Result<(), CheckError> {
        let id = &plan.owner.attachment;
        check(self.world(), cx(), id, Expected::default(), Some(&self.fake)).await
    }

    async fn collect(&self, valid: &[(&str, &str)]) -> Collected {
        let engines = [plans::memif("c", "net1"), plans::veth("c", "net1")];
        let engines = engines.into_iter().filter_map(|plan| Some(plan.host?.engine));
        let valid: BTreeSet<_> = valid
            .iter()
            .map(|(container, interface)| (container.parse().unwrap(), interface.parse().unwrap()))
            .collect();
        let collect = Collect {
            network: "net".parse().unwrap(),
            instance: plans::instance(),
            valid,
            engines: engines.collect(),
            fallback: Fallback::default(),
            ipam: Some(&self.fake),
        };
        gc(self.world(), cx(), &collect).await
    }

    fn assert_empty(&self, when: &str) {
        assert_eq!(self.fake.world(), Default::default(), "{when}");
        assert_eq!(self.records.all(), [], "{when}");
    }
}

fn cx() -> Cx {
    Cx::within(Duration::from_secs(1))
}

fn all_plans() -> [Plan; 6] {
    [
        plans::memif("c1", "net1"),
        plans::routed_memif("c1", "net1"),
        plans::veth("c1", "net1"),
        plans::routed("c1", "net1"),
        plans::macvlan("c1", "net1"),
        plans::attached("c1", "net1"),
    ]
}

#[tokio::test]
async fn what_is_added_checks_and_goes() {
    for plan in all_plans() {
        let host = Host::new();
        let outcome = host.add(plan.clone()).await.unwrap();
        assert_eq!(outcome.allocation.ips.len(), 1);
        host.check(&plan).await.unwrap();
        host.del(&plan).await.unwrap();
        host.del(&plan).await.unwrap();
        host.assert_empty("after DEL");
        assert!(matches!(host.check(&plan).await, Err(CheckError::Unknown(_))));
    }
}

#[tokio::test]
async fn a_failure_at_any_effect_is_undone() {
    for plan in all_plans() {
        let host = Host::new();
        host.add(plan.clone()).await.unwrap();
        let effects = host.fake.effects();
        assert!(effects >= 4, "{effects} effects");
        host.del(&plan).await.unwrap();
        for at in 0..effects {
            for after in [false, true] {
                host.fake.set_fuse(Some(Fuse { at, after }));
                let error = host.add(plan.clone()).await.unwrap_err();
                assert!(error.undo.is_empty(), "{error}");
                host.assert_empty(&format!("after the failure of effect {at} ({after})"));
            }
        }
    }
}

#[tokio::test]
async fn a_failure_at_any_effect_of_a_del_leaves_the_rest_done() {
    for plan in all_plans() {
        let host = Host::new();
        host.add(plan.clone()).await.unwrap();
        host.fake.set_fuse(None);
        host.del(&plan).await.unwrap();
        let effects = host.fake.effects();
        for at in 0..effects {
            for after in [false, true] {
                host.fake.set_fuse(None);
                host.add(plan.clone()).await.unwrap();
                host.fake.set_fuse(Some(Fuse { at, after }));
                let error = host.del(&plan).await.unwrap_err();
                assert_eq!(error.0.len(), 1, "{error}");
                // A pair's other end is asked for once more when its first removal failed.
                assert!(host.fake.effects() >= effects, "the other steps ran");
                host.del(&plan).await.unwrap();
                host.assert_empty(&format!("after the failure of effect {at} ({after})"));
            }
        }
    }
}

#[tokio::test]
async fn a_second_add_leaves_the_first_alone() {
    for plan in all_plans() {
        let host = Host::new();
        host.add(plan.clone()).await.unwrap();
        let before = host.fake.world();
        let error = host.add(plan.clone()).await.unwrap_err();
        assert_eq!(error.error.kind(), ErrorKind::Conflict);
        host.records.forget(&plan.owner.attachment).unwrap();
        let error = host.add(plan.clone()).await.unwrap_err();
        assert_eq!(error.error.kind(), ErrorKind::Conflict, "with the record lost");
        assert_eq!(host.fake.world(), before);
    }
}

#[tokio::test]
async fn a_dead_attachment_does_not_stand_in_the_way() {
    use crate::{plan::Container, spec::Device};
    for plan in [plans::veth("c1", "net1"), plans::memif("c1", "net1")] {
        let host = Host::new();
        host.add(plan.clone()).await.unwrap();
        let mut record = host.records.load(&plan.owner.attachment).unwrap();
        let netns = match &mut record.plan.container {
            Container::Kernel(end) => match &mut end.spec.device {
                Device::Veth(veth) => &mut veth.end.netns,
                other => panic!("{other:?}"),
            },
            Container::Published(published) => published.netns.as_mut().unwrap(),
        };
        netns.boot_id = "an earlier boot".to_owned();
        host.records.save(&record).unwrap();
        host.add(plan.clone()).await.unwrap();
        host.check(&plan).await.unwrap();
        assert_eq!(host.fake.world().leases.len(), 1);
    }
}

#[tokio::test]
async fn a_lost_record_does_not_stop_a_del() {
    for plan in all_plans() {
        let host = Host::new();
        host.add(plan.clone()).await.unwrap();
        host.records.forget(&plan.owner.attachment).unwrap();
        host.del(&plan).await.unwrap();
        // Where they led is known to the record alone.
        host.fake.meddle(|world| world.routes.clear());
        host.assert_empty("after DEL");
    }
}

#[tokio::test]
async fn a_neighbour_stays() {
    let host = Host::new();
    let (one, other) = (plans::veth("c1", "net1"), plans::veth("c1", "net1x"));
    host.add(one.clone()).await.unwrap();
    host.add(other.clone()).await.unwrap();
    host.del(&one).await.unwrap();
    host.check(&other).await.unwrap();
}

#[tokio::test]
async fn check_tells_what_is_wrong() {
    type Change = fn(&mut crate::testing::fake::World);
    let cases: [(&str, Change); 3] = [
        ("is gone", |world| world.interfaces.clear()),
        ("check the addresses", |world| world.leases.clear()),
        ("published half is gone", |world| world.published.clear()),
    ];
    for (expected, change) in cases {
        let host = Host::new();
        let plan = plans::memif("c1", "net1");
        host.add(plan.clone()).await.unwrap();
        host.fake.meddle(change);
        let error = host.check(&plan).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn gc_takes_what_is_not_valid_and_ours() {
    let host = Host::new();
    for container in ["c1", "c2", "c3"] {
        host.add(plans::veth(container, "net1")).await.unwrap();
    }
    host.add(plans::memif("c4", "net1")).await.unwrap();
    // Its record is lost: the mark in the vswitch is all there is.
    let lost = plans::veth("c3", "net1");
    host.records.forget(&lost.owner.attachment).unwrap();
    let done = host.collect(&[("c1", "net1")]).await;
    assert_eq!(done.removed, 3, "{done:?}");
    host.check(&plans::veth("c1", "net1")).await.unwrap();
    assert_eq!(host.fake.world().leases.len(), 1);
    host.collect(&[]).await;
    host.assert_empty("after GC");
}

#[tokio::test]
async fn gc_goes_on_after_a_failure() {
    let host = Host::new();
    for container in ["c1", "c2"] {
        host.add(plans::memif(container, "net1")).await.unwrap();
    }
    host.fake.set_fuse(Some(Fuse { at: 1, after: false }));
    let done = host.collect(&[]).await;
    assert_eq!((done.removed, done.failed.len()), (1, 1), "{done:?}");
    host.collect(&[]).await;
    host.assert_empty("after the second GC");
}

#[tokio::test]
async fn a_vswitch_that_is_down_fails_add_and_status() {
    let host = Host::new();
    host.fake.set_down(true);
    let plan = plans::memif("c1", "net1");
    let error = host.add(plan.clone()).await.unwrap_err();
    assert_eq!(error.error.kind(), ErrorKind::Unavailable);
    let engine = plan.host.unwrap().engine;
    assert!(status(host.world(), cx(), &engine, None).await.is_err());
    host.fake.set_down(false);
    status(host.world(), cx(), &engine, None).await.unwrap();
    host.assert_empty("afterwards");
}

/// An IPAM that never answers.
struct Hanging(Fake);

#[async_trait::async_trait]
impl Ipam for Hanging {
    async fn allocate(&self, cx: Cx, _: &crate::id::AttachmentId) -> Result<Allocation, EngineError> {
        cx.bound(|| "run the IPAM".to_owned(), std::future::pending::<Result<_, EngineError>>()).await
    }

    async fn release(&self, cx: Cx, id: &crate::id::AttachmentId) -> Result<(), EngineError> {
        self.0.release(cx, id).await
    }

    async fn check(&self, _: Cx, _: &crate::id::AttachmentId) -> Result<(), EngineError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_add_but_not_its_undo() {
    let host = Host::new();
    let hanging = Hanging(host.fake.clone());
    let request = AddRequest {
        plan: plans::memif("c1", "net1"),
        config: json!({}),
        ipam: Some(&hanging),
        addresses: Allocation::default(),
        undo_budget: Duration::from_secs(5),
    };
    let error = add(host.world(), cx(), request).await.unwrap_err();
    assert_eq!(error.error.kind(), ErrorKind::TimedOut);
    host.assert_empty("after the deadline");
}

#[tokio::test]
async fn the_fake_engine_conforms() {
    let fake = Fake::default();
    let plan = plans::memif("c1", "net1");
    let part = plan.host.unwrap();
    let mut other_spec = part.spec.clone();
    other_spec.mtu_bytes = Some(9000);
    let subject = Subject {
        engine: &fake.engine(&part.engine),
        spec: part.spec,
        other_spec,
        network: part.network,
        owner: plan.owner,
        stranger: plans::memif("c2", "net1").owner,
        addresses: vec![Address { ip: "10.0.0.1/24".parse().unwrap(), gateway: None }],
    };
    run(cx(), &subject).await;
    assert_eq!(fake.world(), Default::default());
}
