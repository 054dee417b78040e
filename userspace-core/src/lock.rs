//! Locks between processes: one for each attachment, for each network of a vswitch, each container's directory and each pod.
//!
//! All of them are ranges of one byte of one file (`lock` in the state directory), at an offset that the name hashes to. So
//! nothing is made or left for a name, and the kernel lets go when a process dies (open file description locks, fcntl(2)).
//! Two names at one offset, one chance in 2^62, would only wait for each other.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
};
use sha2::{Digest, Sha256};

use crate::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    owner::OwnerTag,
    plan::{PodRef, SharedDir},
    spec::{EngineAt, EngineKind, Network},
};

/// What is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockName(String);

impl LockName {
    /// All work on one attachment.
    pub fn attachment(tag: &OwnerTag) -> Self {
        Self(format!("attachment {}", tag.digits(32)))
    }

    /// Joining, leaving, making and removing one network of one vswitch; `None` when there is nothing to share.
    pub fn network(engine: &EngineAt, network: &Network) -> Option<Self> {
        match network {
            Network::Bridge(bridge) => Some(Self(format!("{} bridge {}", engine.kind, bridge.name))),
            // VPP's interfaces of one routing table share the gateway's addresses; the kernel's have their own.
            Network::Routed { vrf } if engine.kind == EngineKind::Vpp => {
                Some(Self(format!("{} vrf {vrf}", engine.kind)))
            }
            Network::None | Network::Routed { .. } => None,
        }
    }

    /// Making and removing a container's directory.
    pub fn directory(dir: &SharedDir) -> Self {
        Self(format!("directory {}", dir.dir.display()))
    }

    /// Changing a pod's annotations. The API takes one change at a time, and refuses the others.
    pub fn pod(pod: &PodRef) -> Self {
        Self(format!("pod {}/{}", pod.namespace, pod.name))
    }

    fn offset(&self) -> i64 {
        let hash = Sha256::digest(self.0.as_bytes());
        let first = std::array::from_fn(|i| hash[i]);
        (u64::from_be_bytes(first) >> 2) as i64
    }
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    // Closing the description lets go.
    _file: File,
}

impl Lock {
    /// Takes the lock `name` of `state_dir`, waiting until the deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] when another process keeps it, [`ErrorKind::Io`] when the file cannot be opened.
    pub async fn take(cx: Cx, state_dir: &Path, name: &LockName) -> Result<Self, EngineError> {
        let path = state_dir.join("lock");
        let failed = |error: io::Error| {
            EngineError::new(ErrorKind::Io, format!("open the lock file {path:?}")).because(error)
        };
        let file = open(&path).map_err(failed)?;
        // A child inherits it, and so an IPAM plugin keeps the lock when this process is killed: a DEL then waits for its end, or the
        // plugin would write its lease after that DEL had looked for one.
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| failed(errno.into()))?;
        let mut pause = Duration::from_micros(200);
        while !try_lock(&file, name.offset()).map_err(|errno| failed(errno.into()))? {
            if cx.remaining() < pause {
                let doing = format!("wait for the lock of {}", name.0);
                return Err(EngineError::new(ErrorKind::TimedOut, doing));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(10));
        }
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    match (options.open(path), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            options.open(path)
        }
        (opened, _) => opened,
    }
}

fn try_lock(file: &File, offset: i64) -> nix::Result<bool> {
    let range = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset,
        l_len: 1,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> LockName {
        LockName(text.to_owned())
    }

    #[tokio::test]
    async fn a_lock_excludes_its_own_name_only() {
        let dir = tempfile::tempdir().unwrap();
        let soon = || Cx::within(Duration::from_millis(20));
        let held = Lock::take(soon(), dir.path(), &name("a")).await.unwrap();
        Lock::take(soon(), dir.path(), &name("b")).await.unwrap();
        let error = Lock::take(soon(), dir.path(), &name("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(held);
        Lock::take(soon(), dir.path(), &name("a")).await.unwrap();
    }
}
