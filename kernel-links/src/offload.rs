//! Checksums of packets that an interface sends. rtnetlink has no word for them: ethtool's ioctl is asked, by an interface's name.
//!
//! A veth or a tap "offloads" by sending packets whose checksum nobody has computed, which is fine as long as the kernel receives
//! them. A switch in user space that takes them by AF_PACKET passes them on as they are: ping, whose checksum is always computed,
//! gets through such a switch, and TCP hangs.

use std::os::{fd::AsFd, unix::net::UnixDatagram};

use crate::{
    Error,
    ioctl::{EthtoolValue, ethtool},
};

/// Leaves the checksums of what the interface sends to its driver (`on`), or has the kernel compute them before.
///
/// The interface is looked for in the calling thread's network namespace; [`Netns::run`](crate::Netns::run) is the way to another.
/// TCP segmentation offload, which needs it, goes off and comes back with it.
///
/// # Errors
/// ENODEV when there is no such interface, EOPNOTSUPP when its driver leaves no choice, EPERM without CAP_NET_ADMIN.
pub fn set_tx_checksum(name: &str, on: bool) -> Result<(), Error> {
    let doing = || {
        let to = if on { "on" } else { "off" };
        format!("turn {to} transmit checksum offload of the interface {name:?}")
    };
    ask(doing, name, EthtoolValue::SetTxChecksum, on.into()).map(drop)
}

/// Whether the checksums of what the interface sends are left to its driver, in the calling thread's network namespace.
///
/// # Errors
/// ENODEV when there is no such interface.
pub fn tx_checksum(name: &str) -> Result<bool, Error> {
    let doing = || format!("look up transmit checksum offload of the interface {name:?}");
    ask(doing, name, EthtoolValue::GetTxChecksum, 0).map(|value| value != 0)
}

fn ask(doing: impl Fn() -> String, name: &str, command: EthtoolValue, value: u32) -> Result<u32, Error> {
    // Any socket will do, since it only says in which namespace the name is meant: this kind takes no port.
    let socket = UnixDatagram::unbound();
    let socket = socket.map_err(|error| Error::io(format!("{}: open a socket", doing()), &error))?;
    ethtool(socket.as_fd(), name, command, value).map_err(|errno| Error::new(doing(), errno))
}
