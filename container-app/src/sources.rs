//! Where the halves are found: the directory that the host shares with the container, and the pod's annotations. The directory comes
//! first: annotations may be late.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use tokio::time::sleep;
use userspace_core::{
    cx::Cx,
    engine::{EngineError, chain},
    half::ContainerHalf,
    id::AttachmentId,
    remote::{
        RemoteView, Revision, Snapshot,
        annotations::AnnotationsView,
        dir::{DirView, file_name},
    },
};

use crate::settings::{Select, Settings};

/// Where the Go plugins' pods have the shared directory.
pub(crate) const USUAL_DIR: &str = "/var/lib/cni/usrspcni";

/// How long after a source that cannot be read it is read again.
pub(crate) const BETWEEN_READS: Duration = Duration::from_secs(1);

/// How long one wait is, before it is waited again.
const ONE_WAIT: Duration = Duration::from_secs(3600);

/// All that was found at one time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// Where the halves' sockets are.
    pub(crate) dir: PathBuf,
    /// This container's halves that were chosen.
    pub(crate) halves: Vec<ContainerHalf>,
    /// Its others.
    pub(crate) others: Vec<ContainerHalf>,
    /// Where each document that is not one is, and why.
    pub(crate) rejected: Vec<(PathBuf, String)>,
    /// Why nobody can tell which halves are this container's.
    pub(crate) problem: Option<String>,
    revision: Option<(Revision, Option<Revision>)>,
}

impl Found {
    /// Whatever is found next is another.
    pub(crate) fn forget(&mut self) {
        self.revision = None;
    }
}

/// The sources, and what they had when they were last read.
pub(crate) struct Sources {
    typed_dir: Option<PathBuf>,
    trusted: Vec<u32>,
    select: Select,
    view: Option<DirView>,
    annotations: AnnotationsView,
    /// What a document of the directory that has become unreadable said before, by its place.
    known: BTreeMap<PathBuf, ContainerHalf>,
    /// What has been in the directory: an annotation says no more of it, as it may be of before its withdrawal.
    overruled: BTreeSet<AttachmentId>,
}

impl Sources {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            typed_dir: settings.dir.clone(),
            trusted: settings.trusted.clone(),
            select: settings.select.clone(),
            view: None,
            annotations: AnnotationsView::new(&settings.annotations),
            known: BTreeMap::new(),
            overruled: BTreeSet::new(),
        }
    }

    /// What is there now.
    pub(crate) async fn read(&mut self) -> Result<Found, EngineError> {
        let cx = Cx::within(ONE_WAIT);
        let view = self.view();
        let in_dir = view.snapshot(cx, None).await?;
        // The annotations are the second source: that they cannot be read does not close the first.
        let in_annotations = self.annotations.snapshot(cx, None).await;
        Ok(self.merge(view.dir().to_owned(), in_dir, in_annotations))
    }

    /// What is there once it is another than `last`.
    pub(crate) async fn changed(&mut self, last: &Found) -> Result<Found, EngineError> {
        loop {
            let (view, cx) = (self.view(), Cx::within(ONE_WAIT));
            if let Some((in_dir, in_annotations)) = last.revision.as_ref().filter(|_| view.dir() == last.dir)
            {
                tokio::select! {
                    _ = view.snapshot(cx, Some(in_dir)) => {}
                    () = annotated(&self.annotations, cx, in_annotations.as_ref()) => {}
                }
            }
            let found = self.read().await?;
            if found.dir != last.dir || found.revision != last.revision {
                return Ok(found);
            }
        }
    }

    /// The view of where the directory is now.
    fn view(&mut self) -> DirView {
        let mapped = || self.annotations.mapped_dir().ok().flatten();
        let dir = self.typed_dir.clone().or_else(mapped).unwrap_or_else(|| USUAL_DIR.into());
        let same = self.view.take().filter(|view| view.dir() == dir);
        let new = || self.trusted.iter().fold(DirView::new(&dir), |view, uid| view.trusting(*uid));
        let view = same.unwrap_or_else(new);
        self.view = Some(view.clone());
        view
    }

    fn merge(
        &mut self,
        dir: PathBuf,
        in_dir: Snapshot,
        in_annotations: Result<Snapshot, EngineError>,
    ) -> Found {
        let place = |half: &ContainerHalf| dir.join(file_name(&half.attachment));
        // Half-written, or written over by somebody else: what it said last holds until it can be read again, or is gone.
        let unreadable = in_dir.rejected.iter().filter_map(|(path, _)| self.known.get(path).cloned());
        let of_dir: Vec<ContainerHalf> = unreadable.chain(in_dir.halves).collect();
        self.known = of_dir.iter().map(|half| (place(half), half.clone())).collect();
        self.overruled.extend(of_dir.iter().map(|half| half.attachment.clone()));
        let mut rejected = in_dir.rejected;
        let annotated = in_annotations.map(|snapshot| {
            rejected.extend(snapshot.rejected);
            let told = snapshot.halves.into_iter().filter(|half| !self.overruled.contains(&half.attachment));
            (told.collect::<Vec<_>>(), snapshot.revision)
        });
        let (of_annotations, revision) = match annotated {
            Ok((halves, revision)) => (halves, Some(revision)),
            Err(error) => {
                rejected.push((PathBuf::from("annotations"), chain(&error)));
                (Vec::new(), None)
            }
        };
        let all = of_annotations.into_iter().chain(of_dir).map(|half| (half.attachment.clone(), half));
        let all: BTreeMap<AttachmentId, ContainerHalf> = all.collect();
        let revision = Some((in_dir.revision, revision));
        let found = Found { dir, rejected, revision, ..Found::default() };
        match self.select.choose(all.into_values().collect()) {
            Ok((halves, others)) => Found { halves, others, ..found },
            Err(problem) => Found { problem: Some(problem), ..found },
        }
    }
}

