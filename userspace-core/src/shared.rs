//! The directory that a container shares with the host: made, linked to, opened up for its users, and removed.
//!
//! The container can write to it, and the vswitch opens sockets in it by path. So the path that the vswitch gets leads through a
//! link in a directory that only root writes: what the container renames or links cannot change which directory is meant. The link's
//! path is short and plain, whatever the directory's is (docs/sockets.md).

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink},
    },
    path::Path,
};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket},
    unistd::{Gid, Uid},
};

use crate::{
    beneath::{make_dir, open_dir, open_socket, remove_dir, remove_file},
    engine::{EngineError, ErrorKind},
    plan::{Access, SharedDir},
};

/// Which sockets are removed with an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sockets {
    /// All that have its names.
    All,
    /// Those of them that nobody listens on.
    Dead,
}

/// Makes the directory and the link to it, lets its users in, and removes sockets that nobody listens on any more.
///
/// # Errors
/// [`ErrorKind::Io`]; [`ErrorKind::Invalid`] for a group that is not there, and where others than root could write to what is
/// above the directory or the link.
pub fn prepare(shared: &SharedDir) -> Result<(), EngineError> {
    let failed = failed("make the container's directory", &shared.dir);
    let dir = make_dir(&shared.dir).map_err(failed)?;
    if let Some(parent) = shared.dir.parent() {
        let key = if shared.is_volume { "the volume shared-dir" } else { "sharedDir" };
        refuse_writable(parent, 0o002, key)?;
    }
    let group = group(&shared.access)?;
    if !shared.is_volume {
        set_access(&dir, &shared.access, group, shared.access.mode).map_err(failed)?;
    }
    link(shared)?;
    for name in &shared.sockets {
        remove_dead(&dir, name).map_err(failed)?;
    }
    Ok(())
}

/// Removes the socket at `path` when nobody listens on it. What is no socket stays.
///
/// # Errors
/// [`ErrorKind::Conflict`] when somebody listens, [`ErrorKind::Io`].
pub fn remove_dead_socket(path: &Path) -> Result<(), EngineError> {
    let failed = failed("remove the socket", path);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    // The parent is our own link, or the vswitch's directory.
    let parent = File::open(parent).map(OwnedFd::from).map_err(failed)?;
    if remove_dead(&parent, name).map_err(failed)? {
        return Ok(());
    }
    let doing = format!("use the socket {path:?} (somebody listens on it)");
    Err(EngineError::new(ErrorKind::Conflict, doing))
}

/// Lets the users of the directory use the sockets that the vswitch has made in it.
///
/// # Errors
/// As [`prepare`].
pub fn open_up(shared: &SharedDir) -> Result<(), EngineError> {
    if shared.access == Access::default() {
        return Ok(());
    }
    let failed = failed("set owner, group and mode of the sockets in", &shared.dir);
    let group = group(&shared.access)?;
    let Some(dir) = open_dir(&shared.dir).map_err(|errno| failed(errno.into()))? else {
        return Ok(());
    };
    // To connect takes the right to write (unix(7)); execute bits have no meaning.
    let mode = shared.access.mode.map(|mode| mode & 0o666);
    for name in &shared.sockets {
        if let Some(socket) = open_socket(&dir, name).map_err(|errno| failed(errno.into()))? {
            set_access(&socket, &shared.access, group, mode).map_err(failed)?;
        }
    }
    Ok(())
}

/// Whether the link still leads to the directory.
pub fn is_linked(shared: &SharedDir) -> bool {
    fs::read_link(&shared.link).is_ok_and(|target| target == shared.dir) && shared.dir.is_dir()
}

/// Removes the link, the attachment's sockets, and the directory when nothing else is in it. Absence is success.
///
/// # Errors
/// [`ErrorKind::Io`]; the other parts have been removed.
pub fn remove(shared: &SharedDir, which: Sockets) -> Result<(), EngineError> {
    let failed = failed("remove the sockets from", &shared.dir);
    let mut all = Ok(());
    let is_ours = fs::symlink_metadata(&shared.link).is_ok_and(|found| found.is_symlink());
    match is_ours.then(|| fs::remove_file(&shared.link)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => all = Err(error),
        _ => {}
    }
    if let Some(dir) = open_dir(&shared.dir).map_err(|errno| failed(errno.into()))? {
        for name in &shared.sockets {
            let gone = match which {
                Sockets::All => remove_socket(&dir, name),
                Sockets::Dead => remove_dead(&dir, name).map(drop),
            };
            all = all.and(gone);
        }
        drop(dir);
        if !shared.is_volume {
            remove_dir(&shared.dir);
        }
    }
    all.map_err(failed)
}

