//! The pod of a container, as the Kubernetes API tells of it: which of its volumes is shared with the host, and its annotations, which get a
//! copy of each published half. What the container reads first is in its directory; docs/kubernetes.md says what this is for.
//!
//! ```text
//! api          requests with time limits; which failures are worth another try
//! pod          the few fields of a pod that are of interest (pure)
//! annotations  a list of halves, and the change of a pod that makes it another (pure)
//! store        the core's RemoteStore over these
//! ```

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    plan::{InPod, PodRef},
    record::RecordDir,
};

use self::{api::Api, store::PodStore};

mod annotations;
mod api;
mod pod;
mod store;

/// A pod as `CNI_ARGS` names it.
#[derive(Debug, Clone)]
pub(crate) struct PodName {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The UID by which the kubelet knows it; older runtimes do not send one.
    pub(crate) uid: Option<String>,
}

impl PodName {
    /// The pod as ADD would have found it, for want of an answer; nothing is known of a hostPath.
    pub(crate) fn guess(&self, kubeconfig: &Path, kubelet_dir: &Path) -> Option<InPod> {
        let pod = PodRef {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone()?,
            kubeconfig: kubeconfig.to_owned(),
            mapped_dir: String::new(),
        };
        let volume = Some(pod::empty_dir(kubelet_dir, &pod.uid)).filter(|dir| dir.is_dir());
        Some(InPod { pod, volume })
    }
}

/// The APIs of a call, by their credentials: one connection each.
#[derive(Clone, Default)]
pub(crate) struct Apis(Arc<Shared>);

#[derive(Default)]
struct Shared {
    open: Mutex<BTreeMap<PathBuf, Api>>,
    /// Whether a withdrawal has been waited for in vain: a collection of many does not wait for each.
    is_away: AtomicBool,
}

impl Apis {
    async fn open(&self, kubeconfig: &Path) -> Result<Api, EngineError> {
        if let Some(api) = self.known().get(kubeconfig) {
            return Ok(api.clone());
        }
        let api = Api::open(kubeconfig).await?;
        self.known().insert(kubeconfig.to_owned(), api.clone());
        Ok(api)
    }

    /// One that is open already.
    #[cfg(test)]
    fn with(kubeconfig: &Path, api: Api) -> Self {
        let apis = Self::default();
        apis.known().insert(kubeconfig.to_owned(), api);
        apis
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Api>> {
        self.0.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The store in the pod's annotations.
    pub(crate) fn store(&self, pod: &PodRef, records: &RecordDir) -> PodStore {
        PodStore::new(self.clone(), pod.clone(), records.clone())
    }

    /// What the pod says of an attachment in it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] and [`ErrorKind::TimedOut`] when the API does not tell, or does not know the pod yet;
    /// [`ErrorKind::Conflict`] when another pod has its name by now; [`ErrorKind::Invalid`] for credentials or a volume that cannot be used.
    pub(crate) async fn find(
        &self,
        cx: Cx,
        kubeconfig: &Path,
        kubelet_dir: &Path,
        pod: &PodName,
    ) -> Result<InPod, EngineError> {
        let told = || format!("find the pod \"{}/{}\"", pod.namespace, pod.name);
        let found = self.open(kubeconfig).await?.get(cx, &pod.namespace, &pod.name).await?;
        // A static pod runs before the API has heard of it.
        let found = found.ok_or_else(|| {
            EngineError::new(ErrorKind::Unavailable, format!("{} (the API knows none)", told()))
        })?;
        if let Some(uid) = pod.uid.as_ref().filter(|uid| !found.is(uid)) {
            let doing = format!("{} (its UID is {uid}, and the API's is another)", told());
            return Err(EngineError::new(ErrorKind::Conflict, doing));
        }
        let uid = pod.uid.clone().unwrap_or_else(|| found.metadata.uid.clone());
        let volume = found
            .shared_volume(kubelet_dir, &uid)
            .map_err(|reason| EngineError::new(ErrorKind::Invalid, format!("{} ({reason})", told())))?;
        let pod = PodRef {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid,
            kubeconfig: kubeconfig.to_owned(),
            mapped_dir: found.mapped_dir(),
        };
        Ok(InPod { pod, volume })
    }
}
