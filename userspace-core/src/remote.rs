//! Where the container's half is handed over: the host writes to a [`RemoteStore`], the container reads a [`RemoteView`].

use std::path::PathBuf;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::{
    cx::Cx,
    engine::{EngineError, chain},
    half::ContainerHalf,
    id::AttachmentId,
};

pub mod annotations;
pub mod dir;
mod watch;

/// The host's end: a place for the halves of one container or pod, to which others write too.
///
/// # For implementers
/// * Every call is bounded by `cx.deadline`, and can be repeated.
/// * A half is there once at most, and the others that are there stay, whoever changes them at the same time.
/// * What more than root can read has no secret in it.
/// * A store that is out of reach says so ([`ErrorKind::Unavailable`](crate::engine::ErrorKind), `TimedOut`): what that means for a call is
///   decided in [`crate::lifecycle`], which insists on a directory and does without a pod's annotations where it must.
///
/// `userspace_core::testing::stores` checks this against any store.
#[async_trait]
pub trait RemoteStore: Send + Sync {
    /// Hands the half over, in the place of an earlier one of the same attachment. A reader sees the old one or the new one.
    async fn publish(&self, cx: Cx, half: &ContainerHalf) -> Result<(), EngineError>;

    /// Takes it back. Absence is success.
    async fn withdraw(&self, cx: Cx, id: &AttachmentId) -> Result<(), EngineError>;

    /// Whether it is there. An error means that this could not be found out.
    async fn is_published(&self, cx: Cx, id: &AttachmentId) -> Result<bool, EngineError>;
}

/// The container's end.
#[async_trait]
pub trait RemoteView: Send + Sync {
    /// All halves that are there. With `newer_than` it waits first, until something has changed since that revision.
    async fn snapshot(&self, cx: Cx, newer_than: Option<&Revision>) -> Result<Snapshot, EngineError>;
}

/// A state of a remote store; equal revisions mean equal content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(pub String);

/// The whole content of a remote store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Which state this is.
    pub revision: Revision,
    /// The halves, sorted by attachment.
    pub halves: Vec<ContainerHalf>,
    /// Where each document that is not one is, and why.
    pub rejected: Vec<(PathBuf, String)>,
}

/// A snapshot in the making.
#[derive(Default)]
struct Reading {
    hash: Sha256,
    halves: Vec<ContainerHalf>,
    rejected: Vec<(PathBuf, String)>,
}

impl Reading {
    /// What `place` has, if such a half `belongs` there.
    fn document(&mut self, place: PathBuf, text: &[u8], belongs: impl FnOnce(&ContainerHalf) -> bool) {
        self.hash.update(place.as_os_str().as_encoded_bytes());
        self.hash.update(text);
        match ContainerHalf::from_json(text) {
            Ok(half) if belongs(&half) => self.halves.push(half),
            Ok(half) => {
                let reason = format!("is the half of {}, which has another name", half.attachment);
                self.rejected.push((place, reason));
            }
            Err(error) => self.rejected.push((place, chain(&error))),
        }
    }

    /// What `place` has is not read.
    fn reject(&mut self, place: PathBuf, reason: String) {
        self.hash.update(place.as_os_str().as_encoded_bytes());
        self.hash.update(&reason);
        self.rejected.push((place, reason));
    }

    /// Something else that makes a state another one.
    fn note(&mut self, text: &str) {
        self.hash.update(text);
        self.hash.update([0]);
    }

    fn finish(mut self) -> Snapshot {
        self.halves.sort_by(|a, b| a.attachment.cmp(&b.attachment));
        let digest = self.hash.finalize();
        let revision = Revision(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        Snapshot { revision, halves: self.halves, rejected: self.rejected }
    }
}
