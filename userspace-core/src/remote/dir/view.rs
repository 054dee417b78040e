//! The container's end of a shared directory. What is in it may be anybody's: only documents of those who are trusted are read.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::stat::{FileStat, Mode, fstat},
    unistd::geteuid,
};

use super::{file_name, names, read_if};
use crate::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    remote::{Reading, RemoteView, Revision, Snapshot, watch::Watcher},
};

/// The container's end of its directory.
#[derive(Debug, Clone)]
pub struct DirView {
    dir: PathBuf,
    /// The users whose documents are read.
    trusted: Vec<u32>,
    watcher: Watcher,
}

impl DirView {
    /// The view of `dir`, which need not exist yet. It reads the documents of root, as which the plugin runs, and of this process's
    /// own user.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), trusted: vec![0, geteuid().as_raw()], watcher: Watcher::default() }
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
        let Some(dir) = self.open()? else {
            return Ok(reading.finish());
        };
        for name in names(&dir)? {
            let place = self.dir.join(&name);
            match read_if(&dir, &name, |found| self.is_trusted(found)) {
                // Under another name it would be a second document of the same interface.
                Ok(text) => reading.document(place, &text, |half| file_name(&half.attachment) == name),
                // Withdrawn since the directory was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => reading.reject(place, error.to_string()),
            }
        }
        Ok(reading.finish())
    }

    /// Only what is not there is empty: a link or a file in its place is somebody's mischief, and no reason to take anything away.
    fn open(&self) -> io::Result<Option<OwnedFd>> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = match open(&self.dir, flags, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP | Errno::ENOTDIR) => return Err(io::Error::other("is a link, or no directory")),
            opened => opened?,
        };
        if fstat(&dir)?.st_nlink == 0 {
            let reason = "was removed on the host since it was mounted: the container must be started anew to see another";
            return Err(io::Error::other(reason));
        }
        Ok(Some(dir))
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
        self.watcher.until_newer(cx, &self.dir, newer_than, read).await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{chown, symlink},
        time::Duration,
    };

    use super::*;
    use crate::{
        remote::{RemoteStore, dir::DirStore, watch},
        testing::halves,
    };

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
    async fn a_directory_that_is_none_is_an_error_and_not_empty() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("shared");
        fs::create_dir(&dir).unwrap();
        let link = root.path().join("link");
        symlink(&dir, &link).unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [link, file] {
            let error = DirView::new(&path).snapshot(cx(), None).await.unwrap_err();
            assert!(crate::engine::chain(&error).contains("no directory"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_document_under_anothers_name_and_more_than_a_container_can_have_are_rejected() {
        let root = tempfile::tempdir().unwrap();
        let half = halves::memif("c", "net1");
        DirStore::new(root.path()).publish(cx(), &half).await.unwrap();
        let file = root.path().join(file_name(&half.attachment));
        fs::copy(&file, root.path().join("configData-c-net2.json")).unwrap();
        for number in 0..2000 {
            fs::write(root.path().join(format!("junk{number}")), "").unwrap();
        }
        let view = DirView::new(root.path());
        let seen = view.snapshot(cx(), None).await.unwrap();
        assert_eq!(seen.halves, std::slice::from_ref(&half), "junk hides nothing");
        assert!(seen.rejected[0].1.contains("another name"), "{:?}", seen.rejected);
        for number in 0..2000 {
            fs::write(root.path().join(format!("configData-{number}.json")), "").unwrap();
        }
        let error = view.snapshot(cx(), None).await.unwrap_err();
        assert!(crate::engine::chain(&error).contains("more than"), "{error:?}");
    }

    #[tokio::test]
    async fn documents_of_others_are_rejected_until_they_are_trusted() {
        if !geteuid().is_root() {
            println!("skipped: documents_of_others_are_rejected: only root gives files away");
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
