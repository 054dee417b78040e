//! The database's errors as the kinds that a caller acts on.

use userspace_core::engine::{EngineError, ErrorKind};

use crate::ovsdb::Error;

/// The engine's error for a failure while `doing`.
pub(crate) fn doing(doing: impl Into<String>) -> impl FnOnce(Error) -> EngineError {
    move |error| EngineError::new(kind(&error), doing).because(error)
}

fn kind(error: &Error) -> ErrorKind {
    match error {
        Error::Connect { .. } | Error::Closed(_) => ErrorKind::Unavailable,
        Error::Refused(_) if error.is_constraint_violation() => ErrorKind::Conflict,
        Error::Stream(_) | Error::Refused(_) | Error::Unexpected { .. } => ErrorKind::Protocol,
    }
}

/// ovs-vswitchd's words on a port that it could not make, without the secret that may be among the device's arguments.
pub(crate) fn without_secret(text: &str) -> String {
    let Some((before, rest)) = text.split_once("secret=") else {
        return text.to_owned();
    };
    let end = rest.find([',', '\'', '"', ' ', ')']).unwrap_or(rest.len());
    format!("{before}secret=…{}", without_secret(&rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_told() {
        for (text, told) in [
            (
                "Error attaching device 'net_memif_us0,secret=abc,mac=1' to DPDK",
                "Error attaching device 'net_memif_us0,secret=…,mac=1' to DPDK",
            ),
            ("secret=abc", "secret=…"),
            ("'secret=a' and \"secret=b\"", "'secret=…' and \"secret=…\""),
            ("no such device", "no such device"),
        ] {
            assert_eq!(without_secret(text), told);
        }
    }
}
