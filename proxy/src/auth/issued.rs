//! Consumers that are known by the tokens of an issuer.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use penstock_config::{Hash, ObjectRef, object::Jwt};

use super::{
    Consumer,
    door::Attempt,
    jwks::Source,
    token::{Token, Why},
};

/// All of them, first the one that wins where a token could be several: the platform's before a tenant's, so that nobody
/// takes a platform's callers away; then the older.
#[derive(Default)]
pub(crate) struct Issued(Vec<Entry>);

/// A Consumer, what its tokens say, and who signs them.
pub(crate) struct Entry {
    pub(crate) name: ObjectRef,
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) rules: Jwt,
    pub(crate) source: Arc<Source>,
}

/// A token that is shown, its digest, and who shows it.
pub(crate) struct Shown<'a> {
    pub(crate) token: &'a Token<'a>,
    pub(crate) digest: Hash,
    pub(crate) attempt: &'a Attempt<'a>,
}

/// Why a token is nobody's. The last two are that it can't be told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stranger {
    Refused(Why),
    NoKeysYet,
    /// Its signature is not looked at for so long: too many from its address were wrong.
    Unverified(Duration),
}

impl Issued {
    pub(crate) fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| one.rank().cmp(&other.rank()));
        Self(entries)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The Consumer that the token is, at this time in seconds since 1970; or what the one that it is closest to has against it.
    pub(crate) fn find(&self, shown: &Shown<'_>, now: f64) -> Result<&Arc<Consumer>, Stranger> {
        let mut closest = Stranger::Refused(Why::Issuer);
        // An issuer is asked once however many Consumers it vouches for: signatures are what costs.
        let mut asked: Vec<(*const Source, Result<(), Stranger>)> = Vec::new();
        for entry in &self.0 {
            let met = shown.token.meets(&entry.rules, now).map_err(Stranger::Refused);
            let judged = met.and_then(|()| {
                let source = Arc::as_ptr(&entry.source);
                if let Some((_, known)) = asked.iter().find(|(asked, _)| *asked == source) {
                    return *known;
                }
                let judged = entry.source.judge(shown);
                asked.push((source, judged));
                judged
            });
            match judged {
                Ok(()) => return Ok(&entry.consumer),
                Err(stranger) => closest = closest.max(stranger),
            }
        }
        Err(closest)
    }
}

impl Entry {
    fn rank(&self) -> impl Ord {
        let platform = Reverse(self.consumer.only_namespace.is_none());
        (platform, self.rules.created, self.name.namespace.clone(), self.name.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use penstock_config::object;
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::{door, keys::Keys, signer::Signer};

    fn claims() -> Value {
        json!({"iss": "id", "aud": "llm", "exp": 2_000, "team": "search"})
    }

    /// A Consumer of the tokens of `id`, for all teams or for one.
    fn entry(name: (&str, &str), created: i64, team: Option<&str>, source: &Arc<Source>) -> Entry {
        let claims = team.map(|team| json!({"name": "team", "values": [team]}));
        let rules = json!({"issuer": "id", "audiences": ["llm"], "jwksUrl": "", "created": created,
            "claims": claims.into_iter().collect::<Vec<_>>()});
        let only = (name.0 != "platform").then_some(name.0);
        let object = json!({"apiKeys": [], "models": [], "onlyNamespace": only, "jwt": rules});
        let object: object::Consumer = serde_json::from_value(object).expect("must be a Consumer");
        let name = ObjectRef::new(name.0, name.1);
        let consumer = Arc::new(Consumer::build(&name, &object));
        let rules = object.jwt.expect("must have tokens");
        Entry { name, consumer, rules, source: source.clone() }
    }

    fn found(entries: Vec<Entry>, token: &str) -> Result<String, Stranger> {
        let token = Token::read(token.as_bytes()).and_then(Result::ok).expect("must be a token");
        let (door, headers) = door::tests::closed();
        let attempt = door.attempt([192, 0, 2, 1].into(), &headers);
        let shown = Shown { token: &token, digest: Hash::of(b"token"), attempt: &attempt };
        Issued::new(entries).find(&shown, 1_000.0).map(|consumer| consumer.name.clone())
    }

    #[test]
    fn of_two_consumers_that_a_token_could_be_the_older_is_it_and_the_platform_s_before_a_tenant_s() {
        let signer = Signer::ed25519();
        let source = Source::of(signer.keys("k1"));
        let all = |name, created| entry(name, created, None, &source);
        let token = signer.sign("k1", &claims());
        let older = found(vec![all(("platform", "a"), 2), all(("platform", "b"), 1)], &token);
        assert_eq!(older.as_deref(), Ok("platform/b"));
        let platform = found(vec![all(("a-tenant", "a"), 1), all(("platform", "b"), 2)], &token);
        assert_eq!(platform.as_deref(), Ok("platform/b"));
        let same_age = found(vec![all(("platform", "b"), 1), all(("platform", "a"), 1)], &token);
        assert_eq!(same_age.as_deref(), Ok("platform/a"));
        let other_team = entry(("platform", "ads"), 0, Some("ads"), &source);
        assert_eq!(found(vec![other_team, all(("platform", "rest"), 1)], &token).as_deref(), Ok("platform/rest"));
    }

    #[test]
    fn a_key_of_the_same_name_at_another_issuer_s_url_takes_nobody_s_place() {
        let (signer, forger) = (Signer::ed25519(), Signer::ed25519());
        let ours = entry(("platform", "ours"), 2, None, &Source::of(signer.keys("k1")));
        let theirs = entry(("platform", "theirs"), 1, None, &Source::of(forger.keys("k1")));
        assert_eq!(found(vec![ours, theirs], &signer.sign("k1", &claims())).as_deref(), Ok("platform/ours"));
    }

    #[test]
    fn who_is_nobody_is_told_what_the_closest_consumer_has_against_it() {
        let signer = Signer::ed25519();
        let entries = || {
            let source = Source::of(signer.keys("k1"));
            vec![entry(("platform", "all"), 1, None, &source), entry(("platform", "ads"), 2, Some("ads"), &source)]
        };
        let mut expired = claims();
        expired["exp"] = json!(900);
        assert_eq!(found(entries(), &signer.sign("k1", &expired)), Err(Stranger::Refused(Why::Expired)));
        let forged = Signer::ed25519().sign("k1", &claims());
        assert_eq!(found(entries(), &forged), Err(Stranger::Refused(Why::Signature)));
        assert_eq!(found(vec![], &forged), Err(Stranger::Refused(Why::Issuer)));
    }

    #[test]
    fn where_keys_are_missing_it_can_t_be_told_yet_unless_another_consumer_knows_it() {
        let signer = Signer::ed25519();
        let token = signer.sign("k1", &claims());
        let dark = entry(("platform", "dark"), 1, None, &Arc::new(Source::default()));
        let empty = Source::of(Keys::read(b"{\"keys\": []}").expect("must be a set of keys"));
        let empty = entry(("platform", "empty"), 2, None, &empty);
        assert_eq!(found(vec![dark, empty], &token), Err(Stranger::NoKeysYet));
        let dark = entry(("platform", "dark"), 1, None, &Arc::new(Source::default()));
        let known = entry(("platform", "known"), 2, None, &Source::of(signer.keys("k1")));
        assert_eq!(found(vec![dark, known], &token).as_deref(), Ok("platform/known"));
        let other = entry(("platform", "other"), 1, Some("ads"), &Arc::new(Source::default()));
        assert_eq!(found(vec![other], &token), Err(Stranger::Refused(Why::Claim)), "it waits for no keys");
    }
}
