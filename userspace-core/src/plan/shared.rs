//! The directory that a container shares with the host: where it is, how the vswitch reaches it, who may use it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Refusal, Request};
use crate::{
    conf::SocketsConf,
    id::ContainerId,
    owner::{OwnerTag, container_digits},
    spec::EngineKind,
};

/// `sun_path` without its NUL (unix(7)), and one less, as VPP takes it.
const MAX_SOCKET_PATH: usize = 106;
/// A link has 16 hex digits of the owner's hash for its name.
const LINK_DIGITS: usize = 16;

/// A container's directory with its sockets and its half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedDir {
    /// The directory on the host. The container can write to it.
    pub dir: PathBuf,
    /// A link to it with a short and plain path, in a directory that only root writes: by this the vswitch opens sockets.
    pub link: PathBuf,
    /// The names of the sockets in it that are this attachment's.
    pub sockets: Vec<String>,
    /// Who may use the directory, and a socket that the vswitch makes in it.
    #[serde(default)]
    pub access: Access,
    /// Whether it is a volume of the pod's: the kubelet's or an administrator's, who decide who may use it and when it goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_volume: bool,
}

/// Who may use a file. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The user that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_uid: Option<u32>,
    /// The group that it belongs to: a name of /etc/group, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its mode; a socket gets no execute bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// Where a container's directory is.
pub(crate) struct Parent<'a> {
    /// Below this one,
    pub(crate) dir: &'a Path,
    /// or it is a volume of the pod's. The Go plugins' readers look for sockets there and not in a directory below.
    pub(crate) volume: Option<PathBuf>,
}

impl SharedDir {
    /// The directory for `request`, without sockets as yet.
    pub(super) fn of(request: &Request, tag: &OwnerTag, host: EngineKind) -> Result<Self, Refusal> {
        let default = || PathBuf::from(default_shared_dir(host));
        let parent = request.shared_dir.clone().unwrap_or_else(default);
        let vhost = request.host.vhost.as_ref();
        let typed = &request.sockets;
        let access = Access {
            owner_uid: typed.owner,
            group: vhost.and_then(|vhost| vhost.group.clone()).or_else(|| typed.group.clone()),
            mode: typed.mode.as_deref().map(octal).transpose()?,
        };
        let root = root(typed);
        for (key, path) in [("sharedDir", &parent), ("sockets.root", &root)] {
            if !path.is_absolute() {
                return Err(Refusal::of(key, path.display(), "is an absolute path"));
            }
        }
        // VPP and DPDK take paths apart at other characters.
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_.-".contains(byte);
        if !root.as_os_str().as_encoded_bytes().iter().all(plain) {
            let reason = "has letters, digits, '/', '_', '.' and '-' only";
            return Err(Refusal::of("sockets.root", root.display(), reason));
        }
        let volume = request.pod.as_ref().and_then(|found| found.volume.clone());
        let found = Self::find(Parent { dir: &parent, volume }, &root, &request.attachment.container, tag);
        Ok(Self { access, ..found })
    }

    /// The directory as ADD would have chosen it, for want of a record.
    pub(crate) fn guess(
        parent: Parent<'_>,
        sockets: &SocketsConf,
        container: &ContainerId,
        tag: &OwnerTag,
    ) -> Self {
        Self::find(parent, &root(sockets), container, tag)
    }

    fn find(parent: Parent<'_>, root: &Path, container: &ContainerId, tag: &OwnerTag) -> Self {
        Self {
            is_volume: parent.volume.is_some(),
            dir: parent.volume.unwrap_or_else(|| parent.dir.join(dir_name(container))),
            link: root.join(tag.digits(LINK_DIGITS)),
            sockets: Vec::new(),
            access: Access::default(),
        }
    }

    /// The path by which the vswitch opens the socket `file`, which is this attachment's from now on.
    pub(super) fn socket(&mut self, file: &str) -> Result<PathBuf, Refusal> {
        let path = self.link.join(file);
        if path.as_os_str().len() > MAX_SOCKET_PATH {
            let reason = format!(
                "a socket's path has at most {MAX_SOCKET_PATH} bytes: shorten sockets.root or socketfile"
            );
            return Err(Refusal::of("the socket's path", path.display(), reason));
        }
        self.sockets.push(file.to_owned());
        Ok(path)
    }
}

fn root(typed: &SocketsConf) -> PathBuf {
    typed.root.clone().unwrap_or_else(|| PathBuf::from("/run/userspace"))
}

/// The first twelve characters of the id, as the Go plugins name it. Of names that people gave the first twelve are often the same
/// (`default-nginx1`, `default-nginx2`): those get digits of their hash behind them. The ids of runtimes are random digits.
fn dir_name(id: &ContainerId) -> String {
    let text = id.as_str();
    let random = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.len() <= 12 || random {
        return short(id).to_owned();
    }
    format!("{}-{}", short(id), container_digits(text, 8))
}

fn octal(text: &str) -> Result<u32, Refusal> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| Refusal::of("sockets.mode", text, "is a mode in octal digits, 0 to 777"))
}

/// Where the Go plugins put the containers' directories when the configuration does not say.
pub(crate) fn default_shared_dir(host: EngineKind) -> &'static str {
    match host {
        EngineKind::Vpp => "/var/run/vpp",
        EngineKind::Ovs => "/usr/local/var/run/openvswitch",
        EngineKind::Linux | EngineKind::Dpdk => "/var/lib/cni/usrspcni",
    }
}

/// The first twelve characters of the id, by which the Go plugins name directories and files; all of a shorter one.
pub(crate) fn short(id: &ContainerId) -> &str {
    // An id is ASCII, so that every index is a boundary.
    let id = id.as_str();
    &id[..id.len().min(12)]
}
