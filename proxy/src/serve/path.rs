//! The paths that are served.

use http::{HeaderMap, Method, Uri};
use penstock_llm::{
    Dialect,
    call::{Call, Form, InPath, Operation},
};

use crate::{auth::query, error::Error};

/// What a path and a method ask for.
#[derive(Debug, PartialEq)]
pub(super) enum Wanted {
    /// A request that goes to a provider.
    Call(Call),
    /// What the caller may use: all of it, or this model.
    Models(Option<String>),
}

/// Who speaks a path, whatever is wrong with the rest. Three families have their models at the same one: there a header
/// that only one of them sends tells.
pub(super) fn dialect(path: &str, headers: &HeaderMap) -> Dialect {
    match path {
        _ if path == "/v1/messages" || path.starts_with("/v1/messages/") => Dialect::Anthropic,
        _ if path == "/v1/responses" || path.starts_with("/v1/responses/") => Dialect::Responses,
        _ if path.starts_with("/v1beta/") || is_gemini_s(path) => Dialect::Gemini,
        _ if path != MODELS && !path.starts_with("/v1/models/") => Dialect::OpenAI,
        _ if headers.contains_key("anthropic-version") => Dialect::Anthropic,
        _ if headers.contains_key("x-goog-api-key") => Dialect::Gemini,
        _ => Dialect::OpenAI,
    }
}

const MODELS: &str = "/v1/models";

