//! The paths that are served.

use http::{Method, Uri};
use penstock_llm::{
    Dialect,
    call::{Call, Form, InPath, Operation},
};

use crate::error::Error;

/// What a path and a method ask for.
#[derive(Debug, PartialEq)]
pub(super) enum Wanted {
    /// A request that goes to a provider.
    Call(Call),
    /// What the caller may use: all of it, or this model.
    Models(Option<String>),
}

/// Who speaks a path, whatever is wrong with the rest.
pub(super) fn dialect(path: &str) -> Dialect {
    if path == "/v1/messages" || path.starts_with("/v1/messages/") {
        Dialect::Anthropic
    } else if path.starts_with("/v1beta/") || in_gemini(path).is_some() {
        Dialect::Gemini
    } else {
        Dialect::OpenAI
    }
}

/// Every path that is served here. The rest is a 404 and never forwarded.
pub(super) fn wanted(method: &Method, uri: &Uri) -> Result<Wanted, Error> {
    let path = uri.path();
    let (served, wanted) = served(path).ok_or_else(|| Error::NotFound(path.to_owned()))?;
    if *method != served {
        let allowed = if served == Method::GET { "GET" } else { "POST" };
        return Err(Error::Method { method: method.to_string(), allowed });
    }
    Ok(wanted)
}

fn served(path: &str) -> Option<(Method, Wanted)> {
    let call = |operation| Some((Method::POST, Wanted::Call(Call::new(dialect(path), operation))));
    match path {
        "/v1/chat/completions" | "/v1/messages" => call(Operation::Chat),
        "/v1/completions" => call(Operation::Completions),
        "/v1/embeddings" => call(Operation::Embeddings),
        "/v1/messages/count_tokens" => call(Operation::CountTokens),
        "/v1/models" => Some((Method::GET, Wanted::Models(None))),
        _ => {
            if let Some(call) = in_gemini(path) {
                return Some((Method::POST, Wanted::Call(call)));
            }
            let model = path.strip_prefix("/v1/models/")?;
            Some((Method::GET, Wanted::Models(Some(decoded(model)))))
        }
    }
}

/// A call as Gemini's paths say it: a model and, behind a colon, what is wanted of it.
fn in_gemini(path: &str) -> Option<Call> {
    let rest = path.strip_prefix("/v1beta/models/").or(path.strip_prefix("/v1/models/"))?;
    let (model, wanted) = rest.rsplit_once(':')?;
    let (operation, form) = match wanted {
        "embedContent" => (Operation::Embeddings, Form::Whole),
        "batchEmbedContents" => (Operation::BatchEmbeddings, Form::Whole),
        "countTokens" => (Operation::CountTokens, Form::Whole),
        _ => return None,
    };
    Some(Call { path: Some(InPath { model: decoded(model), form }), ..Call::new(Dialect::Gemini, operation) })
}

fn decoded(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, uri: &str) -> Result<Wanted, String> {
        wanted(&method, &uri.parse().expect("must be a URI")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_says_who_speaks_and_what_is_wanted() {
        let chat = |dialect| Ok(Wanted::Call(Call::chat(dialect)));
        assert_eq!(ask(Method::POST, "/v1/chat/completions?x=1"), chat(Dialect::OpenAI));
        assert_eq!(ask(Method::POST, "/v1/messages"), chat(Dialect::Anthropic));
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
        assert_eq!(ask(Method::GET, "/v1/models/m:8b"), Ok(Wanted::Models(Some("m:8b".into()))));
        assert_eq!(ask(Method::POST, "/v1beta/models/m:odd"), Err("/v1beta/models/m:odd is not served here".into()));
        assert_eq!(dialect("/v1beta/models/m:odd"), Dialect::Gemini);
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
