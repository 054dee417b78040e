//! The copy of a published half in the annotations of the container's pod. The container has its directory without it.

use std::time::Duration;

use super::World;
use crate::{
    cx::Cx,
    engine::{EngineError, chain},
    fault,
    half::ContainerHalf,
    id::AttachmentId,
    lock::LockName,
    plan::{Container, Plan, PodRef},
};

/// What a copy that cannot be reached may take of a teardown or of a CHECK.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn pod_of(plan: &Plan) -> Option<&PodRef> {
    match &plan.container {
        Container::Published(published) => published.pod.as_ref(),
        Container::Kernel(_) => None,
    }
}

/// Puts a copy of the half into the annotations of the plan's pod, when it has one.
pub(super) async fn put(
    world: World<'_>,
    cx: Cx,
    plan: &Plan,
    half: Option<&ContainerHalf>,
) -> Result<(), EngineError> {
    let (Some(pod), Some(half)) = (pod_of(plan), half) else {
        return Ok(());
    };
    let _lock = world.lock(cx, &LockName::pod(pod)).await?;
    fault::point("before copy")?;
    world.stores.of_pod(pod)?.publish(cx, half).await?;
    fault::point("after copy")
}

/// Takes it back. What cannot be reached is no reason to fail: the pod is going, or has gone, and an entry that stays in one that lives on
/// is removed by the next ADD there.
pub(super) async fn take_back(world: World<'_>, cx: Cx, pod: Option<&PodRef>, id: &AttachmentId) {
    let Some(pod) = pod else { return };
    let cx = cx.at_most(PATIENCE.min(cx.remaining() / 2));
    let withdraw = async {
        // The store's own preconditions keep the others' entries, also without it.
        let _lock = world.lock(cx.at_most(cx.remaining() / 2), &LockName::pod(pod)).await.ok();
        fault::point("before taking back the copy")?;
        world.stores.of_pod(pod)?.withdraw(cx, id).await?;
        fault::point("after taking back the copy")
    };
    if let Err(error) = withdraw.await {
        tracing::warn!(
            error = chain(&error),
            "the copy in the pod's annotations may stay until the next ADD there"
        );
    }
}

/// Whether it is gone, as far as that can be found out.
pub(super) async fn is_missing(world: World<'_>, cx: Cx, plan: &Plan, id: &AttachmentId) -> bool {
    let Some(pod) = pod_of(plan) else {
        return false;
    };
    let cx = cx.at_most(PATIENCE.min(cx.remaining() / 2));
    let found = async { world.stores.of_pod(pod)?.is_published(cx, id).await };
    match found.await {
        Ok(found) => !found,
        Err(error) => {
            tracing::warn!(error = chain(&error), "the copy in the pod's annotations is not checked");
            false
        }
    }
}