/// Comes when the annotations have changed; some time later when they could not be read.
async fn annotated(view: &AnnotationsView, cx: Cx, known: Option<&Revision>) {
    let is_read = known.is_some() && view.snapshot(cx, known).await.is_ok();
    if !is_read {
        sleep(BETWEEN_READS).await;
    }
}

impl Select {
    /// This container's halves: those that were chosen, and the others.
    fn choose(&self, halves: Vec<ContainerHalf>) -> Result<(Vec<ContainerHalf>, Vec<ContainerHalf>), String> {
        let is_ours = |half: &ContainerHalf| {
            let id = half.attachment.container.as_str();
            let by_id = self.container.as_ref().is_none_or(|ours| is_id(ours, id));
            // The Go plugins do not say which pod's a half is.
            let by_pod = match (&self.pod_uid, &half.pod_uid) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => true,
            };
            by_id && by_pod
        };
        let mut ours: Vec<_> = halves.into_iter().filter(is_ours).collect();
        let first = ours.first().map(|half| half.attachment.container.clone());
        if let Some(other) = ours.iter().find(|half| Some(&half.attachment.container) != first.as_ref()) {
            let first = first.map(|id| id.to_string()).unwrap_or_default();
            return Err(format!(
                "there are halves of several containers ({first}, {}, …): --container-id or POD_UID chooses one",
                other.attachment.container
            ));
        }
        // net2 before net10: the ports of an application have this order.
        ours.sort_by_key(|half| {
            (half.attachment.interface.as_str().len(), half.attachment.interface.clone())
        });
        let twice = ours.windows(2).find(|two| two[0].attachment.interface == two[1].attachment.interface);
        if let Some([one, other]) = twice {
            let [one, other] = [&one.attachment, &other.attachment];
            return Err(format!("two halves have one interface name: {one}, and {other}"));
        }
        let is_chosen = |half: &ContainerHalf| {
            self.interfaces.is_empty() || self.interfaces.contains(&half.attachment.interface)
        };
        Ok(ours.into_iter().partition(is_chosen))
    }
}

