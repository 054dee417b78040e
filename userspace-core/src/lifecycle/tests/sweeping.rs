//! What a sweep takes: what is certainly gone, and nothing else.

use std::path::PathBuf;

use super::*;
use crate::{netns::NetnsRef, plan::Container, spec::Device};

impl Host {
    async fn sweep(&self, is_dry: bool) -> Vec<Judged> {
        let ipam = |_: &Record| Some(Box::new(self.fake.clone()) as Box<dyn Ipam>);
        let wanted = Sweep { limit: Duration::from_secs(1), is_dry, ipam: &ipam };
        let done = sweep(self.world(), wanted, &mut |_| {}).await;
        done.into_iter().map(|one| one.judged).collect()
    }

    /// Changes what is recorded of the container's namespace.
    fn meddle(&self, plan: &Plan, change: impl Fn(&mut NetnsRef)) {
        let mut record = self.records.load(&plan.owner.attachment).unwrap();
        match &mut record.plan.container {
            Container::Kernel(end) => match &mut end.spec.device {
                Device::Veth(veth) => change(&mut veth.end.netns),
                Device::Macvlan(macvlan) => change(&mut macvlan.end.netns),
                other => panic!("{other:?}"),
            },
            Container::Published(published) => published.netns.as_mut().into_iter().for_each(change),
        }
        self.records.save(&record).unwrap();
    }
}

#[tokio::test]
async fn what_is_certainly_gone_goes() {
    type Change = fn(&mut NetnsRef);
    let changes: [Change; 3] = [
        |netns| netns.boot_id = "an earlier boot".to_owned(),
        |netns| netns.path = PathBuf::from("/proc-is-not-there").with_file_name("gone"),
        |netns| {
            *netns =
                NetnsRef { path: "/proc/self/ns/net".into(), inode: 1, boot_id: "b".into(), ..netns.clone() }
        },
    ];
    for change in changes {
        for plan in all_plans() {
            let host = Host::new();
            host.add(plan.clone()).await.unwrap();
            host.meddle(&plan, change);
            let before = host.fake.world();
            let judged = host.sweep(true).await;
            assert!(matches!(judged[..], [Judged::WouldGo]), "{judged:?}");
            assert_eq!(host.fake.world(), before);
            let judged = host.sweep(false).await;
            assert!(matches!(judged[..], [Judged::Removed]), "{judged:?}");
            host.assert_empty("after the sweep");
        }
    }
}

#[tokio::test]
async fn what_lives_or_is_unknown_stays() {
    let host = Host::new();
    let [lives, hidden, without] = ["c1", "c2", "c3"].map(|container| plans::memif(container, "net1"));
    for plan in [&lives, &hidden, &without] {
        host.add(plan.clone()).await.unwrap();
    }
    // As from a container that has not got the host's directory.
    host.meddle(&hidden, |netns| netns.path = "/nowhere/netns/c2".into());
    let mut record = host.records.load(&without.owner.attachment).unwrap();
    let Container::Published(published) = &mut record.plan.container else { panic!() };
    published.netns = None;
    host.records.save(&record).unwrap();
    let before = host.fake.world();
    let judged = host.sweep(false).await;
    let count = |wanted: fn(&Judged) -> bool| judged.iter().filter(|one| wanted(one)).count();
    assert_eq!(count(|one| matches!(one, Judged::Lives)), 1, "{judged:?}");
    assert_eq!(count(|one| matches!(one, Judged::Unknown(_))), 2, "{judged:?}");
    assert_eq!(host.fake.world(), before);
}

#[tokio::test]
async fn a_failure_keeps_its_record_and_does_not_stop_the_rest() {
    let host = Host::new();
    let both = ["c1", "c2"].map(|container| plans::memif(container, "net1"));
    for plan in &both {
        host.add(plan.clone()).await.unwrap();
        host.meddle(plan, |netns| netns.boot_id = "an earlier boot".to_owned());
    }
    host.fake.set_fuse(Some(Fuse { at: 1, after: false }));
    let judged = host.sweep(false).await;
    assert!(matches!(judged[..], [Judged::Failed(_), Judged::Removed]), "{judged:?}");
    assert_eq!(host.records.all().len(), 1);
    host.sweep(false).await;
    host.assert_empty("after the second sweep");
}
