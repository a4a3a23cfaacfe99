//! Keys of providers: read at the moment an attempt is sent, so that none starts with a key that was replaced.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use penstock_config::{
    ObjectRef, Secrets,
    object::{self, Provider},
    protocol::Report,
};
use penstock_crds::ProviderType;
use tokio::time::Instant;

use crate::{
    health::{Closed, Fingerprint},
    pace::Pace,
};

/// How long a credential that a provider rejected is left alone, unless it changes.
const REJECTED_FOR: Duration = Duration::from_secs(30);
/// How long it is reported. A key that is asked for is tried again before, so a report does not come and go.
const REPORTED_FOR: Duration = Duration::from_secs(60);

/// The credentials of one provider at one base URL. Outlives the routes that hold it; a provider that is pointed elsewhere
/// gets another cell, so that a key never goes where it was not meant to.
pub(crate) struct Cell {
    provider: ObjectRef,
    keys: ArcSwap<Keys>,
    pace: Pace,
}

struct Keys {
    /// False: the provider wants no key. True with none left: nothing may be sent.
    wanted: bool,
    /// In order of preference.
    credentials: Vec<Arc<Credential>>,
}

/// One key. A key that changes is another `Credential`, without the memory of a rejection.
pub(crate) struct Credential {
    source: object::Credential,
    /// What the request's header says; marked sensitive.
    pub(crate) header: HeaderValue,
    built: Instant,
    /// Milliseconds since it was built when it was last rejected, from 1; 0: never.
    rejected_at: AtomicU64,
}

/// How a provider wants to be given its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    /// `Authorization: Bearer`
    Bearer,
    /// Anthropic's `x-api-key`
    XApiKey,
    /// Azure's `api-key`
    ApiKey,
    /// Google's `x-goog-api-key`
    XGoogApiKey,
}

/// What an attempt is sent with.
#[derive(Clone)]
pub(crate) enum Pick {
    /// The provider wants no key.
    Keyless,
    Key(Arc<Credential>),
}

/// Why there is nothing to send an attempt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// The provider wants a key, and there is none that may be used now.
    NoCredential,
    /// None of those that may be used is let in; the one whose time comes first.
    Closed(Closed),
}

/// All cells that somebody holds, by provider, base URL and the header that they are built for.
#[derive(Default)]
pub(crate) struct Cells {
    cells: HashMap<(ObjectRef, String, Scheme), Weak<Cell>>,
    pace: Pace,
}

impl Scheme {
    pub(crate) fn of(provider: ProviderType) -> Self {
        match provider {
            ProviderType::Anthropic => Self::XApiKey,
            ProviderType::AzureOpenAI => Self::ApiKey,
            ProviderType::Gemini => Self::XGoogApiKey,
            ProviderType::OpenAI
            | ProviderType::Mistral
            | ProviderType::Ollama
            | ProviderType::Bedrock
            | ProviderType::VertexAI
            | ProviderType::OpenAICompatible => Self::Bearer,
        }
    }

    pub(crate) fn header(self) -> HeaderName {
        match self {
            Self::Bearer => AUTHORIZATION,
            Self::XApiKey => HeaderName::from_static("x-api-key"),
            Self::ApiKey => HeaderName::from_static("api-key"),
            Self::XGoogApiKey => HeaderName::from_static("x-goog-api-key"),
        }
    }
}

impl Pick {
    pub(crate) fn key(self) -> Option<Arc<Credential>> {
        match self {
            Pick::Keyless => None,
            Pick::Key(credential) => Some(credential),
        }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        match self {
            Pick::Keyless => None,
            Pick::Key(credential) => Some(credential.source.digest),
        }
    }
}

impl Cell {
    /// The first credential that may be used now, was not tried, and is let in.
    pub(crate) fn choose<T>(
        &self,
        tried: &[Arc<Credential>],
        now: Instant,
        mut enter: impl FnMut(Fingerprint) -> Result<T, Closed>,
    ) -> Result<(Pick, T), Barred> {
        let keys = self.keys.load();
        if !keys.wanted {
            return enter(None).map(|entered| (Pick::Keyless, entered)).map_err(Barred::Closed);
        }
        let mut barred = Barred::NoCredential;
        for credential in keys.usable(tried, self.left_alone(), now) {
            let pick = Pick::Key(credential.clone());
            match (enter(pick.fingerprint()), barred) {
                (Ok(entered), _) => return Ok((pick, entered)),
                (Err(closed), Barred::Closed(other)) if other.until <= closed.until => {}
                (Err(closed), _) => barred = Barred::Closed(closed),
            }
        }
        Err(barred)
    }

    /// What was picked, if it is still current; else what has taken its place.
    pub(crate) fn current(&self, picked: &Pick, tried: &[Arc<Credential>], now: Instant) -> Option<Pick> {
        let keys = self.keys.load();
        if !keys.wanted {
            return Some(Pick::Keyless);
        }
        let mut usable = keys.usable(tried, self.left_alone(), now);
        let same =
            |credential: &&Arc<Credential>| matches!(picked, Pick::Key(picked) if Arc::ptr_eq(picked, credential));
        let credential = usable.clone().find(same).or_else(|| usable.next());
        credential.map(|credential| Pick::Key(credential.clone()))
    }

