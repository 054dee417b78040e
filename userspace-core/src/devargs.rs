//! DPDK's device arguments (`--vdev`, OVS's `dpdk-devargs`) of what is made in a container. Pure text.
//!
//! ```text
//! net_memif_…,role=client,id=0,socket-abstract=no,socket=/path,rsize=10,bsize=2048,mac=…,secret=…
//! net_virtio_user_…,path=/path,queues=1,server=1,packed_vq=1,mac=…
//! ```
//! The keys are those of DPDK's doc/guides/nics/memif.rst and virtio.rst, the same since 19.11.

use std::path::Path;

use crate::{
    addr::MacAddr,
    spec::{Memif, MemifMode, MemifRole, MemifSocket, SocketMode, VhostUser},
};

/// What the name of a memif begins with, by which DPDK finds its driver.
pub const MEMIF: &str = "net_memif_";
/// What the name of a vhost-user device begins with.
pub const VIRTIO_USER: &str = "net_virtio_user_";

/// What DPDK could not be told, or would not make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDevargs {
    /// DPDK takes its arguments apart at that character.
    #[error("{0} has a character that DPDK's device arguments cannot hold")]
    Character(&'static str),
    /// DPDK has no such memif.
    #[error("DPDK has memifs of mode ethernet only, not of mode {0:?}")]
    Mode(MemifMode),
}

/// The arguments of a memif of that name, which begins with [`MEMIF`]. They may hold its secret.
///
/// # Errors
/// When the socket's path or the secret has a character that they cannot hold, or its mode is another than ethernet.
pub fn memif(name: &str, memif: &Memif, mac: Option<MacAddr>) -> Result<String, InvalidDevargs> {
    if memif.mode != MemifMode::Ethernet {
        return Err(InvalidDevargs::Mode(memif.mode));
    }
    let role = match memif.role {
        MemifRole::Master => "server",
        MemifRole::Slave => "client",
    };
    let (is_abstract, socket) = match &memif.socket {
        MemifSocket::File(file) => ("no", path(file)?),
        MemifSocket::Abstract(socket) => ("yes", held("the socket's name", &socket.name)?),
    };
    let mut text = format!("{name},role={role},id=0,socket-abstract={is_abstract},socket={socket}");
    // A power of two, checked by the plan; DPDK takes its logarithm.
    text.push_str(&format!(",rsize={},bsize={}", memif.ring_size.max(1).ilog2(), memif.buffer_bytes));
    if let Some(mac) = mac {
        text.push_str(&format!(",mac={mac}"));
    }
    if let Some(secret) = &memif.secret {
        text.push_str(&format!(",secret={}", held("the secret", secret.reveal())?));
    }
    Ok(text)
}

/// The arguments of a vhost-user device of that name, which begins with [`VIRTIO_USER`].
///
/// # Errors
/// When the socket's path has a character that they cannot hold.
pub fn virtio_user(name: &str, vhost: &VhostUser, mac: Option<MacAddr>) -> Result<String, InvalidDevargs> {
    let mut text = format!("{name},path={},queues={}", path(&vhost.socket)?, vhost.queues);
    if vhost.mode == SocketMode::Server {
        text.push_str(",server=1");
    }
    if vhost.packed {
        text.push_str(",packed_vq=1");
    }
    if let Some(mac) = mac {
        text.push_str(&format!(",mac={mac}"));
    }
    Ok(text)
}

fn path(path: &Path) -> Result<&str, InvalidDevargs> {
    let what = "the socket's path";
    held(what, path.to_str().ok_or(InvalidDevargs::Character(what))?)
}

/// DPDK takes arguments apart at some of these, and OVS quotes others in its errors, in which a secret is then not found.
fn held<'t>(what: &'static str, text: &'t str) -> Result<&'t str, InvalidDevargs> {
    let is_held = |byte: u8| byte.is_ascii_graphic() && !b",='\"\\()".contains(&byte);
    if text.bytes().all(is_held) { Ok(text) } else { Err(InvalidDevargs::Character(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Secret;

    fn a_memif() -> Memif {
        Memif {
            role: MemifRole::Slave,
            mode: MemifMode::Ethernet,
            socket: MemifSocket::File("/run/a.sock".into()),
            rx_queues: 1,
            tx_queues: 1,
            ring_size: 1024,
            buffer_bytes: 2048,
            secret: None,
            zero_copy: true,
            dma: false,
        }
    }

    #[test]
    fn a_memif_is_told_as_dpdk_reads_it() {
        let mac = "02:00:00:00:00:01".parse().ok();
        let told =
            memif("net_memif_net1", &Memif { secret: Some(Secret::new("s".to_owned())), ..a_memif() }, mac);
        let text = "net_memif_net1,role=client,id=0,socket-abstract=no,socket=/run/a.sock,rsize=10,bsize=2048,\
                    mac=02:00:00:00:00:01,secret=s";
        assert_eq!(told.unwrap(), text);
    }

    #[test]
    fn a_virtio_device_is_told_as_dpdk_reads_it() {
        let mut vhost = VhostUser {
            mode: SocketMode::Client,
            socket: "/run/b".into(),
            queues: 2,
            tx_retries: None,
            gso: false,
            packed: false,
            event_idx: false,
        };
        let name = "net_virtio_user_net1";
        assert_eq!(virtio_user(name, &vhost, None).unwrap(), "net_virtio_user_net1,path=/run/b,queues=2");
        (vhost.mode, vhost.packed) = (SocketMode::Server, true);
        let told = virtio_user(name, &vhost, None).unwrap();
        assert_eq!(told, "net_virtio_user_net1,path=/run/b,queues=2,server=1,packed_vq=1");
    }

    #[test]
    fn what_dpdk_cannot_be_told_is_refused() {
        for path in ["/a,b", "/a b", "/a=b", "/ü"] {
            let refused =
                memif("net_memif_x", &Memif { socket: MemifSocket::File(path.into()), ..a_memif() }, None);
            assert_eq!(refused, Err(InvalidDevargs::Character("the socket's path")), "{path}");
        }
        let ip = Memif { mode: MemifMode::Ip, ..a_memif() };
        assert_eq!(memif("net_memif_x", &ip, None), Err(InvalidDevargs::Mode(MemifMode::Ip)));
    }
}
