use super::ErrorKind;
use super::body::{Google, Quota, Said};

/// Words of `type` and `code`, exactly, and what they mean. Sources: the error pages of platform.openai.com and
/// platform.claude.com, Azure's content filter page, ai.google.dev (gemini-api/docs/troubleshooting), and the servers that call themselves compatible.
const WORDS: &[(ErrorKind, &[&str])] = &[
    (
        ErrorKind::Quota,
        &[
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "insufficient_balance",
            "insufficient_credits",
            "insufficient_quota",
            "quota_exceeded",
            // No free tier where the caller is: billing must be set up.
            "FAILED_PRECONDITION",
        ],
    ),
    (
        ErrorKind::ContextLength,
        &[
            "context_length_exceeded",
            "context_window_exceeded",
            "exceed_context_size_error",
            "model_context_window_exceeded",
        ],
    ),
    (
        ErrorKind::ContentFilter,
        &[
            "ResponsibleAIPolicyViolation",
            "content_filter",
            "content_policy_violation",
            "guardrail_violation",
            "invalid_prompt",
            "moderation_blocked",
        ],
    ),
    (ErrorKind::NotFound, &["DeploymentNotFound", "NOT_FOUND", "model_not_found", "not_found_error", "unknown_model"]),
    (ErrorKind::TooLarge, &["request_too_large"]),
    (
        ErrorKind::RateLimit,
        &[
            "RESOURCE_EXHAUSTED",
            "rate_limit_error",
            "rate_limit_exceeded",
            "requests",
            "slow_down",
            "tokens",
            "too_many_requests",
        ],
    ),
    (
        ErrorKind::Auth,
        &[
            "API_KEY_EXPIRED",
            "API_KEY_INVALID",
            "API_KEY_SERVICE_BLOCKED",
            "CONSUMER_SUSPENDED",
            "PERMISSION_DENIED",
            "SERVICE_DISABLED",
            "UNAUTHENTICATED",
            "authentication_error",
            "invalid_api_key",
            "invalid_authentication",
            "permission_error",
        ],
    ),
    (
        ErrorKind::ServerError,
        &[
            "DEADLINE_EXCEEDED",
            "INTERNAL",
            "UNAVAILABLE",
            "api_error",
            "internal_server_error",
            "overloaded_error",
            "server_error",
            "service_unavailable",
            "timeout_error",
        ],
    ),
    (
        ErrorKind::Rejected,
        &["BadRequestError", "INVALID_ARGUMENT", "OUT_OF_RANGE", "invalid_request_error", "invalid_value"],
    ),
];

/// Pieces of messages, in small letters, for providers that say everything with `invalid_request_error`.
const TEXTS: &[(ErrorKind, &[&str])] = &[
    (
        ErrorKind::Quota,
        &[
            "credit balance is too low",
            "exceeded your current quota",
            "insufficient balance",
            "per day",
            "perday",
            // Anthropic's, of a month; Ollama's cloud, of a session or a week.
            "usage limit",
        ],
    ),
    (
        ErrorKind::ContextLength,
        &[
            "context length",
            "context limit",
            "context size",
            "context window",
            "exceeds the maximum number of tokens",
            "input is too long",
            "maximum context",
            "prompt is too long",
        ],
    ),
    (
        ErrorKind::ContentFilter,
        &[
            "content exists risk",
            "content filtering policy",
            "content management policy",
            "content policy",
            "safety system",
            "usage policies",
        ],
    ),
    // Gemini says so with a 400.
    (ErrorKind::TooLarge, &["payload size exceeds the limit"]),
    (
        ErrorKind::NotFound,
        &[
            "access to model",
            "invalid model",
            "model does not exist",
            "model not found",
            "no such model",
            "not a valid model",
            "unknown model",
        ],
    ),
];

