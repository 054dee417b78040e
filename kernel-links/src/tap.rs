//! Persistent taps. The kernel makes them by ioctl on /dev/net/tun only (Documentation/networking/tuntap.rst).

use std::fs::{File, OpenOptions};

use nix::libc;

use crate::{
    Error, Netns,
    ioctl::{TapNumber, set_tap, set_tap_number},
};

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
    /// EBUSY when it is open elsewhere, EINVAL when an interface of another kind has the name or none can have it.
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
        set_tap(device, self.name, flags)?;
        if let Some(uid) = self.owner_uid {
            set_tap_number(device, TapNumber::Owner, uid)?;
        }
        if let Some(gid) = self.group_gid {
            set_tap_number(device, TapNumber::Group, gid)?;
        }
        // Last: until then a kill takes the tap along.
        set_tap_number(device, TapNumber::Persist, 1)
    }
}
