//! The kernel's errno as the kind that a caller acts on.

use kernel_links::Error;
use nix::errno::Errno;
use userspace_core::engine::{EngineError, ErrorKind};

/// The engine's error for a request that the kernel refused.
pub(crate) fn of(error: Error) -> EngineError {
    let kind = kind(&error);
    EngineError::new(kind, "ask the kernel").because(error)
}

/// The same with what it was done for.
pub(crate) fn doing(doing: impl Into<String>) -> impl FnOnce(Error) -> EngineError {
    move |error| EngineError::new(kind(&error), doing).because(error)
}

fn kind(error: &Error) -> ErrorKind {
    match error.errno() {
        Some(Errno::EEXIST) => ErrorKind::Conflict,
        Some(Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT) => ErrorKind::Unsupported,
        Some(
            Errno::EINVAL
            | Errno::ERANGE
            | Errno::EBUSY
            | Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::EADDRNOTAVAIL,
        ) => ErrorKind::Invalid,
        Some(Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN) => ErrorKind::Unavailable,
        _ => ErrorKind::Protocol,
    }
}
