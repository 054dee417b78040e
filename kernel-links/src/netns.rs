//! Network namespaces: opened once by path, entered and left again.

use std::{
    fs::File,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    path::Path,
};

use nix::sched::{CloneFlags, setns};

use crate::Error;

/// An open network namespace. It stays alive as long as this does.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

impl Netns {
    /// Opens the namespace at `path`.
    ///
    /// # Errors
    /// ENOENT when nothing is there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::io(format!("open the network namespace {path:?}"), &error);
        File::open(path).map(Self::from).map_err(failed)
    }

    /// Runs `work` inside the namespace: the calling thread enters it and comes back. Sockets that `work` makes stay there, and
    /// files below /proc/sys/net are those of the namespace. Nothing else runs on the thread meanwhile, since `work` cannot await.
    ///
    /// # Errors
    /// EINVAL when the file is no network namespace, EPERM without CAP_SYS_ADMIN; `work`'s own.
    pub fn run<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let own = File::open("/proc/thread-self/ns/net")
            .map_err(|error| Error::io("open the thread's own network namespace", &error))?;
        setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET)
            .map_err(|errno| Error::new("enter the network namespace", errno))?;
        let _way_back = WayBack(own);
        work()
    }
}

/// Takes the thread back to its own namespace, also when `work` panics.
struct WayBack(File);

impl Drop for WayBack {
    fn drop(&mut self) {
        if setns(self.0.as_fd(), CloneFlags::CLONE_NEWNET).is_err() {
            // A thread in the wrong namespace would change somebody else's network.
            std::process::abort();
        }
    }
}

impl From<File> for Netns {
    /// The namespace that `file` was opened from.
    fn from(file: File) -> Self {
        Self { file }
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
