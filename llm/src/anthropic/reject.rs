use std::convert::Infallible;

use crate::json::Writer;
use crate::reject::Rejection;

/// The `error.type` of a status (platform.claude.com, API errors).
fn type_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 | 503 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

pub(crate) fn error_body(rejection: &Rejection<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(rejection.message.len() + 96);
    let Ok(()) = Writer::new(&mut out).object(|w| {
        w.key("type").string("error");
        w.key("error").object(|w| {
            w.key("type").string(rejection.of_type.unwrap_or_else(|| type_of(rejection.status)));
            w.key("message").string(rejection.message);
            if let Some(details) = rejection.details {
                w.key("details").raw(details);
            }
            Ok::<(), Infallible>(())
        })
    });
    out
}

pub(crate) fn error_event(rejection: &Rejection<'_>) -> Vec<u8> {
    let mut out = b"event: error\ndata: ".to_vec();
    out.extend_from_slice(&error_body(rejection));
    out.extend_from_slice(b"\n\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_anthropic_s_object_and_an_event_of_that_name() {
        let rejection =
            Rejection { status: 529, message: "busy", of_type: None, code: None, param: None, details: None };
        assert_eq!(
            String::from_utf8_lossy(&error_event(&rejection)),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n"
        );
        let detailed = Rejection { details: Some(r#"{"error_code":"c"}"#), ..rejection };
        assert!(String::from_utf8_lossy(&error_body(&detailed)).ends_with(r#""busy","details":{"error_code":"c"}}}"#));
    }
}
