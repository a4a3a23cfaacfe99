//! How Gemini words an answer.

use serde_json::{Value, json};

use super::super::plan::{Event, Stamp};
use super::super::question::Question;
use super::super::reply::{Call, Finish, Reply, deltas};
use super::check::SIGNATURE;
use super::is_third;

fn finish(reply: &Reply) -> &str {
    match &reply.finish {
        // It has no word for calls.
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Refused(_) => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered | Finish::Blocked => "SAFETY",
        Finish::Verbatim(word) => word,
    }
}

fn ratings(is_blocked: bool) -> Value {
    let category = |name: &str| json!({"category": name, "probability": "NEGLIGIBLE"});
    let mut ratings = json!([
        category("HARM_CATEGORY_HATE_SPEECH"),
        category("HARM_CATEGORY_DANGEROUS_CONTENT"),
        category("HARM_CATEGORY_HARASSMENT"),
        category("HARM_CATEGORY_SEXUALLY_EXPLICIT"),
    ]);
    if is_blocked {
        ratings[1]["probability"] = json!("HIGH");
        ratings[1]["blocked"] = json!(true);
    }
    ratings
}

/// Counts of the answer exclude those of its thoughts; those of the prompt include the cached ones.
fn usage(question: &Question, reply: &Reply) -> Value {
    let prompt = question.prompt_tokens;
    let (thoughts, output) = (reply.thinking_tokens(), reply.output_tokens() * question.choices as u64);
    let mut usage = json!({
        "promptTokenCount": prompt,
        "totalTokenCount": prompt + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    });
    // Zeros are left out, as everywhere in this JSON.
    for (name, count) in [
        ("candidatesTokenCount", output.saturating_sub(thoughts)),
        ("thoughtsTokenCount", thoughts),
        ("cachedContentTokenCount", reply.cached),
    ] {
        if count > 0 {
            usage[name] = json!(count);
        }
    }
    if reply.cached > 0 {
        usage["cacheTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": reply.cached}]);
    }
    usage
}

fn envelope(stamp: &Stamp, question: &Question) -> Value {
    json!({"modelVersion": question.model, "responseId": format!("fake{:012}", stamp.number)})
}

/// A prompt that was blocked has no candidates.
fn blocked(stamp: &Stamp, question: &Question, with_usage: bool) -> Value {
    let mut whole = envelope(stamp, question);
    whole["promptFeedback"] = json!({"blockReason": "SAFETY", "safetyRatings": ratings(true)});
    if with_usage {
        let prompt = question.prompt_tokens;
        whole["usageMetadata"] = json!({"promptTokenCount": prompt, "totalTokenCount": prompt});
    }
    whole
}

fn call_part(stamp: &Stamp, question: &Question, index: usize, call: &Call, signs: bool) -> Value {
    let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    let mut part = json!({"functionCall": {"name": call.name, "args": args}});
    if is_third(&question.model) {
        part["functionCall"]["id"] = json!(format!("call{:04}{index}", stamp.number));
    }
    // Of calls side by side only the first is signed.
    if index == 0 && signs {
        part["thoughtSignature"] = json!(SIGNATURE);
    }
    part
}

fn thought<'a>(question: &Question, reply: &'a Reply) -> Option<&'a str> {
    reply.thinking.as_deref().filter(|_| !question.hides_thinking)
}

/// The whole answer as one object.
pub(crate) fn unary(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Value {
    if reply.finish == Finish::Blocked {
        return blocked(stamp, question, with_usage);
    }
    let reply = &reply.refusal_as_text();
    let mut parts: Vec<Value> =
        thought(question, reply).map(|thought| json!({"text": thought, "thought": true})).into_iter().collect();
    let signs = reply.thinking.is_some();
    if !reply.text.is_empty() {
        let mut part = json!({"text": reply.text});
        if signs && reply.calls.is_empty() && is_third(&question.model) {
            part["thoughtSignature"] = json!(SIGNATURE);
        }
        parts.push(part);
    }
    let calls = reply.calls.iter().enumerate();
    parts.extend(calls.map(|(index, call)| call_part(stamp, question, index, call, signs)));
    let candidate = |index: usize| {
        let mut candidate = json!({
            "content": {"parts": parts, "role": "model"},
            "finishReason": finish(reply),
            "index": index,
        });
        if reply.finish == Finish::Filtered {
            candidate["safetyRatings"] = ratings(true);
        }
        candidate
    };
    let mut whole = envelope(stamp, question);
    whole["candidates"] = (0..question.choices).map(candidate).collect();
    if with_usage {
        whole["usageMetadata"] = usage(question, reply);
    }
    whole
}

/// The answer as a stream: a function call is never cut, usage grows with every chunk, the last one says why it ended.
pub(crate) fn events(stamp: &Stamp, question: &Question, reply: &Reply, with_usage: bool) -> Vec<Event> {
    if reply.finish == Finish::Blocked {
        return vec![Event::data(blocked(stamp, question, with_usage))];
    }
    let reply = &reply.refusal_as_text();
    let mut parts: Vec<Value> = deltas(thought(question, reply).unwrap_or_default())
        .map(|word| json!({"text": word, "thought": true}))
        .collect();
    parts.extend(deltas(&reply.text).map(|word| json!({"text": word})));
    let signs = reply.thinking.is_some();
    let calls = reply.calls.iter().enumerate();
    parts.extend(calls.map(|(index, call)| call_part(stamp, question, index, call, signs)));
    let mut last = json!({"text": ""});
    if signs && reply.calls.is_empty() && is_third(&question.model) {
        last["thoughtSignature"] = json!(SIGNATURE);
    }
    let chunk = |candidate: usize, part: Value, ends: bool| {
        let mut one = json!({"content": {"parts": [part], "role": "model"}, "index": candidate});
        if ends {
            one["finishReason"] = json!(finish(reply));
        }
        if ends && reply.finish == Finish::Filtered {
            one["safetyRatings"] = ratings(true);
        }
        let mut chunk = envelope(stamp, question);
        chunk["candidates"] = json!([one]);
        if with_usage {
            let so_far = Reply { cached: reply.cached, ..Reply::default() };
            chunk["usageMetadata"] = usage(question, if ends { reply } else { &so_far });
        }
        chunk
    };
    let of_candidate = |candidate: usize| {
        let said = parts.iter().map(move |part| Event::data(chunk(candidate, part.clone(), false)).content());
        said.chain([Event::data(chunk(candidate, last.clone(), true))]).collect::<Vec<_>>()
    };
    (0..question.choices).flat_map(of_candidate).collect()
}
