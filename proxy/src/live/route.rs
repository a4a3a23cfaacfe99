//! A route, built: its targets with all that a request needs, so that it looks nothing up.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderValue, uri::PathAndQuery};
use penstock_config::{Key, Kind, ObjectRef, object};
use penstock_crds::{Balance, FallbackOn, OnStreamBreak, OnUnsupported};
use penstock_llm::{
    Dialect, Error,
    call::{Call, Operation},
    facts::Facts,
    neutral::Usage,
    price::Price,
};
use serde::Deserialize;

use super::{models::Models, provider::Provider};
use crate::{
    health::{Seat, Seats},
    metrics::{Metrics, RouteMetrics, TargetMetrics},
    pace::Pace,
};

/// How requests for some names are answered. Taken at the start of a request and kept to its end.
pub(crate) struct Route {
    /// For logs and metrics: `namespace/name` of the RoutePolicy, or the model's name where there is none.
    pub(crate) label: String,
    /// The namespace of the policy, or of the providers that list the model.
    pub(crate) namespace: Arc<str>,
    /// What clients write in `model`.
    pub(crate) names: Vec<String>,
    pub(crate) answer: Answer,
    pub(crate) metrics: RouteMetrics,
}

pub(crate) enum Answer {
    Forward(Arc<Forward>),
    /// 503 with this text.
    Refuse(String),
}

#[derive(Clone)]
pub(crate) struct Forward {
    /// In order of priority; never empty.
    pub(crate) targets: Vec<Arc<Target>>,
    pub(crate) fallback_on: Vec<FallbackOn>,
    pub(crate) allow_state: bool,
    pub(crate) on_unsupported: OnUnsupported,
    pub(crate) balance: Balance,
    pub(crate) on_stream_break: OnStreamBreak,
    /// Tokens of an answer, for estimates.
    pub(crate) expected_output: u64,
    /// What a target may probably cost to be asked, in picodollars.
    pub(crate) max_cost: Option<u64>,
    /// Over everything: the longest that one of the targets has.
    pub(crate) deadline: Duration,
    /// Every provider that the object names, in order: those that are missing too.
    named: Vec<(ObjectRef, Option<Arc<Provider>>)>,
}

/// A model of a provider.
pub(crate) struct Target {
    pub(crate) provider: Arc<Provider>,
    /// What the provider calls the model.
    pub(crate) model: String,
    /// How it is, for everyone who asks it by whatever route.
    pub(crate) seat: Arc<Seat>,
    paths: Paths,
    pub(crate) facts: Facts,
    /// What it costs; none where nobody says it.
    pub(crate) price: Option<Arc<Price>>,
    pub(crate) priority: u32,
    pub(crate) weight: u32,
    pub(crate) timeouts: Timeouts,
    /// `x-penstock-provider` and `x-penstock-model`.
    pub(crate) headers: [HeaderValue; 2],
    pub(crate) metrics: TargetMetrics,
}

/// Where a target is asked.
struct Paths {
    /// For a whole answer.
    chat: PathAndQuery,
    stream: PathAndQuery,
    completions: Option<PathAndQuery>,
    embeddings: Option<PathAndQuery>,
    batch_embeddings: Option<PathAndQuery>,
    count_tokens: Option<PathAndQuery>,
}

/// How a provider is spoken to.
pub(crate) struct Way {
    pub(crate) dialect: Dialect,
    pub(crate) path: PathAndQuery,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) first_token: Duration,
    pub(crate) first_token_reasoning: Duration,
    pub(crate) answer: Duration,
    pub(crate) idle: Duration,
}

type Providers = BTreeMap<ObjectRef, Arc<Provider>>;

/// What routes are built from.
pub(crate) struct Parts<'a> {
    pub(crate) providers: &'a Providers,
    pub(crate) models: &'a Models,
    pub(crate) seats: &'a Seats,
    pub(crate) metrics: &'a Metrics,
    pub(crate) pace: Pace,
}

