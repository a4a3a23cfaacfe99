//! Who calls, and what they may ask for.

use std::{
    borrow::Cow,
    net::IpAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, Uri, header::AUTHORIZATION};
use penstock_config::{
    Hash, ObjectRef,
    object::{self, UserFrom},
};

use crate::{
    error::Error,
    limits::Rule,
    live::{Tables, route::Route},
};
use door::Attempt;
use issued::{Shown, Stranger};
use token::Token;

mod address;
pub(crate) mod cluster;
pub(crate) mod door;
pub(crate) mod issued;
pub(crate) mod jwks;
mod keys;
#[cfg(test)]
mod signer;
mod throttle;
pub(crate) mod token;
mod verified;

/// Bytes of the longest name of a user.
pub(crate) const MAX_USER: usize = 256;

/// A caller that is known.
pub(crate) struct Consumer {
    /// `namespace/name`, for logs.
    pub(crate) name: String,
    /// Sorted; empty: everything in its scope.
    models: Vec<String>,
    only_namespace: Option<String>,
    user_from: UserFrom,
    budgets: Vec<Arc<Rule>>,
}

/// Who a request comes from.
#[derive(Clone)]
pub(crate) enum Caller {
    Known {
        consumer: Arc<Consumer>,
        /// The user that its token names.
        user: Option<String>,
    },
    /// Let in by `--auth open`.
    Anyone,
}

impl Consumer {
    pub(crate) fn build(name: &ObjectRef, object: &object::Consumer, budgets: Vec<Arc<Rule>>) -> Self {
        let mut models = object.models.clone();
        models.sort_unstable();
        let user_from = object.user_from.clone();
        let only_namespace = object.only_namespace.clone();
        Self { name: name.to_string(), models, only_namespace, user_from, budgets }
    }

    /// The user that a token of it names, where the Consumer says in which claim.
    fn user_of(&self, token: &Token<'_>) -> Option<String> {
        let UserFrom::Claim(name) = &self.user_from else { return None };
        match token.claim(name)? {
            serde_json::Value::String(user) => Some(user.clone()),
            serde_json::Value::Number(user) => Some(user.to_string()),
            _ => None,
        }
    }
}

impl Caller {
    /// Finds the Consumer of the request's key or token. Where everybody may call, who is not known is anyone.
    pub(crate) fn of(attempt: &Attempt<'_>, uri: &Uri, tables: &Tables) -> Result<Self, Error> {
        let known = match key(attempt.headers, uri) {
            Some(key) => Self::by(key.trim_ascii(), tables, attempt),
            None => Err(Error::NoKey),
        };
        match known {
            Err(_) if attempt.is_open() => Ok(Caller::Anyone),
            known => known.map_err(|error| attempt.failed(error)),
        }
    }

    /// A key that a Consumer has is its key, whatever it looks like. What looks like a token is one where Consumers have any.
    fn by(key: &[u8], tables: &Tables, attempt: &Attempt<'_>) -> Result<Self, Error> {
        let digest = Hash::of(key);
        if let Some(consumer) = tables.consumers.get(&digest) {
            return Ok(Caller::Known { consumer: consumer.clone(), user: None });
        }
        if tables.issued.is_empty() {
            return Err(Error::UnknownKey);
        }
        let token = Token::read(key).ok_or(Error::UnknownKey)?.map_err(Error::Token)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let shown = Shown { token: &token, digest, attempt };
        match tables.issued.find(&shown, now.as_secs_f64()) {
            Ok(consumer) => Ok(Caller::Known { consumer: consumer.clone(), user: consumer.user_of(&token) }),
            Err(Stranger::Refused(why)) => Err(Error::Token(why)),
            Err(Stranger::NoKeysYet) => Err(Error::NoKeysYet),
            Err(Stranger::Unverified(wait)) => Err(Error::TooManyFailures { wait }),
        }
    }

    /// May it ask for this name of the route?
    pub(crate) fn may_use(&self, name: &str, route: &Route) -> bool {
        let Caller::Known { consumer, .. } = self else { return true };
        let in_scope = consumer.only_namespace.as_ref().is_none_or(|namespace| **namespace == *route.namespace);
        in_scope
            && (consumer.models.is_empty()
                || consumer.models.binary_search_by(|model| model.as_str().cmp(name)).is_ok())
    }

