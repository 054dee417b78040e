//! What [`RemoteStore`] promises, asked of any store: a directory, a pod's annotations, the in-memory fake's.
//!
//! Each check panics with what was expected. The store must be empty to begin with, and is empty in the end.

use crate::{
    addr::Address,
    cx::Cx,
    engine::EngineError,
    half::ContainerHalf,
    remote::RemoteStore,
    testing::{halves, plans},
};

/// Runs all checks.
pub async fn run(cx: Cx, store: &dyn RemoteStore) {
    let [one, other] = ["net1", "net10"].map(|interface| halves::memif("c", interface));
    assert_eq!(found(cx, store, &[&one, &other]).await, [false, false], "it is empty");
    expect(store.withdraw(cx, &one.attachment).await, "absence is success");
    expect(store.publish(cx, &one).await, "publish");
    expect(store.publish(cx, &one).await, "publish the same again");
    expect(store.publish(cx, &other).await, "publish a sibling");
    expect(store.publish(cx, &changed(&one)).await, "publish in the place of an earlier one");
    assert_eq!(found(cx, store, &[&one, &other]).await, [true, true], "both are there");
    let elsewhere = plans::attachment("c", "net100");
    expect(store.withdraw(cx, &elsewhere).await, "withdraw a stranger's");
    expect(store.withdraw(cx, &one.attachment).await, "withdraw");
    assert_eq!(
        found(cx, store, &[&one, &other]).await,
        [false, true],
        "a sibling stays, and none is there twice"
    );
    expect(store.withdraw(cx, &one.attachment).await, "withdraw again");
    expect(store.withdraw(cx, &other.attachment).await, "withdraw the last");
    assert_eq!(found(cx, store, &[&one, &other]).await, [false, false], "it is empty again");
}

async fn found(cx: Cx, store: &dyn RemoteStore, halves: &[&ContainerHalf]) -> Vec<bool> {
    let mut all = Vec::new();
    for half in halves {
        all.push(expect(store.is_published(cx, &half.attachment).await, "look"));
    }
    all
}

fn changed(half: &ContainerHalf) -> ContainerHalf {
    let mut half = half.clone();
    let ip = ipnet::IpNet::new([10, 1, 0, 1].into(), 24).unwrap_or_default();
    half.allocation.ips.push(Address { ip, gateway: None });
    half
}

fn expect<T>(done: Result<T, EngineError>, what: &str) -> T {
    done.unwrap_or_else(|error| panic!("{what}: {error:?}"))
}