fn remove_socket(dir: &OwnedFd, name: &str) -> io::Result<()> {
    match open_socket(dir, name)? {
        Some(_) => remove_file(dir, name).map(drop).map_err(Into::into),
        None => Ok(()),
    }
}

fn failed(doing: &str, path: &Path) -> impl Fn(io::Error) -> EngineError + Copy {
    move |error| EngineError::new(ErrorKind::Io, format!("{doing} {path:?}")).because(error)
}

/// The link in its root, which is made when it is missing.
fn link(shared: &SharedDir) -> Result<(), EngineError> {
    let failed = failed("link to the container's directory from", &shared.link);
    let root = shared.link.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o755).create(root).map_err(failed)?;
    refuse_writable(root, 0o022, "sockets.root")?;
    match symlink(&shared.dir, &shared.link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Of an earlier attachment of the same name: nobody else makes files here.
            if !is_linked(shared) {
                fs::remove_file(&shared.link).map_err(failed)?;
                symlink(&shared.dir, &shared.link).map_err(failed)?;
            }
            Ok(())
        }
        made => made.map_err(failed),
    }
}

/// Who can write to a directory decides what is meant by the names in it.
fn refuse_writable(dir: &Path, mode: u32, key: &str) -> Result<(), EngineError> {
    let found = fs::metadata(dir).map_err(failed("look at", dir))?;
    let trusted = found.uid() == 0 || found.uid() == Uid::effective().as_raw();
    if trusted && found.mode() & mode == 0 {
        return Ok(());
    }
    let doing = format!("use {dir:?} (\"{key}\": others than root can write to it)");
    Err(EngineError::new(ErrorKind::Invalid, doing))
}

/// Changes what is asked for on an open file, also on one that is open by its path alone.
fn set_access(
    file: &OwnedFd,
    access: &Access,
    group: Option<Gid>,
    mode: Option<u32>,
) -> Result<(), io::Error> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    if access.owner_uid.is_some() || group.is_some() {
        std::os::unix::fs::chown(&path, access.owner_uid, group.map(Gid::as_raw))?;
    }
    match mode {
        Some(mode) => fs::set_permissions(&path, Permissions::from_mode(mode)),
        None => Ok(()),
    }
}

/// A number, or a name of /etc/group. (The C library would load plugins for it, which a static binary cannot.)
fn group(access: &Access) -> Result<Option<Gid>, EngineError> {
    let Some(wanted) = &access.group else {
        return Ok(None);
    };
    if let Ok(number) = wanted.parse() {
        return Ok(Some(Gid::from_raw(number)));
    }
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(wanted.as_str());
        fields.nth(1).filter(|_| is_it)?.parse().ok()
    });
    match found {
        Some(number) => Ok(Some(Gid::from_raw(number))),
        None => {
            let doing =
                format!("find the group {wanted:?} in /etc/group (\"sockets.group\", \"vhost.group\")");
            Err(EngineError::new(ErrorKind::Invalid, doing))
        }
    }
}

