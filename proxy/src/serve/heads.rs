//! How long a request's head may take. hyper knows one time for it, which begins when the connection is idle; one that is
//! kept for the next request may be silent much longer than a head may take once it has begun.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use pin_project_lite::pin_project;

/// A connection's timer: hyper asks it for nothing but the time of heads.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    /// For a head that has begun.
    patience: Duration,
    /// Bytes have come since the last head was waited for.
    heard: Arc<AtomicBool>,
}

pin_project! {
    /// hyper looks at it each time that a head is not whole yet.
    struct Wait {
        #[pin]
        sleep: tokio::time::Sleep,
        patience: Duration,
        heard: Arc<AtomicBool>,
        has_begun: bool,
    }
}

impl Heads {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, heard: Arc::default() }
    }

    /// To be set when bytes have come.
    pub(super) fn heard(&self) -> Arc<AtomicBool> {
        self.heard.clone()
    }
}

impl Timer for Heads {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.heard.store(false, Ordering::Relaxed);
        let sleep = tokio::time::sleep_until(deadline.into());
        Box::pin(Wait { sleep, patience: self.patience, heard: self.heard.clone(), has_begun: false })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if !*this.has_begun && this.heard.load(Ordering::Relaxed) {
            *this.has_begun = true;
            let deadline = tokio::time::Instant::now() + *this.patience;
            if deadline < this.sleep.deadline() {
                this.sleep.as_mut().reset(deadline);
            }
        }
        this.sleep.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(heads: &Heads, heard_after: Option<Duration>) -> Duration {
        let began = tokio::time::Instant::now();
        let mut wait = heads.sleep(Duration::from_secs(75));
        if let Some(after) = heard_after {
            assert!(tokio::time::timeout(after, &mut wait).await.is_err());
            heads.heard.store(true, Ordering::Relaxed);
        }
        wait.await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_has_less_time_than_an_idle_connection() {
        let heads = Heads::new(Duration::from_secs(15));
        let about = |time: Duration| time.as_secs();
        assert_eq!(about(passed(&heads, None).await), 75);
        assert_eq!(about(passed(&heads, Some(Duration::from_secs(20))).await), 35);
        assert_eq!(
            about(passed(&heads, Some(Duration::from_secs(70))).await),
            75,
            "but never longer than it was to be"
        );
    }
}