/// The meaning of a response. The status leads; type, code and text decide where it leaves a choice.
pub(super) fn kind_of(status: u16, said: &Said) -> ErrorKind {
    use ErrorKind::{
        Auth, ContentFilter, ContextLength, NotFound, Quota, RateLimit, Redirect, Rejected, ServerError, Timeout,
        TooLarge,
    };
    let among = |choices: &[ErrorKind]| meaning(said).filter(|kind| choices.contains(kind));
    match status {
        300..=399 => Redirect,
        // Not the model: another target would not know the thread either.
        400..=499 if said.about_thread => Rejected,
        400 | 422 => among(&[Quota, ContextLength, ContentFilter, TooLarge, Auth, NotFound]).unwrap_or(Rejected),
        401 => Auth,
        402 => Quota,
        403 => among(&[Quota, ContentFilter, NotFound]).unwrap_or(Auth),
        404 => NotFound,
        408 => Timeout,
        413 => TooLarge,
        429 => among(&[Quota]).unwrap_or(RateLimit),
        400..=499 => Rejected,
        _ => ServerError,
    }
}

/// The status that an error in band stands for.
pub(super) fn status_of(said: &Said) -> u16 {
    let word = |word: &str| [&said.code, &said.of_type].into_iter().flatten().any(|said| said == word);
    match meaning(said) {
        Some(ErrorKind::RateLimit | ErrorKind::Quota) => 429,
        Some(ErrorKind::Auth) if word("permission_error") => 403,
        Some(ErrorKind::Auth) => 401,
        Some(ErrorKind::NotFound) => 404,
        Some(ErrorKind::TooLarge) => 413,
        Some(ErrorKind::Timeout) => 408,
        Some(ErrorKind::ContextLength | ErrorKind::ContentFilter | ErrorKind::Rejected) => 400,
        Some(ErrorKind::ServerError) if word("overloaded_error") => 529,
        Some(ErrorKind::ServerError) if word("timeout_error") => 504,
        Some(ErrorKind::ServerError | ErrorKind::Redirect) | None => 500,
    }
}

/// What the body says by itself: a telling word first, then the text, then a word that says little.
fn meaning(said: &Said) -> Option<ErrorKind> {
    if let Some(kind) = exhausted(&said.google) {
        return Some(kind);
    }
    let by_word = |said: &Option<String>| {
        let said = said.as_deref()?;
        WORDS.iter().find(|(_, words)| words.contains(&said)).map(|(kind, _)| *kind)
    };
    let google = &said.google;
    let words = [&said.code, &said.of_type, &google.reason, &google.status].map(by_word);
    // These types are said of every mistake, or of every key that lacks a right, and the text knows more.
    let vague = [ErrorKind::Rejected, ErrorKind::Auth, ErrorKind::RateLimit];
    let telling = words.into_iter().flatten().find(|kind| !vague.contains(kind));
    telling.or_else(|| by_text(said)).or_else(|| words.into_iter().flatten().next())
}

/// Gemini says the same sentence of every quota. Which one it is, and when it ends, stands in the details.
fn exhausted(google: &Google) -> Option<ErrorKind> {
    if google.status.as_deref() != Some("RESOURCE_EXHAUSTED") {
        return None;
    }
    match (google.quota, google.retry_delay) {
        (Some(Quota::PerDay), _) => Some(ErrorKind::Quota),
        (Some(Quota::Shorter), _) | (None, Some(_)) => Some(ErrorKind::RateLimit),
        (None, None) => None,
    }
}

fn by_text(said: &Said) -> Option<ErrorKind> {
    let text = said.message.to_lowercase();
    // Gemini says so with a 400. Only as its first words: further on, a message may repeat what the client wrote, and
    // whoever can make a key look rejected can lock everybody out.
    if text.starts_with("api key not valid") {
        return Some(ErrorKind::Auth);
    }
    let found = TEXTS.iter().find(|(_, pieces)| pieces.iter().any(|piece| text.contains(piece)));
    let about_model = || said.param.as_deref() == Some("model") || missing_model(&text);
    found.map(|(kind, _)| *kind).or_else(|| about_model().then_some(ErrorKind::NotFound))
}

/// "The model `x` does not exist", with the name in between.
fn missing_model(text: &str) -> bool {
    text.find("model").is_some_and(|at| {
        ["does not exist", "is not available", "not found"].iter().any(|end| text[at..].contains(end))
    })
}
