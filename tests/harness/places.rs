//! How many hosts with a vswitch run at a time. Tests are threads of one process; each with a vswitchd of its own would want more
//! memory and time than the machine has.

use std::sync::{Condvar, Mutex, PoisonError};

const AT_MOST: u32 = 3;

static TAKEN: Mutex<u32> = Mutex::new(0);
static LEFT: Condvar = Condvar::new();

/// The right to run one.
#[derive(Debug)]
pub(crate) struct Place(());

impl Place {
    /// Waits until there is one.
    pub(crate) fn wait() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = LEFT.wait_while(taken, |taken| *taken >= AT_MOST);
        *free.unwrap_or_else(PoisonError::into_inner) += 1;
        Self(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        LEFT.notify_one();
    }
}
