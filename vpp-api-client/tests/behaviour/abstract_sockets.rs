//! memif: sockets that are names in a network namespace.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::mpsc::{Sender, channel},
    thread,
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::gettid,
};
use vpp_api_client::{messages::memif::MemifCreateV2, types::MemifRole};

use crate::{at::At, memifs::delete};

/// A network namespace, as long as this value lives.
struct Namespace {
    /// The thread in it, as proc(5) shows it.
    thread: PathBuf,
    _end: Sender<()>,
}

impl Namespace {
    /// None when this process may not make one.
    fn new() -> Option<Self> {
        let (tell, told) = channel();
        let (end, ended) = channel::<()>();
        thread::spawn(move || {
            let made = unshare(CloneFlags::CLONE_NEWNET).ok().map(|()| gettid());
            tell.send(made).unwrap();
            // It is there while a thread is in it.
            let _ = ended.recv();
        });
        let thread = told.recv().unwrap()?;
        Some(Self { thread: format!("/proc/{}/task/{thread}", process::id()).into(), _end: end })
    }

    /// Whether somebody listens at that name in it.
    fn is_listened_at(&self, name: &str) -> bool {
        is_listed(&self.thread.join("net/unix"), name)
    }
}

/// The same in the namespace of this process.
fn is_listened_at(name: &str) -> bool {
    is_listed(Path::new("/proc/self/net/unix"), name)
}

/// The kernel prints an abstract name's NUL as `@` (proc_pid_net(5)).
fn is_listed(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap();
    text.lines().any(|line| line.rsplit(' ').next() == Some(&format!("@{name}")))
}

/// What a master on that socket is answered with; then all is forgotten.
async fn listen(at: &At, text: &str) -> i32 {
    assert_eq!(at.socket(41, Some(text)).await, 0, "{text}");
    let (retval, index) = at.memif(41, |_| {}).await;
    if retval == 0 {
        delete(at, index).await;
    }
    assert_eq!(at.socket(41, None).await, 0, "{text}");
    retval
}

fn name(at: &At, word: &str) -> String {
    format!("vpp-api-{}-{}-{word}", u8::from(at.is_real), process::id())
}

pub(crate) async fn names_without_files(at: &At) {
    // Older releases make files of these.
    if !at.vpp.knows::<MemifCreateV2>() {
        return;
    }
    let name = name(at, "a");
    let text = format!("abstract:{name}");
    assert_eq!(at.socket(42, Some(&text)).await, 0);
    assert!(!is_listened_at(&name), "nobody is on it");
    let (retval, index) = at.memif(42, |_| {}).await;
    assert_eq!((retval, is_listened_at(&name)), (0, true));
    assert_eq!(listen(at, &text).await, -14, "somebody has the name");
    assert_eq!(at.socket(42, Some(&format!("{text}b"))).await, -116);
    delete(at, index).await;
    assert!(!is_listened_at(&name));
    assert_eq!(at.socket(42, None).await, 0);
    let fill = |length: usize| format!("abstract:{}", name.clone() + &"x".repeat(length - name.len()));
    for (text, expected) in [
        (fill(105), 0),
        (fill(106), -14),
        (format!("{text}~"), -14),
        (format!("{text},"), 0),
        (format!("{text},else=1"), -14),
        (format!("{text}-_./"), 0),
    ] {
        assert_eq!(listen(at, &text).await, expected, "{text}");
    }
}

pub(crate) async fn names_in_a_namespace(at: &At) {
    let Some(there) = Namespace::new().filter(|_| at.vpp.knows::<MemifCreateV2>()) else { return };
    let (name, path) = (name(at, "b"), there.thread.join("ns/net"));
    let path = path.display();
    let text = format!("abstract:{name},netns_name={path}");
    // What VPP cannot read behind a namespace that is there is not tried: it then enters that one and stays (up to 26.06 at least).
    for (wrong, expected) in [
        (format!("abstract:{name},netns_name=/nowhere"), -14),
        (format!("abstract:{name},netns_name=/dev/null"), -14),
        (format!("abstract:{name},netns_name=no-such-name"), -14),
        (format!("abstract:{name},netns_pid=x"), -14),
        (format!("abstract:{name},netns_pid={}", process::id()), 0),
    ] {
        assert_eq!(listen(at, &wrong).await, expected, "{wrong}");
    }
    assert_eq!(at.socket(43, Some(&text)).await, 0);
    let (retval, index) = at.memif(43, |_| {}).await;
    assert_eq!((retval, there.is_listened_at(&name), is_listened_at(&name)), (0, true, false));
    // VPP has come back from there.
    assert_eq!(at.socket(44, Some(&format!("abstract:{name}"))).await, 0);
    let (retval, second) = at.memif(44, |_| {}).await;
    assert_eq!((retval, is_listened_at(&name)), (0, true));
    for (index, socket) in [(index, 43), (second, 44)] {
        delete(at, index).await;
        assert_eq!(at.socket(socket, None).await, 0);
    }
    assert!(!there.is_listened_at(&name) && !is_listened_at(&name));
    // A slave looks for its peer later.
    assert_eq!(at.socket(43, Some(&format!("abstract:{name},netns_name=/nowhere"))).await, 0);
    let (retval, index) = at.memif(43, |memif| memif.role = MemifRole::SLAVE).await;
    assert_eq!(retval, 0);
    delete(at, index).await;
    assert_eq!(at.socket(43, None).await, 0);
}
