use std::convert::Infallible;

use crate::json::Writer;
use crate::reject::Rejection;
use crate::sse;

/// The `type` by which OpenAI's API goes with a status; its SDKs pick the exception by status and show the type. A spent
/// quota is told apart from a rate by its type.
fn type_of<'a>(rejection: &Rejection<'a>) -> &'a str {
    match (rejection.of_type, rejection.status) {
        (Some(of_type), _) => of_type,
        (None, 401) => "authentication_error",
        (None, 403) => "permission_error",
        (None, 429) => rejection.code.filter(|code| *code == "insufficient_quota").unwrap_or("rate_limit_error"),
        (None, 400..=499) => "invalid_request_error",
        (None, _) => "server_error",
    }
}

pub(crate) fn error_body(rejection: &Rejection<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(rejection.message.len() + 128);
    let nullable = |w: &mut Writer<'_>, key: &'static str, value: Option<&str>| match value {
        Some(value) => w.key(key).string(value),
        None => w.key(key).raw("null"),
    };
    let Ok(()) = Writer::new(&mut out).object(|w| {
        w.key("error").object(|w| {
            w.key("message").string(rejection.message);
            w.key("type").string(type_of(rejection));
            nullable(w, "param", rejection.param);
            nullable(w, "code", rejection.code);
            Ok::<(), Infallible>(())
        })
    });
    out
}

/// An object with `error` first, which every OpenAI SDK raises from inside a stream.
pub(crate) fn error_event(rejection: &Rejection<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    sse::write(&mut out, &error_body(rejection));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_openai_s_object_with_all_four_members() {
        let rejection = Rejection {
            status: 400,
            message: "no \"x\"",
            of_type: None,
            code: None,
            param: Some("messages[0]"),
            details: None,
        };
        let body = String::from_utf8(error_body(&rejection)).expect("must be UTF-8");
        assert_eq!(
            body,
            r#"{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"messages[0]","code":null}}"#
        );
        assert_eq!(error_event(&rejection), format!("data: {body}\n\n").into_bytes());
    }

    #[test]
    fn a_type_of_the_provider_goes_through_as_it_came() {
        let rejection = Rejection {
            status: 429,
            message: "m",
            of_type: Some("tokens"),
            code: Some("c"),
            param: None,
            details: None,
        };
        assert_eq!(error_body(&rejection), br#"{"error":{"message":"m","type":"tokens","param":null,"code":"c"}}"#);
    }
}
