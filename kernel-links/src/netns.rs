//! Network namespaces: opened once by path, entered on a thread of their own.

use std::{
    fs::File,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    thread,
};

use nix::sched::{CloneFlags, setns};

use crate::Error;

/// An open network namespace. It stays alive as long as this does.
#[derive(Debug)]
pub struct Netns {
    file: File,
    identity: (u64, u64),
}

impl Netns {
    /// Opens the namespace at `path`.
    ///
    /// # Errors
    /// ENOENT when nothing is there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::io(format!("open the network namespace {path:?}"), &error);
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        Ok(Self { file, identity: (found.dev(), found.ino()) })
    }

    /// Device and inode number: what tells namespaces apart while they live.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Runs `work` on a thread inside the namespace. Sockets that it makes stay there, and files below /proc/sys/net are those of
    /// the namespace.
    ///
    /// # Errors
    /// EINVAL when the file is no network namespace, EPERM without CAP_SYS_ADMIN; `work`'s own.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
        let enter = || {
            setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET)
                .map_err(|errno| Error::new("enter the network namespace", errno))?;
            work()
        };
        // A scoped thread ends here: no thread of the caller's is ever left in the wrong namespace.
        thread::scope(|scope| match scope.spawn(enter).join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Netns {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
