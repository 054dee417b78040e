//! The ioctls that have no safe wrapper elsewhere: all unsafe code of the project is here, and nothing else is.
//!
//! The kernel reads and writes memory by what a call's number says, so the numbers are enums of this file: no caller can pair one
//! with an argument of another shape. What the calls are good for is known above, in `tap` and `offload`.

#![allow(unsafe_code)]

use std::{
    fs::File,
    os::{
        fd::{AsRawFd, BorrowedFd},
        raw::{c_int, c_short},
    },
};

use nix::{errno::Errno, libc};

/// The calls on a tap's descriptor that take a number. Their own numbers are those of linux/if_tun.h.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TapNumber {
    /// TUNSETPERSIST: whether the tap stays when its descriptor is closed.
    Persist,
    /// TUNSETOWNER: the user that may open it.
    Owner,
    /// TUNSETGROUP: the group that may open it.
    Group,
}

/// The commands of SIOCETHTOOL whose argument is a `struct ethtool_value`, with the numbers of linux/ethtool.h.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EthtoolValue {
    /// ETHTOOL_GTXCSUM: whether checksums of sent packets are left to the device.
    GetTxChecksum = 0x16,
    /// ETHTOOL_STXCSUM: that they are, or are not.
    SetTxChecksum = 0x17,
}

const TUNSETIFF: libc::Ioctl = nix::request_code_write!(b'T', 202, size_of::<c_int>()) as libc::Ioctl;

/// TUNSETIFF: makes or opens the tap of that name on `device`, which is /dev/net/tun.
pub(crate) fn set_tap(device: &File, name: &str, flags: c_int) -> nix::Result<()> {
    let mut request = request_for(name)?;
    request.ifr_ifru.ifru_flags = flags as c_short;
    // SAFETY: the descriptor is open, and TUNSETIFF reads and writes one ifreq, which outlives the call.
    let answer = unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, &mut request) };
    Errno::result(answer).map(drop)
}

/// The calls that take a number in the place of a pointer.
pub(crate) fn set_tap_number(device: &File, which: TapNumber, value: u32) -> nix::Result<()> {
    let call = match which {
        TapNumber::Persist => nix::request_code_write!(b'T', 203, size_of::<c_int>()),
        TapNumber::Owner => nix::request_code_write!(b'T', 204, size_of::<c_int>()),
        TapNumber::Group => nix::request_code_write!(b'T', 206, size_of::<c_int>()),
    };
    // SAFETY: the descriptor is open, and these calls read their argument as a number, not as an address.
    let answer = unsafe { libc::ioctl(device.as_raw_fd(), call as libc::Ioctl, libc::c_ulong::from(value)) };
    Errno::result(answer).map(drop)
}

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// SIOCETHTOOL for the interface of that name in the socket's namespace; the value that the kernel left.
pub(crate) fn ethtool(
    socket: BorrowedFd<'_>,
    name: &str,
    command: EthtoolValue,
    data: u32,
) -> nix::Result<u32> {
    let mut value = Value { command: command as u32, data };
    let mut request = request_for(name)?;
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the descriptor is open. SIOCETHTOOL reads one ifreq and follows its pointer to a value, which for the commands of
    // `EthtoolValue` is all that it reads and writes there; both are this function's, and outlive the call.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as libc::Ioctl, &mut request) };
    Errno::result(answer)?;
    Ok(value.data)
}

/// An ifreq with the name and zeroes. A name that does not fit is refused with EINVAL, as the kernel does with names that cannot
/// be: cut at its end, or at a NUL, it would be another interface's.
fn request_for(name: &str) -> nix::Result<libc::ifreq> {
    // SAFETY: ifreq is plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays a NUL.
    let room = request.ifr_name.len() - 1;
    if name.is_empty() || name.len() > room || name.contains('\0') {
        return Err(Errno::EINVAL);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_whole_or_refused() {
        let name_of = |name| {
            let request = request_for(name).ok()?;
            let bytes = request.ifr_name.map(|byte| byte as u8);
            let end = bytes.iter().position(|byte| *byte == 0).expect("a NUL at the end");
            Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
        };
        for name in ["a", "eth0", "fifteen-letters"] {
            assert_eq!(name_of(name).as_deref(), Some(name));
        }
        for name in ["", "sixteen--letters", "eth0\0x"] {
            assert_eq!(name_of(name), None, "{name:?}");
        }
    }
}
