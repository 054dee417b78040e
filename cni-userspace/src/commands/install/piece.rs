//! One file to be brought to a directory of the host's, so that whoever opens it finds the old one or the new one whole.
//!
//! The new one is written beside the old one under a name that no runtime reads, synced and renamed. Installers at the same time take
//! turns by a lock upon the directory itself, of which nothing is left; so a draft that one finds there is a killed one's, and goes.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use userspace_core::{
    engine::{EngineError, ErrorKind},
    fault,
};

/// A file to be brought.
#[derive(Debug)]
pub(super) struct Piece {
    dir: PathBuf,
    path: PathBuf,
    draft: PathBuf,
    content: Vec<u8>,
    mode: u32,
}

/// What became of one that was to be there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stood,
    Made,
    Replaced,
}

/// What became of one that was to go.
#[derive(Debug)]
pub(super) enum Left {
    Removed,
    Absent,
    /// It has another content, so it is not for us to remove.
    Foreign(EngineError),
}

/// What is in a piece's place.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Same,
    SameWithOtherMode,
    Other,
}

impl Piece {
    /// The directory must be there: one that this would make may be in a container whose mount was forgotten.
    pub(super) fn at(dir: &Path, name: &OsStr, content: Vec<u8>, mode: u32) -> Result<Self, EngineError> {
        let is_dir = fs::metadata(dir).map(|found| found.is_dir());
        match is_dir {
            Ok(true) => {}
            Ok(false) => return Err(failed("install to", dir, io::ErrorKind::NotADirectory.into())),
            Err(error) => return Err(failed("install to", dir, error)),
        }
        let mut draft = OsStr::new(".").to_owned();
        draft.push(name);
        draft.push(".draft");
        Ok(Self { dir: dir.to_owned(), path: dir.join(name), draft: dir.join(draft), content, mode })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it be there.
    pub(super) fn put(&self) -> Result<Fate, EngineError> {
        let dir = self.lock()?;
        let fate = match self.found()? {
            Found::Same => return Ok(Fate::Stood),
            Found::Nothing => Fate::Made,
            Found::SameWithOtherMode | Found::Other => Fate::Replaced,
        };
        let placed = self.place(&dir);
        if placed.is_err() {
            let _ = fs::remove_file(&self.draft);
        }
        placed.map(|()| fate)
    }

    /// Makes it not be there, when it is as [`Self::put`] makes it.
    pub(super) fn take_away(&self) -> Result<Left, EngineError> {
        let _dir = self.lock()?;
        match self.found()? {
            Found::Nothing => return Ok(Left::Absent),
            Found::Other => {
                let doing = format!("remove {:?} (it is not what this would install)", self.path);
                return Ok(Left::Foreign(EngineError::new(ErrorKind::Conflict, doing)));
            }
            Found::Same | Found::SameWithOtherMode => {}
        }
        fs::remove_file(&self.path).map_err(|error| failed("remove", &self.path, error))?;
        Ok(Left::Removed)
    }

    /// The directory, locked until it is dropped, and without a killed installer's draft.
    fn lock(&self) -> Result<File, EngineError> {
        let dir = File::open(&self.dir).and_then(|dir| dir.lock().map(|()| dir));
        let dir = dir.map_err(|error| failed("lock the directory", &self.dir, error))?;
        match fs::remove_file(&self.draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove the draft", &self.draft, error))
            }
            _ => Ok(dir),
        }
    }

    fn found(&self) -> Result<Found, EngineError> {
        let look = || {
            let meta = match fs::symlink_metadata(&self.path) {
                Ok(meta) => meta,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
                Err(error) => return Err(error),
            };
            // A link would lead others to change what is not there.
            let is_of_our_size = meta.is_file() && meta.len() == self.content.len() as u64;
            if !is_of_our_size || fs::read(&self.path)? != self.content {
                return Ok(Found::Other);
            }
            let is_as_ours = meta.permissions().mode() & 0o7777 == self.mode;
            Ok(if is_as_ours { Found::Same } else { Found::SameWithOtherMode })
        };
        look().map_err(|error| failed("look at", &self.path, error))
    }

    fn place(&self, dir: &File) -> Result<(), EngineError> {
        self.write().map_err(|error| failed("write", &self.draft, error))?;
        fault::point("before install")?;
        // The draft is closed by now: a program that somebody has open for writing cannot be run.
        fs::rename(&self.draft, &self.path).map_err(|error| failed("install", &self.path, error))?;
        fault::point("after install")?;
        dir.sync_all().map_err(|error| failed("sync the directory", &self.dir, error))
    }

    fn write(&self) -> io::Result<()> {
        let mut draft = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.draft)?;
        draft.write_all(&self.content)?;
        draft.set_permissions(Permissions::from_mode(self.mode))?;
        draft.sync_all()
    }
}

fn failed(doing: &str, path: &Path, error: io::Error) -> EngineError {
    EngineError::new(ErrorKind::Io, format!("{doing} {path:?}")).because(error)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn piece(dir: &Path, text: &str) -> Piece {
        Piece::at(dir, OsStr::new("a.conf"), text.into(), 0o600).unwrap()
    }

    fn count(dir: &TempDir) -> usize {
        fs::read_dir(dir.path()).unwrap().count()
    }

    #[test]
    fn what_is_not_as_it_should_be_is_made_so() {
        let dir = tempfile::tempdir().unwrap();
        let piece = piece(dir.path(), "new");
        fs::write(&piece.draft, "ne").unwrap();
        assert_eq!(piece.put().unwrap(), Fate::Made);
        assert_eq!(piece.put().unwrap(), Fate::Stood);
        let harms: [fn(&Path); 4] = [
            |path| fs::write(path, "ne").unwrap(),
            |path| fs::write(path, "newer").unwrap(),
            |path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap(),
            |path| {
                fs::remove_file(path).unwrap();
                std::os::unix::fs::symlink("/dev/null", path).unwrap();
            },
        ];
        for harm in harms {
            harm(&piece.path);
            assert_eq!(piece.put().unwrap(), Fate::Replaced);
            assert_eq!(fs::read(&piece.path).unwrap(), b"new");
            assert_eq!(fs::symlink_metadata(&piece.path).unwrap().permissions().mode(), 0o100_600);
        }
        assert_eq!(count(&dir), 1, "no draft is left");
    }

    #[test]
    fn only_what_is_as_it_was_made_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let piece = piece(dir.path(), "new");
        assert!(matches!(piece.take_away().unwrap(), Left::Absent));
        piece.put().unwrap();
        fs::write(&piece.path, "another's").unwrap();
        assert!(matches!(piece.take_away().unwrap(), Left::Foreign(_)));
        piece.put().unwrap();
        assert!(matches!(piece.take_away().unwrap(), Left::Removed));
        assert_eq!(count(&dir), 0);
    }

    #[test]
    fn a_directory_in_its_place_stays() {
        let dir = tempfile::tempdir().unwrap();
        let piece = piece(dir.path(), "new");
        fs::create_dir(&piece.path).unwrap();
        assert!(piece.put().is_err());
        assert!(matches!(piece.take_away().unwrap(), Left::Foreign(_)));
        assert_eq!(count(&dir), 1, "no draft is left");
    }
}
