//! The paths that are served.

use http::{Method, Uri};
use penstock_llm::{
    Dialect,
    call::{Call, Operation},
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
    match path.strip_prefix("/v1/").and_then(|path| path.split('/').next()) {
        Some("messages") => Dialect::Anthropic,
        Some("responses") => Dialect::Responses,
        Some(_) | None => Dialect::OpenAI,
    }
}

/// Every path that is served here. The rest is a 404 and never forwarded.
pub(super) fn wanted(method: &Method, uri: &Uri) -> Result<Wanted, Error> {
    let path = uri.path();
    let (served, wanted) = served(path).ok_or_else(|| match path.strip_prefix("/v1/responses/") {
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

fn served(path: &str) -> Option<(Method, Wanted)> {
    let call = |operation| Some((Method::POST, Wanted::Call(Call::new(dialect(path), operation))));
    match path {
        "/v1/chat/completions" | "/v1/messages" | "/v1/responses" => call(Operation::Chat),
        "/v1/models" => Some((Method::GET, Wanted::Models(None))),
        _ => {
            let model = path.strip_prefix("/v1/models/")?;
            let model = percent_encoding::percent_decode_str(model).decode_utf8_lossy();
            Some((Method::GET, Wanted::Models(Some(model.into_owned()))))
        }
    }
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
        assert_eq!(ask(Method::POST, "/v1/responses"), chat(Dialect::Responses));
        assert_eq!(ask(Method::GET, "/v1/models"), Ok(Wanted::Models(None)));
        assert_eq!(ask(Method::GET, "/v1/models/a%2Fb/c"), Ok(Wanted::Models(Some("a/b/c".into()))));
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
