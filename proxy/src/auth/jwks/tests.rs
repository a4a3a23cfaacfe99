//! When keys are fetched.

use std::sync::atomic::{AtomicUsize, Ordering};

use penstock_config::Hash;
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{advance, sleep},
};

use super::*;
use crate::auth::{
    door::{self, Attempt},
    signer::Signer,
    token::Token,
};

/// A source whose fetches are counted, and the task that keeps it.
struct Kept {
    source: Arc<Source>,
    fetches: Arc<AtomicUsize>,
    _task: JoinHandle<()>,
}

impl Kept {
    /// Each fetch takes this long; those for which `works` is false fail.
    fn start(takes: Duration, works: fn(usize) -> bool) -> Self {
        let (source, fetches) = (Arc::new(Source::default()), Arc::new(AtomicUsize::new(0)));
        let counted = fetches.clone();
        let fetch = move || {
            let fetches = counted.clone();
            async move {
                sleep(takes).await;
                works(fetches.fetch_add(1, Ordering::Relaxed))
            }
        };
        let task = tokio::spawn(keep_one(source.clone(), Pace::REAL, fetch));
        Self { source, fetches, _task: task }
    }

    /// How many fetches there were when so many seconds more have passed.
    async fn after(&self, seconds: f64) -> usize {
        sleep(Duration::from_secs_f64(seconds)).await;
        self.fetches.load(Ordering::Relaxed)
    }

