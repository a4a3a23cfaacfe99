use super::*;

fn openai(message: &str, of_type: &str, code: &str) -> String {
    format!(r#"{{"error":{{"message":{message:?},"type":{of_type:?},"param":null,"code":{code:?}}}}}"#)
}

fn anthropic(of_type: &str, message: &str) -> String {
    format!(r#"{{"type":"error","error":{{"type":{of_type:?},"message":{message:?}}},"request_id":"req_1"}}"#)
}

fn kind(status: u16, body: &str) -> ErrorKind {
    classify(Dialect::OpenAI, status, None, body.as_bytes()).kind
}

#[test]
fn each_row_of_the_failure_table_is_recognised_in_both_spellings() {
    use ErrorKind::*;
    let context =
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.";
    let rows: Vec<(u16, String, ErrorKind)> = vec![
        (408, String::new(), Timeout),
        (429, openai("Rate limit reached for gpt-4o", "tokens", "rate_limit_exceeded"), RateLimit),
        (429, anthropic("rate_limit_error", "This request would exceed your rate limit"), RateLimit),
        (429, String::new(), RateLimit),
        (429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), Quota),
        (429, openai("Rate limit reached: Limit 200 requests per day (RPD)", "requests", "rate_limit_exceeded"), Quota),
        (402, String::new(), Quota),
        (402, anthropic("billing_error", "There is an issue with billing"), Quota),
        (400, anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), Quota),
        (400, anthropic("invalid_request_error", "You have reached your specified API usage limits."), Quota),
        (500, openai("The server had an error", "server_error", ""), ServerError),
        (502, "<html>bad gateway</html>".into(), ServerError),
        (503, String::new(), ServerError),
        (504, anthropic("timeout_error", "timed out"), ServerError),
        (520, String::new(), ServerError),
        (529, anthropic("overloaded_error", "Overloaded"), ServerError),
        (599, String::new(), ServerError),
        (401, openai("Incorrect API key provided: sk-x", "invalid_request_error", "invalid_api_key"), Auth),
        (401, anthropic("authentication_error", "invalid x-api-key"), Auth),
        (403, openai("Country not supported", "request_forbidden", "unsupported_country_region_territory"), Auth),
        (403, anthropic("permission_error", "Your API key does not have permission to use the resource"), Auth),
        (400, r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}"#.into(), Auth),
        (400, openai("Invalid value: 'invalid api key'", "invalid_request_error", "invalid_value"), Rejected),
        (422, anthropic("invalid_request_error", "role: API key not valid"), Rejected),
        (404, openai("The model `x` does not exist", "invalid_request_error", "model_not_found"), NotFound),
        (404, anthropic("not_found_error", "model: claude-nope"), NotFound),
        (404, "Not Found".into(), NotFound),
        (400, openai("The model `x` does not exist", "invalid_request_error", ""), NotFound),
        (
            400,
            r#"{"error":{"message":"bad","type":"invalid_request_error","param":"model","code":null}}"#.into(),
            NotFound,
        ),
        (
            403,
            openai("Project does not have access to model `o3`", "invalid_request_error", "model_not_found"),
            NotFound,
        ),
        (400, openai(context, "invalid_request_error", "context_length_exceeded"), ContextLength),
        (400, anthropic("invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum"), ContextLength),
        (
            400,
            anthropic("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"),
            ContextLength,
        ),
        (
            400,
            format!(r#"{{"object":"error","message":"{context}","type":"BadRequestError","code":400}}"#),
            ContextLength,
        ),
        (400, openai("The response was filtered", "", "content_filter"), ContentFilter),
        (400, anthropic("invalid_request_error", "Output blocked by content filtering policy"), ContentFilter),
        (403, openai("The request was blocked by a guardrail: x", "guardrail_violation", "3100"), ContentFilter),
        (400, openai("Content Exists Risk", "invalid_request_error", "invalid_request_error"), ContentFilter),
        (413, anthropic("request_too_large", "Request exceeds the maximum size"), TooLarge),
        (
            400,
            r#"{"error":{"code":400,"message":"Request payload size exceeds the limit: 20971520 bytes.","status":"INVALID_ARGUMENT"}}"#.into(),
            TooLarge,
        ),
        (429, r#"{"detail":"Inactive subscription or usage limit reached"}"#.into(), Quota),
        (429, r#"{"error":"you have reached your weekly usage limit, upgrade for higher limits"}"#.into(), Quota),
        (409, String::new(), Rejected),
        (422, r#"{"detail":[{"msg":"extra fields"}]}"#.into(), Rejected),
        (400, openai("Invalid type for 'temperature'", "invalid_request_error", "invalid_type"), Rejected),
        (400, anthropic("invalid_request_error", "temperature: range: 0..1"), Rejected),
        (418, String::new(), Rejected),
        (302, String::new(), Redirect),
    ];
    for (status, body, expected) in rows {
        assert_eq!(kind(status, &body), expected, "{status} {body}");
    }
}

#[test]
fn an_error_in_band_is_judged_by_its_inner_code() {
    let rows = [
        (anthropic("overloaded_error", "Overloaded"), 529, ErrorKind::ServerError),
        (anthropic("api_error", "Internal"), 500, ErrorKind::ServerError),
        (anthropic("rate_limit_error", "slow"), 429, ErrorKind::RateLimit),
        (anthropic("authentication_error", "x"), 401, ErrorKind::Auth),
        (anthropic("permission_error", "x"), 403, ErrorKind::Auth),
        (r#"{"error":{"code":429,"message":"slow"}}"#.into(), 429, ErrorKind::RateLimit),
        (r#"{"error":{"code":"503","message":"busy"}}"#.into(), 503, ErrorKind::ServerError),
        (r#"{"error":"something broke"}"#.into(), 500, ErrorKind::ServerError),
        (openai("m", "insufficient_quota", "insufficient_quota"), 429, ErrorKind::Quota),
        (openai("too long", "invalid_request_error", "context_length_exceeded"), 400, ErrorKind::ContextLength),
        (openai("bad", "invalid_request_error", ""), 400, ErrorKind::Rejected),
    ];
    for (body, status, kind) in rows {
        let error = in_band(body.as_bytes());
        assert_eq!((error.status, error.kind), (status, kind), "{body}");
    }
}

#[test]
fn bodies_of_every_shape_give_a_message_or_a_plain_one() {
    let message = |body: &str| classify(Dialect::OpenAI, 500, None, body.as_bytes()).message;
    assert_eq!(message(r#"{"error":{"message":"a","code":7}}"#), "a");
    assert_eq!(message(r#"[{"error":{"message":"b"}}]"#), "b");
    assert_eq!(message(r#"{"error":"c"}"#), "c");
    assert_eq!(message(r#"{"message":"d"}"#), "d");
    assert_eq!(message(r#"{"detail":"e"}"#), "e");
    assert_eq!(message("upstream connect error"), "upstream connect error");
    for nothing in ["", "<html><body>x</body></html>", "null", "[]", "{}", "\u{0}", "{\"error\":"] {
        assert_eq!(message(nothing), "the provider answered 500", "{nothing}");
    }
}

#[test]
fn type_code_and_param_are_kept_and_a_numeric_code_becomes_text() {
    let body = br#"{"error":{"message":"m","type":"t","param":"messages","code":7}}"#;
    let error = classify(Dialect::OpenAI, 400, None, body);
    assert_eq!(error.of_type.as_deref(), Some("t"));
    assert_eq!(error.code.as_deref(), Some("7"));
    assert_eq!(error.param.as_deref(), Some("messages"));
}

/// Gemini's error object with these details.
fn gemini(code: u16, status: &str, message: &str, details: &str) -> String {
    format!(r#"{{"error":{{"code":{code},"message":{message:?},"status":{status:?},"details":[{details}]}}}}"#)
}

fn detail(name: &str, members: &str) -> String {
    format!(r#"{{"@type":"type.googleapis.com/google.rpc.{name}",{members}}}"#)
}

fn quota_of(id: &str) -> String {
    detail("QuotaFailure", &format!(r#""violations":[{{"quotaMetric":"m","quotaId":"{id}"}}]"#))
}

#[test]
fn gemini_s_errors_are_read_by_status_name_reason_and_quota() {
    use ErrorKind::*;
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    let invalid = detail("ErrorInfo", r#""reason":"API_KEY_INVALID","domain":"googleapis.com""#);
    let wait = detail("RetryInfo", r#""retryDelay":"34.5s""#);
    let too_long = "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).";
    let country = "User location is not supported for the API use without a billing account linked.";
    let rows = [
        (gemini(400, "INVALID_ARGUMENT", "Please pass a valid key", &invalid), Auth),
        (gemini(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", &invalid), Auth),
        (gemini(400, "INVALID_ARGUMENT", too_long, ""), ContextLength),
        (gemini(400, "INVALID_ARGUMENT", "Invalid JSON payload received.", ""), Rejected),
        (gemini(400, "FAILED_PRECONDITION", country, ""), Quota),
        (gemini(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", ""), Auth),
        (gemini(403, "PERMISSION_DENIED", "Your API key was reported as leaked.", ""), Auth),
        (gemini(404, "NOT_FOUND", "models/x is not found for API version v1beta", ""), NotFound),
        (
            gemini(429, "RESOURCE_EXHAUSTED", quota, &quota_of("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
            Quota,
        ),
        (gemini(429, "RESOURCE_EXHAUSTED", quota, &quota_of("GenerateRequestsPerMinutePerProjectPerModel")), RateLimit),
        (gemini(429, "RESOURCE_EXHAUSTED", quota, &wait), RateLimit),
        (gemini(429, "RESOURCE_EXHAUSTED", quota, ""), Quota),
        (gemini(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", ""), RateLimit),
        (gemini(499, "CANCELLED", "The operation was cancelled.", ""), Rejected),
        (gemini(500, "INTERNAL", "An internal error has occurred.", ""), ServerError),
        (gemini(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", ""), ServerError),
        (gemini(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", ""), ServerError),
    ];
    for (body, expected) in rows {
        let status: u16 = body[17..20].parse().expect("must be a number");
        for body in [body.clone(), format!("[{body}]")] {
            assert_eq!(classify(Dialect::Gemini, status, None, body.as_bytes()).kind, expected, "{body}");
            let in_band = in_band(body.as_bytes());
            assert_eq!((in_band.kind, in_band.status), (expected, status), "{body}");
        }
    }
}

#[test]
fn gemini_s_wait_is_in_its_retry_info() {
    let after = |delay: &str| {
        let body =
            gemini(429, "RESOURCE_EXHAUSTED", "slow", &detail("RetryInfo", &format!(r#""retryDelay":"{delay}""#)));
        classify(Dialect::Gemini, 429, None, body.as_bytes()).retry_after
    };
    assert_eq!(after("34.5s"), Some(Duration::from_millis(34_500)));
    assert_eq!(after("2s"), Some(Duration::from_secs(2)));
    assert_eq!([after("soon"), after("-1s"), after("1e300s")], [None, None, None]);
}

#[test]
fn gemini_s_own_words_are_not_given_for_openai_s_types() {
    let error = classify(Dialect::Gemini, 400, None, gemini(400, "INVALID_ARGUMENT", "bad", "").as_bytes());
    assert_eq!((error.of_type, error.message.as_str()), (None, "bad"));
}

#[test]
fn a_thread_that_is_gone_is_no_model_that_is_missing() {
    let body = |code: &str| {
        format!(
            r#"{{"type":"error","error":{{"type":"not_found_error","message":"gone","details":{{"error_code":{code:?}}}}}}}"#
        )
    };
    let error = |body: &str| classify(Dialect::Anthropic, 404, None, body.as_bytes());
    let gone = error(&body("thread_not_found"));
    assert_eq!((gone.kind, gone.status), (ErrorKind::Rejected, 404));
    assert_eq!(gone.details.as_deref(), Some(r#"{"error_code":"thread_not_found"}"#));
    assert_eq!(error(&body("model_gone")).kind, ErrorKind::NotFound);
    let other = error(r#"{"error":{"message":"m","details":{"error_code":"thread_not_found"}}}"#);
    assert_eq!((other.kind, other.details), (ErrorKind::NotFound, None), "not in Anthropic's shape");
}
