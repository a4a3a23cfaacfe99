//! Headers, by allow-list both ways.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, HOST, USER_AGENT},
};
use penstock_llm::{Dialect, call::Form, neutral::Finish, price::Dollars, sse::Framing};

use super::{ask::Ask, prepare::Prepared};
use crate::{
    error::Error,
    limits::Standing,
    live::{credential::Pick, route::Target},
    upstream::Outgoing,
};

// A name that is given as text is parsed and looked up among the known ones each time.
const HOPS: HeaderName = HeaderName::from_static("x-penstock-hop");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const PROVIDER: HeaderName = HeaderName::from_static("x-penstock-provider");
const MODEL: HeaderName = HeaderName::from_static("x-penstock-model");
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-penstock-upstream-request-id");
const DROPPED_PARAMS: HeaderName = HeaderName::from_static("x-penstock-dropped-params");
const FINISH: HeaderName = HeaderName::from_static("x-penstock-finish");
const COST: HeaderName = HeaderName::from_static("x-penstock-cost");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-penstock-attempts");
/// How much there is of requests and of tokens, how much of it is left, and until when. Sources: OpenAI's "Rate limits in
/// headers", Anthropic's "Response headers" of rate limits.
static OPENAI_LIMITS: [[HeaderName; 3]; 2] = [
    [
        HeaderName::from_static("x-ratelimit-limit-requests"),
        HeaderName::from_static("x-ratelimit-remaining-requests"),
        HeaderName::from_static("x-ratelimit-reset-requests"),
    ],
    [
        HeaderName::from_static("x-ratelimit-limit-tokens"),
        HeaderName::from_static("x-ratelimit-remaining-tokens"),
        HeaderName::from_static("x-ratelimit-reset-tokens"),
    ],
];
static ANTHROPIC_LIMITS: [[HeaderName; 3]; 2] = [
    [
        HeaderName::from_static("anthropic-ratelimit-requests-limit"),
        HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
        HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    ],
    [
        HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
        HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
        HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
    ],
];
/// What providers call the id that they give a request.
const REQUEST_IDS: [HeaderName; 2] = [HeaderName::from_static("x-request-id"), HeaderName::from_static("request-id")];
/// A chain of gateways longer than this is a loop that changes its name.
const MAX_HOPS: usize = 4;
/// The version of Anthropic's API that Penstock speaks by itself.
const SPOKEN_VERSION: &str = "2023-06-01";
const AGENT: &str = concat!("penstock/", env!("CARGO_PKG_VERSION"));

/// What of a client's headers a provider of the dialect is sent.
fn allowed(dialect: Dialect) -> &'static [HeaderName] {
    const KEY: HeaderName = HeaderName::from_static("idempotency-key");
    const PARENT: HeaderName = HeaderName::from_static("traceparent");
    const STATE: HeaderName = HeaderName::from_static("tracestate");
    static OPENAI: [HeaderName; 4] = [HeaderName::from_static("openai-beta"), KEY, PARENT, STATE];
    static ANTHROPIC: [HeaderName; 4] = [HeaderName::from_static("anthropic-beta"), KEY, PARENT, STATE];
    static OTHERS: [HeaderName; 2] = [PARENT, STATE];
    match dialect {
        Dialect::OpenAI | Dialect::Responses => &OPENAI,
        Dialect::Anthropic => &ANTHROPIC,
        Dialect::Gemini | Dialect::Mistral | Dialect::Ollama => &OTHERS,
    }
}

/// The gateways that a request has passed, with this one. An error if it passed here before.
pub(super) fn hops(headers: &HeaderMap, instance: &str) -> Result<HeaderValue, Error> {
    let own = || HeaderValue::try_from(instance).map_err(|_| Error::Loop);
    let Some(before) = headers.get(HOPS) else { return own() };
    let before = before.to_str().map_err(|_| Error::Loop)?;
    let passed = before.split(',').map(str::trim);
    if passed.clone().any(|hop| hop == instance) || passed.count() >= MAX_HOPS {
        return Err(Error::Loop);
    }
    HeaderValue::try_from(format!("{before}, {instance}")).map_err(|_| Error::Loop)
}

