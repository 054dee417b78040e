//! Files in a directory that somebody else can write to: opened beneath a handle of it, never through a link.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    sys::stat::{Mode, SFlag, fstat, mkdirat},
    unistd::{UnlinkatFlags, unlinkat},
};

/// The directory itself. `None` when there is none: what is a link or a file in its place, or above it, is not ours.
pub(crate) fn open_dir(path: &Path) -> nix::Result<Option<OwnedFd>> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(dir) => Ok(Some(dir)),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The same, made when it is missing, with its parents.
pub(crate) fn make_dir(path: &Path) -> io::Result<OwnedFd> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
        let parent = open(parent, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let name = path.file_name().unwrap_or_default();
        match mkdirat(&parent, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let other = || io::Error::new(io::ErrorKind::NotADirectory, "something else is in its place");
    open_dir(path)?.ok_or_else(other)
}

/// Opens a file in the directory: no link on the way, no waiting for a fifo's other end.
pub(crate) fn open_file(dir: &OwnedFd, name: &str, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    let safe = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags | safe).mode(mode).resolve(
        ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS
            | ResolveFlag::RESOLVE_NO_XDEV,
    );
    openat2(dir.as_fd(), name, how)
}

/// A socket in the directory, as a handle that can be changed but not read. `None` when there is no file or one of another kind.
pub(crate) fn open_socket(dir: &OwnedFd, name: &str) -> nix::Result<Option<OwnedFd>> {
    // O_NONBLOCK does not go with O_PATH (open(2)).
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV);
    let file = match openat2(dir.as_fd(), name, how) {
        Ok(file) => file,
        Err(Errno::ENOENT | Errno::ELOOP) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let kind = SFlag::from_bits_truncate(fstat(&file)?.st_mode & SFlag::S_IFMT.bits());
    Ok((kind == SFlag::S_IFSOCK).then_some(file))
}

/// Removes a file in the directory; a directory in its place stays. Whether it is gone.
pub(crate) fn remove_file(dir: &OwnedFd, name: &str) -> nix::Result<bool> {
    match unlinkat(dir, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(true),
        Err(Errno::EISDIR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Removes the directory when nothing is in it.
pub(crate) fn remove_dir(path: &Path) {
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            tracing::debug!(dir = ?path, "the container's directory has other files in it and stays");
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            // A container runtime may have it mounted, and then removes it itself.
            tracing::debug!(dir = ?path, %error, "the container's directory stays");
        }
        _ => {}
    }
}
