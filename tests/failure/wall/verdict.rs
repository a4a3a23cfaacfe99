//! What is made of a case, in words that are the same at any pace; and what they have to be.

use std::ops::RangeInclusive;

use super::fault::{CUT_AFTER, Case, Client, Fault, HURT_AFTER, TOKENS, Target};
use super::run::Ended;
use super::sdk::Answer;
use super::settlement::Settlement;

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How often each target was asked.
    pub(crate) calls: String,
    /// What the SDK made of it.
    pub(crate) saw: String,
    /// What its settlement says.
    pub(crate) charged: String,
}

/// Requests to a target that flaps.
pub(crate) const FLAPPING: u64 = 60;
/// What comes of them: who is asked how often depends on chance.
const BOTH: &str = "both";
const WHOLE: &str = "whole answers";
const EACH: &str = "each by who answered it";
const NOTHING: &str = "nothing";

impl Verdict {
    /// What has come of it.
    pub(crate) fn of(ended: &Ended) -> Self {
        let case = ended.case;
        let saws: Vec<_> = ended.answers.iter().map(|answer| saw(case.client, answer)).collect();
        let mut charges: Vec<_> = ended.settlements.iter().map(|settlement| charged(case, settlement)).collect();
        if charges.len() != saws.len() {
            charges.push(format!("{} settlements of {} requests", charges.len(), saws.len()));
        }
        let counts = ended.calls.each_ref().map(Vec::len);
        let is_flapping = case.fault == Fault::Flaps && counts.iter().all(|count| *count > 0);
        if is_flapping && is_told_apart(&saws, &charges) {
            let saw = format!("{} {WHOLE}", saws.len());
            return Self { calls: BOTH.into(), saw, charged: EACH.into() };
        }
        Self { calls: calls(counts), saw: together(saws), charged: together(charges) }
    }

    /// What has to come of it.
    pub(crate) fn expected(case: Case) -> Self {
        let whole = |first: usize, second: usize, by| Self {
            calls: calls([first, second]),
            saw: whole(by),
            charged: reported(by, TOKENS as u64),
        };
        let begun = |tokens| Self {
            calls: calls([1, 0]),
            saw: format!("{}, then {}", begun(tokens, Target::First), broken_off(case)),
            charged: estimated(Target::First),
        };
        match (case.fault, case.stream) {
            (Fault::RateLimitOnce | Fault::ErrorOnce, _) => whole(2, 0, Target::First),
            // It is left alone for a minute: the second request does not ask it.
            (Fault::RateLimit, _) => whole(1, 2, Target::Second),
            (Fault::Unavailable | Fault::Reset, _) => whole(3, 1, Target::Second),
            (Fault::Silence, _) | (Fault::LateToken, true) | (Fault::Stall, false) => whole(1, 1, Target::Second),
            (Fault::LateToken, false) | (Fault::NoEndMarker, _) | (Fault::Malformed, true) => {
                whole(1, 0, Target::First)
            }
            (Fault::Cut, true) => begun(CUT_AFTER),
            (Fault::Stall, true) => begun(HURT_AFTER),
            (Fault::Cut | Fault::Malformed | Fault::Prefill, false) | (Fault::WhoAnswered, _) => {
                whole(2, 1, Target::Second)
            }
            // The second target gives the rest of it, and nobody can tell.
            (Fault::Prefill, true) => Self { charged: continued(), ..whole(1, 2, Target::First) },
            (Fault::ContextLength, _) => {
                Self { calls: calls([1, 0]), saw: too_long(case.client).into(), charged: NOTHING.into() }
            }
            (Fault::ContentFilter, _) => {
                let (saw, charged) = filtered(case.client);
                Self { calls: calls([1, 0]), saw, charged }
            }
            (Fault::Flaps, _) => Self { calls: BOTH.into(), saw: format!("{FLAPPING} {WHOLE}"), charged: EACH.into() },
        }
    }

    /// Seconds that the proxy waits before the client has its answer.
    pub(crate) fn waits(case: Case) -> RangeInclusive<f64> {
        match (case.fault, case.stream) {
            (Fault::RateLimitOnce, _) => 1.0..=1.2,
            (Fault::ErrorOnce | Fault::WhoAnswered, _) | (Fault::Cut | Fault::Malformed | Fault::Prefill, false) => {
                0.05..=0.15
            }
            (Fault::Unavailable | Fault::Reset, _) => 0.15..=0.45,
            (Fault::Silence | Fault::Stall, false) => 120.0..=120.0,
            (Fault::Silence | Fault::LateToken, true) => 10.0..=10.0,
            (Fault::LateToken, false) => 20.0..=20.0,
            (Fault::Stall, true) => 30.0..=30.0,
            (Fault::Cut | Fault::Malformed | Fault::Prefill, true)
            | (Fault::RateLimit | Fault::NoEndMarker | Fault::ContextLength | Fault::ContentFilter | Fault::Flaps, _) => {
                0.0..=0.0
            }
        }
    }
}

/// The client's own words for a whole answer.
fn finish(client: Client) -> &'static str {
    match client {
        Client::OpenAI => "stop",
        Client::Anthropic => "end_turn",
        Client::Gemini => "STOP",
    }
}