    fn storm(&self) {
        (0..1000).for_each(|_| self.source.asked.notify_one());
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_at_once_and_every_ten_minutes() {
    let kept = Kept::start(Duration::ZERO, |_| true);
    assert_eq!(kept.after(0.1).await, 1);
    assert_eq!(kept.after(599.0).await, 1);
    assert_eq!(kept.after(1.0).await, 2);
    assert_eq!(kept.after(600.0).await, 3);
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_fetch_at_once_and_then_once_in_30_seconds_however_many_they_are() {
    let kept = Kept::start(Duration::ZERO, |_| true);
    assert_eq!(kept.after(1.0).await, 1);
    kept.storm();
    assert_eq!(kept.after(0.1).await, 2, "at once");
    for _ in 0..290 {
        kept.storm();
        assert_eq!(kept.after(0.1).await, 2);
    }
    kept.storm();
    assert_eq!(kept.after(1.1).await, 3, "the next, when its time has come");
    assert_eq!(kept.after(300.0).await, 3, "and no more, when nobody asks");
    kept.storm();
    assert_eq!(kept.after(0.1).await, 4);
}

#[tokio::test(start_paused = true)]
async fn who_asks_while_a_fetch_is_on_its_way_is_answered_by_it() {
    let kept = Kept::start(Duration::from_secs(5), |_| true);
    assert_eq!(kept.after(4.0).await, 0);
    kept.storm();
    assert_eq!(kept.after(100.0).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_fails_is_tried_again_soon_and_then_less_often() {
    let kept = Kept::start(Duration::ZERO, |n| n >= 8);
    let mut at = Vec::new();
    for second in 0..160 {
        let before = kept.fetches.load(Ordering::Relaxed);
        if kept.after(1.0).await > before {
            at.push(second);
        }
    }
    assert_eq!(at, [0, 1, 3, 7, 15, 31, 61, 91, 121], "1, 2, 4, 8, 16, and 30 from then on");
}

/// What a source says of a token.
fn judge(source: &Source, token: &str) -> Result<(), Stranger> {
    let (door, headers) = door::tests::closed();
    judge_at(source, token, &door.attempt([192, 0, 2, 1].into(), &headers))
}

fn judge_at(source: &Source, text: &str, attempt: &Attempt<'_>) -> Result<(), Stranger> {
    let token = Token::read(text.as_bytes()).and_then(Result::ok).expect("must be a token");
    source.judge(&Shown { token: &token, digest: Hash::of(text.as_bytes()), attempt })
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_fails_keeps_the_keys_that_were_fetched() {
    let signer = Signer::ed25519();
    let token = signer.sign("k1", &json!({}));
    assert_eq!(judge(&Source::default(), &token), Err(Stranger::NoKeysYet));
    let source = Source::of(signer.keys("k1"));
    let _task = tokio::spawn(keep_one(source.clone(), Pace::REAL, async || false));
    advance(Duration::from_secs(3600)).await;
    assert_eq!(judge(&source, &token), Ok(()));
    let unknown = signer.sign("k2", &json!({}));
    assert_eq!(judge(&source, &unknown), Err(Stranger::Refused(Why::UnknownKey)));
}

#[tokio::test(start_paused = true)]
async fn after_many_forged_tokens_an_address_s_are_not_verified_but_those_that_were_pass() {
    let (signer, forger) = (Signer::ed25519(), Signer::ed25519());
    let source = Source::of(signer.keys("k1"));
    let (door, headers) = door::tests::closed();
    let judge = |token: &str| judge_at(&source, token, &door.attempt([192, 0, 2, 1].into(), &headers));
    let token = |signer: &Signer, n: u32| signer.sign("k1", &json!({"jti": n}));
    assert_eq!(judge(&token(&signer, 0)), Ok(()));
    let unknown = (0..100).map(|n| judge(&signer.sign("k2", &json!({"jti": n}))));
    assert!(unknown.into_iter().all(|judged| judged == Err(Stranger::Refused(Why::UnknownKey))), "they cost nothing");
    for n in 0..10 {
        assert_eq!(judge(&token(&forger, n)), Err(Stranger::Refused(Why::Signature)));
    }
    assert_eq!(judge(&token(&forger, 10)), Err(Stranger::Unverified(Duration::from_secs(1))));
    assert_eq!(judge(&token(&signer, 0)), Ok(()), "it was verified before");
    assert_eq!(judge(&token(&signer, 1)), Err(Stranger::Unverified(Duration::from_secs(1))));
    let elsewhere = door.attempt([192, 0, 2, 2].into(), &headers);
    assert_eq!(judge_at(&source, &token(&signer, 1), &elsewhere), Ok(()));
    advance(Duration::from_secs(1)).await;
    assert_eq!(judge(&token(&signer, 2)), Ok(()));
}

#[test]
fn a_token_that_was_verified_is_good_for_as_long_as_its_key_is_published() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let keys = |of: &[Value]| Keys::read(json!({"keys": of}).to_string().as_bytes()).expect("must be a set of keys");
    let source = Source::of(keys(&[old.jwk("old")]));
    let (by_old, by_new) = (old.sign("old", &json!({})), new.sign("new", &json!({})));
    assert_eq!(judge(&source, &by_old), Ok(()));
    let before = source.published.load_full();
    source.publish(keys(&[old.jwk("old")]));
    assert!(Option::zip(before, source.published.load_full()).is_some_and(|(one, other)| Arc::ptr_eq(&one, &other)));
    source.publish(keys(&[old.jwk("old"), new.jwk("new")]));
    assert_eq!([judge(&source, &by_old), judge(&source, &by_new)], [Ok(()), Ok(())]);
    source.publish(keys(&[new.jwk("new")]));
    assert_eq!(judge(&source, &by_old), Err(Stranger::Refused(Why::UnknownKey)));
    assert_eq!(judge(&source, &by_new), Ok(()));
}

#[test]
fn a_source_keeps_what_it_knows_while_some_consumer_uses_its_url() {
    let jwks = Jwks::default();
    let source = jwks.source("https://id.example.com/keys");
    jwks.retain(|used| Arc::ptr_eq(used, &source));
    assert!(Arc::ptr_eq(&source, &jwks.source("https://id.example.com/keys")));
    jwks.retain(|_| false);
    assert!(!Arc::ptr_eq(&source, &jwks.source("https://id.example.com/keys")));
}
