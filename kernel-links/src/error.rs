//! A request that the kernel refused, with its own sentence where it gave one.

use std::{fmt, io};

use netlink_packet_core::ErrorMessage;
use nix::errno::Errno;

/// A failed operation: which, on what, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    doing: String,
    errno: Option<Errno>,
    reason: String,
}

impl Error {
    pub(crate) fn new(doing: impl Into<String>, errno: Errno) -> Self {
        Self { doing: doing.into(), errno: Some(errno), reason: errno.desc().to_lowercase() }
    }

    pub(crate) fn io(doing: impl Into<String>, error: &io::Error) -> Self {
        Self {
            doing: doing.into(),
            errno: error.raw_os_error().map(Errno::from_raw),
            reason: error.to_string(),
        }
    }

    /// The connection's other end did not keep to the protocol, or is gone.
    pub(crate) fn protocol(doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { doing: doing.into(), errno: None, reason: reason.into() }
    }

    pub(crate) fn refused(doing: impl Into<String>, message: &ErrorMessage) -> Self {
        let errno = Errno::from_raw(message.raw_code().abs());
        let mut error = Self::new(doing, errno);
        if let Some(sentence) = sentence(&message.header) {
            error.reason = format!("{sentence} ({})", error.reason);
        }
        error
    }

    /// The kernel's number for it, by which a caller may decide.
    pub fn errno(&self) -> Option<Errno> {
        self.errno
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.reason)
    }
}

/// NLMSGERR_ATTR_MSG of linux/netlink.h: a sentence, closed by a NUL.
const ATTR_MSG: u16 = 1;
/// The refused request's header, which comes first: struct nlmsghdr. The rest of the request is capped.
const HEADER: usize = 16;

/// The kernel's sentence among the attributes of an error: each is `u16 length, u16 kind, value`, padded to four bytes.
fn sentence(payload: &[u8]) -> Option<String> {
    let mut rest = payload.get(HEADER..)?;
    loop {
        let length = u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]) as usize;
        let kind = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]);
        let value = rest.get(4..length)?;
        if kind == ATTR_MSG {
            let text = value.split(|byte| *byte == 0).next()?;
            return Some(String::from_utf8_lossy(text).trim_end_matches('.').to_owned());
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a kernel 6.18, for `ip link add a mtu 99 type veth peer b mtu 1`: after the header an attribute of kind 1.
    fn payload(kind: u16, text: &str) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        // An attribute that we do not know comes first: NLMSGERR_ATTR_OFFS.
        bytes.extend([8, 0, 2, 0, 1, 2, 3, 4]);
        let length = u16::try_from(4 + text.len() + 1).unwrap();
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes
    }

    #[test]
    fn the_kernels_sentence_is_found() {
        let found = sentence(&payload(ATTR_MSG, "mtu less than device minimum"));
        assert_eq!(found.as_deref(), Some("mtu less than device minimum"));
    }

    #[test]
    fn without_a_sentence_there_is_none() {
        assert_eq!(sentence(&payload(9, "x")), None);
        let whole = payload(ATTR_MSG, "sentence");
        for length in 0..whole.len() - "sentence".len() {
            assert_eq!(sentence(&whole[..length]), None, "{length}");
        }
        assert_eq!(sentence(&[0; 64]), None, "a length of zero does not loop for ever");
    }
}
