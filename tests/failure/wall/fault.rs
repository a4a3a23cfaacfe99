//! What goes wrong, for whom, and what a provider does then.

use std::collections::BTreeMap;
use std::time::Duration;

use penstock_tests::fake::{Action, Answer, At, Dialect, Filtered, How, Refusal, Refuse, Script};

/// Tokens of every answer.
pub(crate) const TOKENS: usize = 60;
/// Of them so many are there when a stream is cut,
pub(crate) const CUT_AFTER: usize = 40;
/// and so many when it stalls, or holds what nobody can read.
pub(crate) const HURT_AFTER: usize = 20;
/// How late the first token comes that comes late.
pub(crate) const LATE: Duration = Duration::from_secs(20);

/// A way in which a provider fails its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    RateLimitOnce,
    RateLimit,
    ErrorOnce,
    Unavailable,
    Reset,
    Silence,
    LateToken,
    Cut,
    Stall,
    Malformed,
    NoEndMarker,
    ContextLength,
    ContentFilter,
    Prefill,
    Flaps,
    WhoAnswered,
}

/// Whose SDK asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Client {
    OpenAI,
    Anthropic,
    Gemini,
}

/// The first target of a route, or the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    First,
    Second,
}

/// One fault as one client meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) fault: Fault,
    pub(crate) client: Client,
    pub(crate) stream: bool,
}

impl Fault {
    pub(crate) const ALL: [Self; 16] = [
        Self::RateLimitOnce,
        Self::RateLimit,
        Self::ErrorOnce,
        Self::Unavailable,
        Self::Reset,
        Self::Silence,
        Self::LateToken,
        Self::Cut,
        Self::Stall,
        Self::Malformed,
        Self::NoEndMarker,
        Self::ContextLength,
        Self::ContentFilter,
        Self::Prefill,
        Self::Flaps,
        Self::WhoAnswered,
    ];

    /// In the words of `docs/failure.md`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::RateLimitOnce => "429 with Retry-After: 1, once",
            Self::RateLimit => "429 with Retry-After: 60 for ever, asked twice",
            Self::ErrorOnce => "500, once",
            Self::Unavailable => "503 for ever",
            Self::Reset => "connection reset",
            Self::Silence => "no answer at all",
            Self::LateToken => "first token after 20 s",
            Self::Cut => "cut after 40 of 60 tokens",
            Self::Stall => "stall after 20 of 60 tokens",
            Self::Malformed => "a malformed chunk",
            Self::NoEndMarker => "no end marker",
            Self::ContextLength => "context length exceeded",
            Self::ContentFilter => "content filter",
            Self::Prefill => "the same cut with `onStreamBreak: Continue`, and the second refuses the beginning",
            Self::Flaps => "flaps for a minute",
            Self::WhoAnswered => "200 that holds an error",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::RateLimitOnce => "rate-limit-once",
            Self::RateLimit => "rate-limit",
            Self::ErrorOnce => "error-once",
            Self::Unavailable => "unavailable",
            Self::Reset => "reset",
            Self::Silence => "silence",
            Self::LateToken => "late-token",
            Self::Cut => "cut",
            Self::Stall => "stall",
            Self::Malformed => "malformed",
            Self::NoEndMarker => "no-end-marker",
            Self::ContextLength => "context-length",
            Self::ContentFilter => "content-filter",
            Self::Prefill => "prefill",
            Self::Flaps => "flaps",
            Self::WhoAnswered => "who-answered",
        }
    }
}

impl Client {
    pub(crate) const ALL: [Self; 3] = [Self::OpenAI, Self::Anthropic, Self::Gemini];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpenAI => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

impl Target {
    pub(crate) const BOTH: [Self; 2] = [Self::First, Self::Second];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }

    /// What all its tokens begin with.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::First => 'a',
            Self::Second => 'b',
        }
    }

    /// Picodollars of a token of a prompt and of an answer.
    pub(crate) fn prices(self) -> [u64; 2] {
        match self {
            Self::First => [1_000_000, 2_000_000],
            Self::Second => [3_000_000, 4_000_000],
        }
    }

    /// Its answer. Each token says whose it is.
    pub(crate) fn answer(self) -> Answer {
        self.answer_after(0)
    }

    /// The rest of its answer, after so many tokens.
    fn answer_after(self, count: usize) -> Answer {
        let tokens: Vec<_> = (count + 1..=TOKENS).map(|number| format!("{}{number}", self.letter())).collect();
        Answer { text: Some(tokens.join(" ")), ..Answer::default() }
    }
}