impl Route {
    /// Targets whose provider is missing are left out; a route without any answers 503.
    pub(crate) fn build(key: &Key, route: &object::Route, parts: &Parts<'_>) -> Arc<Self> {
        let label = label(key);
        let answer = match &route.answer {
            object::Answer::Refuse { reason } => Answer::Refuse(reason.clone()),
            object::Answer::Forward(forward) => Forward::build(&label, forward, parts),
        };
        Self::new(key, label, route.names.clone(), answer, parts.metrics)
    }

    /// What is left of a route that can't be built: its names, as far as they can be read, and 503.
    pub(crate) fn refused(key: &Key, json: &str, metrics: &Metrics) -> Arc<Self> {
        #[derive(Default, Deserialize)]
        struct Routes {
            #[serde(default)]
            routes: Vec<Names>,
        }
        #[derive(Deserialize)]
        struct Names {
            #[serde(default)]
            names: Vec<String>,
        }
        let routes = serde_json::from_str::<Routes>(json).unwrap_or_default().routes;
        let names = routes.into_iter().flat_map(|route| route.names).collect();
        let label = label(key);
        let reason = format!("{key} can't be served by this version of the proxy");
        Self::new(key, label, names, Answer::Refuse(reason), metrics)
    }

    fn new(key: &Key, label: String, names: Vec<String>, answer: Answer, metrics: &Metrics) -> Arc<Self> {
        let namespace = key.object.namespace.clone();
        Arc::new(Self { metrics: metrics.route(&label), label, namespace, names, answer })
    }

    /// True as long as every provider that the route names is still the one, or still missing, that it was built with.
    pub(crate) fn is_built_over(&self, providers: &Providers) -> bool {
        let Answer::Forward(forward) = &self.answer else { return false };
        forward.named.iter().all(|(name, built)| match (built, providers.get(name)) {
            (Some(built), Some(now)) => Arc::ptr_eq(built, now),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        })
    }
}

impl Forward {
    fn build(route: &str, forward: &object::Forward, parts: &Parts<'_>) -> Answer {
        let named = forward.targets.iter().map(|target| &target.provider);
        let named: Vec<_> = named.map(|name| (name.clone(), parts.providers.get(name).cloned())).collect();
        let usable = |target: &object::Target| {
            let provider = parts.providers.get(&target.provider)?;
            let paths = Paths::of(provider, &target.model)?;
            Some(Arc::new(Target::build(route, target, provider, paths, parts)))
        };
        let mut targets: Vec<_> = forward.targets.iter().filter_map(usable).collect();
        if targets.is_empty() {
            return Answer::Refuse(format!(
                "route {route}: none of its providers can be served by this version of the proxy"
            ));
        }
        targets.sort_by_key(|target| target.priority);
        let deadline = forward.targets.iter().map(|target| target.timeouts.request_ms).max().unwrap_or_default();
        Answer::Forward(Arc::new(Forward {
            targets,
            fallback_on: forward.fallback_on.clone(),
            allow_state: forward.allow_state,
            on_unsupported: forward.on_unsupported,
            balance: forward.balance,
            on_stream_break: forward.on_stream_break,
            expected_output: forward.expected_output_tokens.into(),
            max_cost: forward.max_cost_picodollars,
            deadline: parts.pace.of(Duration::from_millis(deadline)),
            named,
        }))
    }
}

impl Target {
    fn build(route: &str, target: &object::Target, provider: &Arc<Provider>, paths: Paths, parts: &Parts<'_>) -> Self {
        let Parts { models, metrics, pace, .. } = parts;
        let timeouts = &target.timeouts;
        let wait = |milliseconds| pace.of(Duration::from_millis(milliseconds));
        let header = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unprintable"));
        Self {
            headers: [header(&provider.name), header(&target.model)],
            metrics: metrics.target(route, &provider.name, &target.model),
            provider: provider.clone(),
            facts: models.facts(provider.vendor, &target.model, &provider.manners),
            price: models.price(provider.vendor, &target.model, target.pricing.as_ref()).map(Arc::new),
            seat: parts.seats.of(&target.provider, provider.base_url(), &target.model),
            model: target.model.clone(),
            paths,
            priority: target.priority,
            weight: target.weight,
            timeouts: Timeouts {
                connect: wait(timeouts.connect_ms),
                first_token: wait(timeouts.first_token_ms),
                first_token_reasoning: wait(timeouts.first_token_reasoning_ms),
                answer: wait(timeouts.answer_ms),
                idle: wait(timeouts.idle_ms),
            },
        }
    }
}

