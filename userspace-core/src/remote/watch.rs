//! Waits until a directory's content is another. The kernel's word wakes; what counts is what is read then.

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchDescriptor, WatchMask};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use super::{Revision, Snapshot};
use crate::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
};

/// How long a change may go unnoticed of which the kernel says nothing: another host's on a network file system, a mount in the
/// directory's place.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// The pause after a wake that brought nothing new, doubled each time up to [`BETWEEN_LOOKS`]: whoever can write to the directory could
/// otherwise keep its reader busy. A publication makes a draft first, and must not wait long for the second look.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// A view's ear. Clones share it: to close one takes the kernel some 10 ms, so that it lives as long as its view.
#[derive(Clone, Default)]
pub(super) struct Watcher(Arc<Mutex<Option<Watch>>>);

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}

impl Watcher {
    /// Reads again and again until that is newer than `newer_than`; at once without one.
    ///
    /// # Errors
    /// Those of `read`; [`ErrorKind::TimedOut`] at the deadline.
    pub(super) async fn until_newer(
        &self,
        cx: Cx,
        dir: &Path,
        newer_than: Option<&Revision>,
        read: impl Fn() -> Result<Snapshot, EngineError>,
    ) -> Result<Snapshot, EngineError> {
        let Some(known) = newer_than else { return read() };
        let mut slot = self.0.lock().await;
        let mut pause = FIRST_PAUSE;
        loop {
            // Before it is read, so that no change falls between.
            let watch = match slot.take() {
                Some(watch) => Some(watch),
                None => Watch::new(),
            };
            *slot = watch.and_then(|watch| watch.at(dir));
            let snapshot = read()?;
            if snapshot.revision != *known {
                return Ok(snapshot);
            }
            let left = cx.remaining();
            if left.is_zero() {
                let doing = format!("wait for a change in {dir:?}");
                return Err(EngineError::new(ErrorKind::TimedOut, doing));
            }
            let word = async {
                match slot.as_mut() {
                    Some(watch) => watch.changed().await,
                    None => std::future::pending().await,
                }
            };
            if timeout(BETWEEN_LOOKS.min(left), word).await.is_ok() {
                sleep(pause.min(left)).await;
                pause = (pause * 2).min(BETWEEN_LOOKS);
            }
        }
    }
}

/// What the kernel tells of a directory.
struct Watch {
    events: EventStream<[u8; 1024]>,
    /// The directory above it that is watched while it is not there.
    above: Option<WatchDescriptor>,
}

impl Watch {
    /// `None` when the user has as many as the kernel allows.
    fn new() -> Option<Self> {
        let opened = Inotify::init().and_then(|inotify| inotify.into_event_stream([0; 1024]));
        let events =
            opened.inspect_err(|error| tracing::debug!(%error, "no inotify, looking instead")).ok()?;
        Some(Self { events, above: None })
    }

    /// Set at `dir`, or at the nearest directory above it that is there. What is watched already stays as it is.
    fn at(mut self, dir: &Path) -> Option<Self> {
        if let Some(above) = self.above.take() {
            // It may be gone, and its watch with it.
            let _ = self.events.watches().remove(above);
        }
        let mut depth = 0;
        while let Some(path) = dir.ancestors().nth(depth) {
            match self.add(path) {
                Ok(_) if depth == 0 => break,
                // It may have come since it was looked for.
                Ok(_) if self.add(dir.ancestors().nth(depth - 1)?).is_ok() => depth -= 1,
                Ok(above) => {
                    self.above = Some(above);
                    break;
                }
                Err(error) if is_absent(&error) => depth += 1,
                Err(_) => return None,
            }
        }
        Some(self)
    }

    fn add(&mut self, path: &Path) -> io::Result<WatchDescriptor> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let changes = WatchMask::CREATE
            | WatchMask::CLOSE_WRITE
            | WatchMask::MOVE
            | WatchMask::DELETE
            | WatchMask::ATTRIB
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF;
        self.events.watches().add(path, changes | WatchMask::ONLYDIR)
    }

    async fn changed(&mut self) {
        // The end and an error would come at once each time: the pause is the caller's then.
        if !matches!(self.events.next().await, Some(Ok(_))) {
            std::future::pending::<()>().await;
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
