//! What went wrong, in the words of the CNI: a code, a message, details. The chain of causes is joined here and nowhere else.

use serde::Serialize;
use serde_json::Value;
use userspace_core::{
    engine::{EngineError, ErrorKind, chain},
    json::InvalidValue,
    lifecycle::{AddError, CheckError, DetachError},
    plan::Refusal,
};

use crate::{Answer, command::Command, version::Version};

/// The codes of the CNI specification, and from 100 on our own (docs/errors.md).
pub(crate) mod code {
    pub(crate) const VERSION: u32 = 1;
    pub(crate) const UNSUPPORTED: u32 = 2;
    pub(crate) const UNKNOWN_CONTAINER: u32 = 3;
    pub(crate) const ENVIRONMENT: u32 = 4;
    pub(crate) const IO: u32 = 5;
    pub(crate) const DECODE: u32 = 6;
    pub(crate) const CONFIG: u32 = 7;
    pub(crate) const TRY_LATER: u32 = 11;
    pub(crate) const NOT_AVAILABLE: u32 = 50;
    pub(crate) const LIMITED: u32 = 51;
    pub(crate) const CONFLICT: u32 = 100;
    pub(crate) const INTERNAL: u32 = 101;
    pub(crate) const NAMESPACE_GONE: u32 = 102;
    pub(crate) const CHECK: u32 = 103;
}

/// An error object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{msg}")]
pub(crate) struct CniError {
    pub(crate) code: u32,
    pub(crate) msg: String,
    pub(crate) details: String,
}

impl CniError {
    pub(crate) fn new(code: u32, msg: impl Into<String>) -> Self {
        Self { code, msg: msg.into(), details: String::new() }
    }

    pub(crate) fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// The object on standard output, with a non-zero status.
    pub(crate) fn answer(&self, version: Version) -> Answer {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Object<'a> {
            cni_version: &'a str,
            code: u32,
            msg: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            details: &'a str,
        }
        let object =
            Object { cni_version: version.as_str(), code: self.code, msg: &self.msg, details: &self.details };
        let mut stdout = serde_json::to_vec_pretty(&object).unwrap_or_default();
        stdout.push(b'\n');
        Answer { stdout, status: 1 }
    }

    /// An engine's, a store's or an IPAM's failure during `command`. The code that an IPAM plugin gave is kept.
    pub(crate) fn of_engine(command: Command, error: &EngineError) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(current) = cause {
            if let Some(theirs) = current.downcast_ref::<Self>() {
                let msg = chain(error);
                return Self::new(theirs.code, msg).with_details(theirs.details.clone());
            }
            cause = current.source();
        }
        Self::new(code_of(command, error.kind()), chain(error))
    }

    pub(crate) fn of_add(error: &AddError) -> Self {
        let mut object = Self::of_engine(Command::Add, &error.error);
        let undo: Vec<_> = error.undo.iter().map(|error| chain(error)).collect();
        if !undo.is_empty() {
            object.details = format!("not undone, left for DEL: {}", undo.join("; "));
        }
        object
    }

    pub(crate) fn of_detach(command: Command, errors: &DetachError) -> Self {
        Self::of_many(command, &errors.0)
    }

    /// Several failures: the code of the first, the text of all.
    pub(crate) fn of_many(command: Command, errors: &[EngineError]) -> Self {
        let all: Vec<_> = errors.iter().map(|e| Self::of_engine(command, e)).collect();
        let code = all.first().map_or(code::INTERNAL, |first| first.code);
        let texts: Vec<_> = all.into_iter().map(|error| error.msg).collect();
        Self::new(code, texts.join("; "))
    }

    pub(crate) fn of_check(error: &CheckError) -> Self {
        match error {
            CheckError::Failed(error) => Self::of_engine(Command::Check, error),
            _ => Self::new(code::CHECK, error.to_string()),
        }
    }
}

fn code_of(command: Command, kind: ErrorKind) -> u32 {
    match (kind, command) {
        (ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::Unsupported, Command::Status) => {
            code::NOT_AVAILABLE
        }
        (ErrorKind::Degraded, Command::Status) => code::LIMITED,
        (ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::Degraded, _) => code::TRY_LATER,
        (ErrorKind::Unsupported, _) => code::UNSUPPORTED,
        (ErrorKind::Invalid, _) => code::CONFIG,
        (ErrorKind::Conflict, _) => code::CONFLICT,
        (ErrorKind::Protocol, _) => code::INTERNAL,
        (ErrorKind::NamespaceGone, _) => code::NAMESPACE_GONE,
        (ErrorKind::Io, _) => code::IO,
    }
}

impl From<Refusal> for CniError {
    fn from(refusal: Refusal) -> Self {
        Self::new(code::CONFIG, refusal.to_string())
    }
}

impl From<InvalidValue> for CniError {
    fn from(error: InvalidValue) -> Self {
        Self::new(code::CONFIG, format!("configuration: {}", chain(&error)))
    }
}

/// The error object that another plugin printed.
pub(crate) fn parse(stdout: &[u8]) -> Option<CniError> {
    let object: Value = serde_json::from_slice(stdout).ok()?;
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let code = object.get("code")?.as_u64()?;
    let error = CniError::new(u32::try_from(code).ok()?, text("msg"));
    Some(error.with_details(text("details")))
}
