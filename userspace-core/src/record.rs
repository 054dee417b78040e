//! What is remembered of an attachment on this host: the plan, and what the vswitch and IPAM answered.
//!
//! A record is written before the first effect of ADD and erased after the last of DEL. It is replaced by rename, so that a kill
//! leaves the old one or the new one. It is not synced to the disk: a kill does not lose the page cache, and after a loss of
//! power the marks in the vswitch and DEL's own configuration find everything (docs/decisions/0003-records-without-fsync.md).
//!
//! It may hold a memif secret: directory 0700, files 0600.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    engine::{EngineError, ErrorKind, Hint},
    id::{AttachmentId, NetworkName},
    ipam::Allocation,
    owner::{InstanceId, OwnerTag, network_digits},
    plan::Plan,
};

/// The version of the document; a record of another is treated as lost.
pub const VERSION: u32 = 1;

/// How many hex digits a record's file is named by; the last of them are the network's.
const NAME_DIGITS: usize = 32;

/// One attachment, remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
    /// What was to be made.
    pub plan: Plan,
    /// Where the host's half was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Hint>,
    /// What IPAM gave; none as long as it has not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<Allocation>,
    /// The network's configuration as it came: IPAM wants it back when the attachment goes.
    pub config: Value,
}

impl Record {
    /// A record before anything was made.
    pub fn new(plan: Plan, config: Value) -> Self {
        Self { version: VERSION, plan, host: None, allocation: None, config }
    }

    /// Whose it is.
    pub fn attachment(&self) -> &AttachmentId {
        &self.plan.owner.attachment
    }
}

/// The directory of the records (`stateDir`).
#[derive(Debug, Clone)]
pub struct RecordDir {
    state: PathBuf,
}

