//! A directory that the host shares with one container: a file for each half, `configData-<id12>-<interface>.json`.
//!
//! The container can write to it, so it is hostile: files are opened beneath a directory handle, never through a link, and only
//! regular files of a bounded size are read.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::PathBuf,
};

use async_trait::async_trait;
use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{OFlag, renameat},
    sys::stat::{FileStat, Mode, SFlag, fstat},
};

use super::RemoteStore;
use crate::{
    beneath::{make_dir, open_dir, open_file, remove_dir, remove_file},
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    half::ContainerHalf,
    id::AttachmentId,
    plan::{SharedDir, short},
};

mod view;

pub use self::view::DirView;

/// A half is below 4 KiB; this leaves room for what a later version adds.
const MAX_FILE: u64 = 256 * 1024;
/// More files than a container has interfaces.
const MAX_FILES: usize = 1024;
/// Whatever else a container has put there: more would take too long to list.
const MAX_ENTRIES: usize = 65_536;

/// The host's end of a container's directory.
#[derive(Debug, Clone)]
pub struct DirStore {
    dir: PathBuf,
    is_kept: bool,
}

impl DirStore {
    /// The store in `dir`, whose parents only root can write to. It is made when the first half is published, and removed with
    /// the last.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), is_kept: false }
    }

    /// The store in a container's directory. One that is a volume stays when its last half has gone.
    pub fn of(shared: &SharedDir) -> Self {
        Self { dir: shared.dir.clone(), is_kept: shared.is_volume }
    }

    fn failed(&self, doing: &str, error: impl Into<io::Error>) -> EngineError {
        EngineError::new(ErrorKind::Io, format!("{doing} {:?}", self.dir)).because(error.into())
    }
}

#[async_trait]
impl RemoteStore for DirStore {
    async fn publish(&self, _cx: Cx, half: &ContainerHalf) -> Result<(), EngineError> {
        fault::point("before publish")?;
        let failed = |error: io::Error| self.failed("publish the container's half in", error);
        let dir = match open_dir(&self.dir).map_err(|errno| failed(errno.into()))? {
            Some(dir) => dir,
            None => make_dir(&self.dir).map_err(failed)?,
        };
        let name = file_name(&half.attachment);
        if let Some(other) = of_another(&dir, &name, &half.attachment) {
            let doing = format!("publish the container's half in {:?} (it is that of {other})", self.dir);
            return Err(EngineError::new(ErrorKind::Conflict, doing));
        }
        replace(&dir, &name, half).map_err(failed)?;
        fault::point("after publish")
    }

    async fn withdraw(&self, _cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
        fault::point("before withdraw")?;
        let failed = |errno: Errno| self.failed("withdraw the container's half from", errno);
        let Some(dir) = open_dir(&self.dir).map_err(failed)? else {
            return Ok(());
        };
        let name = file_name(id);
        if of_another(&dir, &name, id).is_none() {
            for file in [draft(&name), name] {
                if !remove_file(&dir, &file).map_err(failed)? {
                    tracing::warn!(dir = ?self.dir, file, "the container made a directory there, which stays");
                }
            }
        }
        drop(dir);
        if !self.is_kept {
            remove_dir(&self.dir);
        }
        fault::point("after withdraw")
    }