/// Every path that is served here. The rest is a 404 and never forwarded.
pub(super) fn wanted(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Wanted, Error> {
    let path = uri.path();
    let (served, wanted) = served(uri, headers).ok_or_else(|| match path.strip_prefix("/v1/responses/") {
        // What counts tokens or makes a prompt shorter stores nothing.
        Some(id) if !matches!(id, "" | "input_tokens" | "compact") => Error::Stored(path.to_owned()),
        Some(_) | None => Error::NotFound(path.to_owned()),
    })?;
    if *method != served {
        let allowed = if served == Method::GET { "GET" } else { "POST" };
        return Err(Error::Method { method: method.to_string(), allowed });
    }
    Ok(wanted)
}

fn served(uri: &Uri, headers: &HeaderMap) -> Option<(Method, Wanted)> {
    let path = uri.path();
    let call = |operation| Some((Method::POST, Wanted::Call(Call::new(dialect(path, headers), operation))));
    match path {
        "/v1/chat/completions" | "/v1/messages" | "/v1/responses" => call(Operation::Chat),
        "/v1/completions" => call(Operation::Completions),
        "/v1/embeddings" => call(Operation::Embeddings),
        "/v1/messages/count_tokens" => call(Operation::CountTokens),
        MODELS | "/v1beta/models" => Some((Method::GET, Wanted::Models(None))),
        _ if is_gemini_s(path) => gemini(uri).map(|call| (Method::POST, Wanted::Call(call))),
        _ => {
            let model = path.strip_prefix("/v1/models/").or_else(|| path.strip_prefix("/v1beta/models/"))?;
            Some((Method::GET, Wanted::Models(Some(decoded(model)))))
        }
    }
}

/// A model's path in Gemini's dialect and what is done with it, behind a colon; the model itself may have colons.
fn action(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"))?;
    rest.rsplit_once(':').filter(|(model, _)| !model.is_empty())
}

/// What an action of Gemini's means, and how its answer comes.
fn meaning(action: &str) -> Option<(Operation, Form)> {
    match action {
        "generateContent" => Some((Operation::Chat, Form::Whole)),
        "streamGenerateContent" => Some((Operation::Chat, Form::Array)),
        "embedContent" => Some((Operation::Embeddings, Form::Whole)),
        "batchEmbedContents" => Some((Operation::BatchEmbeddings, Form::Whole)),
        "countTokens" => Some((Operation::CountTokens, Form::Whole)),
        _ => None,
    }
}

fn is_gemini_s(path: &str) -> bool {
    action(path).is_some_and(|(_, action)| meaning(action).is_some())
}

fn gemini(uri: &Uri) -> Option<Call> {
    let (model, action) = action(uri.path())?;
    let (operation, form) = meaning(action)?;
    let form = match form {
        Form::Array if query(uri, "alt").or_else(|| query(uri, "$alt")).as_deref() == Some("sse") => Form::Events,
        form => form,
    };
    Some(Call { dialect: Dialect::Gemini, operation, path: Some(InPath { model: decoded(model), form }) })
}

/// The name of a model, without the collection that Gemini's names begin with.
fn decoded(model: &str) -> String {
    let model = percent_encoding::percent_decode_str(model).decode_utf8_lossy();
    model.strip_prefix("models/").unwrap_or(&model).to_owned()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn ask(method: Method, uri: &str) -> Result<Wanted, String> {
        wanted(&method, &uri.parse().expect("must be a URI"), &HeaderMap::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_says_who_speaks_and_what_is_wanted() {
        let chat = |dialect| Ok(Wanted::Call(Call::chat(dialect)));
        assert_eq!(ask(Method::POST, "/v1/chat/completions?x=1"), chat(Dialect::OpenAI));
        assert_eq!(ask(Method::POST, "/v1/messages"), chat(Dialect::Anthropic));
        assert_eq!(ask(Method::POST, "/v1/responses"), chat(Dialect::Responses));
        assert_eq!(ask(Method::GET, "/v1/models"), Ok(Wanted::Models(None)));
        assert_eq!(ask(Method::GET, "/v1/models/a%2Fb/c"), Ok(Wanted::Models(Some("a/b/c".into()))));
    }

    #[test]
    fn operations_besides_chat_have_paths_of_their_own() {
        let call = |dialect, operation| Ok(Wanted::Call(Call::new(dialect, operation)));
        assert_eq!(ask(Method::POST, "/v1/embeddings"), call(Dialect::OpenAI, Operation::Embeddings));
        assert_eq!(ask(Method::POST, "/v1/completions"), call(Dialect::OpenAI, Operation::Completions));
        let count = "/v1/messages/count_tokens?beta=true";
        assert_eq!(ask(Method::POST, count), call(Dialect::Anthropic, Operation::CountTokens));
        let rows = [
            ("/v1beta/models/a%2Fb:embedContent", "a/b", Operation::Embeddings),
            ("/v1/models/m:8b:batchEmbedContents?key=k", "m:8b", Operation::BatchEmbeddings),
            ("/v1beta/models/ns/m:countTokens", "ns/m", Operation::CountTokens),
        ];
        for (uri, model, operation) in rows {
            let path = InPath { model: model.into(), form: Form::Whole };
            let expected = Call { path: Some(path), ..Call::new(Dialect::Gemini, operation) };
            assert_eq!(ask(Method::POST, uri), Ok(Wanted::Call(expected)), "{uri}");
        }
        assert!(ask(Method::POST, "/v1/models/m:odd").is_err_and(|error| error.contains("GET is")));
    }

    #[test]
    fn a_stored_response_is_state_and_is_not_here() {
        for (method, path) in [
            (Method::GET, "/v1/responses/resp_1"),
            (Method::DELETE, "/v1/responses/resp_1"),
            (Method::POST, "/v1/responses/resp_1/cancel"),
            (Method::GET, "/v1/responses/resp_1/input_items"),
        ] {
            let error = ask(method, path).expect_err("must be refused");
            assert!(error.starts_with(path) && error.contains("stored"), "{error}");
        }
        assert_eq!(ask(Method::POST, "/v1/responses/compact"), Err("/v1/responses/compact is not served here".into()));
        assert_eq!(ask(Method::GET, "/v1/responses"), Err("GET is not allowed here, POST is".into()));
    }

    #[test]
    fn gemini_s_paths_say_the_model_percent_decoded_and_how_the_answer_comes() {
        let rows = [
            ("/v1beta/models/gemini-x:generateContent", "gemini-x", Form::Whole),
            ("/v1/models/gemini-x:generateContent?alt=sse", "gemini-x", Form::Whole),
            ("/v1beta/models/team/a%2Fb%20c:streamGenerateContent?alt=sse&key=k", "team/a/b c", Form::Events),
            ("/v1beta/models/models%2Fllama3:8b:streamGenerateContent", "llama3:8b", Form::Array),
        ];
        for (uri, model, form) in rows {
            let path = Some(InPath { model: model.into(), form });
            let call = Call { dialect: Dialect::Gemini, operation: Operation::Chat, path };
            assert_eq!(ask(Method::POST, uri), Ok(Wanted::Call(call)), "{uri}");
        }
        assert_eq!(ask(Method::GET, "/v1/models/llama3:8b"), Ok(Wanted::Models(Some("llama3:8b".into()))));
        assert_eq!(ask(Method::GET, "/v1beta/models/gemini-x"), Ok(Wanted::Models(Some("gemini-x".into()))));
        assert!(ask(Method::GET, "/v1beta/models/m:generateContent").is_err_and(|error| error.contains("POST is")));
        assert!(ask(Method::POST, "/v1beta/models/:generateContent").is_err());
        assert!(ask(Method::POST, "/v1beta/cachedContents").is_err());
    }

    #[test]
    fn a_header_tells_whose_models_are_listed() {
        let rows = [
            ("/v1/models", None, Dialect::OpenAI),
            ("/v1/models/m", Some("anthropic-version"), Dialect::Anthropic),
            ("/v1/models", Some("x-goog-api-key"), Dialect::Gemini),
            ("/v1beta/models", None, Dialect::Gemini),
            ("/v1beta/nonsense", None, Dialect::Gemini),
            ("/v1/chat/completions", Some("anthropic-version"), Dialect::OpenAI),
        ];
        for (path, header, expected) in rows {
            let header = header.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("x")));
            assert_eq!(dialect(path, &header.into_iter().collect()), expected, "{path}");
        }
    }

    #[test]
    fn another_method_is_told_the_right_one_and_another_path_is_not_served() {
        assert_eq!(ask(Method::GET, "/v1/messages"), Err("GET is not allowed here, POST is".into()));
        assert_eq!(ask(Method::DELETE, "/v1/models/m"), Err("DELETE is not allowed here, GET is".into()));
        assert_eq!(ask(Method::POST, "/v1/chat"), Err("/v1/chat is not served here".into()));
        assert_eq!(
            ask(Method::POST, "/v1/images/generations"),
            Err("/v1/images/generations is not served here".into())
        );
    }
}
