use std::convert::Infallible;

use crate::json::Writer;
use crate::reject::Rejection;
use crate::sse;

/// The `status` of a code (google.rpc.Code, as Google's APIs map it to HTTP).
fn name_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

pub(crate) fn error_body(rejection: &Rejection<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(rejection.message.len() + 96);
    let Ok(()) = Writer::new(&mut out).object(|w| {
        w.key("error").object(|w| {
            w.key("code").unsigned(rejection.status.into());
            w.key("message").string(rejection.message);
            w.key("status").string(name_of(rejection.status));
            match rejection.param {
                Some(field) => w.key("details").array(|w| w.object(|w| violation(w, field, rejection.message))),
                None => Ok(()),
            }
        })
    });
    out
}

/// Which field is at fault (google.rpc.BadRequest).
fn violation(w: &mut Writer<'_>, field: &str, message: &str) -> Result<(), Infallible> {
    w.key("@type").string("type.googleapis.com/google.rpc.BadRequest");
    w.key("fieldViolations").array(|w| {
        w.object(|w| {
            w.key("field").string(field);
            w.key("description").string(message);
            Ok(())
        })
    })
}

pub(crate) fn error_event(rejection: &Rejection<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    sse::write(&mut out, &error_body(rejection));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_at_fault_is_in_the_details() {
        let param = Some("contents[0].role");
        let rejection = Rejection { status: 400, message: "odd", of_type: None, code: None, param, details: None };
        let body: serde_json::Value = serde_json::from_slice(&error_body(&rejection)).expect("must be JSON");
        let violation = serde_json::json!([{"field": "contents[0].role", "description": "odd"}]);
        assert_eq!(body["error"]["details"][0]["fieldViolations"], violation);
        assert_eq!(body["error"]["status"], "INVALID_ARGUMENT");
    }

    #[test]
    fn an_error_is_gemini_s_object_with_the_code_and_its_name() {
        let rejection =
            Rejection { status: 429, message: "slow", of_type: None, code: None, param: None, details: None };
        assert_eq!(
            String::from_utf8_lossy(&error_event(&rejection)),
            "data: {\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n"
        );
    }
}
