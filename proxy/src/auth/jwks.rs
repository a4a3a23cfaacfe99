//! Where the keys of issuers come from: fetched off the path of requests, and kept beside the snapshot, so that a change of
//! resources forgets none.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use futures::FutureExt;
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use super::{
    issued::{Shown, Stranger},
    keys::Keys,
    token::Why,
    verified::Verified,
};
use crate::{metrics::Metrics, pace::Pace};
use fetch::Fetcher;

pub(crate) mod fetch;
#[cfg(test)]
mod tests;

/// How often keys are fetched when nobody asks.
const REFRESH: Duration = Duration::from_secs(600);
/// Unknown keys make for one fetch in this time, however many they are.
const BETWEEN_ASKED: Duration = Duration::from_secs(30);
/// After a fetch that failed: doubled each time, up to the longest.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// The sources of the live snapshot, by URL.
#[derive(Default)]
pub(crate) struct Jwks {
    sources: Mutex<BTreeMap<String, Arc<Source>>>,
    changed: Notify,
}

/// One URL that publishes keys. Requests look and never wait.
#[derive(Default)]
pub(crate) struct Source {
    /// None before the first fetch that went well; a later one that fails leaves them.
    published: ArcSwapOption<Published>,
    /// Somebody showed a token of a key that is not among them.
    asked: Notify,
}

/// Keys, and what was seen of what they signed.
struct Published {
    keys: Keys,
    verified: Verified,
}

impl Jwks {
    /// The source of this URL, with what was fetched of it.
    pub(crate) fn source(&self, url: &str) -> Arc<Source> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(url) {
            return source.clone();
        }
        self.changed.notify_one();
        sources.entry(url.to_owned()).or_default().clone()
    }

    /// Forgets the others.
    pub(crate) fn retain(&self, is_used: impl Fn(&Arc<Source>) -> bool) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sources.len();
        sources.retain(|_, source| is_used(source));
        if sources.len() != before {
            self.changed.notify_one();
        }
    }

    /// Fetches what the sources publish, each at its own times, for as long as it is polled.
    pub(crate) async fn keep(&self, fetcher: Fetcher, metrics: Metrics, pace: Pace) {
        let fetcher = Arc::new(fetcher);
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<String, (Arc<Source>, AbortHandle)> = BTreeMap::new();
        loop {
            let wanted = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
            running.retain(|url, (source, task)| {
                let stays = wanted.get(url).is_some_and(|wanted| Arc::ptr_eq(wanted, source));
                if !stays {
                    task.abort();
                }
                stays
            });
            for (url, source) in wanted {
                running.entry(url).or_insert_with_key(|url| {
                    let fetch = fetching(fetcher.clone(), metrics.clone(), url.clone(), source.clone());
                    let task = tasks.spawn(keep_one(source.clone(), pace, fetch));
                    (source, task)
                });
            }
            while tasks.try_join_next().is_some() {}
            self.changed.notified().await;
        }
    }
}

impl Source {
    #[cfg(test)]
    pub(crate) fn of(keys: Keys) -> Arc<Self> {
        let source = Self::default();
        source.publish(keys);
        Arc::new(source)
    }

    /// These are its keys now. Where they were before, what was verified by them stays so.
    pub(super) fn publish(&self, keys: Keys) {
        if self.published.load().as_ref().is_some_and(|published| published.keys.digest() == keys.digest()) {
            return;
        }
        self.published.store(Some(Arc::new(Published { keys, verified: Verified::default() })));
    }

    /// Is this token signed by one of its keys? An unknown key has it fetch soon.
    pub(crate) fn judge(&self, shown: &Shown<'_>) -> Result<(), Stranger> {
        let published = self.published.load();
        let Some(Published { keys, verified }) = published.as_deref() else { return Err(Stranger::NoKeysYet) };
        if verified.has(&shown.digest) {
            return Ok(());
        }
        shown.attempt.may_verify().map_err(Stranger::Unverified)?;
        let judged = shown.token.signed_by(keys);
        match judged {
            Ok(()) => verified.add(shown.digest),
            Err(Why::UnknownKey) => self.asked.notify_one(),
            Err(_) => {}
        }
        if judged == Err(Why::Signature) || (judged == Err(Why::UnknownKey) && !shown.token.names_its_key()) {
            shown.attempt.forged();
        }
        judged.map_err(Stranger::Refused)
    }
}

/// Fetches the keys of one source when it is time, and at once when an unknown one is asked for; but for such only once in
/// [`BETWEEN_ASKED`].
async fn keep_one<F: Future<Output = bool>>(source: Arc<Source>, pace: Pace, mut fetch: impl FnMut() -> F) {
    let mut failed = 0;
    let mut last_asked: Option<Instant> = None;
    loop {
        failed = if fetch().await { 0 } else { failed + 1 };
        // Who asked until now is answered; what is unknown still is asked for again.
        let _ = source.asked.notified().now_or_never();
        let wait = if failed == 0 { REFRESH } else { LONGEST_RETRY.min(RETRY * 2_u32.saturating_pow(failed - 1)) };
        let asked = async {
            source.asked.notified().await;
            if let Some(last) = last_asked {
                sleep_until(last + pace.of(BETWEEN_ASKED)).await;
            }
        };
        tokio::select! {
            () = sleep_until(Instant::now() + pace.of(wait)) => {}
            () = asked => last_asked = Some(Instant::now()),
        }
    }
}

/// What fetches once, and says whether it went well.
fn fetching(
    fetcher: Arc<Fetcher>,
    metrics: Metrics,
    url: String,
    source: Arc<Source>,
) -> impl FnMut() -> futures::future::BoxFuture<'static, bool> {
    move || {
        let (fetcher, metrics, url, source) = (fetcher.clone(), metrics.clone(), url.clone(), source.clone());
        let once = async move {
            match fetcher.fetch(&url).await {
                Ok(keys) => {
                    tracing::debug!(url, keys = keys.len(), "fetched the keys of an issuer");
                    source.publish(keys);
                    true
                }
                Err(error) => {
                    let kept = source.published.load().is_some();
                    tracing::warn!(url, kept, "can't fetch the keys of an issuer: {error}");
                    metrics.jwks_failed();
                    false
                }
            }
        };
        once.boxed()
    }
}
