//! A container of a pod, on a host with a fake VPP and an API.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Call, Container, Kube, merged, plugin_with_kube, run};

use crate::vpp::support::OnVpp;

pub(super) const DATA: &str = "userspace/configuration-data";
pub(super) const MAPPED: &str = "userspace/mapped-dir";
/// The pod's UID, as the runtime says it.
pub(super) const UID: &str = "7c8e1f52-0000-4000-8000-000000000001";

/// See the module.
pub(super) struct Pod {
    pub(super) it: OnVpp,
    pub(super) api: Kube,
    pub(super) container: Container,
}

impl Pod {
    /// With an emptyDir, which the kubelet has made.
    pub(super) fn new() -> Option<Self> {
        let it = OnVpp::fake(&[])?;
        let api = Kube::start(it.host.netns());
        let container = it.host.container("red");
        let pod = Self { it, api, container };
        std::fs::create_dir_all(pod.volume()).expect("make a directory");
        pod.put(json!({}));
        Some(pod)
    }

    /// Where the emptyDir is.
    pub(super) fn volume(&self) -> PathBuf {
        let volumes = format!("kubelet/pods/{UID}/volumes/kubernetes.io~empty-dir/shared-dir");
        self.it.host.path(&volumes)
    }

    /// Puts the pod into the API, with `patch` over it.
    pub(super) fn put(&self, patch: Value) {
        let pod = json!({
            "metadata": {"name": "web-0", "namespace": "shop", "uid": UID},
            "spec": {
                "volumes": [{"name": "other"}, {"name": "shared-dir", "emptyDir": {}}],
                "containers": [{"name": "a"}, {"name": "b",
                    "volumeMounts": [{"name": "shared-dir", "mountPath": "/var/lib/shared"}]}],
            },
        });
        self.api.put("shop", "web-0", merged(pod, patch));
    }

    /// A memif, with `patch` over its configuration.
    pub(super) fn net(&self, patch: Value) -> Value {
        let kube = json!({"kubeconfig": self.api.kubeconfig(), "kubeletDir": self.it.host.path("kubelet")});
        merged(self.it.net(kube), patch)
    }

    /// A call about the container's `eth0` as a runtime makes it for a pod.
    pub(super) fn call<'a>(&'a self, command: &str, config: &Value) -> Call<'a> {
        let args = format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID={UID}");
        let call = self.it.host.call(command, config).of(&self.container);
        call.env("CNI_ARGS", &args).binary(plugin_with_kube())
    }

    pub(super) fn add(&self, interface: &str) -> Value {
        self.call("ADD", &self.net(json!({}))).ifname(interface).run().result()
    }

    pub(super) fn del(&self, interface: &str) {
        self.call("DEL", &self.net(json!({}))).ifname(interface).run().silent();
    }

    /// `userspace gc`, which must succeed: what it prints.
    pub(super) fn gc(&self) -> String {
        let mut command = std::process::Command::new(plugin_with_kube());
        command.arg("gc").arg("--state-dir").arg(self.it.host.state_dir());
        self.it
            .host
            .netns()
            .inside(|| run(&mut command, b"", Duration::from_secs(60)))
            .success("userspace gc")
    }

    /// The halves in the annotation.
    pub(super) fn halves(&self) -> Vec<Value> {
        let text = self.api.annotation("shop", "web-0", DATA).unwrap_or("[]".to_owned());
        serde_json::from_str(&text).expect("a list")
    }

    /// The interfaces of the halves in the annotation, sorted.
    pub(super) fn interfaces(&self) -> Vec<String> {
        let halves = self.halves();
        let names = halves.iter().map(|half| half["ifName"].as_str().expect("a name").to_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    pub(super) fn mapped_dir(&self) -> Option<String> {
        self.api.annotation("shop", "web-0", MAPPED)
    }

    /// Nothing of the pod's is left: on the host, in VPP, in the volume, in the annotations.
    pub(super) fn is_empty(&self, before: &crate::vpp::support::Everything, when: &str) {
        self.it.is_as(before, when);
        let entries = std::fs::read_dir(self.volume()).expect("the volume stays").flatten();
        let left: Vec<_> = entries.map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "{when}: {left:?}");
        assert_eq!((self.halves(), self.mapped_dir()), (Vec::new(), None), "{when}");
    }
}
