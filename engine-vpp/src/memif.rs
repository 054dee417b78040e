//! memif: its socket, then the interface on it.

use futures_util::future::join;
use userspace_core::{
    addr::MacAddr,
    engine::{EngineError, ErrorKind},
    fault,
    owner::OwnerTag,
    spec::{AbstractSocket, Memif, MemifMode, MemifRole, MemifSocket},
};
use vpp_api_client::{
    Client, Error,
    codec::Hidden,
    messages::memif::{MemifCreate, MemifCreateV2, MemifSocketFilenameAddDel, MemifSocketFilenameAddDelV2},
    types::{self, SwIfIndex},
};

use crate::{
    create::{bytes, plain_name, plain_path, plain_text},
    error::{self, retval, unless},
    names,
};

/// Creates the memif of `tag`, whose socket's number is its own: so the memif's is always 0.
pub(crate) async fn create(
    vpp: &Client,
    tag: &OwnerTag,
    memif: &Memif,
    mac: Option<MacAddr>,
) -> Result<SwIfIndex, EngineError> {
    let number = names::number(tag);
    let path = &socket_text(vpp, &memif.socket)?;
    // A number whose socket could not be listened on once answers "done" ever after, and nobody listens: it is forgotten first. VPP does
    // both in the order in which they are asked, and this polls the first one first.
    let (forgotten, named) = join(forget_socket(vpp, tag), add_socket(vpp, number, path)).await;
    forgotten?;
    named.map_err(error::doing(format!("name the socket {path:?} of a memif")))?;
    fault::point("after memif socket")?;
    match add(vpp, number, memif, mac).await {
        Ok(index) => Ok(index),
        Err(error) => {
            // The undo does the same, but only if it is reached.
            let forgotten = forget_socket(vpp, tag).await;
            if let Err(error) = forgotten {
                tracing::warn!(error = ?error, "the memif's socket stays known to VPP");
            }
            Err(explain(error, &memif.socket, memif.role))
        }
    }
}

/// Forgets the socket of `tag`, unless a memif is on it. VPP leaves the file.
pub(crate) async fn forget_socket(vpp: &Client, tag: &OwnerTag) -> Result<(), EngineError> {
    if !vpp.knows::<MemifSocketFilenameAddDel>() {
        return Ok(());
    }
    let gone = socket(vpp, names::number(tag), None).await;
    // Absent, or in use by the memif that is there.
    let gone = unless(gone, &[retval::INVALID_ARGUMENT, retval::IN_USE]);
    gone.map(drop).map_err(error::doing("forget the socket of a memif"))
}

async fn add_socket(vpp: &Client, number: u32, path: &str) -> Result<(), Error> {
    socket(vpp, number, Some(path)).await
}

async fn socket(vpp: &Client, socket_id: u32, path: Option<&str>) -> Result<(), Error> {
    let (is_add, path) = (path.is_some(), path.unwrap_or_default());
    if vpp.knows::<MemifSocketFilenameAddDelV2>() {
        let request = MemifSocketFilenameAddDelV2 { is_add, socket_id, socket_filename: path.into() };
        return vpp.request(&request).await.map(drop);
    }
    let socket_filename = names::text(path);
    vpp.request(&MemifSocketFilenameAddDel { is_add, socket_id, socket_filename }).await.map(drop)
}

async fn add(vpp: &Client, socket_id: u32, memif: &Memif, mac: Option<MacAddr>) -> Result<SwIfIndex, Error> {
    let secret = memif.secret.as_ref().map(|secret| names::text(secret.reveal())).unwrap_or_default();
    let newest = MemifCreateV2 {
        role: match memif.role {
            MemifRole::Master => types::MemifRole::MASTER,
            MemifRole::Slave => types::MemifRole::SLAVE,
        },
        mode: match memif.mode {
            MemifMode::Ethernet | MemifMode::InjectPunt => types::MemifMode::ETHERNET,
            MemifMode::Ip => types::MemifMode::IP,
        },
        rx_queues: memif.rx_queues,
        tx_queues: memif.tx_queues,
        id: 0,
        socket_id,
        ring_size: memif.ring_size,
        buffer_size: memif.buffer_bytes,
        no_zero_copy: !memif.zero_copy,
        use_dma: memif.dma,
        hw_addr: bytes(mac),
        secret: Hidden(secret),
    };
    if vpp.knows::<MemifCreateV2>() {
        return Ok(vpp.request(&newest).await?.sw_if_index);
    }
    let MemifCreateV2 { role, mode, rx_queues, tx_queues, id, ring_size, .. } = newest;
    let MemifCreateV2 { buffer_size, no_zero_copy, hw_addr, secret, .. } = newest;
    let older = MemifCreate {
        role,
        mode,
        rx_queues,
        tx_queues,
        id,
        socket_id,
        ring_size,
        buffer_size,
        no_zero_copy,
        hw_addr,
        secret,
    };
    Ok(vpp.request(&older).await?.sw_if_index)
}

/// What VPP is told of a socket (`clib_socket_init` of vppinfra/socket.c).
fn socket_text(vpp: &Client, socket: &MemifSocket) -> Result<String, EngineError> {
    let AbstractSocket { name, netns } = match socket {
        MemifSocket::File(path) => return plain_path(path).map(str::to_owned),
        MemifSocket::Abstract(socket) => socket,
    };
    if !vpp.knows::<MemifSocketFilenameAddDelV2>() {
        // An older VPP makes a file of that name in its own directory.
        let doing = format!("use the abstract socket {socket} on a VPP before 23.06");
        return Err(EngineError::new(ErrorKind::Unsupported, doing));
    }
    plain_name(name)?;
    let Some(netns) = netns else {
        return Ok(format!("abstract:{name}"));
    };
    let path = plain_text(&netns.path)?;
    // VPP opens the path: another namespace may be there by now.
    netns.open().map_err(|error| {
        let doing = format!("use the network namespace {path:?} for a memif's socket");
        EngineError::new(ErrorKind::NamespaceGone, doing).because(error)
    })?;
    Ok(format!("abstract:{name},netns_name={path}"))
}

fn explain(error: Error, socket: &MemifSocket, role: MemifRole) -> EngineError {
    let end = match role {
        MemifRole::Master => "master",
        MemifRole::Slave => "slave",
    };
    let doing = format!("create a memif on {socket} (role {end})");
    let why = match socket {
        MemifSocket::File(_) => "VPP cannot listen on the socket",
        MemifSocket::Abstract(_) => "VPP cannot enter the namespace, or somebody has the name there",
    };
    match error.retval() {
        Some(retval::CANNOT_LISTEN) => {
            EngineError::new(ErrorKind::Io, format!("{doing}: {why}")).because(error)
        }
        _ => error::doing(doing)(error),
    }
}