impl RecordDir {
    /// The records below `state_dir`, which need not exist yet.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self { state: state_dir.into() }
    }

    /// The state directory.
    pub fn state_dir(&self) -> &Path {
        &self.state
    }

    /// This installation's id: kept in the file `instance`. When that is lost or broken, the id of any record, or a new one.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the file can neither be read nor made.
    pub fn instance(&self) -> Result<InstanceId, EngineError> {
        let path = self.state.join("instance");
        let failed = |error| io_error("keep the instance id in", &path, error);
        let broken = match fs::read_to_string(&path) {
            Ok(text) => match text.trim_end().parse() {
                Ok(id) => return Ok(id),
                Err(_) => true,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        if broken {
            tracing::warn!(?path, "the instance id is broken and is made again");
            fs::remove_file(&path).map_err(failed)?;
        }
        self.draw_instance(&path).map_err(failed)
    }

    /// Whoever links its file into place first decides; the others read that one.
    fn draw_instance(&self, path: &Path) -> io::Result<InstanceId> {
        make_dir(&self.state)?;
        let mut random = [0; 2];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let recorded = self.all().first().map(|record| record.plan.owner.tag.instance());
        let id = recorded.unwrap_or(InstanceId::new(u16::from_ne_bytes(random)));
        let draft = self.state.join(format!("instance.{}", std::process::id()));
        let mut file = File::create(&draft)?;
        file.write_all(format!("{id}\n").as_bytes())?;
        // Once in the life of an installation: a loss of power must not leave an empty file.
        file.sync_all()?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        match linked {
            Ok(()) => Ok(id),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let text = fs::read_to_string(path)?;
                text.trim_end().parse().map_err(io::Error::other)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether there is a record, readable or not.
    pub fn exists(&self, id: &AttachmentId) -> bool {
        self.path(id).exists()
    }

    /// The record, or `None` when there is none. A broken one is told in the log and counts as none: it must not stop a DEL.
    pub fn load(&self, id: &AttachmentId) -> Option<Record> {
        let record = read(&self.path(id))?;
        (record.attachment() == id).then_some(record)
    }

    /// All readable records.
    pub fn all(&self) -> Vec<Record> {
        let Ok(entries) = fs::read_dir(self.dir()) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
        paths.sort();
        paths.iter().filter_map(|path| read(path)).collect()
    }

    /// Removes what is left of the network's records that nobody can read, but for those of `valid` attachments. How many there were.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn sweep(
        &self,
        network: &NetworkName,
        valid: impl Iterator<Item = AttachmentId>,
    ) -> Result<usize, EngineError> {
        let kept: BTreeSet<PathBuf> = valid.map(|id| self.path(&id)).collect();
        let Ok(entries) = fs::read_dir(self.dir()) else {
            return Ok(0);
        };
        let mut removed = 0;
        for path in entries.flatten().map(|entry| entry.path()) {
            let record = path.with_extension("json");
            let name = record.file_stem().and_then(OsStr::to_str).unwrap_or_default();
            let of_network = name.len() == NAME_DIGITS && name.ends_with(&network_digits(network.as_str()));
            if of_network && !kept.contains(&record) && read(&record).is_none() {
                tracing::warn!(?path, "removing a record that cannot be read; its IPAM may hold an address");
                fs::remove_file(&path).map_err(|error| io_error("erase the record", &path, error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Writes the record in the place of the attachment's earlier one.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]; the earlier record then still stands.
    pub fn save(&self, record: &Record) -> Result<(), EngineError> {
        let path = self.path(record.attachment());
        self.replace(&path, record).map_err(|error| io_error("write the record", &path, error))
    }

    fn replace(&self, path: &Path, record: &Record) -> io::Result<()> {
        let text = serde_json::to_vec(record)?;
        let draft = path.with_extension("tmp");
        let open = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&draft)
        };
        let mut file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_dir(&self.state)?;
                make_dir(&self.dir())?;
                open()?
            }
            opened => opened?,
        };
        file.write_all(&text)?;
        fs::rename(&draft, path)
    }

    /// Erases the record, and what a kill in [`Self::save`] left of one. Having none is success.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn forget(&self, id: &AttachmentId) -> Result<(), EngineError> {
        let path = self.path(id);
        for file in [path.with_extension("tmp"), path] {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("erase the record", &file, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn dir(&self) -> PathBuf {
        self.state.join("records")
    }

    fn path(&self, id: &AttachmentId) -> PathBuf {
        // The instance has no part in the name.
        let digits = OwnerTag::new(id, InstanceId::ANY).digits(NAME_DIGITS);
        self.dir().join(format!("{digits}.json"))
    }
}

fn read(path: &Path) -> Option<Record> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(?path, %error, "a record cannot be read");
            return None;
        }
    };
    match serde_json::from_slice::<Record>(&text) {
        Ok(record) if record.version == VERSION => Some(record),
        Ok(record) => {
            tracing::warn!(?path, version = record.version, "a record of an unknown version");
            None
        }
        Err(error) => {
            tracing::warn!(?path, %error, "a broken record");
            None
        }
    }
}

fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn io_error(doing: &str, path: &Path, error: io::Error) -> EngineError {
    EngineError::new(ErrorKind::Io, format!("{doing} {path:?}")).because(error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::plans;

    #[test]
    fn the_golden_record_is_read_and_written() {
        let golden = include_str!("../../tests/golden/record.json");
        let record: Record = serde_json::from_str(golden).unwrap();
        assert_eq!(record.version, VERSION);
        let written = serde_json::to_value(&record).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(golden).unwrap());
    }

    #[test]
    fn a_record_comes_back_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let records = RecordDir::new(dir.path().join("state"));
        let record = Record::new(plans::memif("c1", "net1"), json!({"name": "net"}));
        let id = record.attachment().clone();
        assert_eq!(records.load(&id), None);
        records.save(&record).unwrap();
        assert_eq!(records.load(&id), Some(record.clone()));
        assert_eq!(records.all(), [record]);
        records.forget(&id).unwrap();
        records.forget(&id).unwrap();
        assert!(!records.exists(&id));
        assert_eq!(fs::read_dir(records.dir()).unwrap().count(), 0);
    }

    #[test]
    fn a_broken_record_is_none_and_can_be_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let records = RecordDir::new(dir.path());
        let record = Record::new(plans::memif("c1", "net1"), json!({}));
        let id = record.attachment().clone();
        records.save(&record).unwrap();
        for broken in ["", "{", "{\"version\": 1}", "[]"] {
            fs::write(records.path(&id), broken).unwrap();
            assert_eq!(records.load(&id), None, "{broken}");
            assert!(records.exists(&id));
        }
        let mut later = serde_json::to_value(&record).unwrap();
        later["version"] = json!(2);
        fs::write(records.path(&id), later.to_string()).unwrap();
        assert_eq!(records.load(&id), None);
        records.forget(&id).unwrap();
        assert!(!records.exists(&id));
    }

    #[test]
    fn a_sweep_takes_what_nobody_can_read_of_its_network() {
        let dir = tempfile::tempdir().unwrap();
        let records = RecordDir::new(dir.path());
        let [broken, valid, good] =
            ["c1", "c2", "c3"].map(|container| Record::new(plans::memif(container, "net1"), json!({})));
        for record in [&broken, &valid, &good] {
            records.save(record).unwrap();
        }
        for record in [&broken, &valid] {
            fs::write(records.path(record.attachment()), "{").unwrap();
        }
        fs::write(records.path(broken.attachment()).with_extension("tmp"), "").unwrap();
        let other = "other".parse().unwrap();
        assert_eq!(records.sweep(&other, std::iter::empty()).unwrap(), 0);
        let network = &broken.attachment().network;
        assert_eq!(records.sweep(network, [valid.attachment().clone()].into_iter()).unwrap(), 2);
        assert!(records.exists(valid.attachment()) && records.exists(good.attachment()));
        assert!(!records.exists(broken.attachment()));
    }

    #[test]
    fn a_lost_instance_is_that_of_the_records() {
        let dir = tempfile::tempdir().unwrap();
        let records = RecordDir::new(dir.path());
        records.save(&Record::new(plans::memif("c1", "net1"), json!({}))).unwrap();
        assert_eq!(records.instance().unwrap(), plans::instance());
    }

    #[test]
    fn the_instance_is_drawn_once() {
        let dir = tempfile::tempdir().unwrap();
        let records = RecordDir::new(dir.path().join("a/b"));
        let drawn = records.instance().unwrap();
        assert_eq!(records.instance().unwrap(), drawn);
        for broken in ["", "0000", "xyz"] {
            fs::write(records.state_dir().join("instance"), broken).unwrap();
            let again = records.instance().unwrap();
            assert_eq!(records.instance().unwrap(), again, "{broken:?}");
        }
        assert_eq!(fs::read_dir(records.state_dir()).unwrap().count(), 1);
    }
}
