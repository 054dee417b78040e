//! Named points at which a test can make the process fail or die. Without the feature `failpoints` nothing of it is compiled in.
//!
//! A point stands before and after each effect of a call. With the feature, [`arm`] is told at which point to do what, and each
//! point that is passed is written to the trace, so that a test learns them by running the call once.

use crate::engine::EngineError;

/// Passes the point `name`.
///
/// # Errors
/// Only with the feature `failpoints`, and only at the armed point.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn point(_name: &str) -> Result<(), EngineError> {
    Ok(())
}

#[cfg(feature = "failpoints")]
pub use armed::{Action, Plan, arm, point};

#[cfg(feature = "failpoints")]
mod armed {
    use std::{fs::File, io::Write, sync::Mutex};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::EngineError;
    use crate::engine::ErrorKind;

    static ARMED: Mutex<Option<Plan>> = Mutex::new(None);

    /// What happens at the armed point.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Action {
        /// The step fails.
        Fail,
        /// The process is killed with SIGKILL.
        Kill,
    }

    /// Where to do what.
    #[derive(Debug)]
    pub struct Plan {
        /// The point and the action; none only traces.
        pub at: Option<(String, Action)>,
        /// Gets a line for each point that is passed.
        pub trace: Option<File>,
    }

    /// Arms the points of this process.
    pub fn arm(plan: Plan) {
        if let Ok(mut armed) = ARMED.lock() {
            *armed = Some(plan);
        }
    }

    /// Passes the point `name`: writes it to the trace, and at the armed point fails or dies.
    pub fn point(name: &str) -> Result<(), EngineError> {
        let Ok(mut armed) = ARMED.lock() else {
            return Ok(());
        };
        let Some(plan) = armed.as_mut() else {
            return Ok(());
        };
        if let Some(trace) = &mut plan.trace {
            let _ = writeln!(trace, "{name}");
        }
        match &plan.at {
            Some((at, Action::Kill)) if at == name => {
                let _ = kill(Pid::this(), Signal::SIGKILL);
                Ok(())
            }
            // A failed step stays failed once only: the undo passes the same points.
            Some((at, Action::Fail)) if at == name => {
                plan.at = None;
                let doing = format!("pass the point {name:?}, which a test made fail");
                Err(EngineError::new(ErrorKind::Protocol, doing))
            }
            _ => Ok(()),
        }
    }
}
