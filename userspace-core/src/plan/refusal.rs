//! Why a request cannot be planned.

use std::fmt;

/// Why a request is refused before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// The key's path in the configuration.
    pub key: String,
    /// Its value, when it has one.
    pub value: Option<String>,
    /// What is wrong, and what would work.
    pub reason: String,
}

impl Refusal {
    /// A key whose value cannot be.
    pub fn of(key: impl Into<String>, value: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self { key: key.into(), value: Some(value.to_string()), reason: reason.into() }
    }

    /// A key that is not there.
    pub fn missing(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), value: None, reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} {value:?}: {}", self.key, self.reason),
            None => write!(f, "{} is missing: {}", self.key, self.reason),
        }
    }
}
