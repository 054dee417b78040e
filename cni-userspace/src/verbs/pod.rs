//! The Kubernetes pod of a call, where the configuration has credentials for the API and the runtime says which pod it is.

use userspace_core::{cx::Cx, plan::InPod, spec::InterfaceKind};

use super::Call;
use crate::{Outcome, args::CniArgs};

/// The pod that the half of an ADD is to be published in; none where nothing is published.
#[cfg(feature = "kube")]
pub(super) async fn of_add(call: &Call, cx: Cx, args: &CniArgs) -> Outcome<Option<InPod>> {
    let Some(kubeconfig) = call.conf.kubeconfig().filter(|_| publishes(call)) else {
        return Ok(None);
    };
    let Some(name) = args.pod()? else {
        tracing::info!(?kubeconfig, "CNI_ARGS names no pod: the Kubernetes API is not asked");
        return Ok(None);
    };
    let found = call.stores.apis.find(cx, kubeconfig, &call.conf.kubelet_dir(), &name).await;
    found.map(Some).map_err(|error| call.failed(&error))
}

/// The pod of a DEL without a record, as far as that can be found out in a moment.
#[cfg(feature = "kube")]
pub(super) async fn of_del(call: &Call) -> Option<InPod> {
    use userspace_core::engine::chain;
    /// Of a call's time, most is for what has to go.
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
    let kubeconfig = call.conf.kubeconfig().filter(|_| publishes(call))?;
    let text = call.env.get("CNI_ARGS").map(String::as_str).unwrap_or_default();
    let name = CniArgs::parse(text).and_then(|args| args.pod());
    let name = name.inspect_err(|error| tracing::warn!(error = error.msg, "the pod is not known")).ok()??;
    let cx = call.cx().at_most(PATIENCE.min(call.conf.timeout() / 4));
    match call.stores.apis.find(cx, kubeconfig, &call.conf.kubelet_dir(), &name).await {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::warn!(error = chain(&error), "there is no record, and the API does not tell of the pod");
            name.guess(kubeconfig, &call.conf.kubelet_dir())
        }
    }
}

#[cfg(not(feature = "kube"))]
pub(super) async fn of_add(call: &Call, _cx: Cx, _args: &CniArgs) -> Outcome<Option<InPod>> {
    if let Some(kubeconfig) = call.conf.kubeconfig().filter(|_| publishes(call)) {
        tracing::warn!(
            ?kubeconfig,
            "\"kubeconfig\" is without effect: this build of userspace has no feature kube"
        );
    }
    Ok(None)
}

#[cfg(not(feature = "kube"))]
pub(super) async fn of_del(_call: &Call) -> Option<InPod> {
    None
}

/// Whether the container's half is handed over: a kernel interface is there when ADD returns.
fn publishes(call: &Call) -> bool {
    call.conf.host().iftype.is_some_and(|kind| !InterfaceKind::from(kind).is_kernel())
}