/// The request of one attempt.
pub(super) fn request(ask: &Ask, target: &Target, prepared: &Prepared, credential: &Pick) -> Request<Outgoing> {
    let provider = &target.provider;
    let mut request = Request::new(Outgoing::new(prepared.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(prepared.way.path.clone());
    let headers = request.headers_mut();
    headers.reserve(16);
    headers.insert(HOST, provider.endpoint.host.clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = match Framing::of(prepared.way.dialect) {
        _ if !ask.scan.stream => "application/json",
        Framing::Events => "text/event-stream",
        Framing::Lines => "application/x-ndjson",
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(HOPS, ask.hops.clone());
    for name in allowed(prepared.way.dialect) {
        if let Some(value) = ask.headers.get(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if prepared.way.dialect == Dialect::Anthropic {
        let own = HeaderValue::from_static(SPOKEN_VERSION);
        let theirs = ask.headers.get(ANTHROPIC_VERSION).filter(|_| !prepared.translated);
        headers.insert(ANTHROPIC_VERSION, theirs.cloned().unwrap_or(own));
    }
    if let Pick::Key(credential) = credential {
        headers.insert(provider.scheme.header(), credential.header.clone());
    }
    request
}

/// The head of a client's answer: who answered, and what of the provider's head is the client's business.
pub(super) fn answer(headers: &mut HeaderMap, target: &Target, upstream: &HeaderMap, prepared: &Prepared, ask: &Ask) {
    let form = ask.call.form();
    if ask.scan.stream {
        stream(headers, form);
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(theirs) = upstream.get(CONTENT_TYPE).filter(|_| !(prepared.translated || form == Some(Form::Array))) {
        headers.insert(CONTENT_TYPE, theirs.clone());
    }
    let [provider, model] = &target.headers;
    headers.insert(PROVIDER, provider.clone());
    headers.insert(MODEL, model.clone());
    if let Some(id) = REQUEST_IDS.iter().find_map(|name| upstream.get(name)) {
        headers.insert(UPSTREAM_REQUEST_ID, id.clone());
    }
    if let Some(dropped) = &prepared.dropped {
        headers.insert(DROPPED_PARAMS, dropped.clone());
    }
}

/// Of every stream, whoever answers.
pub(super) fn stream(headers: &mut HeaderMap, form: Option<Form>) {
    let kind = if form == Some(Form::Array) { "application/json" } else { "text/event-stream; charset=utf-8" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}

/// Why the answer ended, in words that tell more apart than the client's dialect does.
pub(super) fn say_finish(headers: &mut HeaderMap, finish: Option<Finish>) {
    if let Some(finish) = finish {
        headers.insert(FINISH, HeaderValue::from_static(finish.name()));
    }
}

/// What a whole answer costs its client, in US dollars; nothing where that is not known.
pub(super) fn say_cost(headers: &mut HeaderMap, picodollars: Option<u64>) {
    let Some(picodollars) = picodollars else { return };
    let dollars = HeaderValue::try_from(Dollars(picodollars).to_string());
    headers.extend(dollars.ok().map(|dollars| (COST, dollars)));
}

pub(super) fn say_attempts(headers: &mut HeaderMap, attempts: u32) {
    headers.insert(ATTEMPTS, HeaderValue::from(attempts));
}

/// What is left of the limits that bind the client, in its own words: Anthropic's, or those of OpenAI, who have them first.
pub(super) fn say_limits(headers: &mut HeaderMap, client: Dialect, standing: &Standing) {
    let [requests, tokens] = match client {
        Dialect::Anthropic => &ANTHROPIC_LIMITS,
        Dialect::OpenAI | Dialect::Responses | Dialect::Gemini | Dialect::Mistral | Dialect::Ollama => &OPENAI_LIMITS,
    };
    let all = [(requests, standing.0.requests), (tokens, standing.0.tokens)];
    let bound = all.into_iter().filter_map(|(names, left)| Some((names, left?)));
    // Memory is taken once, and only where there is something to say.
    let mut values = None;
    for ([limit, remaining, reset], left) in bound {
        let values = values.get_or_insert_with(|| Values(BytesMut::with_capacity(160)));
        headers.insert(limit, values.number(left.limit).end());
        headers.insert(remaining, values.number(left.remaining).end());
        let when = match client {
            Dialect::Anthropic => values.moment(SystemTime::now() + left.reset),
            _ => values.time(left.reset),
        };
        headers.insert(reset, when.end());
    }
}

/// Values of headers, written one behind the other into memory that they share.
struct Values(BytesMut);

impl Values {
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.text(itoa::Buffer::new().format(number))
    }

    /// As RFC 3339 writes it.
    fn moment(&mut self, moment: SystemTime) -> &mut Self {
        let _ = write!(self.0, "{}", humantime::format_rfc3339_seconds(moment));
        self
    }

    /// As OpenAI writes a time: `6m0s`, `1.5s`, `20ms`.
    fn time(&mut self, time: Duration) -> &mut Self {
        let (seconds, millis) = (time.as_secs(), time.subsec_millis());
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, 0) => self.number(millis.into()).text("ms"),
            (0, 0, seconds) if millis > 0 => {
                let thousandths = format!("{millis:03}");
                self.number(seconds).text(".").text(thousandths.trim_end_matches('0')).text("s")
            }
            (0, 0, seconds) => self.number(seconds).text("s"),
            (0, minutes, seconds) => self.number(minutes).text("m").number(seconds).text("s"),
            (hours, minutes, seconds) => {
                self.number(hours).text("h").number(minutes).text("m").number(seconds).text("s")
            }
        }
    }

    /// What was written since the last.
    fn end(&mut self) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.0.split().freeze()).expect("must be visible ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_openai_does() {
        let rows = [
            (0, "0ms"),
            (20, "20ms"),
            (1_500, "1.5s"),
            (2_000, "2s"),
            (59_007, "59.007s"),
            (360_000, "6m0s"),
            (86_399_000, "23h59m59s"),
        ];
        let mut values = Values(BytesMut::new());
        for (millis, expected) in rows {
            assert_eq!(values.time(Duration::from_millis(millis)).end(), expected);
        }
    }

    #[test]
    fn a_request_that_comes_back_is_a_loop() -> Result<(), Error> {
        let first = hops(&HeaderMap::new(), "a")?;
        let mut headers = HeaderMap::new();
        headers.insert(HOPS, first);
        let second = hops(&headers, "b")?;
        headers.insert(HOPS, second);
        assert!(matches!(hops(&headers, "a"), Err(Error::Loop)));
        assert_eq!(hops(&headers, "c")?, "a, b, c");
        headers.insert(HOPS, HeaderValue::from_static("1,2,3,4"));
        assert!(matches!(hops(&headers, "a"), Err(Error::Loop)));
        Ok(())
    }
}
