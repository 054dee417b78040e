//! A pod's annotations as the downward API shows them to a container: a file with a line `key="value"` each, in which the Go plugins'
//! readers find the halves and the directory of their sockets.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use nix::fcntl::OFlag;
use serde_json::Value;

use super::{Reading, RemoteView, Revision, Snapshot, watch::Watcher};
use crate::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
};

mod quoted;

/// The annotation with the halves: a JSON list of documents.
pub const DATA: &str = "userspace/configuration-data";
/// The annotation with the directory, as the container sees it, in which the sockets are.
pub const MAPPED_DIR: &str = "userspace/mapped-dir";

/// All annotations of an object together have at most 256 KiB (apimachinery, TotalAnnotationSizeLimitB); quoted, a byte is four at most.
const MAX_FILE: u64 = 1 << 20;

/// The container's end, in a file of the downward API.
#[derive(Debug, Clone)]
pub struct AnnotationsView {
    file: PathBuf,
    watcher: Watcher,
}

impl AnnotationsView {
    /// The view of `file`, which need not exist yet.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), watcher: Watcher::default() }
    }

    /// The directory of the sockets, when the annotations name one.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the file cannot be read.
    pub fn mapped_dir(&self) -> Result<Option<PathBuf>, EngineError> {
        let found = self.annotations().map_err(|error| self.failed(error))?;
        Ok(found.get(MAPPED_DIR).filter(|dir| !dir.is_empty()).map(PathBuf::from))
    }

    fn read(&self) -> io::Result<Snapshot> {
        let mut reading = Reading::default();
        let annotations = self.annotations()?;
        reading.note(annotations.get(MAPPED_DIR).map_or("", String::as_str));
        if let Some(text) = annotations.get(DATA) {
            match serde_json::from_str::<Vec<Value>>(text) {
                Ok(documents) => {
                    for (index, document) in documents.iter().enumerate() {
                        let place = self.file.join(format!("{DATA}[{index}]"));
                        reading.document(place, document.to_string().as_bytes(), |_| true);
                    }
                }
                Err(error) => reading.reject(self.file.join(DATA), format!("is no JSON list: {error}")),
            }
        }
        Ok(reading.finish())
    }

    /// Every line that is one.
    fn annotations(&self) -> io::Result<BTreeMap<String, String>> {
        let text = read_file(&self.file)?;
        let pairs = text.lines().filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            Some((key.to_owned(), quoted::unquote(value)?))
        });
        Ok(pairs.collect())
    }

    fn failed(&self, error: io::Error) -> EngineError {
        EngineError::new(ErrorKind::Io, format!("read the annotations in {:?}", self.file)).because(error)
    }
}

/// The kubelet writes it anew behind a link each time, so that links are followed.
fn read_file(path: &Path) -> io::Result<String> {
    let mut options = OpenOptions::new();
    let file = match options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        opened => opened?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    let mut text = String::new();
    if file.take(MAX_FILE + 1).read_to_string(&mut text)? as u64 > MAX_FILE {
        return Err(io::Error::other(format!("is larger than {MAX_FILE} bytes")));
    }
    Ok(text)
}

#[async_trait]
impl RemoteView for AnnotationsView {
    async fn snapshot(&self, cx: Cx, newer_than: Option<&Revision>) -> Result<Snapshot, EngineError> {
        let dir = self.file.parent().unwrap_or(Path::new("/"));
        let read = || self.read().map_err(|error| self.failed(error));
        self.watcher.until_newer(cx, dir, newer_than, read).await
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, time::Duration};

    use super::*;

    fn cx() -> Cx {
        Cx::within(Duration::from_secs(5))
    }

    const HALF: &str = r#"userspace/configuration-data="[{\"containerId\":\"c1\",\"ifName\":\"net1\",\"name\":\"n\",\"config\":{\"iftype\":\"memif\"}},{}]""#;

    #[tokio::test]
    async fn halves_and_directory_are_found_when_the_kubelet_swaps_the_link() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("annotations");
        let view = AnnotationsView::new(&file);
        let empty = view.snapshot(cx(), None).await.unwrap();
        assert_eq!((empty.halves.len(), view.mapped_dir().unwrap()), (0, None));
        let text = format!("a=\"b\"\n{HALF}\nuserspace/mapped-dir=\"/var/lib/cni/usrspcni/\"\n");
        let swap = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let data = root.path().join("..2026");
            fs::create_dir(&data).unwrap();
            fs::write(data.join("annotations"), text).unwrap();
            symlink("..2026", root.path().join("..data")).unwrap();
            symlink("..data/annotations", &file).unwrap();
        };
        let (seen, ()) = tokio::join!(view.snapshot(cx(), Some(&empty.revision)), swap);
        let seen = seen.unwrap();
        assert_eq!(seen.halves.len(), 1);
        assert_eq!(seen.halves[0].attachment.interface.as_str(), "net1");
        assert_eq!(seen.rejected.len(), 1, "{:?}", seen.rejected);
        assert_eq!(view.mapped_dir().unwrap(), Some(PathBuf::from("/var/lib/cni/usrspcni/")));
    }

    #[tokio::test]
    async fn what_is_no_such_file_is_an_error_and_no_wait() {
        let root = tempfile::tempdir().unwrap();
        let fifo = root.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let huge = root.path().join("huge");
        fs::write(&huge, vec![b'a'; MAX_FILE as usize + 1]).unwrap();
        for path in [fifo, huge, root.path().to_owned()] {
            let error = AnnotationsView::new(&path).snapshot(cx(), None).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{path:?}");
        }
        let garbage = root.path().join("garbage");
        fs::write(
            &garbage,
            "userspace/configuration-data=\"{\\\"a\\\":\nx\nuserspace/configuration-data=\"{}\"\n",
        )
        .unwrap();
        let seen = AnnotationsView::new(&garbage).snapshot(cx(), None).await.unwrap();
        assert!(seen.rejected[0].1.contains("no JSON list"), "{:?}", seen.rejected);
    }
}
