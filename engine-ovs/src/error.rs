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