/// What an SDK raises in the middle of a stream.
fn broken_off(case: Case) -> &'static str {
    match (case.client, case.fault) {
        (Client::OpenAI, Fault::Stall) => "APIError upstream_timeout",
        (Client::OpenAI, _) => "APIError upstream_error",
        (Client::Anthropic, Fault::Stall) => "APIStatusError 200 timeout_error",
        (Client::Anthropic, _) => "APIStatusError 200 api_error",
        (Client::Gemini, Fault::Stall) => "ServerError 504 DEADLINE_EXCEEDED",
        (Client::Gemini, _) => "ServerError 502 INTERNAL",
    }
}

fn too_long(client: Client) -> &'static str {
    match client {
        Client::OpenAI => "BadRequestError 400 context_length_exceeded",
        Client::Anthropic => "BadRequestError 400 invalid_request_error",
        Client::Gemini => "ClientError 400 INVALID_ARGUMENT",
    }
}

/// A refusal in a 200 is an answer like any other.
fn filtered(client: Client) -> (String, String) {
    let prompt = reported(Target::First, 0);
    match client {
        Client::OpenAI => ("BadRequestError 400 content_filter".into(), NOTHING.into()),
        Client::Anthropic => ("refusal".into(), prompt),
        Client::Gemini => ("blocked: SAFETY".into(), prompt),
    }
}

/// How often each target was asked.
fn calls([first, second]: [usize; 2]) -> String {
    match second {
        0 => format!("first {first}"),
        _ => format!("first {first}, second {second}"),
    }
}

fn whole(by: Target) -> String {
    format!("the {}'s answer", by.name())
}

fn begun(tokens: usize, by: Target) -> String {
    format!("{tokens} tokens of the {}'s answer", by.name())
}

fn reported(by: Target, output: u64) -> String {
    match output {
        0 => format!("the prompt at the {}", by.name()),
        _ => format!("{output} tokens of the {}", by.name()),
    }
}

fn estimated(by: Target) -> String {
    format!("what was seen of the {}, estimated", by.name())
}

fn continued() -> String {
    format!("{CUT_AFTER} tokens of the first, estimated, and {} of the second", TOKENS - CUT_AFTER)
}

/// Each part at its own price: what is left of the cost is the second target's prompt, in which is what the first one said.
fn is_in_parts(settlement: &Settlement, input: u64, output: u64) -> bool {
    let [cut_after, rest] = [CUT_AFTER, TOKENS - CUT_AFTER].map(|tokens| tokens as u64);
    let [[first_prompt, first_answer], [second_prompt, second_answer]] = Target::BOTH.map(Target::prices);
    let known = input * first_prompt + output.saturating_sub(rest) * first_answer + rest * second_answer;
    let left = settlement.cost_picodollars.and_then(|cost| cost.checked_sub(known)).unwrap_or_default();
    // What the first one said is estimated from its bytes: these words are a little longer than tokens are.
    output >= cut_after * 4 / 5 + rest && left.is_multiple_of(second_prompt) && left / second_prompt > cut_after
}

/// Every answer is whole, and as many are charged of each target as it gave.
fn is_told_apart(saws: &[String], charges: &[String]) -> bool {
    let of = |all: &[String], what: &str| all.iter().filter(|one| *one == what).count();
    let given = Target::BOTH.map(|by| of(saws, &whole(by)));
    let paid = Target::BOTH.map(|by| of(charges, &reported(by, TOKENS as u64)));
    given == paid && given.iter().sum::<usize>() == saws.len()
}

/// Of requests that ended alike one stands for all.
fn together(mut all: Vec<String>) -> String {
    all.dedup();
    all.join("; ")
}

/// What an SDK made of an answer.
fn saw(client: Client, answer: &Answer) -> String {
    let tokens: Vec<&str> = answer.text.split_whitespace().collect();
    match (author(&tokens), tokens.len()) {
        (Some(by), TOKENS) if answer.end == finish(client) => whole(by),
        (Some(by), count) => format!("{}, then {}", begun(count, by), answer.end),
        (None, 0) => answer.end.clone(),
        (None, _) => format!("nobody's answer: {:?}, then {}", answer.text, answer.end),
    }
}

/// Whose tokens these are: all from the first on, of one answer.
fn author(tokens: &[&str]) -> Option<Target> {
    let is_of = |by: Target| tokens.iter().zip(1..).all(|(token, number)| *token == format!("{}{number}", by.letter()));
    Target::BOTH.into_iter().find(|by| !tokens.is_empty() && is_of(*by))
}

/// What a settlement says, and whether it adds up.
fn charged(case: Case, settlement: &Settlement) -> String {
    let [input, output] = [settlement.input_tokens, settlement.output_tokens].map(Option::unwrap_or_default);
    if (input, output, settlement.cost_picodollars) == (0, 0, Some(0)) {
        return NOTHING.into();
    }
    let by = Target::BOTH
        .into_iter()
        .find(|target| settlement.provider.as_deref() == Some(&format!("default/{}", case.provider(*target))));
    let Some(by) = by else { return format!("nobody: {settlement:?}") };
    let [of_prompt, of_answer] = by.prices();
    if settlement.continued_from.is_some() {
        return if is_in_parts(settlement, input, output) {
            continued()
        } else {
            format!("other parts: {settlement:?}")
        };
    }
    if settlement.cost_picodollars != Some(input * of_prompt + output * of_answer) {
        return format!("another cost: {settlement:?}");
    }
    if settlement.estimated { estimated(by) } else { reported(by, output) }
}
