//! The remote store in a pod's annotations.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use serde_json::Value;
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    half::ContainerHalf,
    id::AttachmentId,
    plan::PodRef,
    record::RecordDir,
    remote::RemoteStore,
};

use super::{
    Apis,
    annotations::{Halves, change},
    api::{Patched, Patience, passes},
    pod::Pod,
};

/// How often the same change may be refused. A change that was refused for what had come between differs the next time.
const SAME: u32 = 5;

/// The annotations of one pod.
pub(crate) struct PodStore {
    apis: Apis,
    pod: PodRef,
    /// Tell which of the halves there are of containers that are gone.
    records: RecordDir,
}

impl PodStore {
    pub(super) fn new(apis: Apis, pod: PodRef, records: RecordDir) -> Self {
        Self { apis, pod, records }
    }

    /// The pod, when it is there and not another of its name.
    async fn look(&self, cx: Cx) -> Result<Option<Pod>, EngineError> {
        let api = self.apis.open(&self.pod.kubeconfig).await?;
        let found = api.get(cx, &self.pod.namespace, &self.pod.name).await?;
        Ok(found.filter(|pod| pod.is(&self.pod.uid)))
    }

    /// Makes the pod's halves what `wanted` says of them, whatever others change at the same time. Whether the pod is there.
    async fn edit(
        &self,
        cx: Cx,
        wanted: impl Fn(Halves) -> Halves + Send + Sync,
    ) -> Result<bool, EngineError> {
        let api = self.apis.open(&self.pod.kubeconfig).await?;
        let PodRef { namespace, name, .. } = &self.pod;
        let mut patience = Patience::default();
        let mut refused = Refused::default();
        loop {
            let Some(pod) = self.look(cx).await? else {
                return Ok(false);
            };
            let halves = Halves::of(&pod).map_err(|reason| self.failed(ErrorKind::Conflict, &reason))?;
            let Some(change) = change(&pod, &wanted(halves), &self.pod.mapped_dir) else {
                return Ok(true);
            };
            match api.patch(cx, namespace, name, &change).await {
                Ok(Patched::Done) => return Ok(true),
                Ok(Patched::Gone) => return Ok(false),
                Ok(Patched::Refused(said)) if refused.count(change) > SAME => {
                    return Err(self.failed(ErrorKind::Invalid, &said));
                }
                Ok(Patched::Conflict(said) | Patched::Refused(said)) => {
                    if cx.remaining().is_zero() {
                        return Err(self.failed(ErrorKind::TimedOut, &said));
                    }
                    tracing::debug!(said, "the pod was changed meanwhile, looking again");
                    patience.pause(cx).await;
                }
                Err(error) => patience.bear(cx, error).await?,
            }
        }
    }

    fn failed(&self, kind: ErrorKind, reason: &str) -> EngineError {
        let PodRef { namespace, name, .. } = &self.pod;
        EngineError::new(kind, format!("change the annotations of the pod \"{namespace}/{name}\" ({reason})"))
    }
}

/// The change that was refused last, and how often.
#[derive(Default)]
struct Refused {
    change: Value,
    times: u32,
}

impl Refused {
    fn count(&mut self, change: Value) -> u32 {
        self.times = if self.change == change { self.times + 1 } else { 1 };
        self.change = change;
        self.times
    }
}

#[async_trait]
impl RemoteStore for PodStore {
    async fn publish(&self, cx: Cx, half: &ContainerHalf) -> Result<(), EngineError> {
        let stale = |id: &AttachmentId| !self.records.exists(id);
        if self.edit(cx, |halves| halves.with(half, stale)).await? {
            return Ok(());
        }
        Err(self.failed(ErrorKind::Conflict, "it is gone, or another has its name"))
    }

    async fn withdraw(&self, cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
        let is_away = &self.apis.0.is_away;
        if is_away.load(Ordering::Relaxed) {
            return Err(self.failed(ErrorKind::Unavailable, "the API did not answer a moment ago"));
        }
        let edited = self.edit(cx, |halves| halves.without(id)).await;
        if edited.as_ref().is_err_and(passes) {
            is_away.store(true, Ordering::Relaxed);
        }
        if !edited? {
            tracing::info!(pod = self.pod.name, "the pod is gone with its annotations");
        }
        Ok(())
    }

    async fn is_published(&self, cx: Cx, id: &AttachmentId) -> Result<bool, EngineError> {
        let pod = self.look(cx).await?;
        let pod =
            pod.ok_or_else(|| self.failed(ErrorKind::Conflict, "it is gone, or another has its name"))?;
        Ok(Halves::of(&pod).is_ok_and(|halves| halves.has(id)))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        path::Path,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use kube::client::Body;
    use serde_json::json;
    use userspace_core::testing::stores;

    use super::{super::api::Api, *};

    /// A client of an API with one pod.
    fn client(pod: Arc<Mutex<Value>>) -> kube::Client {
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let pod = Arc::clone(&pod);
            async move {
                let is_patch = request.method() == http::Method::PATCH;
                let body = request.into_body().collect_bytes().await.unwrap();
                let mut pod = pod.lock().unwrap();
                if is_patch {
                    let patch: json_patch::Patch = serde_json::from_slice(&body).unwrap();
                    json_patch::patch(&mut pod, &patch).unwrap();
                }
                Ok::<_, Infallible>(http::Response::new(Body::from(pod.to_string().into_bytes())))
            }
        });
        kube::Client::new(service, "default")
    }

    #[tokio::test]
    async fn a_pods_annotations_conform() {
        let before = json!({"metadata": {"uid": "u", "resourceVersion": "1", "annotations": {"a": "b"}}});
        let api = Arc::new(Mutex::new(before.clone()));
        let pod = PodRef {
            namespace: "shop".to_owned(),
            name: "web-0".to_owned(),
            uid: "u".to_owned(),
            kubeconfig: "/test".into(),
            mapped_dir: "/mapped/".to_owned(),
        };
        let apis = Apis::with(Path::new("/test"), Api::of(client(Arc::clone(&api))));
        let state = tempfile::tempdir().unwrap();
        let store = apis.store(&pod, &RecordDir::new(state.path()));
        stores::run(Cx::within(Duration::from_secs(5)), &store).await;
        assert_eq!(*api.lock().unwrap(), before, "nothing of ours is left");
    }
}