/// Removes a socket that nobody listens on: its application was killed, and the next could not bind. One that is listened on stays.
/// Whether none is there now.
fn remove_dead(dir: &OwnedFd, name: &str) -> io::Result<bool> {
    let Some(found) = open_socket(dir, name)? else {
        return Ok(true);
    };
    // A datagram socket cannot connect to a stream's: the listener never hears of it, but the kernel tells whether there is one.
    let probe = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    match connect(probe.as_raw_fd(), &UnixAddr::new(path.as_str())?) {
        Err(Errno::ECONNREFUSED) => {
            tracing::info!(name, "removing a socket that nobody listens on");
            remove_file(dir, name).map_err(Into::into)
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    struct Place {
        shared: SharedDir,
        _root: tempfile::TempDir,
    }

    fn place() -> Place {
        let root = tempfile::tempdir().unwrap();
        let shared = SharedDir {
            dir: root.path().join("shared/c"),
            link: root.path().join("links/0123"),
            sockets: vec!["s".to_owned()],
            access: Access::default(),
            is_volume: false,
        };
        Place { shared, _root: root }
    }

    #[test]
    fn what_is_prepared_is_removed() {
        let Place { shared, _root } = place();
        prepare(&shared).unwrap();
        prepare(&shared).unwrap();
        assert!(is_linked(&shared));
        let listener = UnixListener::bind(shared.link.join("s")).unwrap();
        drop(listener);
        remove(&shared, Sockets::All).unwrap();
        remove(&shared, Sockets::All).unwrap();
        assert!(!shared.dir.exists() && !is_linked(&shared));
        assert!(shared.link.symlink_metadata().is_err());
    }

    #[test]
    fn what_is_not_ours_stays() {
        let Place { shared, _root } = place();
        prepare(&shared).unwrap();
        fs::write(shared.dir.join("s"), "no socket").unwrap();
        fs::write(shared.dir.join("other"), "").unwrap();
        prepare(&shared).unwrap();
        remove(&shared, Sockets::All).unwrap();
        assert_eq!(fs::read(shared.dir.join("s")).unwrap(), b"no socket");
    }

    #[test]
    fn a_dead_socket_goes_and_a_living_one_stays() {
        let Place { shared, _root } = place();
        prepare(&shared).unwrap();
        let path = shared.dir.join("s");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        prepare(&shared).unwrap();
        assert!(path.exists());
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "it was not disturbed");
        drop(listener);
        prepare(&shared).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn without_a_record_only_dead_sockets_go() {
        let Place { shared, _root } = place();
        prepare(&shared).unwrap();
        let path = shared.dir.join("s");
        let listener = UnixListener::bind(&path).unwrap();
        remove(&shared, Sockets::Dead).unwrap();
        assert!(path.exists());
        let error = remove_dead_socket(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        drop(listener);
        remove_dead_socket(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn its_users_are_let_in() {
        let Place { mut shared, _root } = place();
        shared.access =
            Access { owner_uid: Some(1234), group: Some("4321".to_owned()), mode: Some(0o2770 & 0o777) };
        prepare(&shared).unwrap();
        let _listener = UnixListener::bind(shared.dir.join("s")).unwrap();
        open_up(&shared).unwrap();
        for (path, mode) in [(shared.dir.clone(), 0o770), (shared.dir.join("s"), 0o660)] {
            let found = fs::metadata(&path).unwrap();
            assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (1234, 4321, mode), "{path:?}");
        }
        shared.access.group = Some("no-such-group".to_owned());
        let error = prepare(&shared).unwrap_err();
        assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("no-such-group"), "{error}");
    }

    #[test]
    fn a_volume_stays_as_it_is() {
        let Place { mut shared, _root } = place();
        shared.is_volume = true;
        shared.access = Access { owner_uid: Some(1234), group: None, mode: Some(0o700) };
        fs::create_dir_all(&shared.dir).unwrap();
        let before = fs::metadata(&shared.dir).unwrap();
        prepare(&shared).unwrap();
        let _listener = UnixListener::bind(shared.dir.join("s")).unwrap();
        open_up(&shared).unwrap();
        assert_eq!(fs::metadata(shared.dir.join("s")).unwrap().uid(), 1234, "its socket is ours");
        remove(&shared, Sockets::All).unwrap();
        let after = fs::metadata(&shared.dir).unwrap();
        assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
        assert_eq!(fs::read_dir(&shared.dir).unwrap().count(), 0);
    }

    #[test]
    fn a_link_in_a_sockets_place_is_not_followed() {
        let Place { mut shared, _root } = place();
        prepare(&shared).unwrap();
        let outside = _root.path().join("outside");
        let _listener = UnixListener::bind(&outside).unwrap();
        symlink(&outside, shared.dir.join("s")).unwrap();
        shared.access.mode = Some(0o777);
        let before = fs::metadata(&outside).unwrap().mode();
        open_up(&shared).unwrap();
        assert_eq!(fs::metadata(&outside).unwrap().mode(), before);
        remove(&shared, Sockets::All).unwrap();
        assert!(outside.exists());
    }

    #[test]
    fn what_others_write_to_is_refused() {
        for (key, path) in [("sockets.root", "links"), ("sharedDir", "shared")] {
            let Place { shared, _root } = place();
            let path = _root.path().join(path);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
            let error = prepare(&shared).unwrap_err();
            assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains(key), "{error}");
        }
    }
}
