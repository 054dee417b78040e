//! The container's end of a shared directory. What is in it may be anybody's: only documents of those who are trusted are read.

use std::{
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use nix::{sys::stat::FileStat, unistd::geteuid};

use super::{names, read_if};
use crate::{
    beneath::open_dir,
    cx::Cx,
    engine::{EngineError, ErrorKind},
    remote::{Reading, RemoteView, Revision, Snapshot, watch},
};

/// The container's end of its directory.
#[derive(Debug, Clone)]
pub struct DirView {
    dir: PathBuf,
    /// The users whose documents are read.
    trusted: Vec<u32>,
}

impl DirView {
    /// The view of `dir`, which need not exist yet. It reads the documents of root, as which the plugin runs, and of this process's
    /// own user.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), trusted: vec![0, geteuid().as_raw()] }
    }

    /// The same, which reads the documents of the user `uid` too.
    pub fn trusting(mut self, uid: u32) -> Self {
        self.trusted.push(uid);
        self
    }

    /// The directory, in which the sockets of the halves are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn read(&self) -> io::Result<Snapshot> {
        let mut reading = Reading::default();
        let Some(dir) = open_dir(&self.dir)? else {
            return Ok(reading.finish());
        };
        for name in names(&dir)? {
            let place = self.dir.join(&name);
            match read_if(&dir, &name, |found| self.is_trusted(found)) {
                Ok(text) => reading.document(place, &text),
                // Withdrawn since the directory was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => reading.reject(place, error.to_string()),
            }
        }
        Ok(reading.finish())
    }

    fn is_trusted(&self, found: &FileStat) -> io::Result<()> {
        if self.trusted.contains(&found.st_uid) {
            return Ok(());
        }
        Err(io::Error::other(format!("belongs to user {}, who is not trusted", found.st_uid)))
    }
}

#[async_trait]
impl RemoteView for DirView {
    async fn snapshot(&self, cx: Cx, newer_than: Option<&Revision>) -> Result<Snapshot, EngineError> {
        let read = || {
            self.read().map_err(|error| {
                let doing = format!("read the shared directory {:?}", self.dir);
                EngineError::new(ErrorKind::Io, doing).because(error)
            })
        };
        watch::until_newer(cx, &self.dir, newer_than, read).await
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::chown, time::Duration};

    use super::*;
    use crate::{remote::RemoteStore, remote::dir::DirStore, testing::halves};

    fn cx() -> Cx {
        Cx::within(Duration::from_secs(5))
    }

    #[tokio::test]
    async fn a_change_is_seen_at_once_also_in_a_directory_that_comes_later() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("not/yet/there");
        let view = DirView::new(&dir);
        let empty = view.snapshot(cx(), None).await.unwrap();
        let half = halves::memif("c", "net1");
        let publish = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            DirStore::new(&dir).publish(cx(), &half).await.unwrap();
            tokio::time::Instant::now()
        };
        let (seen, published) = tokio::join!(
            async {
                let seen = view.snapshot(cx(), Some(&empty.revision)).await.unwrap();
                (seen, tokio::time::Instant::now())
            },
            publish
        );
        assert_eq!(seen.0.halves, [half]);
        let took = seen.1.saturating_duration_since(published);
        assert!(took < watch::BETWEEN_LOOKS / 2, "{took:?}: by a look, not by the kernel's word");
    }

    #[tokio::test]
    async fn documents_of_others_are_rejected_until_they_are_trusted() {
        if !geteuid().is_root() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let half = halves::memif("c", "net1");
        DirStore::new(root.path()).publish(cx(), &half).await.unwrap();
        let file = fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
        chown(&file, Some(1234), None).unwrap();
        let view = DirView::new(root.path());
        let seen = view.snapshot(cx(), None).await.unwrap();
        assert_eq!(seen.halves, []);
        assert!(seen.rejected[0].1.contains("user 1234"), "{:?}", seen.rejected);
        chown(&file, Some(0), None).unwrap();
        let mended = view.snapshot(cx(), Some(&seen.revision)).await.unwrap();
        assert_eq!(mended.halves, std::slice::from_ref(&half));
        chown(&file, Some(1234), None).unwrap();
        let trusting = view.trusting(1234).snapshot(cx(), None).await.unwrap();
        assert_eq!(trusting.halves, [half]);
    }
}
