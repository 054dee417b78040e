//! Device information for meta-plugins (NPWG device-info-spec 1.1.0): a file that says what the container's interface is, which Multus
//! copies to the pod's network-status. It is an addition to the result: it never makes a call fail.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use userspace_core::{
    conf::{InterfaceType, MemifConf, VhostConf},
    plan::Published,
    spec::{MemifRole, MemifSocketType, SocketMode},
};

use crate::netconf::NetConf;

/// The version of the specification.
const VERSION: &str = "1.1.0";

/// Writes what a published half is to the file that the runtime named, in the place of an earlier one.
pub(crate) fn write(conf: &NetConf, published: &Published) {
    let (Some(file), Some(document)) = (file(conf), document(published)) else {
        return;
    };
    if let Err(error) = replace(&file, &document) {
        tracing::warn!(?file, %error, "CNIDeviceInfoFile cannot be written");
    }
}

/// Removes the file that the runtime named. A meta-plugin may have done it.
pub(crate) fn remove(conf: &NetConf) {
    let Some(file) = file(conf) else { return };
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(?file, %error, "CNIDeviceInfoFile cannot be removed");
        }
        _ => {}
    }
}

fn file(conf: &NetConf) -> Option<PathBuf> {
    let file = conf.runtime_config.as_ref()?.device_info_file.clone()?;
    if !file.is_absolute() {
        tracing::warn!(?file, "CNIDeviceInfoFile is not an absolute path");
        return None;
    }
    Some(file)
}

/// The container's side of it. A kernel interface has no device of its own.
fn document(published: &Published) -> Option<Value> {
    let config = &published.config;
    match config.iftype? {
        InterfaceType::Memif => {
            let memif = config.memif.as_ref()?;
            let role = memif.role.unwrap_or(MemifRole::Slave);
            let mode = memif.mode.unwrap_or_default();
            let details = json!({"role": role, "mode": mode, "path": memif_path(published, memif)?});
            Some(json!({"type": "memif", "version": VERSION, "memif": details}))
        }
        InterfaceType::VhostUser => {
            let vhost: &VhostConf = config.vhost.as_ref()?;
            let mode = vhost.mode.unwrap_or(SocketMode::Client);
            let details = json!({"mode": mode, "path": path(published, vhost.socketfile.as_deref()?)});
            Some(json!({"type": "vhost-user", "version": VERSION, "vhost-user": details}))
        }
        InterfaceType::Tap | InterfaceType::Veth | InterfaceType::Macvlan => None,
    }
}

fn memif_path(published: &Published, memif: &MemifConf) -> Option<String> {
    let name = memif.socketfile.as_deref()?;
    match memif.socket_type.unwrap_or_default() {
        MemifSocketType::File => Some(path(published, name)),
        // As unix(7)'s tools write a name without a file.
        MemifSocketType::Abstract => Some(format!("@{name}")),
    }
}

/// Where the container's directory is mounted in the container is known of a pod's volume; of others it is not: their path on the host.
fn path(published: &Published, name: &str) -> String {
    let shared = &published.shared;
    match published.pod.as_ref().filter(|_| shared.is_volume) {
        Some(pod) => format!("{}{name}", pod.mapped_dir),
        None => shared.dir.join(name).display().to_string(),
    }
}

/// A reader sees the whole document or none.
fn replace(file: &Path, document: &Value) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut draft = file.as_os_str().to_owned();
    draft.push(".tmp");
    fs::write(&draft, document.to_string())?;
    fs::rename(&draft, file)
}
