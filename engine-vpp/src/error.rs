//! VPP's errors as the kinds that a caller acts on.

use userspace_core::engine::{EngineError, ErrorKind};
use vpp_api_client::Error;

/// What VPP answers to a request for what exists already.
pub(crate) mod retval {
    /// No such interface, to a deletion.
    pub(crate) const NO_SUCH_INTERFACE: i32 = -2;
    /// A routing table that is not there.
    pub(crate) const NO_SUCH_ENTRY: i32 = -6;
    /// af_packet, to a deletion of what is not attached.
    pub(crate) const INVALID_INTERFACE: i32 = -11;
    /// A namespace, a device or a socket that could not be opened.
    pub(crate) const SYSCALLS: std::ops::RangeInclusive<i32> = -14..=-12;
    /// The VLAN of a sub-interface.
    pub(crate) const VLAN_EXISTS: i32 = -56;
    /// An address that is not on the interface.
    pub(crate) const ADDRESS_NOT_THERE: i32 = -60;
    /// A memif on its socket.
    pub(crate) const SUBIF_EXISTS: i32 = -68;
    /// A tap's number; for af_packet, that the kernel has no such interface.
    pub(crate) const INVALID_INTERFACE_NAME: i32 = -71;
    /// A vhost-user port's path, an attached kernel interface: the reply has its index.
    pub(crate) const IF_EXISTS: i32 = -79;
    /// A policer.
    pub(crate) const VALUE_EXISTS: i32 = -81;
    /// An IPv4 address, or one that overlaps with it.
    pub(crate) const ADDRESS_IN_USE: i32 = -105;
    /// A socket's number that is not there.
    pub(crate) const INVALID_ARGUMENT: i32 = -73;
    /// A socket that a memif is on.
    pub(crate) const IN_USE: i32 = -74;
    /// A master's socket.
    pub(crate) const CANNOT_LISTEN: i32 = -14;
    /// A memif's socket number, with another path.
    pub(crate) const ENTRY_EXISTS: i32 = -116;
    /// A bridge domain.
    pub(crate) const DOMAIN_EXISTS: i32 = -119;
    /// A bridge domain that has members.
    pub(crate) const DOMAIN_HAS_MEMBERS: i32 = -120;
    /// An IPv6 address, or one that overlaps with it.
    pub(crate) const ADDRESS_DUPLICATE: i32 = -127;
}

/// The engine's error for a failure while `doing`.
pub(crate) fn doing(doing: impl Into<String>) -> impl FnOnce(Error) -> EngineError {
    move |error| EngineError::new(kind(&error), doing).because(error)
}

fn kind(error: &Error) -> ErrorKind {
    match error {
        Error::Connect { .. } | Error::Closed => ErrorKind::Unavailable,
        Error::TimedOut { .. } => ErrorKind::TimedOut,
        Error::NotLoaded { .. } | Error::OtherLayout { .. } => ErrorKind::Unsupported,
        Error::Refused { retval, .. } => of_retval(*retval),
        _ => ErrorKind::Protocol,
    }
}

fn of_retval(retval: i32) -> ErrorKind {
    use retval::{
        ADDRESS_DUPLICATE, ADDRESS_IN_USE, ENTRY_EXISTS, IF_EXISTS, INVALID_INTERFACE_NAME, SUBIF_EXISTS,
        SYSCALLS, VALUE_EXISTS, VLAN_EXISTS,
    };
    match retval {
        ADDRESS_DUPLICATE
        | ADDRESS_IN_USE
        | ENTRY_EXISTS
        | IF_EXISTS
        | INVALID_INTERFACE_NAME
        | SUBIF_EXISTS
        | VALUE_EXISTS
        | VLAN_EXISTS => ErrorKind::Conflict,
        other if SYSCALLS.contains(&other) => ErrorKind::Io,
        _ => ErrorKind::Protocol,
    }
}

/// Nothing where `absent` tells that what should go is gone.
pub(crate) fn unless<T>(outcome: Result<T, Error>, absent: &[i32]) -> Result<Option<T>, Error> {
    match outcome {
        Err(error) if error.retval().is_some_and(|retval| absent.contains(&retval)) => Ok(None),
        outcome => outcome.map(Some),
    }
}