    /// The user that the request is for: as the Consumer says where its name is, else the Consumer itself. Of a caller without a
    /// name it is what the request says, else the client's address, which is looked for only then.
    ///
    /// # Errors
    /// When the name is too long.
    pub(crate) fn user<'a>(
        &'a self,
        headers: &'a HeaderMap,
        body: Option<&'a str>,
        address: impl FnOnce() -> IpAddr,
    ) -> Result<Cow<'a, str>, Error> {
        let (given, field) = match self {
            Caller::Known { consumer, user } => match &consumer.user_from {
                UserFrom::Consumer => (None, ""),
                UserFrom::Claim(name) => (user.as_deref().map(Cow::Borrowed), name.as_str()),
                UserFrom::Body => (body.map(Cow::Borrowed), "user"),
                UserFrom::Header(name) => {
                    let value = headers.get(name.as_str()).map(|value| String::from_utf8_lossy(value.as_bytes()));
                    (value, name.as_str())
                }
            },
            Caller::Anyone => (body.map(Cow::Borrowed), "user"),
        };
        match given.filter(|user| !user.is_empty()) {
            Some(user) if user.len() > MAX_USER => Err(Error::LongUser(field.to_owned())),
            Some(user) => Ok(user),
            None => Ok(match self {
                Caller::Known { consumer, .. } => Cow::Borrowed(&consumer.name),
                Caller::Anyone => Cow::Owned(address().to_string()),
            }),
        }
    }

    /// Of the Consumer, if it is one.
    pub(crate) fn consumer(&self) -> Option<&str> {
        match self {
            Caller::Known { consumer, .. } => Some(&consumer.name),
            Caller::Anyone => None,
        }
    }

    /// What it may spend, and its users.
    pub(crate) fn budgets(&self) -> &[Arc<Rule>] {
        match self {
            Caller::Known { consumer, .. } => &consumer.budgets,
            Caller::Anyone => &[],
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.consumer().unwrap_or_default()
    }
}

/// The key of a request, where the SDKs of OpenAI, Anthropic and Gemini put it: `Authorization: Bearer`, `x-api-key`,
/// `x-goog-api-key`, or `?key=` as Google's REST examples do.
fn key<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<Cow<'a, [u8]>> {
    let bearer = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).and_then(|value| {
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
    });
    let header = |name| headers.get(name).map(|value| value.as_bytes());
    let header = bearer.or_else(|| header("x-api-key")).or_else(|| header("x-goog-api-key"));
    header.map(Cow::Borrowed).or_else(|| query(uri, "key").map(|key| Cow::Owned(key.into_owned().into_bytes())))
}

/// What the query says under a name.
pub(crate) fn query<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&'static str, &str)], uri: &str) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), value.parse().expect("must be a header's value"))
        });
        let (headers, uri) = (HeaderMap::from_iter(headers), uri.parse().expect("must be a URI"));
        key(&headers, &uri).map(|key| String::from_utf8_lossy(&key).into_owned())
    }

    #[test]
    fn the_key_is_found_where_each_familys_sdk_puts_it() {
        type Row = (&'static [(&'static str, &'static str)], &'static str, Option<&'static str>);
        let rows: [Row; 7] = [
            (&[("authorization", "Bearer a")], "/", Some("a")),
            (&[("authorization", "bearer a"), ("x-api-key", "b")], "/?key=c", Some("a")),
            (&[("authorization", "Basic eDp5"), ("x-api-key", "b")], "/", Some("b")),
            (&[("x-goog-api-key", "b")], "/?key=c", Some("b")),
            (&[], "/?alt=sse&key=a%2Bb", Some("a+b")),
            (&[("authorization", "Bear")], "/?monkey=c", None),
            (&[], "/", None),
        ];
        for (headers, uri, expected) in rows {
            assert_eq!(found(headers, uri).as_deref(), expected, "{headers:?} {uri}");
        }
    }
}
