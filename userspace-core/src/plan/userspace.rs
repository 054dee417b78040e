//! The two halves of a memif or a vhost-user port: one for the host's vswitch, one to hand over.

use super::{
    Part, Published, Refusal, Request,
    able::refuse_mode,
    mtu_or,
    shared::{SharedDir, short},
};
use crate::{
    addr::MacAddr,
    conf::{HalfConf, InterfaceType, MemifConf, NetType, VhostConf},
    id::AttachmentId,
    owner::Owner,
    spec::{
        AbstractSocket, Device, EngineAt, EngineKind, InterfaceKind, InterfaceSpec, Memif, MemifRole,
        MemifSocket, MemifSocketType, Network, Secret, SocketMode, VhostUser,
    },
};

/// VPP's `memif_create` takes at most 2^14 descriptors (memif.api).
const MAX_RING: u32 = 1 << 14;
/// VPP's defaults (memif.api); DPDK's are others, so that both ends are told.
pub(crate) const DEFAULT_RING_SIZE: u32 = 1024;
pub(crate) const DEFAULT_BUFFER_BYTES: u16 = 2048;
/// VPP keeps 24 bytes with the closing NUL (memif.api).
const MAX_SECRET: usize = 23;
/// Virtio's limit of queue pairs in DPDK's virtio_user (VIRTIO_MAX_VIRTQUEUE_PAIRS of virtio_user_dev.h is 8; the kernel's and
/// vhost's is 128: rte_vhost.h, VHOST_MAX_QUEUE_PAIRS).
const MAX_QUEUE_PAIRS: u8 = 128;
/// OVS's limit of `tx-retries-max` (VHOST_ENQ_RETRY_MAX, ovs-vswitchd.conf.db(5)).
const MAX_TX_RETRIES: u8 = 32;
/// Of an abstract socket's name: all that the owner's tag has.
const NAME_DIGITS: usize = 32;

pub(super) struct Half<'a> {
    pub(super) request: &'a Request,
    pub(super) owner: &'a Owner,
    pub(super) kind: InterfaceKind,
    pub(super) host: EngineKind,
    pub(super) container: EngineKind,
    pub(super) mac: MacAddr,
    pub(super) mtu_bytes: Option<u32>,
}

