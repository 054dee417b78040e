//! What a repair makes again, what it leaves alone, and what it says.

use super::*;
use crate::{plan::Container, spec::Device};

impl Host {
    async fn repair(&self) -> Vec<Fate> {
        let mut lines = 0;
        let wanted = Repair { only: None, limit: Duration::from_secs(1) };
        let done = repair(self.world(), wanted, &mut |_| lines += 1).await;
        assert_eq!(lines, done.len());
        done.into_iter().map(|one| one.fate).collect()
    }
}

fn with_host() -> impl Iterator<Item = Plan> {
    all_plans().into_iter().filter(|plan| plan.host.is_some())
}

#[tokio::test]
async fn what_is_lost_is_made_again_as_it_was() {
    for plan in with_host() {
        let host = Host::new();
        host.add(plan.clone()).await.unwrap();
        let before = host.fake.world();
        host.fake.meddle(|world| {
            world.interfaces.clear();
            world.networks.clear();
            world.routes.clear();
            world.shared.clear();
        });
        assert!(matches!(host.check(&plan).await, Err(CheckError::Missing(_))));
        let fates = host.repair().await;
        assert!(matches!(fates[..], [Fate::MadeAgain]), "{fates:?}");
        host.check(&plan).await.unwrap();
        assert_eq!(host.fake.world(), before);
        host.del(&plan).await.unwrap();
        host.assert_empty("after DEL");
    }
}

#[tokio::test]
async fn what_stands_is_not_touched() {
    for plan in with_host() {
        let host = Host::new();
        host.add(plan.clone()).await.unwrap();
        host.fake.set_fuse(None);
        let fates = host.repair().await;
        assert!(matches!(fates[..], [Fate::Stood]), "{fates:?}");
        assert_eq!(host.fake.effects(), 0);
    }
}

#[tokio::test]
async fn only_what_is_lost_is_made_again() {
    let host = Host::new();
    let [lost, stands] = ["c1", "c2"].map(|container| plans::memif(container, "net1"));
    for plan in [&lost, &stands] {
        host.add(plan.clone()).await.unwrap();
    }
    let name = lost.owner.tag.host_name();
    host.fake.meddle(|world| world.interfaces.retain(|(_, other), _| *other != name));
    let mut fates = host.repair().await;
    fates.sort_by_key(|fate| matches!(fate, Fate::Stood));
    assert!(matches!(fates[..], [Fate::MadeAgain, Fate::Stood]), "{fates:?}");
}

#[tokio::test]
async fn what_differs_is_mended_where_that_can_be() {
    type Change = fn(&mut crate::testing::fake::World);
    let cases: [(&str, Change); 4] = [
        ("the network", |world| world.interfaces.values_mut().for_each(|port| port.network = Network::None)),
        ("the link", |world| world.shared.clear()),
        ("published half", |world| world.published.clear()),
        ("route", |world| world.routes.clear()),
    ];
    for (word, change) in cases {
        let host = Host::new();
        let plan = match word {
            "route" => plans::routed_memif("c1", "net1"),
            _ => plans::memif("c1", "net1"),
        };
        host.add(plan.clone()).await.unwrap();
        let before = host.fake.world();
        host.fake.meddle(change);
        assert!(host.check(&plan).await.is_err(), "{word}");
        let fates = host.repair().await;
        let [Fate::Mended(found)] = &fates[..] else { panic!("{word}: {fates:?}") };
        assert!(found.iter().any(|one| one.what.contains(word)), "{word}: {found:?}");
        host.check(&plan).await.unwrap();
        assert_eq!(host.fake.world(), before);
    }
}

#[tokio::test]
async fn what_was_made_to_another_specification_is_left_and_told() {
    let host = Host::new();
    let plan = plans::memif("c1", "net1");
    host.add(plan.clone()).await.unwrap();
    host.fake.meddle(|world| {
        for port in world.interfaces.values_mut() {
            if let Device::Memif(memif) = &mut port.spec.device {
                memif.ring_size *= 2;
            }
        }
    });
    let before = host.fake.world();
    let fates = host.repair().await;
    let [Fate::Failed(error)] = &fates[..] else { panic!("{fates:?}") };
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(chain(&**error).contains("the device is"), "{error:?}");
    assert_eq!(host.fake.world(), before);
}

