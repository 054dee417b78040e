//! The listening socket of a memif's master: a file, or a name in a network namespace. It is there, and accepts nobody.

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::{FileTypeExt, PermissionsExt},
            net::{SocketAddr, UnixListener, UnixStream},
        },
    },
    thread,
};

use nix::sched::{CloneFlags, setns};

use super::Release;

/// `sun_path` without its NUL, and one less.
const MAX_PATH: usize = 106;
/// The same without the NUL that begins an abstract name.
const MAX_NAME: usize = 105;

/// How VPP 23.06 and later begin a socket that has a kind (`clib_socket_type_data` of vppinfra/socket.c).
const PREFIXES: [&str; 3] = ["unix:", "tcp:", "abstract:"];

/// Whether VPP takes that as it is, and not for a file in its own directory.
pub(crate) fn is_whole(text: &str, release: Release) -> bool {
    let has_kind = match release >= Release::V23_06 {
        true => PREFIXES.iter().any(|prefix| text.starts_with(prefix)),
        false => text.starts_with('@'),
    };
    has_kind || text.starts_with('/')
}

/// Listens at what a socket's number stands for, if VPP could.
pub(crate) fn listen(text: &str, release: Release) -> Option<UnixListener> {
    match text.strip_prefix("abstract:").filter(|_| release >= Release::V23_06) {
        Some(text) => at_name(text),
        None => at_path(text, release),
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/_.-".contains(&byte)
}

/// What a text begins with, as far as VPP reads it, and the rest.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().position(|byte| !is_plain(byte)).unwrap_or(text.len()))
}

fn at_name(text: &str) -> Option<UnixListener> {
    let (name, options) = word(text);
    if name.len() > MAX_NAME {
        return None;
    }
    let netns = if options.is_empty() || options == "," {
        None
    } else {
        Some(fs::File::open(namespace(options)?).ok()?)
    };
    let address = SocketAddr::from_abstract_name(name).ok()?;
    // A thread of its own: only that one changes its namespace.
    let listen = move || {
        if let Some(netns) = netns {
            setns(netns, CloneFlags::CLONE_NEWNET).ok()?;
        }
        UnixListener::bind_addr(&address).ok()
    };
    thread::spawn(listen).join().ok()?
}

/// The one option that VPP takes, in either form.
fn namespace(options: &str) -> Option<String> {
    let path = match (options.strip_prefix(",netns_name="), options.strip_prefix(",netns_pid=")) {
        (Some(name), _) if name.starts_with('/') => name.to_owned(),
        (Some(name), _) => format!("/var/run/netns/{name}"),
        (None, Some(pid)) => format!("/proc/{}/ns/net", pid.parse::<u32>().ok()?),
        (None, None) => return None,
    };
    path.bytes().all(is_plain).then_some(path)
}

/// A stale socket is replaced; a living one and any other file are in the way.
fn at_path(path: &str, release: Release) -> Option<UnixListener> {
    let is_plain = path.bytes().all(is_plain);
    if release >= Release::V23_06 && (!is_plain || path.len() > MAX_PATH) {
        return None;
    }
    let path = path.get(..path.len().min(MAX_PATH + 1))?;
    if let Ok(there) = fs::symlink_metadata(path) {
        if !there.file_type().is_socket() || UnixStream::connect(path).is_ok() {
            return None;
        }
        fs::remove_file(path).ok()?;
    }
    let listener = UnixListener::bind(path).ok()?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o775)).ok()?;
    Some(listener)
}
