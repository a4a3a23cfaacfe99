//! Consumers that are known by the tokens of an issuer.

use std::{cmp::Reverse, collections::HashMap, sync::Arc, time::Duration};

use penstock_config::{Hash, ObjectRef, object::Jwt};
use serde_json::Value;

use super::{
    Consumer,
    door::Attempt,
    jwks::Source,
    token::{Token, Why},
};

/// All of them, first the one that wins where a token could be several: the platform's before a tenant's, so that nobody
/// takes a platform's callers away; then the older.
#[derive(Default)]
pub(crate) struct Issued {
    entries: Vec<Entry>,
    /// Those of ServiceAccounts, by the `sub` of their tokens: each is one Consumer's, so nobody looks through all of them.
    accounts: HashMap<String, Arc<Account>>,
    /// What tokens of any ServiceAccount must say.
    cluster: Option<Jwt>,
}

/// A Consumer of ServiceAccounts, and how many of the others go before it.
struct Account {
    entry: Entry,
    after: usize,
}

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
        entries.sort_by_key(Entry::rank);
        Self { entries, ..Self::default() }
    }

    /// The same with these Consumers of ServiceAccounts, each with the `sub` of its tokens, and what all of these must say.
    pub(crate) fn with_accounts(mut self, accounts: Vec<(Vec<String>, Entry)>, cluster: Option<Jwt>) -> Self {
        for (subjects, entry) in accounts {
            let after = self.entries.partition_point(|other| other.rank() < entry.rank());
            let account = Arc::new(Account { entry, after });
            self.accounts.extend(subjects.into_iter().map(|subject| (subject, account.clone())));
        }
        self.cluster = cluster;
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.accounts.is_empty()
    }

    fn account(&self, token: &Token<'_>) -> Option<&Account> {
        token.claim("sub").and_then(Value::as_str).and_then(|subject| self.accounts.get(subject)).map(Arc::as_ref)
    }

    /// What is wrong with a token that no Consumer is closer to.
    fn nobody_s(&self, token: &Token<'_>, now: f64) -> Why {
        match &self.cluster {
            Some(rules) => token.meets(rules, now).err().unwrap_or(Why::Account),
            None => Why::Issuer,
        }
    }

    /// The Consumer that the token is, at this time in seconds since 1970; or what the one that it is closest to has against it.
    pub(crate) fn find(&self, shown: &Shown<'_>, now: f64) -> Result<&Arc<Consumer>, Stranger> {
        let account = self.account(shown.token);
        let mut closest = Stranger::Refused(match account {
            Some(_) => Why::Issuer,
            None => self.nobody_s(shown.token, now),
        });
        // An issuer is asked once however many Consumers it vouches for: signatures are what costs.
        let mut asked: Vec<(*const Source, Result<(), Stranger>)> = Vec::new();
        let (before, behind) = self.entries.split_at(account.map_or(0, |account| account.after));
        for entry in before.iter().chain(account.map(|account| &account.entry)).chain(behind) {
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
    fn rank(&self) -> impl Ord + use<> {
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
        let consumer = Arc::new(Consumer::build(&name, &object, Vec::new()));
        let rules = object.jwt.expect("must have tokens");
        Entry { name, consumer, rules, source: source.clone() }
    }

    fn found(entries: Vec<Entry>, token: &str) -> Result<String, Stranger> {
        found_in(&Issued::new(entries), token)
    }

    fn found_in(issued: &Issued, token: &str) -> Result<String, Stranger> {
        let token = Token::read(token.as_bytes()).and_then(Result::ok).expect("must be a token");
        let (door, headers) = door::tests::closed();
        let attempt = door.attempt([192, 0, 2, 1].into(), &headers);
        let shown = Shown { token: &token, digest: Hash::of(b"token"), attempt: &attempt };
        issued.find(&shown, 1_000.0).map(|consumer| consumer.name.clone())
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
    #[test]
    fn a_service_account_s_token_is_its_consumer_s_in_its_place_among_the_others() {
        let signer = Signer::p256();
        let source = Source::of(signer.keys("k1"));
        let by = |sub: &str| {
            let mut claims = claims();
            claims["sub"] = json!(sub);
            signer.sign("k1", &claims)
        };
        let with = |others: Vec<Entry>| {
            let account = entry(("search", "app"), 5, None, &source);
            let rules = Jwt { created: None, ..account.rules.clone() };
            let subjects = ["system:serviceaccount:search:indexer", "system:serviceaccount:search:crawler"];
            let subjects = subjects.map(str::to_owned).to_vec();
            Issued::new(others).with_accounts(vec![(subjects, account)], Some(rules))
        };
        let of = |issued: &Issued, sub: &str| found_in(issued, &by(&format!("system:serviceaccount:{sub}")));
        let alone = with(vec![]);
        assert_eq!(of(&alone, "search:indexer").as_deref(), Ok("search/app"));
        assert_eq!(of(&alone, "search:crawler").as_deref(), Ok("search/app"));
        for other in ["search:index", "search:indexer2", "search:Indexer", "billing:indexer", "search:indexer:", ""] {
            assert_eq!(of(&alone, other), Err(Stranger::Refused(Why::Account)), "{other}");
        }
        let platform = with(vec![entry(("platform", "all"), 9, None, &source)]);
        assert_eq!(of(&platform, "search:indexer").as_deref(), Ok("platform/all"));
        let older = with(vec![entry(("billing", "all"), 4, None, &source)]);
        assert_eq!(of(&older, "search:indexer").as_deref(), Ok("billing/all"));
        let newer = with(vec![entry(("billing", "all"), 6, None, &source)]);
        assert_eq!(of(&newer, "search:indexer").as_deref(), Ok("search/app"));
        assert_eq!(of(&newer, "billing:job").as_deref(), Ok("billing/all"));
    }

    #[test]
    fn a_service_account_s_token_of_another_issuer_or_for_others_is_told_what_is_wrong() {
        let signer = Signer::p256();
        let account = entry(("search", "app"), 5, None, &Source::of(signer.keys("k1")));
        let rules = Jwt { created: None, ..account.rules.clone() };
        let known = "system:serviceaccount:search:indexer";
        let issued = Issued::default().with_accounts(vec![(vec![known.to_owned()], account)], Some(rules));
        for (name, value, why) in [
            ("iss", json!("another"), Why::Issuer),
            ("aud", json!(["penstock"]), Why::Audience),
            ("aud", json!(["https://kubernetes.default.svc"]), Why::Audience),
            ("exp", json!(900), Why::Expired),
        ] {
            for sub in [known, "system:serviceaccount:search:nobody"] {
                let mut claims = claims();
                claims["sub"] = json!(sub);
                claims[name] = value.clone();
                assert_eq!(found_in(&issued, &signer.sign("k1", &claims)), Err(Stranger::Refused(why)), "{name} {sub}");
            }
        }
        let mut claims = claims();
        claims["sub"] = json!([known]);
        assert_eq!(found_in(&issued, &signer.sign("k1", &claims)), Err(Stranger::Refused(Why::Account)));
        claims["sub"] = json!(known);
        let forged = Signer::p256().sign("k1", &claims);
        assert_eq!(found_in(&issued, &forged), Err(Stranger::Refused(Why::Signature)));
        assert!(found_in(&issued, &signer.sign("k1", &claims)).is_ok());
    }
}
