//! The failure table, row by row, in the words of every provider.

use penstock_llm::{Dialect, classify::classify};

use super::*;

const ALL: &[FallbackOn] = &FallbackOn::ALL;

/// What the table says of a failure.
struct Says {
    /// `None`: a class that no list names.
    class: Option<FallbackOn>,
    again: Repeats,
    next: Goes,
    /// What the client is told if nothing is left.
    client: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    No,
    Once,
    /// As often as `retries` allow.
    Yes,
    /// After the provider's own wait.
    After(u64),
    NextCredential,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    Listed,
    Always,
    No,
}

fn status(status: u16, body: &str) -> Failure {
    Failure::Status(classify(Dialect::OpenAI, status, None, body.as_bytes()))
}

fn waiting(code: u16, seconds: u64) -> Failure {
    Failure::Status(classify(Dialect::OpenAI, code, Some(Duration::from_secs(seconds)), b""))
}

/// `{"error":{..}}` as OpenAI, Azure, Groq, Together, xAI and most that are compatible say it.
fn openai(of_type: &str, code: &str, message: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": of_type, "param": null, "code": code}}).to_string()
}

fn anthropic(of_type: &str, message: &str) -> String {
    serde_json::json!({"type": "error", "error": {"type": of_type, "message": message}}).to_string()
}

fn gemini(code: u16, status: &str, message: &str) -> String {
    serde_json::json!({"error": {"code": code, "message": message, "status": status}}).to_string()
}

fn mistral(of_type: &str, message: &str) -> String {
    serde_json::json!({"object": "error", "message": message, "type": of_type, "param": null, "code": null}).to_string()
}

fn ollama(message: &str) -> String {
    serde_json::json!({"error": message}).to_string()
}

fn around(fallback_on: &[FallbackOn], other_credential: bool) -> Circumstances<'_> {
    Circumstances { other_credential, fallback_on, time_left: Duration::from_secs(600), random: 0.0 }
}

/// Holds a row against each of its spellings.
fn row(says: &Says, spellings: Vec<Failure>) {
    for failure in spellings {
        let text = format!("{failure:?}");
        assert_eq!(failure.row().class, says.class, "{text}");
        let mut budget = Budget::new(Retries { attempts: 3, wait_up_to: Duration::from_secs(2) }, Pace::REAL);
        let mut repeated = 0;
        while let Step::Again(wait) = budget.decide(&failure, around(ALL, false)) {
            repeated += 1;
            if let Repeats::After(seconds) = says.again {
                assert_eq!(wait, Duration::from_secs(seconds), "{text}");
            }
        }
        let expected = match says.again {
            Repeats::No | Repeats::NextCredential => 0,
            Repeats::Once => 1,
            Repeats::Yes | Repeats::After(_) => 3,
        };
        assert_eq!(repeated, expected, "{text}");
        let other = Budget::new(Retries { attempts: 0, wait_up_to: Duration::ZERO }, Pace::REAL)
            .decide(&failure, around(ALL, true));
        assert_eq!(other == Step::NextCredential, says.again == Repeats::NextCredential, "{text}");
        let goes = match (failure.goes_on(ALL), failure.goes_on(&[])) {
            (true, true) => Goes::Always,
            (true, false) => Goes::Listed,
            (false, _) => Goes::No,
        };
        assert_eq!(goes, says.next, "{text}");
        assert_eq!(verdict(vec![failure]).status(), says.client, "{text}");
    }
}

#[test]
fn connect_refused_dns_tls_or_a_reset_before_the_head() {
    let says = Says { class: Some(FallbackOn::ServerError), again: Repeats::Yes, next: Goes::Listed, client: 502 };
    row(&says, vec![Failure::Unreachable("refused".into()), Failure::SlowConnect]);
}

#[test]
fn no_content_or_answer_in_time_or_408() {
    let says = Says { class: Some(FallbackOn::Timeout), again: Repeats::No, next: Goes::Listed, client: 504 };
    let limits = [Expired::FirstToken, Expired::Answer, Expired::Request].map(Failure::Silent);
    row(&says, limits.into_iter().chain([status(408, ""), status(408, &openai("timeout", "", "too slow"))]).collect());
}

#[test]
fn a_429_with_a_short_wait() {
    let says = Says { class: Some(FallbackOn::RateLimit), again: Repeats::After(2), next: Goes::Listed, client: 429 };
    let delay = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slow","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"}]}}"#;
    row(&says, vec![waiting(429, 2), status(429, delay)]);
}

