//! What a caller may use, in the words of the three families.

use std::net::IpAddr;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use penstock_llm::Dialect;
use serde::Serialize;

use super::{Shared, body::Answer, json, path};
use crate::{
    auth::{Caller, query},
    error::Error,
    live::{
        Tables,
        route::{Answer as RouteAnswer, Route},
    },
};

/// When a model was made is not known here. Anthropic says so with this moment.
const LONG_AGO: &str = "1970-01-01T00:00:00Z";
/// The most that a page holds, whoever asks.
const MAX_PAGE: usize = 1000;

/// A page of a list that is sorted by name.
#[derive(Debug, PartialEq, Eq)]
struct Page<'n> {
    names: &'n [&'n str],
    /// There are more in the direction in which the pages are turned.
    more: bool,
}

/// OpenAI's list, which has no pages.
#[derive(Serialize)]
struct OpenAIList<'a> {
    object: &'static str,
    data: Vec<OpenAI<'a>>,
}

/// OpenAI's description of a model. When it was made is not known here, and its SDKs demand a number.
#[derive(Serialize)]
struct OpenAI<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

/// Anthropic's page.
#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<Anthropic<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

/// Anthropic's description of a model (platform.claude.com, api/models).
#[derive(Serialize)]
struct Anthropic<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: &'static str,
    lifecycle: &'static str,
    max_input_tokens: Option<u32>,
    max_tokens: Option<u32>,
}

/// Gemini's page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiList<'a> {
    models: Vec<Gemini<'a>>,
    /// Behind it goes the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

/// Gemini's description of a model (ai.google.dev, api/models).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gemini<'a> {
    name: String,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u32>,
    supported_generation_methods: [&'static str; 1],
}

/// All models, or one of them.
pub(super) fn answer(
    shared: &Shared,
    request: &Request<Incoming>,
    only: Option<&str>,
    peer: IpAddr,
) -> Result<Response<Answer>, Error> {
    let tables = shared.live.tables();
    let caller = Caller::of(&shared.door.attempt(peer, request.headers()), request.uri(), &tables)?;
    let speaks = path::dialect(request.uri().path(), request.headers());
    let usable = |name: &str| tables.routes.get(name).is_some_and(|route| caller.may_use(name, route));
    let body = match only {
        Some(name) if usable(name) => one(speaks, name, &tables),
        Some(name) => return Err(Error::UnknownModel(name.to_owned())),
        None => {
            let mut names: Vec<&str> = tables.routes.keys().map(String::as_str).filter(|name| usable(name)).collect();
            names.sort_unstable();
            list(speaks, &names, request, &tables)?
        }
    };
    Ok(json(StatusCode::OK, body))
}

fn one(speaks: Dialect, name: &str, tables: &Tables) -> Vec<u8> {
    match speaks {
        Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama | Dialect::Responses => written(&OpenAI::new(name)),
        Dialect::Anthropic => written(&Anthropic::new(name, tables)),
        Dialect::Gemini => written(&Gemini::new(name, tables)),
    }
}

fn list(speaks: Dialect, names: &[&str], request: &Request<Incoming>, tables: &Tables) -> Result<Vec<u8>, Error> {
    let said = |name: &str| query(request.uri(), name).map(|value| value.into_owned());
    Ok(match speaks {
        Dialect::OpenAI | Dialect::Mistral | Dialect::Ollama | Dialect::Responses => {
            written(&OpenAIList { object: "list", data: names.iter().map(|name| OpenAI::new(name)).collect() })
        }
        Dialect::Anthropic => {
            let size = size("limit", said("limit"), 20)?;
            let Page { names, more } = match said("before_id") {
                Some(before) => Page::before(names, &before, size),
                None => Page::after(names, said("after_id").as_deref(), size),
            };
            let data = names.iter().map(|name| Anthropic::new(name, tables)).collect();
            let (first, last) = (names.first().copied(), names.last().copied());
            written(&AnthropicList { data, has_more: more, first_id: first, last_id: last })
        }
        Dialect::Gemini => {
            let size = size("pageSize", said("pageSize"), 50)?;
            let Page { names, more } = Page::after(names, said("pageToken").as_deref(), size);
            let models = names.iter().map(|name| Gemini::new(name, tables)).collect();
            written(&GeminiList { models, next_page_token: names.last().copied().filter(|_| more) })
        }
    })
}