    /// The provider does not take this key: it is left alone for a while, and reported, while it is the provider's.
    pub(crate) fn reject(&self, credential: &Arc<Credential>, now: Instant) {
        credential.rejected_at.store(credential.age(now), Ordering::Relaxed);
    }

    /// Is it what requests are sent with now?
    pub(crate) fn has(&self, fingerprint: Fingerprint) -> bool {
        let keys = self.keys.load();
        match fingerprint {
            None => !keys.wanted,
            Some(digest) => keys.credentials.iter().any(|credential| credential.source.digest == digest),
        }
    }

    fn left_alone(&self) -> Duration {
        self.pace.of(REJECTED_FOR)
    }

    fn report(&self, credential: &Credential) -> Report {
        Report::CredentialRejected {
            provider: self.provider.clone(),
            secret: credential.source.secret.clone(),
            key: credential.source.key.clone(),
        }
    }
}

impl Keys {
    fn usable<'a>(
        &'a self,
        tried: &'a [Arc<Credential>],
        left_alone: Duration,
        now: Instant,
    ) -> impl Iterator<Item = &'a Arc<Credential>> + Clone {
        let untried = |credential: &&Arc<Credential>| !tried.iter().any(|tried| Arc::ptr_eq(tried, credential));
        self.credentials.iter().filter(untried).filter(move |credential| !credential.rejected_within(left_alone, now))
    }
}

impl Credential {
    fn rejected_within(&self, time: Duration, now: Instant) -> bool {
        let at = self.rejected_at.load(Ordering::Relaxed);
        at != 0 && at + time.as_millis() as u64 > self.age(now)
    }

    /// In milliseconds, from 1 so that 0 is never a time.
    fn age(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.built);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 2) + 1
    }

    fn build(source: &object::Credential, scheme: Scheme, secrets: &Secrets) -> Result<Self, String> {
        let place = || format!("key {:?} of Secret {:?}", source.key, source.secret);
        let value = secrets.get(&source.digest).ok_or_else(|| format!("{}: the snapshot does not have it", place()))?;
        let text = match scheme {
            Scheme::Bearer => HeaderValue::try_from(format!("Bearer {}", value.expose())),
            Scheme::XApiKey | Scheme::ApiKey | Scheme::XGoogApiKey => HeaderValue::try_from(value.expose()),
        };
        let mut header = text.map_err(|_| format!("{}: has characters that no header may have", place()))?;
        header.set_sensitive(true);
        Ok(Self { source: source.clone(), header, built: Instant::now(), rejected_at: AtomicU64::new(0) })
    }
}