impl Case {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Fault::ALL.into_iter().flat_map(|fault| {
            let of = move |client| [false, true].map(|stream| Self { fault, client, stream });
            Client::ALL.into_iter().flat_map(of)
        })
    }

    /// Of the route and the model that is asked for.
    pub(crate) fn name(self) -> String {
        let way = if self.stream { "stream" } else { "unary" };
        format!("{}-{}-{way}", self.fault.name(), self.client.name())
    }

    /// Of a provider, and of the fake that plays it.
    pub(crate) fn provider(self, target: Target) -> String {
        format!("{}-{}", self.name(), target.name())
    }

    /// The first target speaks as the client does, the second does not, but for one that is to be sent a beginning: only
    /// Anthropic's models take one.
    pub(crate) fn dialect(self, target: Target) -> Dialect {
        match (self.client, target) {
            (_, Target::Second) if self.fault == Fault::Prefill => Dialect::Anthropic,
            (Client::OpenAI, Target::First) | (Client::Gemini, Target::Second) => Dialect::OpenAI,
            (Client::Anthropic, Target::First) | (Client::OpenAI, Target::Second) => Dialect::Anthropic,
            (Client::Gemini, Target::First) | (Client::Anthropic, Target::Second) => Dialect::Gemini,
        }
    }

    /// What the targets do, where waits last this share of what they are.
    pub(crate) fn scripts(self, pace: f64) -> [Script; 2] {
        let first = Script::on(&self.provider(Target::First));
        let healthy = Target::First.answer();
        let hurt = |at, how| Answer { broken: Answer::broken(At::Content(at), how).broken, ..Target::First.answer() };
        let first = match self.fault {
            Fault::RateLimitOnce => first.once(rate_limit("1")).forever(healthy),
            Fault::RateLimit => first.forever(rate_limit("60")),
            Fault::ErrorOnce => first.once(Refusal::ServerError).forever(healthy),
            Fault::Unavailable => first.forever(Refusal::Unavailable),
            Fault::Reset => first.forever(Action::Reset),
            Fault::Silence => first.forever(Action::Hang),
            Fault::LateToken => {
                let first_token_after_ms = LATE.mul_f64(pace).as_millis().try_into().unwrap_or(u64::MAX);
                first.forever(Answer { first_token_after_ms, ..healthy })
            }
            Fault::Cut | Fault::Prefill => first.forever(hurt(CUT_AFTER, How::Close)),
            Fault::Stall => first.forever(hurt(HURT_AFTER, How::Stall)),
            Fault::Malformed => first.forever(hurt(HURT_AFTER, How::Malformed)),
            Fault::NoEndMarker => first.forever(Answer { without_end_marker: true, ..healthy }),
            Fault::ContextLength => first.forever(Refusal::ContextLength),
            Fault::ContentFilter => first.forever(Answer { filtered: Some(Filtered::Prompt), ..healthy }),
            Fault::Flaps => first.forever(healthy),
            Fault::WhoAnswered => first.forever(hurt(0, How::Error(Refusal::ServerError))),
        };
        let second = Script::on(&self.provider(Target::Second));
        let second = match self.fault {
            Fault::Prefill if self.stream => second.once(no_prefill()).forever(Target::First.answer_after(CUT_AFTER)),
            _ => second.forever(Target::Second.answer()),
        };
        [first, second]
    }
}

fn rate_limit(retry_after: &str) -> Action {
    let retry_after = Some(retry_after.to_owned());
    Action::Refuse(Refuse { error: Refusal::RateLimit, retry_after, headers: BTreeMap::new(), after_ms: 0 })
}

/// What Anthropic says of it. That a model refuses is known of most, and this one is not known to.
pub(crate) fn no_prefill() -> Refusal {
    let message =
        "This model does not support assistant message prefill. The conversation must end with a user message.";
    Refusal::Invalid { message: message.to_owned(), param: None }
}