/// How many a page holds; 0 and nothing are the dialect's own number.
fn size(name: &str, said: Option<String>, default: usize) -> Result<usize, Error> {
    let Some(said) = said.filter(|said| !said.is_empty()) else { return Ok(default) };
    let wrong = || penstock_llm::Error::bad_request(name, format!("{name} must be a number that is not negative"));
    match said.parse().map_err(|_| wrong())? {
        0 => Ok(default),
        wanted => Ok(MAX_PAGE.min(wanted)),
    }
}

fn written(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("a list of names must serialise")
}

impl<'n> Page<'n> {
    /// The first of those behind a name.
    fn after(all: &'n [&'n str], name: Option<&str>, size: usize) -> Self {
        let from = name.map_or(0, |name| all.partition_point(|other| *other <= name));
        let to = (from + size).min(all.len());
        Self { names: &all[from..to], more: to < all.len() }
    }

    /// The last of those before a name.
    fn before(all: &'n [&'n str], name: &str, size: usize) -> Self {
        let to = all.partition_point(|other| *other < name);
        let from = to.saturating_sub(size);
        Self { names: &all[from..to], more: from > 0 }
    }
}

impl<'a> OpenAI<'a> {
    fn new(id: &'a str) -> Self {
        Self { id, object: "model", created: 0, owned_by: "penstock" }
    }
}

impl<'a> Anthropic<'a> {
    fn new(id: &'a str, tables: &Tables) -> Self {
        let (max_input_tokens, max_tokens) = limits(id, tables);
        Self {
            r#type: "model",
            id,
            display_name: id,
            created_at: LONG_AGO,
            lifecycle: "active",
            max_input_tokens,
            max_tokens,
        }
    }
}

impl<'a> Gemini<'a> {
    fn new(name: &'a str, tables: &Tables) -> Self {
        let (input_token_limit, output_token_limit) = limits(name, tables);
        Self {
            name: format!("models/{name}"),
            display_name: name,
            input_token_limit,
            output_token_limit,
            supported_generation_methods: ["generateContent"],
        }
    }
}

/// What the first target of the name reads and writes at most, where that is known.
fn limits(name: &str, tables: &Tables) -> (Option<u32>, Option<u32>) {
    let answer = tables.routes.get(name).map(|route: &std::sync::Arc<Route>| &route.answer);
    let Some(RouteAnswer::Forward(forward)) = answer else { return (None, None) };
    let facts = forward.targets.first().map(|target| target.facts);
    (facts.and_then(|facts| facts.context_window), facts.and_then(|facts| facts.max_output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_turned_forwards_and_backwards_until_there_are_no_more() {
        let all = ["a", "b", "c", "d", "e"];
        let after = |name, size| Page::after(&all, name, size);
        assert_eq!(after(None, 2), Page { names: &["a", "b"], more: true });
        assert_eq!(after(Some("b"), 2), Page { names: &["c", "d"], more: true });
        assert_eq!(after(Some("d"), 2), Page { names: &["e"], more: false });
        assert_eq!(after(Some("bb"), 9), Page { names: &["c", "d", "e"], more: false });
        assert_eq!(after(Some("z"), 2), Page { names: &[], more: false });
        assert_eq!(Page::before(&all, "d", 2), Page { names: &["b", "c"], more: true });
        assert_eq!(Page::before(&all, "b", 2), Page { names: &["a"], more: false });
    }

    #[test]
    fn a_page_has_the_size_that_is_asked_for_within_reason() {
        let size = |said: &str| super::size("limit", Some(said.to_owned()), 20).map_err(|error| error.status());
        assert_eq!([size("7"), size("0"), size(""), size("100000")], [Ok(7), Ok(20), Ok(20), Ok(1000)]);
        assert_eq!([size("-1"), size("x")], [Err(400), Err(400)]);
    }
}