impl Cells {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// Puts a provider's present credentials into its cell. An error says which can't be used, and changes nothing.
    pub(crate) fn update(
        &mut self,
        name: &ObjectRef,
        provider: &Provider,
        secrets: &Secrets,
    ) -> Result<Arc<Cell>, String> {
        let scheme = Scheme::of(provider.r#type);
        let place = (name.clone(), provider.base_url.clone(), scheme);
        let old = self.cells.get(&place).and_then(Weak::upgrade);
        let old_keys = old.as_ref().map(|cell| cell.keys.load_full());
        let same = |source: &object::Credential| {
            let mut all = old_keys.iter().flat_map(|keys| &keys.credentials);
            all.find(|old| old.source == *source).cloned()
        };
        let build = |source| same(source).map_or_else(|| Credential::build(source, scheme, secrets).map(Arc::new), Ok);
        let credentials = provider.credentials.iter().map(build).collect::<Result<Vec<_>, _>>()?;
        let keys = Arc::new(Keys { wanted: !credentials.is_empty(), credentials });
        if let Some(cell) = old {
            cell.keys.store(keys);
            return Ok(cell);
        }
        let cell = Arc::new(Cell { provider: name.clone(), keys: keys.into(), pace: self.pace });
        self.cells.insert(place, Arc::downgrade(&cell));
        Ok(cell)
    }

    /// The credentials in use that their providers rejected lately.
    pub(crate) fn reports(&self) -> Vec<Report> {
        let now = Instant::now();
        let of_cell = |cell: Arc<Cell>| {
            let keys = cell.keys.load();
            let rejected = keys.credentials.iter().filter(|credential| credential.rejected_within(REPORTED_FOR, now));
            rejected.map(|credential| cell.report(credential)).collect::<Vec<_>>()
        };
        self.cells.values().filter_map(Weak::upgrade).flat_map(of_cell).collect()
    }

    /// Takes keys that the snapshot no longer has out of every cell: also where only a request that goes on still holds it.
    pub(crate) fn retain(&mut self, secrets: &Secrets) {
        self.cells.retain(|_, cell| {
            let Some(cell) = cell.upgrade() else { return false };
            let keys = cell.keys.load();
            let known = |credential: &&Arc<Credential>| secrets.get(&credential.source.digest).is_some();
            if !keys.credentials.iter().all(|credential| known(&credential)) {
                let credentials = keys.credentials.iter().filter(known).cloned().collect();
                cell.keys.store(Arc::new(Keys { wanted: keys.wanted, credentials }));
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use penstock_config::{Hash, Secret};
    use penstock_crds::FallbackOn;

    use super::*;
    use crate::health::Why;

    struct Bed {
        cells: Cells,
    }

    impl Bed {
        fn apply(&mut self, base_url: &str, values: &[&str]) -> Result<Arc<Cell>, String> {
            let mut secrets = Secrets::default();
            let credentials = values.iter().enumerate().map(|(i, value)| object::Credential {
                secret: "openai".into(),
                key: format!("key-{i}"),
                digest: secrets.insert(Secret::new(value)),
            });
            let provider = Provider {
                r#type: ProviderType::OpenAI,
                preset: None,
                api_version: None,
                base_url: base_url.into(),
                credentials: credentials.collect(),
                retries: object::Retries { attempts: 2, wait_up_to_ms: 2000 },
                max_concurrent_requests: None,
            };
            let name = ObjectRef::new("default", "openai");
            let cell = self.cells.update(&name, &provider, &secrets)?;
            self.cells.retain(&secrets);
            Ok(cell)
        }
    }

    fn bed() -> Bed {
        Bed { cells: Cells::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_that_is_not_let_in_gives_way_to_the_next_or_names_the_first_that_will_be()
    -> Result<(), String> {
        let cell = bed().apply("https://a", &["one", "two"])?;
        let now = Instant::now();
        let (first, second) = (Some(Hash::of(b"one")), Some(Hash::of(b"two")));
        let until = |seconds| Closed {
            why: Why::CoolingDown,
            class: FallbackOn::RateLimit,
            until: now + Duration::from_secs(seconds),
        };
        let chosen = |one: Result<(), Closed>, two: Result<(), Closed>| {
            let enter = |key: Fingerprint| if key == first { one } else { two };
            cell.choose(&[], now, enter).map(|(pick, ())| pick.fingerprint())
        };
        assert_eq!(chosen(Ok(()), Ok(())), Ok(first));
        assert_eq!(chosen(Err(until(9)), Ok(())), Ok(second));
        assert_eq!(chosen(Err(until(9)), Err(until(7))), Err(Barred::Closed(until(7))));
        assert_eq!(chosen(Err(until(5)), Err(until(7))), Err(Barred::Closed(until(5))));
        Ok(())
    }

    fn picked(cell: &Cell) -> Arc<Credential> {
        match cell.choose(&[], Instant::now(), |_| Ok(())) {
            Ok((Pick::Key(credential), ())) => credential,
            Ok((Pick::Keyless, ())) | Err(_) => panic!("a credential must be usable"),
        }
    }

    fn sent(cell: &Cell) -> String {
        picked(cell).header.to_str().expect("must be text").to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejected_credential_is_left_alone_for_30_seconds_or_until_it_changes() -> Result<(), String> {
        let mut bed = bed();
        let cell = bed.apply("https://a", &["one", "two"])?;
        cell.reject(&picked(&cell), Instant::now());
        assert_eq!(sent(&cell), "Bearer two");
        bed.apply("https://a", &["one", "two"])?;
        assert_eq!(sent(&cell), "Bearer two", "another apply changes nothing");
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(sent(&cell), "Bearer one");
        cell.reject(&picked(&cell), Instant::now());
        bed.apply("https://a", &["new", "two"])?;
        assert_eq!(sent(&cell), "Bearer new");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejection_is_reported_for_a_minute_and_only_for_a_key_that_is_current() -> Result<(), String> {
        let mut bed = bed();
        let cell = bed.apply("https://a", &["one"])?;
        assert!(bed.cells.reports().is_empty());
        let old = picked(&cell);
        cell.reject(&old, Instant::now());
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(bed.cells.reports().len(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(bed.cells.reports().is_empty());
        cell.reject(&old, Instant::now());
        assert_eq!(bed.cells.reports().len(), 1);
        bed.apply("https://a", &["new"])?;
        assert!(bed.cells.reports().is_empty());
        cell.reject(&old, Instant::now());
        assert!(bed.cells.reports().is_empty());
        assert_eq!(sent(&cell), "Bearer new");
        Ok(())
    }

    #[test]
    fn a_provider_pointed_elsewhere_takes_its_new_key_there_alone() -> Result<(), String> {
        let mut bed = bed();
        let old = bed.apply("https://a", &["one"])?;
        let new = bed.apply("https://b", &["two"])?;
        let barred = old.choose(&[], Instant::now(), |_| Ok(())).err();
        assert_eq!(barred, Some(Barred::NoCredential), "a request that goes on has no key for the old place");
        assert_eq!(sent(&new), "Bearer two");
        Ok(())
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_an_error_that_does_not_say_it() -> Result<(), String> {
        let mut bed = bed();
        let cell = bed.apply("https://a", &["one"])?;
        let error = bed.apply("https://a", &["bad\nkey"]).err().ok_or("must be refused")?;
        assert!(error.contains("key-0") && !error.contains("bad"), "{error}");
        assert_eq!(sent(&cell), "Bearer one");
        Ok(())
    }
}