/// The id, or as much of it as runtimes show and the Go plugins name files by.
fn is_id(typed: &str, id: &str) -> bool {
    typed == id || (typed.len() >= 12 && id.starts_with(typed))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use userspace_core::testing::halves;

    use super::*;

    fn chosen(select: &Select, halves: &[ContainerHalf]) -> Result<Vec<String>, String> {
        let (chosen, _) = select.choose(halves.to_vec())?;
        Ok(chosen.iter().map(|half| half.attachment.to_string()).collect())
    }

    #[test]
    fn one_container_is_chosen_of_several() {
        let of_pod = |uid: &str, id: &str| ContainerHalf {
            pod_uid: Some(uid.to_owned()),
            ..halves::memif(id, "net1")
        };
        let all = [of_pod("uid-a", "0123456789abcdef"), of_pod("uid-b", "fedcba9876543210")];
        let problem = chosen(&Select::default(), &all).unwrap_err();
        assert!(problem.contains("0123456789abcdef") && problem.contains("--container-id"), "{problem}");
        let by = |container: Option<&str>, pod_uid: Option<&str>| Select {
            container: container.map(str::to_owned),
            pod_uid: pod_uid.map(str::to_owned),
            interfaces: Vec::new(),
        };
        let first = chosen(&by(Some("0123456789ab"), None), &all).unwrap();
        assert!(first.len() == 1 && first[0].contains("0123456789abcdef"), "{first:?}");
        assert_eq!(chosen(&by(None, Some("uid-a")), &all).unwrap(), first);
        assert_eq!(chosen(&by(Some("0123"), None), &all).unwrap(), [""; 0], "too little to be sure");
        assert_eq!(chosen(&by(None, Some("uid-c")), &all).unwrap(), [""; 0]);
    }

    #[test]
    fn only_the_named_interfaces_count() {
        let all = [halves::memif("c", "net1"), halves::memif("c", "net2")];
        let select = Select { interfaces: vec!["net2".parse().unwrap()], ..Select::default() };
        let chosen = chosen(&select, &all).unwrap();
        assert!(chosen.len() == 1 && chosen[0].contains("net2"), "{chosen:?}");
        let mut other = halves::memif("c", "net1");
        other.attachment.network = "other".parse().unwrap();
        let problem = Select::default().choose(vec![all[0].clone(), other]).unwrap_err();
        assert!(problem.contains("one interface name"), "{problem}");
    }

    fn sources(dir: &Path, annotations: &Path) -> Sources {
        Sources {
            typed_dir: Some(dir.to_owned()),
            annotations: AnnotationsView::new(annotations),
            trusted: Vec::new(),
            select: Select::default(),
            view: None,
            known: BTreeMap::new(),
            overruled: BTreeSet::new(),
        }
    }

    #[tokio::test]
    async fn the_directory_comes_before_the_annotations() {
        let root = tempfile::tempdir().unwrap();
        let (dir, annotations) = (root.path().join("shared"), root.path().join("annotations"));
        let mut sources = sources(&dir, &annotations);
        let mut half = halves::memif("c", "net1");
        half.config.mtu = Some(1400);
        let list = format!("[{}]", String::from_utf8(half.to_json()).unwrap());
        std::fs::write(&annotations, format!("userspace/configuration-data={list:?}\n")).unwrap();
        let found = sources.read().await.unwrap();
        assert_eq!(found.halves, [half.clone()]);
        half.config.mtu = Some(9000);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join(file_name(&half.attachment)), half.to_json()).unwrap();
        let found = sources.changed(&found).await.unwrap();
        assert_eq!(found.halves, [half.clone()]);
        // The annotation is still there for a while: what it says is of before.
        std::fs::remove_file(dir.join(file_name(&half.attachment))).unwrap();
        let found = sources.changed(&found).await.unwrap();
        assert_eq!(found.halves, []);
    }

    #[tokio::test]
    async fn annotations_that_cannot_be_read_do_not_close_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let mut sources = sources(root.path(), root.path());
        let half = halves::memif("c", "net1");
        std::fs::write(root.path().join(file_name(&half.attachment)), half.to_json()).unwrap();
        let found = sources.read().await.unwrap();
        assert_eq!((found.halves.as_slice(), found.rejected.len()), ([half].as_slice(), 1));
    }

    #[tokio::test]
    async fn what_cannot_be_read_for_a_while_is_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let mut sources = sources(root.path(), &root.path().join("annotations"));
        let half = halves::memif("c", "net1");
        let file = root.path().join(file_name(&half.attachment));
        std::fs::write(&file, half.to_json()).unwrap();
        assert_eq!(sources.read().await.unwrap().halves, std::slice::from_ref(&half));
        std::fs::write(&file, "{\"containerId\":").unwrap();
        let found = sources.read().await.unwrap();
        assert_eq!((found.halves.as_slice(), found.rejected.len()), ([half.clone()].as_slice(), 1));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(sources.read().await.unwrap().halves, []);
        std::fs::write(&file, "{").unwrap();
        assert_eq!(sources.read().await.unwrap().halves, [], "it has been withdrawn");
    }
}
