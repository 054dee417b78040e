//! How a failed step is told: of which kind it is, what was being done, and why.

use std::{error::Error as StdError, fmt};

/// What a caller may want to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The vswitch's API, or that of Kubernetes, cannot be reached: try again later.
    Unavailable,
    /// The API answers, but packets do not flow.
    Degraded,
    /// This vswitch, build or kernel cannot do it: change the configuration.
    Unsupported,
    /// The configuration names something that is not there or cannot be: change it.
    Invalid,
    /// Something else stands where the interface should be.
    Conflict,
    /// An answer that makes no sense, or a refusal that should not happen.
    Protocol,
    /// The deadline passed.
    TimedOut,
    /// The container's network namespace is not there any more.
    NamespaceGone,
    /// A file could not be read or written.
    Io,
}

type BoxError = Box<dyn StdError + Send + Sync>;

/// A failed step: what was being done, of which kind, and the cause.
pub struct EngineError {
    kind: ErrorKind,
    doing: String,
    source: Option<BoxError>,
}

impl EngineError {
    /// A failure while `doing` (an operation with its object and values: `create veth "us01" (mtu 9000)`).
    pub fn new(kind: ErrorKind, doing: impl Into<String>) -> Self {
        Self { kind, doing: doing.into(), source: None }
    }

    /// The same with its cause.
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a caller may do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)?;
        if self.kind == ErrorKind::TimedOut {
            f.write_str(": the time limit of the call has passed")?;
        }
        Ok(())
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, chain(self))
    }
}

impl StdError for EngineError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// An error and its causes in one line, outermost first.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes() {
        let cause = std::io::Error::other("no buffer space");
        let error = EngineError::new(ErrorKind::Io, "write record \"x\"").because(cause);
        assert_eq!(chain(&error), "write record \"x\": no buffer space");
        let late = EngineError::new(ErrorKind::TimedOut, "lock \"x\"");
        assert_eq!(chain(&late), "lock \"x\": the time limit of the call has passed");
    }
}