impl Half<'_> {
    pub(super) fn split(self, network: Network) -> Result<(Part, Published), Refusal> {
        let request = self.request;
        let mut shared = SharedDir::of(request, &self.owner.tag, self.host)?;
        let mut config = request.container.clone();
        let device = match self.kind {
            InterfaceKind::Memif => self.memif(&mut shared, &mut config)?,
            _ => self.vhost_user(&mut shared, &mut config)?,
        };
        config.engine = Some(self.container.into());
        config.mac = Some(self.mac);
        config.mtu = mtu_or(config.mtu, self.mtu_bytes);
        config.socket = None;
        let host = Part {
            engine: EngineAt { kind: self.host, socket: request.host.socket.clone(), netns: None },
            spec: InterfaceSpec { mtu_bytes: self.mtu_bytes, ..InterfaceSpec::of(device) },
            network,
        };
        let netns = request.netns.clone();
        let pod = request.pod.as_ref().map(|found| found.pod.clone());
        let pod_uid = request.overrides.pod_uid.clone().or_else(|| pod.as_ref().map(|pod| pod.uid.clone()));
        let engine = self.container;
        let published = Published { engine, mac: self.mac, config, shared, netns, pod_uid, pod };
        Ok((host, published))
    }

    fn memif(&self, shared: &mut SharedDir, config: &mut HalfConf) -> Result<Device, Refusal> {
        let id = &self.request.attachment;
        let typed = self.request.host.memif.clone().unwrap_or_default();
        let mut theirs = config.memif.clone().unwrap_or_default();
        let role = typed.role.or(theirs.role.map(MemifRole::complement));
        let role = role.unwrap_or(MemifRole::Master);
        if theirs.role == Some(role) {
            let reason = "one end is master, the other slave, and host.memif.role says the same";
            return Err(Refusal::of("container.memif.role", format!("{role:?}").to_lowercase(), reason));
        }
        let (socket, file) = match socket_type(&typed, &theirs)? {
            MemifSocketType::File => {
                let file = file_name("host.memif.socketfile", typed.socketfile.clone(), memif_file(id))?;
                (MemifSocket::File(shared.socket(&file)?), file)
            }
            MemifSocketType::Abstract => {
                let socket = abstract_socket(self.request, self.owner, &typed)?;
                theirs.socket_type = Some(MemifSocketType::Abstract);
                (MemifSocket::Abstract(socket.clone()), socket.name)
            }
        };
        let spec = Memif {
            role,
            mode: typed.mode.unwrap_or_default(),
            socket,
            rx_queues: queues("host.memif.rxQueues", typed.rx_queues)?,
            tx_queues: queues("host.memif.txQueues", typed.tx_queues)?,
            ring_size: ring("host.memif.ringSize", typed.ring_size)?,
            buffer_bytes: typed.buffer_size.filter(|size| *size > 0).unwrap_or(DEFAULT_BUFFER_BYTES),
            secret: secret("host.memif.secret", typed.secret.as_ref())?,
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

    fn vhost_user(&self, shared: &mut SharedDir, config: &mut HalfConf) -> Result<Device, Refusal> {
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
        let file = file_name("host.vhost.socketfile", typed.socketfile.clone(), vhost_file(id))?;
        let queues = queue_pairs(&typed, &theirs)?;
        if let Some(bad) = typed.tx_retries_max.filter(|retries| *retries > MAX_TX_RETRIES) {
            return Err(Refusal::of(
                "host.vhost.txRetriesMax",
                bad,
                format!("0 to {MAX_TX_RETRIES} retries"),
            ));
        }
        let VhostConf { enable_gso, enable_packed, enable_event_idx, .. } = typed;
        theirs.mode = Some(mode.complement());
        theirs.socketfile = Some(file.clone());
        theirs.queues = queues;
        config.iftype = Some(InterfaceType::VhostUser);
        config.vhost = Some(theirs);
        Ok(Device::VhostUser(VhostUser {
            mode,
            socket: shared.socket(&file)?,
            queues: queues.unwrap_or(1),
            tx_retries: typed.tx_retries_max,
            gso: enable_gso.unwrap_or(false),
            packed: enable_packed.unwrap_or(false),
            event_idx: enable_event_idx.unwrap_or(false),
        }))
    }
}

/// Refuses an abstract socket where there can be none.
pub(super) fn refuse_socket_type(
    request: &Request,
    host: EngineKind,
    kind: InterfaceKind,
) -> Result<(), Refusal> {
    for (key, half) in [("host", &request.host), ("container", &request.container)] {
        let key = format!("{key}.memif.socketType");
        let typed = half.memif.as_ref().and_then(|memif| memif.socket_type);
        if typed != Some(MemifSocketType::Abstract) {
            continue;
        }
        if kind != InterfaceKind::Memif {
            return Err(Refusal::of(key, "abstract", "is for iftype \"memif\""));
        }
        if host != EngineKind::Vpp {
            let reason = "is a feature of engine \"vpp\" on the host; others take \"file\"";
            return Err(Refusal::of(key, "abstract", reason));
        }
    }
    Ok(())
}

/// One socket has two ends: what either half says stands for both.
fn socket_type(host: &MemifConf, container: &MemifConf) -> Result<MemifSocketType, Refusal> {
    match (host.socket_type, container.socket_type) {
        (Some(host), Some(container)) if host != container => {
            let [host, container] = [host, container].map(|typed| format!("{typed:?}").to_lowercase());
            let reason = format!("both halves have one socket, and host.memif.socketType is \"{host}\"");
            Err(Refusal::of("container.memif.socketType", container, reason))
        }
        (host, container) => Ok(host.or(container).unwrap_or_default()),
    }
}

/// A name of this attachment's alone: in the container's namespace there is no directory that would keep two apart.
fn abstract_socket(request: &Request, owner: &Owner, typed: &MemifConf) -> Result<AbstractSocket, Refusal> {
    if let Some(name) = &typed.socketfile {
        let reason =
            "goes with socketType \"file\": an abstract socket's name is derived from the attachment";
        return Err(Refusal::of("host.memif.socketfile", name, reason));
    }
    let reason = "an abstract socket is in the container's network namespace";
    let netns = request.netns.clone();
    let netns = netns.ok_or_else(|| Refusal::missing("the network namespace", reason))?;
    Ok(AbstractSocket { name: format!("memif-{}", owner.tag.digits(NAME_DIGITS)), netns: Some(netns) })
}

/// The container's network type in the published half: `interface` once it has addresses, as the Go plugins publish it.
pub(crate) fn complete(config: &mut HalfConf, has_addresses: bool) {
    if config.net_type.is_none() && has_addresses {
        config.net_type = Some(NetType::Interface);
    }
}

/// The Go plugins' names of sockets.
pub(crate) fn memif_file(id: &AttachmentId) -> String {
    format!("memif-{}-{}.sock", short(&id.container), id.interface)
}

/// The Go plugins' names of sockets.
pub(crate) fn vhost_file(id: &AttachmentId) -> String {
    format!("{}-{}", short(&id.container), id.interface)
}

/// What one end sends on, the other must receive on. One queue is what there is anyhow.
pub(super) fn at_least(queues: &mut Option<u8>, other: u8) {
    if other > queues.unwrap_or(1) {
        *queues = Some(other);
    }
}

/// Both halves have as many queues.
fn queue_pairs(host: &VhostConf, container: &VhostConf) -> Result<Option<u8>, Refusal> {
    let queues = container.queues.or(host.queues);
    if let Some(bad) = queues.filter(|queues| !(1..=MAX_QUEUE_PAIRS).contains(queues)) {
        return Err(Refusal::of("vhost.queues", bad, format!("1 to {MAX_QUEUE_PAIRS} queue pairs")));
    }
    if let (Some(host), Some(container)) = (host.queues, container.queues)
        && host != container
    {
        let reason = format!("both halves have as many queue pairs, and host.vhost.queues is {host}");
        return Err(Refusal::of("container.vhost.queues", container, reason));
    }
    Ok(queues)
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

pub(crate) fn queues(key: &str, typed: Option<u8>) -> Result<u8, Refusal> {
    match typed {
        Some(0) | None => Ok(1),
        Some(number) if number < u8::MAX => Ok(number),
        Some(number) => Err(Refusal::of(key, number, "1 to 254 queues")),
    }
}

pub(crate) fn ring(key: &str, typed: Option<u32>) -> Result<u32, Refusal> {
    let size = typed.filter(|size| *size > 0).unwrap_or(DEFAULT_RING_SIZE);
    if size.is_power_of_two() && size <= MAX_RING {
        return Ok(size);
    }
    let reason = format!("a ring has a power of two of descriptors, at most {MAX_RING}");
    Err(Refusal::of(key, size, reason))
}

pub(crate) fn secret(key: &str, typed: Option<&Secret>) -> Result<Option<Secret>, Refusal> {
    let length = typed.map_or(0, |secret| secret.reveal().len());
    if length > MAX_SECRET {
        let reason = format!("a secret has at most {MAX_SECRET} bytes, this one {length}");
        return Err(Refusal::of(key, "…", reason));
    }
    Ok(typed.cloned())
}
