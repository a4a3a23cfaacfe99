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
    if path == "/v1/messages" || path.starts_with("/v1/messages/") { Dialect::Anthropic } else { Dialect::OpenAI }
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
        assert_eq!(ask(Method::GET, "/v1/models"), Ok(Wanted::Models(None)));
        assert_eq!(ask(Method::GET, "/v1/models/a%2Fb/c"), Ok(Wanted::Models(Some("a/b/c".into()))));
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
