use std::sync::LazyLock;

use regex_lite::Regex;

use super::{Check, Rule, apply, http_url};
use crate::path::Path;
use crate::validation::FieldError;
use crate::{ConsumerSpec, Jwt, UserFrom, UserSource};

pub(crate) const CONSUMER: &[Rule<ConsumerSpec>] = &[
    Rule {
        at: "apiKeys",
        cel: "(has(self.apiKeys) && size(self.apiKeys) > 0) || has(self.jwt) || \
              (has(self.serviceAccounts) && size(self.serviceAccounts) > 0)",
        holds: |c| !c.api_keys.is_empty() || c.jwt.is_some() || !c.service_accounts.is_empty(),
        message: "a Consumer needs at least one of apiKeys, jwt and serviceAccounts: add one, e.g. apiKeys: [{secretRef: \
                  {name: search-team, key: api-key}}]",
    },
    Rule {
        at: "apiKeys",
        cel: "!has(self.apiKeys) || self.apiKeys.all(c, self.apiKeys.exists_one(d, \
              d.secretRef.name == c.secretRef.name && d.secretRef.key == c.secretRef.key))",
        holds: |c| {
            let same = |key| c.api_keys.iter().filter(|other| *other == key).count();
            c.api_keys.iter().all(|key| same(key) == 1)
        },
        message: "apiKeys names one key of one Secret twice: remove one of them",
    },
    Rule {
        at: "userFrom",
        cel: "self.userFrom.type != 'Claim' || has(self.jwt)",
        holds: |c| c.user_from.type_ != UserSource::Claim || c.jwt.is_some(),
        message: "userFrom of type Claim needs jwt: add jwt, or take the user from elsewhere",
    },
];

pub(crate) const USER_FROM: &[Rule<UserFrom>] = &[
    Rule {
        at: "header",
        cel: "has(self.header) == (self.type == 'Header')",
        holds: |user| user.header.is_some() == (user.type_ == UserSource::Header),
        message: "header is required with type Header and goes with no other: add e.g. header: x-end-user, or remove it",
    },
    Rule {
        at: "header",
        cel: "!has(self.header) || !(self.header.lowerAscii() in ['authorization', 'proxy-authorization', 'cookie', \
              'x-api-key', 'x-goog-api-key', 'api-key'])",
        holds: |user| user.header.as_ref().is_none_or(|header| !SECRET.contains(&header.to_lowercase().as_str())),
        message: "header carries a secret, which would become the user's name: choose another, e.g. x-end-user",
    },
    Rule {
        at: "claim",
        cel: "has(self.claim) == (self.type == 'Claim')",
        holds: |user| user.claim.is_some() == (user.type_ == UserSource::Claim),
        message: "claim is required with type Claim and goes with no other: add e.g. claim: sub, or remove it",
    },
];

const SECRET: [&str; 6] = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-goog-api-key", "api-key"];

pub(crate) const JWT: &[Rule<Jwt>] = &[Rule {
    at: "jwksURL",
    cel: concat!("self.jwksURL.matches('", http_url!("https?"), "')"),
    holds: |jwt| HTTP_URL.is_match(&jwt.jwks_url),
    message: "jwksURL must be a URL with a host and without user, query and fragment, e.g. \
              https://id.example.com/.well-known/jwks.json",
}];

static HTTP_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^https?://[^/?#@\s]+(/[^?#\s]*)?$").expect("must be a pattern"));

impl Check for ConsumerSpec {
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        apply(CONSUMER, self, path, out);
        apply(USER_FROM, &self.user_from, &path.field("userFrom"), out);
        if let Some(jwt) = &self.jwt {
            apply(JWT, jwt, &path.field("jwt"), out);
        }
    }
}