impl Forward {
    /// Models whose price nobody says, each with its provider.
    pub(crate) fn unpriced(&self) -> impl Iterator<Item = (&ObjectRef, &str)> {
        self.targets.iter().filter(|target| target.price.is_none()).filter_map(|target| {
            let is_its =
                |built: &Option<Arc<Provider>>| built.as_ref().is_some_and(|it| Arc::ptr_eq(it, &target.provider));
            let (name, _) = self.named.iter().find(|(_, built)| is_its(built))?;
            Some((name, target.model.as_str()))
        })
    }
}

impl Target {
    /// It has taken so much. Returns what that cost, in picodollars; none where the price is not known.
    pub(crate) fn spent(&self, usage: &Usage) -> Option<u64> {
        let cost = self.price.as_ref().and_then(|price| price.cost(usage));
        self.metrics.spent(usage, cost);
        cost
    }

    /// Where the provider has the Responses API, if it has it.
    fn responses(&self) -> Option<&PathAndQuery> {
        self.provider.endpoint.responses().filter(|_| self.provider.manners.responses)
    }

    /// How the provider is asked what a client wants.
    ///
    /// # Errors
    /// A 422 if it has no such thing.
    pub(crate) fn way(&self, call: &Call, stream: bool) -> Result<Way, Error> {
        if call.operation == Operation::Chat
            && call.dialect == Dialect::Responses
            && let Some(path) = self.responses()
        {
            return Ok(Way { dialect: Dialect::Responses, path: path.clone() });
        }
        let path = match call.operation {
            Operation::Chat if stream => Some(&self.paths.stream),
            Operation::Chat => Some(&self.paths.chat),
            Operation::Completions => self.paths.completions.as_ref(),
            // What others ask in one way is several texts or one.
            Operation::Embeddings if call.dialect == Dialect::Gemini => self.paths.embeddings.as_ref(),
            Operation::Embeddings | Operation::BatchEmbeddings => self.paths.batch_embeddings.as_ref(),
            Operation::CountTokens => self.paths.count_tokens.as_ref(),
        };
        let path = path.cloned().ok_or_else(|| lacks(call.operation))?;
        Ok(Way { dialect: self.provider.dialect, path })
    }
}

impl Paths {
    /// None if there is no path for chat, which every provider has.
    fn of(provider: &Provider, model: &str) -> Option<Self> {
        let path = |operation, stream| provider.path(operation, model, stream).ok().flatten();
        Some(Self {
            chat: path(Operation::Chat, false)?,
            stream: path(Operation::Chat, true)?,
            completions: path(Operation::Completions, false),
            embeddings: path(Operation::Embeddings, false),
            batch_embeddings: path(Operation::BatchEmbeddings, false),
            count_tokens: path(Operation::CountTokens, false),
        })
    }
}

fn lacks(operation: Operation) -> Error {
    let reason = match operation {
        Operation::Chat => "its provider has no chat",
        Operation::Completions => "its provider has chat, and no completions of a bare text",
        Operation::Embeddings | Operation::BatchEmbeddings => "its provider has no embeddings",
        Operation::CountTokens => "its provider counts no tokens before they are used",
    };
    Error::Unsupported { field: "model".into(), reason: reason.into() }
}

fn label(key: &Key) -> String {
    match key.kind {
        Kind::Model => key.object.name.to_string(),
        Kind::AIProvider | Kind::Cluster | Kind::Consumer | Kind::RateLimit | Kind::RoutePolicy | Kind::Other(_) => {
            key.object.to_string()
        }
    }
}
