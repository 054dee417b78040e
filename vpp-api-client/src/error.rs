//! What can go wrong between a client and VPP.

use std::{io, path::PathBuf, time::Duration};

/// A message that is shorter than its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message ends too early: at byte {at} it should have {wanted} more, and has {left}")]
pub struct DecodeError {
    /// Where in the message.
    pub at: usize,
    /// How many bytes should follow there.
    pub wanted: usize,
    /// How many do.
    pub left: usize,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody listens. VPP leaves its socket's file behind when it dies, so that a refused connection means the same as no file.
    #[error("connect to VPP's API at {}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The connection ended, by VPP or by [`Client::close`](crate::Client::close): what was not answered may or may not be done.
    #[error("the connection to VPP has ended")]
    Closed,
    /// VPP did not answer in time. It never answers a message that it does not know or that is too short.
    #[error("VPP did not answer {name} within {limit:?}")]
    TimedOut {
        /// The message.
        name: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// VPP refused a request.
    #[error("VPP refused {name}: {} ({retval})", retval_text(*retval))]
    Refused {
        /// The message.
        name: &'static str,
        /// Its number (vnet/error.h).
        retval: i32,
    },
    /// This VPP has no message of that name: the part of VPP that defines it is not loaded, or came with a later release.
    #[error("this VPP has no message {name}: is the {of} loaded, and the release recent enough?")]
    NotLoaded {
        /// The message's name, without its checksum.
        name: &'static str,
        /// The plugin that defines it.
        of: &'static str,
    },
    /// This VPP has a message of that name in another layout.
    #[error("this VPP has {theirs}, which is laid out in another way than {ours}")]
    OtherLayout {
        /// The message with the checksum that is known here.
        ours: &'static str,
        /// VPP's.
        theirs: String,
    },
    /// A message of VPP's is shorter than its layout.
    #[error("read {name}")]
    Decode {
        /// The message.
        name: &'static str,
        /// Where it ended.
        source: DecodeError,
    },
    /// A frame is longer than any message.
    #[error("VPP sent a message of {length} bytes, more than any is known to have")]
    TooLong {
        /// What the frame says.
        length: usize,
    },
    /// An answer of another kind than the request's.
    #[error("VPP answered {name} with message {id}")]
    Unexpected {
        /// The request.
        name: &'static str,
        /// The number of what came.
        id: u16,
    },
}

impl Error {
    /// VPP's reason, when it refused the request.
    pub fn retval(&self) -> Option<i32> {
        match self {
            Self::Refused { retval, .. } => Some(*retval),
            _ => None,
        }
    }
}

/// What the numbers mean that requests of this crate are refused with (vnet/error.h; the same in every release).
fn retval_text(retval: i32) -> &'static str {
    match retval {
        -1 => "unspecified error",
        -2 | -10 => "no such interface",
        -3 => "no such routing table",
        -6 => "no such entry",
        -7 => "invalid value",
        -9 => "not implemented for this interface, or refused by it",
        -20..=-11 => "a system call failed",
        -30 => "the feature is disabled",
        -31 => "registered already, or no number is free",
        -52 => "the route has no paths",
        -54 => "no matching interface",
        -55 => "invalid VLAN",
        -56 => "the VLAN is in use already",
        -59 => "the length does not fit the address",
        -60 => "the address is not on the interface",
        -68 => "the sub-interface id, or the interface, exists already",
        -71 => "no such interface, or its id is taken",
        -72 => "wrong number of VLAN tags",
        -73 => "invalid argument",
        -74 => "in use, or in a state that does not allow it",
        -79 => "the interface exists already",
        -81 | -116 => "the value exists already",
        -98 => "not a sub-interface",
        -105 => "the address is in use, or overlaps with one that is",
        -114 => "addresses are on the interface",
        -119 => "the bridge domain exists already",
        -120 => "the bridge domain has members",
        -121 => "the bridge domain cannot be changed",
        -122 => "the bridge domain's number is too large",
        -126 => "unsupported",
        -127 => "the address is in use, or overlaps with one that is",
        -145 => "the kernel refused to set the interface up",
        -151 => "not an Ethernet interface",
        -152 => "the bridge domain has a BVI already",
        -171 => "invalid prefix length",
        _ => "see vnet/error.h",
    }
}
