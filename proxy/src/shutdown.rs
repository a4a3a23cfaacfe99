//! The end of the process. The first signal begins the drain: `/readyz` fails at once, the data plane accepts on for the
//! grace and lets requests finish. The second one ends everything.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// SIGTERM and SIGINT, caught from the moment this exists.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Cancels `draining` at the first signal; returns at the second.
    pub(crate) async fn watch(mut self, draining: CancellationToken) {
        let first = self.next().await;
        tracing::info!("{first}: not ready any more, draining; a second signal ends at once");
        draining.cancel();
        let second = self.next().await;
        tracing::warn!("{second} again: ending at once");
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
