use super::tools::{ALLOWED, names};
use crate::Error;
use crate::neutral::{Extra, Message, Part, Request, Role};

/// Members that others have too, under their names for them.
const SHARED: [(&str, &str); 4] = [
    ("generationConfig.seed", "seed"),
    ("generationConfig.presencePenalty", "presence_penalty"),
    ("generationConfig.frequencyPenalty", "frequency_penalty"),
    ("serviceTier", "service_tier"),
];

/// Makes a request ready for another dialect: what Gemini alone needs is taken out, and what it says in its own way is
/// said in the others'.
///
/// # Errors
/// [`Error::Unsupported`] for what changes the meaning and has no place elsewhere.
pub(crate) fn settle(request: &mut Request<'_>) -> Result<(), Error> {
    request.extra.iter().try_for_each(check)?;
    if request.stream && request.n.is_some_and(|n| n > 1) {
        let reason = "the target streams one answer only".into();
        return Err(Error::Unsupported { field: "generationConfig.candidateCount".into(), reason });
    }
    narrow(request);
    request.extra.retain(|extra| extra.name != ALLOWED);
    for extra in &mut request.extra {
        if let Some((_, shared)) = SHARED.iter().find(|(own, _)| extra.name == *own) {
            extra.name = (*shared).into();
        }
    }
    request.tools.iter_mut().for_each(|tool| tool.extra.retain(|extra| extra.name != "parameters"));
    for message in &mut request.messages {
        message.parts.iter_mut().for_each(bare);
        message.parts.retain(says_something);
    }
    join(&mut request.messages);
    Ok(())
}

fn check(extra: &Extra<'_>) -> Result<(), Error> {
    let reason = match &*extra.name {
        "generationConfig.responseModalities" => {
            let only_text = |list: &str| {
                let list = list.trim_matches(|c: char| "[] \n\r\t".contains(c));
                list.is_empty() || list.eq_ignore_ascii_case("\"TEXT\"")
            };
            if only_text(extra.value.0) {
                return Ok(());
            }
            "the target answers with text only"
        }
        "generationConfig.responseFormat" => "give a responseMimeType and a schema",
        "cachedContent" => "the target has no such cache",
        "generationConfig.continuationToken" | "continuationToken" => "the target cannot go on with Gemini's answer",
        _ => return Ok(()),
    };
    Err(Error::Unsupported { field: extra.name.to_string().into(), reason: reason.into() })
}

/// Others have no word for some of the functions: the rest is not declared to them.
fn narrow(request: &mut Request<'_>) {
    let Some(allowed) = request.extra.iter().find(|extra| extra.name == ALLOWED) else { return };
    let allowed = names(allowed.value);
    if !allowed.is_empty() {
        request.tools.retain(|tool| allowed.contains(&tool.name));
    }
}

/// An answer that came as a stream is sent back piece by piece: its pieces are one message, and texts and thoughts that
/// follow each other are one.
fn join(messages: &mut Vec<Message<'_>>) {
    let mut joined: Vec<Message<'_>> = Vec::with_capacity(messages.len());
    for message in std::mem::take(messages) {
        match joined.last_mut().filter(|last| last.role == Role::Assistant && message.role == Role::Assistant) {
            Some(last) => last.parts.extend(message.parts),
            None => joined.push(message),
        }
    }
    for message in joined.iter_mut().filter(|message| message.role == Role::Assistant) {
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(message.parts.len());
        for part in std::mem::take(&mut message.parts) {
            let apart = match parts.last_mut() {
                Some(last) => add(last, part),
                None => Some(part),
            };
            parts.extend(apart);
        }
        message.plain = matches!(&parts[..], [Part::Text { .. }]);
        message.parts = parts;
    }
    joined.retain(|message| !message.parts.is_empty());
    *messages = joined;
}

fn says_something(part: &Part<'_>) -> bool {
    match part {
        Part::Text { text, .. } | Part::Reasoning { text, signature: None } => !text.is_empty(),
        _ => true,
    }
}

/// Adds a part to the one before it, or gives it back.
fn add<'a>(last: &mut Part<'a>, part: Part<'a>) -> Option<Part<'a>> {
    match (last, part) {
        (Part::Text { text, .. }, Part::Text { text: more, .. }) => {
            text.to_mut().push_str(&more);
            None
        }
        (Part::Reasoning { text, signature: before @ None }, Part::Reasoning { text: more, signature }) => {
            text.to_mut().push_str(&more);
            *before = signature;
            None
        }
        (_, part) => Some(part),
    }
}

/// Takes out what only Gemini reads: signatures, and the response as it was.
fn bare(part: &mut Part<'_>) {
    let own = |extra: &Extra<'_>| matches!(&*extra.name, "thoughtSignature" | "response");
    match part {
        Part::Text { extra, .. } | Part::ToolResult { extra, .. } => extra.retain(|extra| !own(extra)),
        Part::Media(media) => media.extra.retain(|extra| !own(extra)),
        Part::ToolCall(call) => call.extra.retain(|extra| !own(extra)),
        Part::Refusal(_) | Part::Reasoning { .. } | Part::RedactedReasoning(_) | Part::Unknown { .. } => {}
    }
}
