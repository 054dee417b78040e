//! What went wrong between us and the database.

use std::{fmt, io};

use super::splitter::BadStream;

/// A failed connection, request or operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers there.
    #[error("connect to OVSDB at {at}")]
    Connect {
        /// The address.
        at: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection has ended; whether a request that was under way has been carried out is not known.
    #[error("the connection to OVSDB has ended: {0}")]
    Closed(String),
    /// What came is no JSON-RPC.
    #[error("OVSDB answered what is no JSON-RPC")]
    Stream(#[from] BadStream),
    /// The database refused an operation, and with it the whole transaction.
    #[error("{0}")]
    Refused(Refused),
    /// An answer that has not the form of RFC 7047.
    #[error("OVSDB's answer to {to} makes no sense: {what}")]
    Unexpected {
        /// Which request or column.
        to: String,
        /// What it was.
        what: String,
    },
}

/// A refused operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the transaction; none when it was the commit that failed.
    pub step: Option<usize>,
    /// What it was: `insert Port`.
    pub operation: String,
    /// RFC 7047's word for the reason: `timed out`, `constraint violation`.
    pub error: String,
    /// The server's own sentence.
    pub details: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OVSDB refused {}: {}", self.operation, self.error)?;
        if !self.details.is_empty() {
            write!(f, " ({})", self.details)?;
        }
        Ok(())
    }
}

impl Error {
    pub(crate) fn unexpected(to: impl Into<String>, what: impl fmt::Display) -> Self {
        // An answer may be long.
        let what = what.to_string().chars().take(200).collect();
        Self::Unexpected { to: to.into(), what }
    }

    /// Whether it is a [`super::Transaction::wait`] that did not come true in its time.
    pub fn is_wait_timed_out(&self) -> bool {
        matches!(self, Self::Refused(refused) if refused.error == "timed out")
    }

    /// Whether a row would have been a second of its name, or would have broken another rule of the schema.
    pub fn is_constraint_violation(&self) -> bool {
        matches!(self, Self::Refused(refused) if refused.error == "constraint violation")
    }
}
