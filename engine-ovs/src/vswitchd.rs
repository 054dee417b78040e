//! Whether ovs-vswitchd is alive, found out without a trace: by the pid file that it keeps locked, and by its control socket.
//!
//! The database cannot tell: its rows keep what a dead one has written. The lock `ovs_vswitchd` that a living one holds there could, but
//! one that just comes back must not find it taken for a moment: it would tear its bridges down.

use std::{
    fs::{self, File},
    io,
    os::unix::{fs::MetadataExt, net::UnixDatagram},
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

/// Whether an ovs-vswitchd that has its files in `run_dir` is alive; `None` when it has them elsewhere.
pub(crate) fn is_alive(run_dir: &Path) -> Option<bool> {
    let locked = is_locked(&run_dir.join("ovs-vswitchd.pid"));
    if locked == Some(true) {
        return locked;
    }
    let controls = files(run_dir, "ovs-vswitchd");
    if controls.iter().any(|socket| is_listened_at(socket)) {
        return Some(true);
    }
    // One that was stopped takes its files along. Where its sibling's are, its own would be.
    let is_usual = run_dir.join("ovsdb-server.pid").exists() || !files(run_dir, "ovsdb-server").is_empty();
    (locked.is_some() || !controls.is_empty() || is_usual).then_some(false)
}

/// A datagram socket cannot connect to one of a stream: who listens does not hear of it, and a daemon that hangs keeps nobody waiting, but
/// the kernel tells whether there is one.
fn is_listened_at(socket: &Path) -> bool {
    let probe = UnixDatagram::unbound().and_then(|probe| probe.connect(socket));
    probe.is_err_and(|error| error.raw_os_error() == Some(libc::EPROTOTYPE))
}

/// What tells one ovs-vswitchd from the next in the same directory: each makes a pid file and a control socket of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Life(Vec<(PathBuf, u64, SystemTime)>);

/// The signs of the ovs-vswitchd that has its files in `run_dir`.
pub(crate) fn life(run_dir: &Path) -> Life {
    let mut paths = files(run_dir, "ovs-vswitchd");
    paths.push(run_dir.join("ovs-vswitchd.pid"));
    paths.sort();
    // An inode's number can be used again at once; the time cannot.
    let sign = |path: PathBuf| {
        let found = fs::symlink_metadata(&path).ok()?;
        let time = found.modified().ok()?;
        Some((path, found.ino(), time))
    };
    Life(paths.into_iter().filter_map(sign).collect())
}

/// Whether somebody has locked the file (fcntl(2): record locks); `None` when there is none.
fn is_locked(path: &Path) -> Option<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        opened => opened.ok()?,
    };
    let mut range = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_GETLK(&mut range)).ok()?;
    Some(range.l_type != libc::F_UNLCK as libc::c_short)
}

/// The control sockets of a daemon (ovs-appctl(8)): `NAME.PID.ctl`, or `NAME.ctl` where somebody has said so.
fn files(run_dir: &Path, daemon: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(run_dir).into_iter().flatten().flatten();
    let is_control = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(daemon) && name.ends_with(".ctl")
    };
    entries.map(|entry| entry.path()).filter(is_control).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_control_socket_that_answers_is_a_sign_of_life() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(is_alive(dir.path()), None, "its files are elsewhere");
        fs::write(dir.path().join("ovsdb-server.pid"), "7").unwrap();
        assert_eq!(is_alive(dir.path()), Some(false), "it was stopped");
        let socket = dir.path().join("ovs-vswitchd.8.ctl");
        let listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(is_alive(dir.path()), Some(true));
        drop(listener);
        fs::write(dir.path().join("ovs-vswitchd.pid"), "8").unwrap();
        assert_eq!(is_alive(dir.path()), Some(false), "it was killed");
    }

    #[test]
    fn another_life_has_other_signs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ovs-vswitchd.pid");
        fs::write(&path, "8").unwrap();
        let first = life(dir.path());
        assert_eq!(life(dir.path()), first);
        let draft = dir.path().join("draft");
        fs::write(&draft, "8").unwrap();
        fs::rename(&draft, &path).unwrap();
        assert_ne!(life(dir.path()), first);
    }

    #[test]
    fn a_pid_file_that_is_locked_is_a_sign_of_life() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ovs-vswitchd.pid");
        let file = File::create(&path).unwrap();
        let range = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        // Of the open file, since a process does not see record locks of its own.
        fcntl(&file, FcntlArg::F_OFD_SETLK(&range)).unwrap();
        assert_eq!(is_alive(dir.path()), Some(true));
        drop(file);
        assert_eq!(is_alive(dir.path()), Some(false));
    }
}
