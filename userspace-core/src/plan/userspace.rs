//! The two halves of a memif or a vhost-user port: one for the host's vswitch, one to hand over.

use std::path::{Path, PathBuf};

use super::{Part, Published, Refusal, Request, mtu_or, refuse_mode};
use crate::{
    addr::MacAddr,
    conf::{HalfConf, InterfaceType, MemifConf, NetType, VhostConf},
    id::ContainerId,
    spec::{
        Bandwidth, Device, EngineAt, EngineKind, InterfaceKind, InterfaceSpec, Memif, MemifRole, Network,
        Secret, SocketMode, VhostUser,
    },
};

/// VPP's `memif_create` takes at most 2^14 descriptors (memif.api).
const MAX_RING: u32 = 1 << 14;
/// VPP keeps 24 bytes with the closing NUL (memif.api).
const MAX_SECRET: usize = 23;
/// `sun_path` without its NUL (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

pub(super) struct Half<'a> {
    pub(super) request: &'a Request,
    pub(super) kind: InterfaceKind,
    pub(super) host: EngineKind,
    pub(super) container: EngineKind,
    pub(super) mac: MacAddr,
    pub(super) mtu_bytes: Option<u32>,
    pub(super) bandwidth: Option<Bandwidth>,
}

impl Half<'_> {
    pub(super) fn split(self, network: Network) -> Result<(Part, Published), Refusal> {
        let request = self.request;
        let default = || PathBuf::from(default_shared_dir(self.host));
        let shared_dir = request.shared_dir.clone().unwrap_or_else(default);
        let shared_dir = shared_dir.join(short(&request.attachment.container));
        let mut config = request.container.clone();
        let device = match self.kind {
            InterfaceKind::Memif => self.memif(&shared_dir, &mut config)?,
            _ => self.vhost_user(&shared_dir, &mut config)?,
        };
        config.engine = Some(self.container.into());
        config.mac = Some(self.mac);
        config.mtu = mtu_or(config.mtu, self.mtu_bytes);
        config.socket = None;
        let host = Part {
            engine: EngineAt { kind: self.host, socket: request.host.socket.clone(), netns: None },
            spec: InterfaceSpec {
                device,
                mac: request.host.mac.filter(|_| self.host == EngineKind::Vpp),
                mtu_bytes: self.mtu_bytes,
                bandwidth: self.bandwidth,
            },
            network,
        };
        let published = Published { engine: self.container, mac: self.mac, config, shared_dir };
        Ok((host, published))
    }

    fn memif(&self, dir: &Path, config: &mut HalfConf) -> Result<Device, Refusal> {
        let id = &self.request.attachment;
        let typed = self.request.host.memif.clone().unwrap_or_default();
        let mut theirs = config.memif.clone().unwrap_or_default();
        let role = typed.role.or(theirs.role.map(MemifRole::complement));
        let role = role.unwrap_or(MemifRole::Master);
        if theirs.role == Some(role) {
            let reason = "one end is master, the other slave, and host.memif.role says the same";
            return Err(Refusal::of("container.memif.role", format!("{role:?}").to_lowercase(), reason));
        }
        if self.host == EngineKind::Ovs && role == MemifRole::Slave {
            let reason =
                "OVS on the host is the master only: its slave would need a listener before it is made";
            return Err(Refusal::of("host.memif.role", "slave", reason));
        }
        let default = format!("memif-{}-{}.sock", short(&id.container), id.interface);
        let file = file_name("host.memif.socketfile", typed.socketfile.clone(), default)?;
        let spec = Memif {
            role,
            mode: typed.mode.unwrap_or_default(),
            socket: socket_path(dir, &file)?,
            rx_queues: queues("host.memif.rxQueues", typed.rx_queues)?,
            tx_queues: queues("host.memif.txQueues", typed.tx_queues)?,
            ring_size: ring(&typed)?,
            buffer_bytes: typed.buffer_size.filter(|size| *size > 0).unwrap_or(2048),
            secret: secret(&typed)?,
            zero_copy: !typed.no_zero_copy.unwrap_or(false),
            dma: typed.use_dma.unwrap_or(false),
        };
        refuse_mode("host.memif.mode", spec.mode)?;
        theirs.role = Some(role.complement());
        theirs.mode = Some(theirs.mode.unwrap_or(spec.mode));
        refuse_mode("container.memif.mode", theirs.mode.unwrap_or_default())?;
        theirs.socketfile = Some(file);
        // What is received at one end is sent at the other.
        theirs.rx_queues = theirs.rx_queues.or(typed.tx_queues);
        theirs.tx_queues = theirs.tx_queues.or(typed.rx_queues);
        theirs.ring_size = theirs.ring_size.or(typed.ring_size);
        theirs.buffer_size = theirs.buffer_size.or(typed.buffer_size);
        theirs.secret = theirs.secret.or(typed.secret);
        config.iftype = Some(InterfaceType::Memif);
        config.memif = Some(theirs);
        Ok(Device::Memif(spec))
    }

    fn vhost_user(&self, dir: &Path, config: &mut HalfConf) -> Result<Device, Refusal> {
        let id = &self.request.attachment;
        let typed = self.request.host.vhost.clone().unwrap_or_default();
        let mut theirs = config.vhost.clone().unwrap_or_default();
        let default = match self.host {
            // A client's port comes back after a restart of OVS; a server's does not.
            EngineKind::Ovs => SocketMode::Client,
            _ => SocketMode::Server,
        };
        let mode = typed.mode.or(theirs.mode.map(SocketMode::complement));
        let mode = mode.unwrap_or(default);
        if theirs.mode == Some(mode) {
            let reason = "one end is client, the other server, and host.vhost.mode says the same";
            return Err(Refusal::of("container.vhost.mode", format!("{mode:?}").to_lowercase(), reason));
        }
        let default = format!("{}-{}", short(&id.container), id.interface);
        let file = file_name("host.vhost.socketfile", typed.socketfile.clone(), default)?;
        let VhostConf { enable_gso, enable_packed, enable_event_idx, .. } = typed;
        theirs.mode = Some(mode.complement());
        theirs.socketfile = Some(file.clone());
        config.iftype = Some(InterfaceType::VhostUser);
        config.vhost = Some(theirs);
        Ok(Device::VhostUser(VhostUser {
            mode,
            socket: socket_path(dir, &file)?,
            group: typed.group,
            gso: enable_gso.unwrap_or(false),
            packed: enable_packed.unwrap_or(false),
            event_idx: enable_event_idx.unwrap_or(false),
        }))
    }
}

