//! The few fields of a pod that are of interest, and what follows from them. Pure but for a look whether a directory is there.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The volume that a pod shares with the host's vswitch, by the Go plugins' convention.
const VOLUME: &str = "shared-dir";
/// Where the Go plugins take it to be mounted when no container says so.
const USUAL_MOUNT: &str = "/var/lib/cni/usrspcni";
/// The kubelet's annotations of the pod that it keeps in the API for a static one: the UID by which it knows it itself
/// (kubernetes/pkg/kubelet/types, ConfigHashAnnotationKey and ConfigMirrorAnnotationKey).
const STATIC_UID: [&str; 2] = ["kubernetes.io/config.hash", "kubernetes.io/config.mirror"];

/// A pod.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

/// `metadata`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) uid: String,
    pub(super) resource_version: String,
    /// Absent when there are none: what is added then is the map.
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "list")]
    volumes: Vec<Volume>,
    #[serde(deserialize_with = "list")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "list")]
    init_containers: Vec<Container>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Volume {
    name: String,
    host_path: Option<HostPath>,
    empty_dir: Option<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct HostPath {
    path: PathBuf,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    #[serde(deserialize_with = "list")]
    volume_mounts: Vec<Mount>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Mount {
    name: String,
    mount_path: String,
    sub_path: String,
    sub_path_expr: String,
}

/// Go writes a list without elements as `null` at times.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(from).map(Option::unwrap_or_default)
}

impl Pod {
    /// Whether the kubelet knows this pod by `uid`.
    pub(super) fn is(&self, uid: &str) -> bool {
        let of_static = || STATIC_UID.iter().any(|key| self.annotation(key) == Some(uid));
        self.metadata.uid == uid || of_static()
    }

    /// An annotation.
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The directory on the host of the volume `shared-dir`, when the pod has one. `uid` is the kubelet's.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn shared_volume(&self, kubelet_dir: &Path, uid: &str) -> Result<Option<PathBuf>, String> {
        let Some(volume) = self.spec.volumes.iter().find(|volume| volume.name == VOLUME) else {
            return Ok(None);
        };
        if let Some(HostPath { path }) = &volume.host_path {
            let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
            if !path.is_absolute() || path.file_name().is_none() || !path.components().all(plain) {
                return Err(format!(
                    "the volume \"{VOLUME}\" has the hostPath {path:?}: it is no directory's path"
                ));
            }
            return Ok(Some(path.components().collect()));
        }
        if volume.empty_dir.is_none() {
            return Err(format!("the volume \"{VOLUME}\" is neither a hostPath nor an emptyDir"));
        }
        let dir = empty_dir(kubelet_dir, uid);
        if dir.is_dir() {
            return Ok(Some(dir));
        }
        Err(format!("the volume \"{VOLUME}\" is an emptyDir, and {dir:?} is not there (\"kubeletDir\")"))
    }

    /// Where a container has that volume, with a '/' at the end: readers join it to a file's name without one.
    pub(super) fn mapped_dir(&self) -> String {
        let containers = self.spec.containers.iter().chain(&self.spec.init_containers);
        let mut mounts = containers.flat_map(|container| &container.volume_mounts);
        // A mount of a part of it does not show what is in the whole.
        let whole = |mount: &&Mount| {
            mount.name == VOLUME && mount.sub_path.is_empty() && mount.sub_path_expr.is_empty()
        };
        let found = mounts.find(whole).map_or(USUAL_MOUNT, |mount| mount.mount_path.as_str());
        format!("{}/", found.trim_end_matches('/'))
    }
}

/// Where the kubelet keeps the emptyDir `shared-dir` of the pod that it knows by `uid`.
pub(super) fn empty_dir(kubelet_dir: &Path, uid: &str) -> PathBuf {
    kubelet_dir.join("pods").join(uid).join("volumes/kubernetes.io~empty-dir").join(VOLUME)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(volumes: Value, containers: Value) -> Pod {
        let pod = json!({
            "metadata": {"uid": "api", "annotations": {"kubernetes.io/config.hash": "static"}},
            "spec": {"volumes": volumes, "containers": containers, "initContainers": null},
        });
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn the_volume_is_found() {
        let kubelet = tempfile::tempdir().unwrap();
        let dir = empty_dir(kubelet.path(), "static");
        std::fs::create_dir_all(&dir).unwrap();
        let [host_path, empty] = ["/var/run/shared/", ""].map(PathBuf::from);
        for (volumes, uid, expected) in [
            (json!(null), "static", Ok(None)),
            (json!([{"name": "other", "hostPath": {"path": "/x"}}]), "static", Ok(None)),
            (
                json!([{"name": "shared-dir", "hostPath": {"path": host_path}}]),
                "api",
                Ok(Some("/var/run/shared".into())),
            ),
            (json!([{"name": "shared-dir", "emptyDir": {}}]), "static", Ok(Some(dir))),
            (json!([{"name": "shared-dir", "emptyDir": {}}]), "api", Err("kubeletDir")),
            (json!([{"name": "shared-dir", "configMap": {}}]), "api", Err("neither")),
            (json!([{"name": "shared-dir", "hostPath": {"path": empty}}]), "api", Err("no directory")),
            (json!([{"name": "shared-dir", "hostPath": {"path": "/"}}]), "api", Err("no directory")),
            (json!([{"name": "shared-dir", "hostPath": {"path": "/a/../b"}}]), "api", Err("no directory")),
        ] {
            let found = pod(volumes.clone(), json!([])).shared_volume(kubelet.path(), uid);
            match (found, expected) {
                (Ok(found), expected) => assert_eq!(Ok(found), expected, "{volumes}"),
                (Err(reason), Err(word)) => assert!(reason.contains(word), "{reason}"),
                (found, _) => panic!("{found:?} of {volumes}"),
            }
        }
    }

    #[test]
    fn the_mount_is_the_first_of_the_whole_volume() {
        let mount =
            |path: &str, part: &str| json!({"name": "shared-dir", "mountPath": path, "subPath": part});
        for (containers, expected) in [
            (json!([]), "/var/lib/cni/usrspcni/"),
            (
                json!([{"volumeMounts": null}, {"volumeMounts": [mount("/a", "part"), mount("/b", "")]}]),
                "/b/",
            ),
            (json!([{"volumeMounts": [mount("/c/", "")]}]), "/c/"),
        ] {
            assert_eq!(pod(json!([]), containers).mapped_dir(), expected);
        }
    }

    #[test]
    fn a_static_pod_has_two_uids() {
        let pod = pod(json!([]), json!([]));
        assert!(pod.is("api") && pod.is("static") && !pod.is("other"));
    }
}