#[tokio::test]
async fn a_repair_that_failed_anywhere_is_done_by_the_next() {
    for plan in with_host() {
        let host = Host::new();
        host.add(plan.clone()).await.unwrap();
        let before = host.fake.world();
        let lose = || host.fake.meddle(|world| world.interfaces.clear());
        lose();
        host.fake.set_fuse(None);
        host.repair().await;
        let effects = host.fake.effects();
        for at in 0..effects {
            for after in [false, true] {
                lose();
                host.fake.set_fuse(Some(Fuse { at, after }));
                let fates = host.repair().await;
                assert!(matches!(fates[..], [Fate::Failed(_)]), "{at}: {fates:?}");
                host.repair().await;
                host.check(&plan).await.unwrap_or_else(|error| panic!("{at} ({after}): {error}"));
                assert_eq!(host.fake.world(), before, "{at} ({after})");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_to_be_repaired_is_told_with_its_reason() {
    type Change = fn(&mut Record);
    let cases: [(Skipped, Change); 2] = [
        (Skipped::Unfinished, |record| record.allocation = None),
        (Skipped::ContainerGone, |record| {
            let Container::Published(published) = &mut record.plan.container else { panic!() };
            published.netns.as_mut().unwrap().boot_id = "an earlier boot".to_owned();
        }),
    ];
    for (reason, change) in cases {
        let host = Host::new();
        let plan = plans::memif("c1", "net1");
        host.add(plan.clone()).await.unwrap();
        let mut record = host.records.load(&plan.owner.attachment).unwrap();
        change(&mut record);
        host.records.save(&record).unwrap();
        host.fake.meddle(|world| world.interfaces.clear());
        let fates = host.repair().await;
        assert!(matches!(fates[..], [Fate::Skipped(found)] if found == reason), "{fates:?}");
        assert!(host.fake.world().interfaces.is_empty());
    }
    let host = Host::new();
    host.add(plans::macvlan("c1", "net1")).await.unwrap();
    let fates = host.repair().await;
    assert!(matches!(fates[..], [Fate::Skipped(Skipped::NoHostHalf)]), "{fates:?}");
}

#[tokio::test(start_paused = true)]
async fn a_vswitch_that_hangs_is_waited_for_once() {
    let host = Host::new();
    for container in ["c1", "c2", "c3", "c4"] {
        host.add(plans::memif(container, "net1")).await.unwrap();
    }
    host.fake.set_hung(true);
    let begin = tokio::time::Instant::now();
    let fates = host.repair().await;
    assert!(begin.elapsed() < Duration::from_millis(1100), "{:?}", begin.elapsed());
    let late = |fate: &Fate| matches!(fate, Fate::Failed(error) if error.kind() == ErrorKind::TimedOut);
    assert!(fates.len() == 4 && fates.iter().all(late), "{fates:?}");
}

#[tokio::test]
async fn one_vswitch_can_be_repaired_alone() {
    let host = Host::new();
    let (vpp, linux) = (plans::memif("c1", "net1"), plans::veth("c2", "net1"));
    host.add(vpp.clone()).await.unwrap();
    host.add(linux.clone()).await.unwrap();
    host.fake.meddle(|world| world.interfaces.clear());
    let at = vpp.host.as_ref().unwrap().engine.clone();
    let wanted = Repair { only: Some(&at), limit: Duration::from_secs(1) };
    let done = repair(host.world(), wanted, &mut |_| {}).await;
    assert!(matches!(&done[..], [one] if one.engine.as_ref() == Some(&at)), "{done:?}");
    host.check(&vpp).await.unwrap();
    assert!(host.check(&linux).await.is_err());
}

#[tokio::test]
async fn a_changed_hint_is_kept() {
    let host = Host::new();
    let plan = plans::memif("c1", "net1");
    host.add(plan.clone()).await.unwrap();
    let id = &plan.owner.attachment;
    let mut record = host.records.load(id).unwrap();
    let hint = record.host.replace(Hint { index: Some(7), ..Hint::named("old") });
    host.records.save(&record).unwrap();
    host.fake.meddle(|world| world.interfaces.clear());
    host.repair().await;
    assert_eq!(host.records.load(id).unwrap().host, hint);
}
