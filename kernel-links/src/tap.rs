//! Persistent taps. The kernel makes them by ioctl on /dev/net/tun only (Documentation/networking/tuntap.rst).

use std::{
    fs::{File, OpenOptions},
    os::fd::AsRawFd,
};

use nix::libc;

use crate::{Error, Netns};

/// A tap to be made.
#[derive(Debug)]
pub struct Tap<'a> {
    /// Its name, 1 to 15 bytes.
    pub name: &'a str,
    /// The namespace that it is made in.
    pub netns: &'a Netns,
    /// The user that may open it; root when absent.
    pub owner_uid: Option<u32>,
    /// The group that may open it.
    pub group_gid: Option<u32>,
    /// Whether it can be opened once a queue.
    pub multi_queue: bool,
}

impl Tap<'_> {
    /// Makes the tap, down. It stays when this process ends.
    ///
    /// # Errors
    /// EBUSY when it is open elsewhere, EINVAL when an interface of another kind has the name.
    pub fn create(&self) -> Result<(), Error> {
        let doing = format!("create tap {:?}", self.name);
        self.netns.run(|| {
            let mut options = OpenOptions::new();
            options.read(true).write(true);
            let device = options.open("/dev/net/tun");
            let device = device.map_err(|error| Error::io(format!("{doing}: open /dev/net/tun"), &error))?;
            self.make(&device).map_err(|errno| Error::new(doing, errno))
        })
    }

    fn make(&self, device: &File) -> nix::Result<()> {
        let mut flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
        if self.multi_queue {
            flags |= libc::IFF_MULTI_QUEUE;
        }
        ioctl::set_iff(device, self.name, flags)?;
        if let Some(uid) = self.owner_uid {
            ioctl::set(device, ioctl::TUNSETOWNER, uid)?;
        }
        if let Some(gid) = self.group_gid {
            ioctl::set(device, ioctl::TUNSETGROUP, gid)?;
        }
        // Last: until then a kill takes the tap along.
        ioctl::set(device, ioctl::TUNSETPERSIST, 1)
    }
}

/// The calls that nix has no safe wrapper for. Numbers from linux/if_tun.h.
#[allow(unsafe_code)]
mod ioctl {
    use super::{AsRawFd, File, libc};

    pub(super) const TUNSETPERSIST: libc::Ioctl =
        nix::request_code_write!(b'T', 203, size_of::<libc::c_int>()) as libc::Ioctl;
    pub(super) const TUNSETOWNER: libc::Ioctl =
        nix::request_code_write!(b'T', 204, size_of::<libc::c_int>()) as libc::Ioctl;
    pub(super) const TUNSETGROUP: libc::Ioctl =
        nix::request_code_write!(b'T', 206, size_of::<libc::c_int>()) as libc::Ioctl;
    const TUNSETIFF: libc::Ioctl =
        nix::request_code_write!(b'T', 202, size_of::<libc::c_int>()) as libc::Ioctl;

    /// TUNSETIFF: makes or opens the interface.
    pub(super) fn set_iff(device: &File, name: &str, flags: libc::c_int) -> nix::Result<()> {
        // SAFETY: ifreq is plain data, for which all zeroes is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let room = request.ifr_name.len() - 1;
        for (to, from) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = flags as libc::c_short;
        // SAFETY: the descriptor is open, and TUNSETIFF reads and writes one ifreq, which outlives the call.
        let answer = unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, &mut request) };
        nix::errno::Errno::result(answer).map(drop)
    }

    /// The calls that take a number in the place of a pointer.
    pub(super) fn set(device: &File, call: libc::Ioctl, value: u32) -> nix::Result<()> {
        // SAFETY: the descriptor is open, and these calls read their argument as a number, not as an address.
        let answer = unsafe { libc::ioctl(device.as_raw_fd(), call, libc::c_ulong::from(value)) };
        nix::errno::Errno::result(answer).map(drop)
    }
}
