//! Which network namespace is meant, remembered so that another one at the same path is not taken for it.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use nix::fcntl::OFlag;
use nix::sys::statfs::{FsType, NSFS_MAGIC, PROC_SUPER_MAGIC, fstatfs};
use serde::{Deserialize, Serialize};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A network namespace: its path, and what tells it from a later one at that path.
///
/// A namespace's inode number is unique while it lives; the boot id tells the numbers of two boots apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NetnsRef {
    /// Where the runtime keeps it (`CNI_NETNS`).
    pub path: PathBuf,
    /// The device that its inode is on.
    pub dev: u64,
    /// Its inode number.
    pub inode: u64,
    /// The boot in which it was seen.
    pub boot_id: String,
}

impl NetnsRef {
    /// Looks at the namespace at `path`.
    ///
    /// # Errors
    /// What opening it answered; [`io::ErrorKind::InvalidInput`] when the path is no namespace.
    pub fn inspect(path: &Path) -> io::Result<Self> {
        Self::open_at(path).map(|(_, found)| found)
    }

    /// Opens this very namespace.
    ///
    /// # Errors
    /// As [`Self::inspect`]; [`io::ErrorKind::NotFound`] when another is at its path by now.
    pub fn open(&self) -> io::Result<fs::File> {
        let (file, found) = Self::open_at(&self.path)?;
        if found.is_same(self) {
            return Ok(file);
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "another namespace is there by now"))
    }

    fn open_at(path: &Path) -> io::Result<(fs::File, Self)> {
        // Whatever is there instead, a FIFO too, must not block.
        let file = fs::OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
        let kind = fstatfs(&file)?.filesystem_type();
        if !is_namespace(kind) {
            let reason = "is not a network namespace";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let found = file.metadata()?;
        let found = Self { path: path.to_owned(), dev: found.dev(), inode: found.ino(), boot_id: boot_id()? };
        Ok((file, found))
    }

    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    /// What opening it answered.
    pub fn own() -> io::Result<Self> {
        Self::inspect(Path::new("/proc/thread-self/ns/net"))
    }

    /// Whether both are one namespace, whatever their paths.
    pub fn is_same(&self, other: &Self) -> bool {
        self.dev == other.dev && self.inode == other.inode && self.boot_id == other.boot_id
    }

    /// Whether the path still leads to this namespace. An error of any kind counts as no.
    pub fn is_alive(&self) -> bool {
        self.open().is_ok()
    }
}

/// Whether a namespace is still there.
#[derive(Debug)]
pub enum Presence {
    /// Its path leads to it.
    There,
    /// It is no more: the host has been started anew since, its path is gone from its directory, or leads to another namespace.
    Gone,
    /// Nothing can be said from here, for that reason.
    Unknown(io::Error),
}

impl NetnsRef {
    /// Whether the namespace is still there. To be gone must be certain: a caller may be in a container that sees only some of the host's
    /// directories, mounts and processes.
    pub fn presence(&self) -> Presence {
        match boot_id() {
            Ok(boot) if boot != self.boot_id => return Presence::Gone,
            Ok(_) => {}
            Err(error) => return Presence::Unknown(error),
        }
        let Err(error) = self.open() else {
            return Presence::There;
        };
        // A file that is no namespace may be one elsewhere, where it is mounted.
        if error.kind() != io::ErrorKind::NotFound {
            return Presence::Unknown(error);
        }
        let sees_it = match self.path.strip_prefix("/proc") {
            Ok(_) => sees_all_processes(),
            Err(_) => self.path.parent().is_some_and(Path::is_dir),
        };
        if sees_it { Presence::Gone } else { Presence::Unknown(error) }
    }
}

/// Whether this process is in the first process namespace, by the number that its inode always has (PROC_PID_INIT_INO of
/// linux/proc_ns.h).
fn sees_all_processes() -> bool {
    fs::metadata("/proc/self/ns/pid").is_ok_and(|found| found.ino() == 0xEFFF_FFFC)
}

/// Namespace files are on nsfs; kernels before 3.19 had them on proc.
fn is_namespace(kind: FsType) -> bool {
    kind == NSFS_MAGIC || kind == PROC_SUPER_MAGIC
}

/// The boot does not change while a process runs.
fn boot_id() -> io::Result<String> {
    static READ: OnceLock<String> = OnceLock::new();
    if let Some(id) = READ.get() {
        return Ok(id.clone());
    }
    let id = fs::read_to_string(BOOT_ID)?.trim_end().to_owned();
    Ok(READ.get_or_init(|| id).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespace_is_itself() {
        let own = NetnsRef::own().unwrap();
        let again = NetnsRef::inspect(Path::new("/proc/self/ns/net")).unwrap();
        assert!(own.is_same(&again));
        assert!(again.is_alive());
    }

    #[test]
    fn a_namespace_of_another_boot_or_inode_is_another() {
        let own = NetnsRef::own().unwrap();
        let mut other = own.clone();
        other.boot_id = "before".to_owned();
        assert!(!other.is_alive());
        let mut other = own.clone();
        other.inode += 1;
        assert!(!other.is_alive());
    }

    #[test]
    fn only_what_is_certainly_gone_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let own = NetnsRef::own().unwrap();
        let at = |path: &Path| NetnsRef { path: path.to_owned(), ..own.clone() };
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(own.presence(), Presence::There));
        assert!(matches!(at(&dir.path().join("x")).presence(), Presence::Gone));
        assert!(matches!(at(&dir.path().join("x/y")).presence(), Presence::Unknown(_)));
        assert!(matches!(at(&file).presence(), Presence::Unknown(_)));
        let earlier = NetnsRef { boot_id: "before".to_owned(), ..at(&file) };
        assert!(matches!(earlier.presence(), Presence::Gone));
    }

    #[test]
    fn a_file_is_no_namespace() {
        let error = NetnsRef::inspect(Path::new("/etc/passwd")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
