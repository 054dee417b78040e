//! The Kubernetes pod of a container: a copy of the half goes to its annotations, and one of its volumes may be the shared directory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A pod, and how its annotations are reached. All that taking the copy back needs, so that it can be done from a record alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID as the kubelet knows it: a later pod of that name is another. (For a static pod the API has a UID of its own.)
    pub uid: String,
    /// The file with the credentials for the API.
    pub kubeconfig: PathBuf,
    /// The directory, as the container sees it, in which the sockets are; with a '/' at its end.
    pub mapped_dir: String,
}

/// What a pod says of an attachment in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InPod {
    /// Which pod it is.
    pub pod: PodRef,
    /// Its volume that the container shares with the host, when it has one: the directory itself, in which no other is made.
    pub volume: Option<PathBuf>,
}
