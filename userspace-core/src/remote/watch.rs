//! Waits until a directory's content is another. The kernel's word wakes; what counts is what is read then.

use std::{io, path::Path, time::Duration};

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchMask};
use tokio::time::timeout;

use super::{Revision, Snapshot};
use crate::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
};

/// How long a change may go unnoticed of which the kernel says nothing: another host's on a network file system, a mount in the
/// directory's place.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Reads again and again until that is newer than `newer_than`; at once without one.
///
/// # Errors
/// Those of `read`; [`ErrorKind::TimedOut`] at the deadline.
pub(super) async fn until_newer(
    cx: Cx,
    dir: &Path,
    newer_than: Option<&Revision>,
    read: impl Fn() -> Result<Snapshot, EngineError>,
) -> Result<Snapshot, EngineError> {
    loop {
        // Before it is read, so that no change falls between.
        let mut watch = newer_than.and_then(|_| Watch::new(dir));
        let snapshot = read()?;
        if newer_than != Some(&snapshot.revision) {
            return Ok(snapshot);
        }
        let pause = BETWEEN_LOOKS.min(cx.remaining());
        if pause.is_zero() {
            let doing = format!("wait for a change in {dir:?}");
            return Err(EngineError::new(ErrorKind::TimedOut, doing));
        }
        match &mut watch {
            Some(watch) => drop(timeout(pause, watch.changed()).await),
            None => tokio::time::sleep(pause).await,
        }
    }
}

/// What the kernel tells of a directory.
struct Watch(EventStream<[u8; 1024]>);

impl Watch {
    /// Of `dir`, or of the nearest directory above it that is there. `None` when the user has as many as the kernel allows.
    fn new(dir: &Path) -> Option<Self> {
        let inotify =
            Inotify::init().inspect_err(|error| tracing::debug!(%error, "no inotify, looking instead"));
        let inotify = inotify.ok()?;
        let mut depth = 0;
        while let Some(path) = dir.ancestors().nth(depth) {
            match add(&inotify, path) {
                Ok(()) if depth == 0 => break,
                // It may have come since it was looked for.
                Ok(()) if add(&inotify, dir.ancestors().nth(depth - 1)?).is_ok() => depth -= 1,
                Ok(()) => break,
                Err(error) if is_absent(&error) => depth += 1,
                Err(_) => return None,
            }
        }
        inotify.into_event_stream([0; 1024]).ok().map(Self)
    }

    async fn changed(&mut self) {
        // The end and an error would come at once each time: the pause is the caller's then.
        if !matches!(self.0.next().await, Some(Ok(_))) {
            std::future::pending::<()>().await;
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn add(inotify: &Inotify, path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let changes = WatchMask::CREATE
        | WatchMask::CLOSE_WRITE
        | WatchMask::MOVE
        | WatchMask::DELETE
        | WatchMask::ATTRIB
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF;
    inotify.watches().add(path, changes | WatchMask::ONLYDIR).map(drop)
}
