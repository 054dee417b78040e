//! The context of a call: how long everything in it may take.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::error::{EngineError, ErrorKind};

/// Bounds every call that can block. Cheap to copy, passed first.
#[derive(Debug, Clone, Copy)]
pub struct Cx {
    /// When the caller stops waiting.
    pub deadline: Instant,
}

impl Cx {
    /// A context that ends `budget` from now.
    pub fn within(budget: Duration) -> Self {
        Self { deadline: Instant::now() + budget }
    }

    /// What is left of the time; zero when the deadline has passed.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// This context, or a shorter one that ends `budget` from now.
    pub fn at_most(self, budget: Duration) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + budget) }
    }

    /// Runs `work` until the deadline; afterwards answers [`ErrorKind::TimedOut`] with `doing`.
    pub async fn bound<T, E: Into<EngineError>>(
        self,
        doing: impl FnOnce() -> String,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, EngineError> {
        match timeout_at(self.deadline, work).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) => Err(EngineError::new(ErrorKind::TimedOut, doing())),
        }
    }
}
