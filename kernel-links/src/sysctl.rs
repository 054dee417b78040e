//! Settings of one interface that netlink cannot set: files below /proc/sys/net, which are those of the calling thread's namespace.

use std::{fs, io};

use crate::Error;

/// The address families that have settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// A setting of one interface (Documentation/networking/ip-sysctl.rst).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceSysctl<'a> {
    /// The family.
    pub family: Family,
    /// The interface's name, or `all` or `default`.
    pub interface: &'a str,
    /// The setting's name.
    pub name: &'a str,
}

impl InterfaceSysctl<'_> {
    /// The value; `None` when the kernel has no such setting.
    ///
    /// # Errors
    /// What reading it answered.
    pub fn get(&self) -> Result<Option<String>, Error> {
        match fs::read_to_string(self.path()) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(format!("read {}", self.path()), &error)),
        }
    }

    /// Sets it. Whether the kernel has such a setting.
    ///
    /// # Errors
    /// What writing it answered.
    pub fn set(&self, value: &str) -> Result<bool, Error> {
        match fs::write(self.path(), value) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io(format!("write {value:?} to {}", self.path()), &error)),
        }
    }

    fn path(&self) -> String {
        let family = match self.family {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        };
        format!("/proc/sys/net/{family}/conf/{}/{}", self.interface, self.name)
    }
}
