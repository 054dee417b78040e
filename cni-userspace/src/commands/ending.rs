//! A command that stays ends by SIGTERM or SIGINT, and between two looks it waits for one of them.

use std::{future::poll_fn, task::Poll, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

/// The signals. As the first process of a container, ours would have no effect without it.
pub(super) struct Ending([Signal; 2]);

impl Ending {
    /// Begins to listen. Says so when that cannot be.
    pub(super) fn of(command: &str) -> Option<Self> {
        let [Ok(terminate), Ok(interrupt)] = [SignalKind::terminate(), SignalKind::interrupt()].map(signal)
        else {
            eprintln!("userspace {command}: wait for SIGTERM: the runtime cannot");
            return None;
        };
        Some(Self([terminate, interrupt]))
    }

    /// Whether one comes within that time.
    pub(super) async fn comes_within(&mut self, limit: Duration) -> bool {
        let any = poll_fn(|cx| {
            let came = self.0.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        });
        timeout(limit, any).await.is_ok()
    }
}
