//! memif through DPDK's driver: on the host the master, in a container either end.

use std::{collections::BTreeMap, fs, io, os::unix::fs::FileTypeExt};

use userspace_core::{
    addr::MacAddr,
    engine::{EngineError, EngineInfo, ErrorKind},
    owner::OwnerTag,
    spec::{InterfaceSpec, Memif, MemifMode, MemifRole},
};

use crate::{kind::Rows, place::Side};

/// What DPDK's memif cannot do (doc/guides/nics/memif.rst, and tried).
pub(crate) fn supports(
    side: Side,
    info: &EngineInfo,
    memif: &Memif,
    spec: &InterfaceSpec,
) -> Result<(), EngineError> {
    let unsupported =
        |what: &str| Err(EngineError::new(ErrorKind::Unsupported, format!("make a memif {what}")));
    if side == Side::Host && memif.role == MemifRole::Slave {
        return unsupported("of role slave on an Open vSwitch of the host (master works)");
    }
    if memif.mode != MemifMode::Ethernet {
        return unsupported("of another mode than ethernet on ovs-dpdk");
    }
    if memif.dma {
        return unsupported("with DMA on ovs-dpdk (VPP has it)");
    }
    if spec.mtu_bytes.is_some() {
        return unsupported("of a given MTU on ovs-dpdk (vhostuser has one)");
    }
    if info.has("no-huge") {
        return unsupported(
            "on an Open vSwitch without hugepages (dpdk-extra has --no-huge; vhostuser works)",
        );
    }
    Ok(())
}

/// What the Interface row says.
pub(crate) fn rows(
    side: Side,
    tag: &OwnerTag,
    memif: &Memif,
    mac: Option<MacAddr>,
) -> Result<Rows, EngineError> {
    let path = memif.socket.display().to_string();
    let secret = memif.secret.as_ref().map(|secret| secret.reveal());
    for (what, text) in [("the socket", Some(path.as_str())), ("the secret", secret)] {
        if text.is_some_and(|text| text.contains([',', '=', '"', '\\']) || text.contains(char::is_whitespace))
        {
            let doing =
                format!("make a memif ({what} has a character that DPDK's device arguments cannot hold)");
            return Err(EngineError::new(ErrorKind::Invalid, doing));
        }
    }
    let role = match (side, memif.role) {
        (_, MemifRole::Master) => "server",
        (_, MemifRole::Slave) => "client",
    };
    let mut text = format!("net_memif_{},role={role},id=0,socket-abstract=no,socket={path}", tag.host_name());
    // A power of two, checked by the plan; DPDK takes its logarithm.
    text.push_str(&format!(",rsize={},bsize={}", memif.ring_size.ilog2(), memif.buffer_bytes));
    if let Some(mac) = mac {
        text.push_str(&format!(",mac={mac}"));
    }
    if let Some(secret) = secret {
        text.push_str(&format!(",secret={secret}"));
    }
    let mut options = BTreeMap::from([("dpdk-devargs".to_owned(), text)]);
    if memif.rx_queues > 1 {
        options.insert("n_rxq".to_owned(), memif.rx_queues.to_string());
    }
    Ok(Rows { kind: "dpdk", options })
}

/// Removes what a master that died has left at the socket's path: it would keep the next from listening.
pub(crate) fn clear(side: Side, memif: &Memif) -> Result<(), EngineError> {
    if side != Side::Host && memif.role != MemifRole::Master {
        return Ok(());
    }
    let failed = |error: io::Error| {
        let doing = format!("remove the socket of an earlier memif at {:?}", memif.socket);
        EngineError::new(ErrorKind::Io, doing).because(error)
    };
    match fs::symlink_metadata(&memif.socket) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(&memif.socket).map_err(failed),
        Ok(_) => {
            let doing = format!("make a memif (something else than a socket is at {:?})", memif.socket);
            Err(EngineError::new(ErrorKind::Conflict, doing))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}