#[test]
fn a_429_with_a_long_wait() {
    let says = Says { class: Some(FallbackOn::RateLimit), again: Repeats::No, next: Goes::Listed, client: 429 };
    row(&says, vec![waiting(429, 3), waiting(429, 86_400)]);
}

#[test]
fn a_429_without_a_wait() {
    let says = Says { class: Some(FallbackOn::RateLimit), again: Repeats::Yes, next: Goes::Listed, client: 429 };
    let spellings = [
        String::new(),
        openai("tokens", "rate_limit_exceeded", "Rate limit reached for gpt-4o on tokens per min (TPM)"),
        openai("too_many_requests", "429", "Requests to this deployment have exceeded the call rate limit"),
        anthropic("rate_limit_error", "This request would exceed your organization's rate limit"),
        gemini(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        mistral("rate_limited", "Requests rate limit exceeded"),
        ollama("too many concurrent requests"),
    ];
    row(&says, spellings.iter().map(|body| status(429, body)).collect());
}

#[test]
fn no_money_or_no_quota_for_the_day() {
    let says = Says { class: Some(FallbackOn::Auth), again: Repeats::NextCredential, next: Goes::Listed, client: 429 };
    let day = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota","details":[
        {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[
        {"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}"#;
    row(
        &says,
        vec![
            status(402, ""),
            status(402, &openai("insufficient_balance", "", "Insufficient Balance")),
            status(429, &openai("insufficient_quota", "insufficient_quota", "You exceeded your current quota")),
            status(400, &anthropic("invalid_request_error", "Your credit balance is too low to access the API.")),
            status(402, &anthropic("billing_error", "There is an issue with billing")),
            status(429, day),
        ],
    );
}

#[test]
fn any_5xx() {
    let says = Says { class: Some(FallbackOn::ServerError), again: Repeats::Yes, next: Goes::Listed, client: 502 };
    let mut spellings: Vec<_> = (500..=504).chain(520..=530).chain([529, 599]).map(|code| status(code, "")).collect();
    spellings.extend([
        status(500, &openai("server_error", "", "The server had an error")),
        status(529, &anthropic("overloaded_error", "Overloaded")),
        status(503, &gemini(503, "UNAVAILABLE", "The model is overloaded.")),
        status(500, &gemini(500, "INTERNAL", "An internal error has occurred.")),
        status(500, &mistral("internal_server_error", "Service unavailable.")),
        status(500, &ollama("llama runner process has terminated")),
    ]);
    row(&says, spellings);
    let says = Says { again: Repeats::After(1), ..says };
    row(&says, vec![waiting(503, 1), waiting(529, 1)]);
    row(&Says { again: Repeats::No, ..says }, vec![waiting(503, 60)]);
}

#[test]
fn a_credential_that_is_not_taken() {
    let says = Says { class: Some(FallbackOn::Auth), again: Repeats::NextCredential, next: Goes::Listed, client: 502 };
    let invalid = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":
        "INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#;
    let spellings = vec![
        status(401, &openai("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-x")),
        status(401, &openai("", "401", "Access denied due to invalid subscription key")),
        status(401, &anthropic("authentication_error", "invalid x-api-key")),
        status(403, &anthropic("permission_error", "Your API key does not have permission")),
        status(400, invalid),
        status(403, &gemini(403, "PERMISSION_DENIED", "Your API key was reported as leaked.")),
        status(401, &mistral("unauthorized", "Unauthorized")),
        status(401, ""),
        status(403, ""),
    ];
    assert!(spellings.iter().all(Failure::rejects_credential));
    row(&says, spellings);
}

#[test]
fn a_model_that_is_not_there() {
    let says = Says { class: Some(FallbackOn::ServerError), again: Repeats::No, next: Goes::Listed, client: 404 };
    row(
        &says,
        vec![
            status(404, &openai("invalid_request_error", "model_not_found", "The model `x` does not exist")),
            status(404, &openai("", "DeploymentNotFound", "The API deployment for this resource does not exist.")),
            status(404, &anthropic("not_found_error", "model: claude-nope")),
            status(404, &gemini(404, "NOT_FOUND", "models/x is not found for API version v1beta")),
            status(400, &mistral("invalid_model", "Invalid model: x")),
            status(404, &ollama("model 'x' not found")),
            status(403, &openai("invalid_request_error", "model_not_found", "no access to model `o3`")),
            status(404, ""),
        ],
    );
}

#[test]
fn a_prompt_that_is_too_long() {
    let says = Says { class: Some(FallbackOn::ContextLength), again: Repeats::No, next: Goes::Listed, client: 400 };
    row(
        &says,
        vec![
            status(400, &openai("invalid_request_error", "context_length_exceeded", "maximum context length is 8192")),
            status(400, &anthropic("invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum")),
            status(
                400,
                &gemini(
                    400,
                    "INVALID_ARGUMENT",
                    "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                ),
            ),
            status(
                400,
                &mistral(
                    "invalid_request_error",
                    "Prompt contains 9 tokens, too large for model with 8 maximum context length",
                ),
            ),
            status(400, &openai("exceed_context_size_error", "400", "the request exceeds the available context size")),
        ],
    );
}

#[test]
fn a_filter_that_refuses() {
    let says = Says { class: Some(FallbackOn::ContentFilter), again: Repeats::No, next: Goes::Listed, client: 400 };
    row(
        &says,
        vec![
            Failure::Refusal,
            status(400, &openai("", "content_filter", "The response was filtered")),
            status(400, &openai("invalid_request_error", "content_policy_violation", "rejected by our safety system")),
            status(400, &anthropic("invalid_request_error", "Output blocked by content filtering policy")),
            status(400, &openai("invalid_request_error", "invalid_request_error", "Content Exists Risk")),
        ],
    );
}

#[test]
fn a_request_that_is_too_large() {
    let says = Says { class: None, again: Repeats::No, next: Goes::Always, client: 413 };
    row(
        &says,
        vec![
            status(413, ""),
            status(413, &anthropic("request_too_large", "Request exceeds the maximum size")),
            status(400, &gemini(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes.")),
        ],
    );
}

#[test]
fn a_request_that_is_at_fault() {
    for code in [400, 409, 422] {
        let says = Says { class: None, again: Repeats::No, next: Goes::No, client: code };
        row(
            &says,
            vec![
                status(code, ""),
                status(code, &openai("invalid_request_error", "invalid_value", "Invalid 'temperature'")),
                status(code, &anthropic("invalid_request_error", "temperature: range: 0..1")),
                status(code, &gemini(code, "INVALID_ARGUMENT", "Invalid value at 'generation_config.top_k'")),
                status(code, &mistral("invalid_request_error", "Expected last role User")),
            ],
        );
    }
}

#[test]
fn a_redirect() {
    let says = Says { class: Some(FallbackOn::ServerError), again: Repeats::No, next: Goes::Listed, client: 502 };
    row(&says, [301, 302, 307, 308].map(|code| status(code, "")).into());
}

#[test]
fn a_200_that_does_not_parse_is_cut_or_says_that_it_failed() {
    let says = Says { class: Some(FallbackOn::ServerError), again: Repeats::Once, next: Goes::Listed, client: 502 };
    row(&says, vec![Failure::Broken(UpstreamError::broken_answer("cut"))]);
}

#[test]
fn a_200_that_holds_an_error_is_judged_by_its_code_and_repeated_once() {
    let in_band = |status, body: String| Failure::Broken(classify(Dialect::OpenAI, status, None, body.as_bytes()));
    let says = |class, again, client| Says { class: Some(class), again, next: Goes::Listed, client };
    let overloaded = in_band(529, anthropic("overloaded_error", "Overloaded"));
    row(&says(FallbackOn::ServerError, Repeats::Once, 502), vec![overloaded]);
    let slow = in_band(429, gemini(429, "RESOURCE_EXHAUSTED", "slow"));
    row(&says(FallbackOn::RateLimit, Repeats::Once, 429), vec![slow]);
    let long = in_band(400, openai("invalid_request_error", "context_length_exceeded", "too long"));
    row(&says(FallbackOn::ContextLength, Repeats::No, 400), vec![long]);
}

#[test]
fn what_the_target_can_t_express() {
    let meaning = penstock_llm::Error::Unsupported { field: "n".into(), reason: "one answer only".into() };
    let says = Says { class: None, again: Repeats::No, next: Goes::Always, client: 422 };
    row(&says, vec![Failure::Meaning(meaning), Failure::State("previous_response_id".into())]);
}

#[test]
fn a_target_that_cools_down_or_whose_breaker_is_open() {
    let wait = Duration::from_secs(7);
    let says = Says { class: Some(FallbackOn::RateLimit), again: Repeats::No, next: Goes::Listed, client: 429 };
    row(&says, vec![Failure::CoolingDown(wait, FallbackOn::RateLimit)]);
    let says = Says { class: Some(FallbackOn::ServerError), client: 503, ..says };
    row(&says, vec![Failure::BreakerOpen(wait, FallbackOn::ServerError)]);
}
