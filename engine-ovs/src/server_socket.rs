//! The socket of a vhost-user server port: ovs-vswitchd makes it in a directory of its own, under the port's name, and nowhere else. So
//! the container gets a second name of the same file in its own directory (link(2)), which both must have on one filesystem.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::{fcntl::AtFlags, unistd::linkat};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    owner::OwnerTag,
    shared::remove_dead_socket,
};

use crate::{ovsdb::Transaction, place::Place};

/// Refuses a container's directory that is known not to hold a second name of the socket.
pub(crate) async fn preflight(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    target: &Path,
) -> Result<(), EngineError> {
    refuse_other_filesystem(&source(cx, place, tag).await?, target)
}

fn refuse_other_filesystem(source: &Path, target: &Path) -> Result<(), EngineError> {
    match (device(source), device(target)) {
        (Some(here), Some(there)) if here != there => Err(not_linked(source, target)),
        _ => Ok(()),
    }
}

/// The device of the directory that the file is in.
fn device(path: &Path) -> Option<u64> {
    fs::metadata(path.parent()?).map(|found| found.dev()).ok()
}

/// The same when the directory is there, and removes what an ovs-vswitchd that died has left under the port's name.
pub(crate) async fn prepare(cx: Cx, place: &Place, tag: &OwnerTag, target: &Path) -> Result<(), EngineError> {
    let source = source(cx, place, tag).await?;
    refuse_other_filesystem(&source, target)?;
    remove_dead_socket(&source)
}

fn not_linked(source: &Path, target: &Path) -> EngineError {
    let doing = format!(
        "make a vhost-user server port (its socket {source:?} cannot be linked to {target:?}: both must be on one filesystem, or use \
         mode \"client\")"
    );
    EngineError::new(ErrorKind::Unsupported, doing)
}

/// Gives the container its name of the socket that is there by now, if it has not got it.
pub(crate) async fn hand_over(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    target: &Path,
) -> Result<(), EngineError> {
    let source = source(cx, place, tag).await?;
    if are_one(&source, target) {
        return Ok(());
    }
    fault::point("before link socket")?;
    // Of the socket before, when ovs-vswitchd has made a new one.
    remove_dead_socket(target)?;
    // Also within one filesystem a mount can be in the way.
    link(&source, target).map_err(|error| not_linked(&source, target).because(error))?;
    fault::point("after link socket")
}

/// Whether the container's name is one of the socket that is there: an ovs-vswitchd that was restarted has made a new one.
pub(crate) async fn is_handed_over(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    target: &Path,
) -> Result<bool, EngineError> {
    Ok(are_one(&source(cx, place, tag).await?, target))
}

/// Whether both are names of one file.
fn are_one(source: &Path, target: &Path) -> bool {
    let file = |path: &Path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    file(source).is_some_and(|there| file(target) == Some(there))
}

/// Removes the socket of a port that has been removed. A living ovs-vswitchd does so itself.
pub(crate) async fn remove_source(cx: Cx, place: &Place, tag: &OwnerTag) -> Result<(), EngineError> {
    remove(&source(cx, place, tag).await?)
}

/// Where ovs-vswitchd makes the socket: below its run directory, which is the database socket's too.
async fn source(cx: Cx, place: &Place, tag: &OwnerTag) -> Result<PathBuf, EngineError> {
    let run_dir = place.run_dir().ok_or_else(|| {
        let doing = format!(
            "find the run directory of the Open vSwitch at {:?} (for mode \"server\")",
            place.address
        );
        EngineError::new(ErrorKind::Unsupported, doing)
    })?;
    let mut transaction = Transaction::new();
    let step = transaction.select("Open_vSwitch", &[], &["other_config"]);
    let doing = "read other_config:vhost-sock-dir";
    let reply = place.transact(cx, doing, &transaction).await?;
    let config = match reply.row(step).map_err(crate::error::doing(doing))? {
        Some(row) => row.map("other_config").map_err(crate::error::doing(doing))?,
        None => Default::default(),
    };
    let below = config.get("vhost-sock-dir").map(String::as_str).unwrap_or_default();
    Ok(run_dir.join(below.trim_start_matches('/')).join(tag.host_name()))
}

fn remove(path: &Path) -> Result<(), EngineError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(EngineError::new(ErrorKind::Io, format!("remove the socket {path:?}")).because(error))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// A second name for the file itself; a link in its place is not followed, nor one in the place of the new name.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let here = nix::fcntl::AT_FDCWD;
    linkat(here, from, here, to, AtFlags::empty()).map_err(io::Error::from)
}
