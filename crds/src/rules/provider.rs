use std::sync::LazyLock;

use regex_lite::Regex;

use super::{Check, Rule, apply, http_url};
use crate::duration::Duration;
use crate::path::Path;
use crate::validation::FieldError;
use crate::{AIProviderSpec, Preset, ProviderType, RouteNamespaces, RoutesFrom, Timeouts};

pub(crate) const AI_PROVIDER: &[Rule<AIProviderSpec>] = &[
    Rule {
        at: "preset",
        cel: "!has(self.preset) || self.type == 'OpenAICompatible'",
        holds: |p| p.preset.is_none() || p.type_ == ProviderType::OpenAICompatible,
        message: "preset goes only with type OpenAICompatible: set that type, or remove preset",
    },
    Rule {
        at: "azure",
        cel: "!has(self.azure) || self.type == 'AzureOpenAI'",
        holds: |p| p.azure.is_none() || p.type_ == ProviderType::AzureOpenAI,
        message: "azure goes only with type AzureOpenAI: set that type, or remove azure",
    },
    Rule {
        at: "azure",
        cel: "has(self.azure) || self.type != 'AzureOpenAI'",
        holds: |p| p.azure.is_some() || p.type_ != ProviderType::AzureOpenAI,
        message: "azure is required with type AzureOpenAI: add e.g. azure: {apiVersion: 2024-10-21}",
    },
    Rule {
        at: "baseURL",
        cel: "has(self.baseURL) || (self.type != 'AzureOpenAI' && (self.type != 'OpenAICompatible' || \
              (has(self.preset) && self.preset != 'VLLM' && self.preset != 'LlamaCpp')))",
        holds: |p| p.base_url.is_some() || has_public_address(p),
        message: "baseURL is required with type AzureOpenAI, and with OpenAICompatible unless a preset other than VLLM \
                  and LlamaCpp says it: add e.g. baseURL: https://llm.example.com/v1",
    },
    Rule {
        at: "baseURL",
        cel: concat!("!has(self.baseURL) || self.baseURL.matches('", http_url!("https?"), "')"),
        holds: |p| p.base_url.as_deref().is_none_or(|url| HTTP_URL.is_match(url)),
        message: "baseURL must be an http:// or https:// URL with a host and without user, query and fragment, e.g. \
                  https://api.example.com/v1",
    },
    Rule {
        at: "credentials",
        cel: "!has(self.credentials) || self.credentials.all(c, self.credentials.exists_one(d, \
              d.secretRef.name == c.secretRef.name && d.secretRef.key == c.secretRef.key))",
        holds: |p| {
            let same = |c| p.credentials.iter().filter(|d| *d == c).count();
            p.credentials.iter().all(|c| same(c) == 1)
        },
        message: "credentials names one key of one Secret twice: remove one of them",
    },
];

static HTTP_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^https?://[^/?#@\s]+(/[^?#\s]*)?$").expect("must be a pattern"));

fn has_public_address(provider: &AIProviderSpec) -> bool {
    match provider.type_ {
        ProviderType::AzureOpenAI => false,
        ProviderType::OpenAICompatible => {
            provider.preset.is_some_and(|preset| !matches!(preset, Preset::VLLM | Preset::LlamaCpp))
        }
        _ => true,
    }
}

/// One rule per timeout: it is longer than nothing.
macro_rules! longer_than_nothing {
    ($($name:literal => $field:ident),+ $(,)?) => {
        &[$(Rule {
            at: $name,
            cel: concat!("!has(self.", $name, ") || self.", $name, ".matches('[1-9]')"),
            holds: |timeouts| timeouts.$field.as_ref().is_none_or(|timeout| !Duration::is_zero(timeout)),
            message: concat!($name, " must be longer than 0s: give a duration such as 10s, or remove it"),
        }),+]
    };
}

pub(crate) const TIMEOUTS: &[Rule<Timeouts>] = longer_than_nothing! {
    "connect" => connect,
    "firstToken" => first_token,
    "answer" => answer,
    "idle" => idle,
    "request" => request,
};

pub(crate) const ROUTE_NAMESPACES: &[Rule<RouteNamespaces>] = &[
    Rule {
        at: "selector",
        cel: "!has(self.selector) || self.from == 'Selector'",
        holds: |n| n.selector.is_none() || n.from == RoutesFrom::Selector,
        message: "selector goes only with from: Selector: set that, or remove selector",
    },
    Rule {
        at: "selector",
        cel: "has(self.selector) || self.from != 'Selector'",
        holds: |n| n.selector.is_some() || n.from != RoutesFrom::Selector,
        message: "selector is required with from: Selector: add e.g. selector: {matchLabels: {team: search}}",
    },
];

impl Check for AIProviderSpec {
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        apply(AI_PROVIDER, self, path, out);
        if let Some(timeouts) = &self.timeouts {
            timeouts.check(&path.field("timeouts"), out);
        }
        let routes = path.field("allowedRoutes");
        apply(ROUTE_NAMESPACES, &self.allowed_routes.namespaces, &routes.field("namespaces"), out);
    }
}

impl Check for Timeouts {
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>) {
        apply(TIMEOUTS, self, path, out);
    }
}