/// Where the Go plugins put the containers' directories when the configuration does not say.
fn default_shared_dir(host: EngineKind) -> &'static str {
    match host {
        EngineKind::Vpp => "/var/run/vpp",
        EngineKind::Ovs => "/usr/local/var/run/openvswitch",
        EngineKind::Linux | EngineKind::Dpdk => "/var/lib/cni/usrspcni",
    }
}

/// The container's network type in the published half: `interface` once it has addresses, as the Go plugins publish it.
pub(crate) fn complete(config: &mut HalfConf, has_addresses: bool) {
    if config.net_type.is_none() && has_addresses {
        config.net_type = Some(NetType::Interface);
    }
}

/// The first twelve characters of the id, by which the Go plugins name directories and files; all of a shorter one.
pub(crate) fn short(id: &ContainerId) -> &str {
    // An id is ASCII, so that every index is a boundary.
    let id = id.as_str();
    &id[..id.len().min(12)]
}

fn file_name(key: &str, typed: Option<String>, default: String) -> Result<String, Refusal> {
    let name = typed.unwrap_or(default);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if name.starts_with('.') || !name.bytes().all(plain) {
        let reason = "a file name has letters, digits, '_', '.' and '-', and no directory";
        return Err(Refusal::of(key, name, reason));
    }
    Ok(name)
}

fn socket_path(dir: &Path, file: &str) -> Result<PathBuf, Refusal> {
    let path = dir.join(file);
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        let reason =
            format!("a socket's path has at most {MAX_SOCKET_PATH} bytes: shorten sharedDir or socketfile");
        return Err(Refusal::of("the socket's path", path.display(), reason));
    }
    Ok(path)
}

fn queues(key: &str, typed: Option<u8>) -> Result<u8, Refusal> {
    match typed {
        Some(0) | None => Ok(1),
        Some(number) if number < u8::MAX => Ok(number),
        Some(number) => Err(Refusal::of(key, number, "1 to 254 queues")),
    }
}

fn ring(typed: &MemifConf) -> Result<u32, Refusal> {
    let size = typed.ring_size.filter(|size| *size > 0).unwrap_or(1024);
    if size.is_power_of_two() && size <= MAX_RING {
        return Ok(size);
    }
    let reason = format!("a ring has a power of two of descriptors, at most {MAX_RING}");
    Err(Refusal::of("host.memif.ringSize", size, reason))
}

fn secret(typed: &MemifConf) -> Result<Option<Secret>, Refusal> {
    let length = typed.secret.as_ref().map_or(0, |secret| secret.reveal().len());
    if length > MAX_SECRET {
        let reason = format!("a secret has at most {MAX_SECRET} bytes, this one {length}");
        return Err(Refusal::of("host.memif.secret", "…", reason));
    }
    Ok(typed.secret.clone())
}