    async fn is_published(&self, _cx: Cx, id: &AttachmentId) -> Result<bool, EngineError> {
        let failed = |error: io::Error| self.failed("look for the container's half in", error);
        let Some(dir) = open_dir(&self.dir).map_err(|errno| failed(errno.into()))? else {
            return Ok(false);
        };
        match read_file(&dir, &file_name(id)) {
            Ok(text) => Ok(ContainerHalf::from_json(&text).is_ok_and(|half| half.attachment == *id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Refuses sockets that another half in the directory has: of a sibling interface, or of a container whose id begins alike.
///
/// # Errors
/// [`ErrorKind::Conflict`]; [`ErrorKind::Io`] when the directory cannot be read.
pub fn refuse_used(shared: &SharedDir, id: &AttachmentId) -> Result<(), EngineError> {
    let failed = |error: io::Error| {
        let doing = format!("look for other halves in {:?}", shared.dir);
        EngineError::new(ErrorKind::Io, doing).because(error)
    };
    let Some(dir) = open_dir(&shared.dir).map_err(|errno| failed(errno.into()))? else {
        return Ok(());
    };
    for name in names(&dir).map_err(failed)? {
        // What cannot be read has no say: the container may have written it.
        let Some(half) = read_file(&dir, &name).ok().and_then(|text| ContainerHalf::from_json(&text).ok())
        else {
            continue;
        };
        let socket = half.socket().filter(|socket| shared.sockets.iter().any(|ours| ours == socket));
        if let Some(socket) = socket.filter(|_| half.attachment != *id) {
            let doing =
                format!("use the socket {socket:?} in {:?} (it is that of {})", shared.dir, half.attachment);
            return Err(EngineError::new(ErrorKind::Conflict, doing));
        }
    }
    Ok(())
}

/// The name of a half's file, which is the Go plugins'.
pub fn file_name(id: &AttachmentId) -> String {
    format!("configData-{}-{}.json", short(&id.container), id.interface)
}

fn draft(name: &str) -> String {
    format!(".{name}.tmp")
}

/// Whose half the file is, when it is another container's: the first twelve characters of two ids can be the same.
fn of_another(dir: &OwnedFd, name: &str, id: &AttachmentId) -> Option<AttachmentId> {
    let text = read_file(dir, name).ok()?;
    let found = ContainerHalf::from_json(&text).ok()?.attachment;
    (found.container != id.container).then_some(found)
}

fn replace(dir: &OwnedFd, name: &str, half: &ContainerHalf) -> io::Result<()> {
    let mode = if half.is_secret() { 0o600 } else { 0o644 };
    let draft = draft(name);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let create = || open_file(dir, &draft, flags, Mode::from_bits_truncate(mode));
    let file = match create() {
        // A kill left one, or the container made one: its own content is of no interest.
        Err(Errno::EEXIST) => {
            remove_file(dir, &draft)?;
            create()?
        }
        created => created?,
    };
    File::from(file).write_all(&half.to_json())?;
    renameat(dir, draft.as_str(), dir, name)?;
    Ok(())
}

fn names(dir: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut entries = Dir::openat(dir, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    for (count, entry) in entries.iter().enumerate() {
        // What is left out would look withdrawn.
        if names.len() > MAX_FILES || count > MAX_ENTRIES {
            let reason = format!("has more than {MAX_FILES} documents or {MAX_ENTRIES} files");
            return Err(io::Error::other(reason));
        }
        if let Ok(name) = entry?.file_name().to_str()
            && name.starts_with("configData-")
            && name.ends_with(".json")
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn read_file(dir: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    read_if(dir, name, |_| Ok(()))
}

/// The file's content, when `accepted` says nothing against what it is.
fn read_if(
    dir: &OwnedFd,
    name: &str,
    accepted: impl FnOnce(&FileStat) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    let file = open_file(dir, name, OFlag::O_RDONLY, Mode::empty())?;
    let found = fstat(&file)?;
    let regular = SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFREG;
    if !regular || found.st_nlink > 1 {
        return Err(io::Error::other("is not a regular file with one name"));
    }
    accepted(&found)?;
    let mut text = Vec::new();
    File::from(file).take(MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("is larger than {MAX_FILE} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
        time::Duration,
    };

    use super::*;
    use crate::{
        remote::RemoteView,
        testing::{halves, stores},
    };

    fn cx() -> Cx {
        Cx::within(Duration::from_millis(200))
    }

    #[tokio::test]
    async fn what_is_published_is_seen_until_withdrawn() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("shared/0123");
        let (store, view) = (DirStore::new(&dir), DirView::new(&dir));
        let empty = view.snapshot(cx(), None).await.unwrap();
        assert_eq!(empty.halves, []);
        let half = halves::memif("0123", "net1");
        store.publish(cx(), &half).await.unwrap();
        assert!(store.is_published(cx(), &half.attachment).await.unwrap());
        let seen = view.snapshot(cx(), Some(&empty.revision)).await.unwrap();
        assert_eq!(seen.halves, std::slice::from_ref(&half));
        let late = view.snapshot(cx(), Some(&seen.revision)).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
        store.withdraw(cx(), &half.attachment).await.unwrap();
        store.withdraw(cx(), &half.attachment).await.unwrap();
        assert!(!store.is_published(cx(), &half.attachment).await.unwrap());
        assert!(!dir.exists());
    }

    #[tokio::test]
    async fn a_directory_and_a_volume_conform() {
        let root = tempfile::tempdir().unwrap();
        let mut shared = SharedDir {
            dir: root.path().join("c"),
            link: root.path().join("links/0123"),
            sockets: Vec::new(),
            access: Default::default(),
            is_volume: false,
        };
        stores::run(cx(), &DirStore::of(&shared)).await;
        assert!(!shared.dir.exists());
        shared.is_volume = true;
        stores::run(cx(), &DirStore::of(&shared)).await;
        assert!(shared.dir.exists(), "a volume stays");
    }

    #[tokio::test]
    async fn a_sibling_stays() {
        let root = tempfile::tempdir().unwrap();
        let store = DirStore::new(root.path().join("c"));
        let (one, other) = (halves::memif("c", "net1"), halves::memif("c", "net10"));
        store.publish(cx(), &one).await.unwrap();
        store.publish(cx(), &other).await.unwrap();
        store.withdraw(cx(), &one.attachment).await.unwrap();
        assert!(store.is_published(cx(), &other.attachment).await.unwrap());
    }

    #[tokio::test]
    async fn another_containers_half_is_neither_replaced_nor_withdrawn() {
        let root = tempfile::tempdir().unwrap();
        let store = DirStore::new(root.path().join("0123456789ab"));
        let (one, other) = (halves::memif("0123456789abcd", "net1"), halves::memif("0123456789abef", "net1"));
        store.publish(cx(), &one).await.unwrap();
        let error = store.publish(cx(), &other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        store.withdraw(cx(), &other.attachment).await.unwrap();
        assert!(store.is_published(cx(), &one.attachment).await.unwrap());
    }

    #[tokio::test]
    async fn a_directory_in_the_halfs_place_does_not_stop_a_withdrawal() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("c");
        let half = halves::memif("c", "net1");
        fs::create_dir_all(dir.join(file_name(&half.attachment))).unwrap();
        let store = DirStore::new(&dir);
        assert_eq!(store.publish(cx(), &half).await.unwrap_err().kind(), ErrorKind::Io);
        store.withdraw(cx(), &half.attachment).await.unwrap();
        assert!(dir.exists());
    }

    #[tokio::test]
    async fn a_half_with_a_secret_is_for_root_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("c");
        let mut half = halves::memif("c", "net1");
        let mode = || {
            let file = dir.join(file_name(&halves::memif("c", "net1").attachment));
            fs::metadata(file).unwrap().permissions().mode() & 0o777
        };
        DirStore::new(&dir).publish(cx(), &half).await.unwrap();
        assert_eq!(mode(), 0o644);
        half.config.memif.as_mut().unwrap().secret = Some(crate::spec::Secret::new("s".to_owned()));
        DirStore::new(&dir).publish(cx(), &half).await.unwrap();
        assert_eq!(mode(), 0o600);
    }

    #[tokio::test]
    async fn a_hostile_directory_leads_nowhere() {
        let root = tempfile::tempdir().unwrap();
        let outside = root.path().join("outside");
        fs::write(&outside, "precious").unwrap();
        let dir = root.path().join("c");
        fs::create_dir(&dir).unwrap();
        let half = halves::memif("c", "net1");
        let name = file_name(&half.attachment);
        symlink(&outside, dir.join(draft(&name))).unwrap();
        symlink(&outside, dir.join(&name)).unwrap();
        DirStore::new(&dir).publish(cx(), &half).await.unwrap();
        assert_eq!(fs::read(&outside).unwrap(), b"precious");

        symlink(&outside, dir.join("configData-x-a.json")).unwrap();
        fs::hard_link(&outside, dir.join("configData-x-b.json")).unwrap();
        nix::unistd::mkfifo(&dir.join("configData-x-c.json"), Mode::S_IRWXU).unwrap();
        fs::write(dir.join("configData-x-d.json"), vec![b' '; MAX_FILE as usize + 1]).unwrap();
        fs::write(dir.join("configData-x-e.json"), "{").unwrap();
        fs::create_dir(dir.join("configData-x-f.json")).unwrap();
        let seen = DirView::new(&dir).snapshot(cx(), None).await.unwrap();
        assert_eq!(seen.halves, std::slice::from_ref(&half));
        assert_eq!(seen.rejected.len(), 6, "{:?}", seen.rejected);

        let elsewhere = root.path().join("elsewhere");
        symlink(&dir, &elsewhere).unwrap();
        let error = DirStore::new(&elsewhere).publish(cx(), &half).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
    }
}
