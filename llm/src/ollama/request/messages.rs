use std::borrow::Cow;
use std::collections::HashMap;

use crate::Error;
use crate::json::Writer;
use crate::neutral::{Media, MediaKind, Message, Part, Request, Role, Source, ToolCall};
use crate::translate::{Dropped, refuse_unknown};

/// Writes the conversation. A message is one text, with pictures, thinking and calls beside it; a tool's result is a
/// message of its own, which names its tool.
pub(super) fn write(w: &mut Writer<'_>, request: &Request<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    let before = w.out.len();
    // Names by id; of an id that was given again, the latest.
    let mut called: HashMap<&str, &str> = HashMap::new();
    for (index, message) in request.messages.iter().enumerate() {
        message.extra.iter().for_each(|extra| dropped.add(&extra.name));
        refuse_unknown(message, index)?;
        let mut said = Said::default();
        for part in &message.parts {
            match part {
                Part::ToolResult { call, parts, cache, .. } => {
                    note_cache(cache.is_some(), dropped);
                    let name = called.get(&**call).ok_or_else(|| {
                        let what = format!("no tool call before it has the id {call:?}");
                        Error::bad_request(format!("messages[{index}].tool_call_id"), what)
                    })?;
                    result(w, call, name, Said::of(parts, index, dropped)?)?;
                }
                part => said.take(part, index, dropped)?,
            }
        }
        called.extend(said.calls.iter().map(|call| (&*call.id, &*call.name)));
        said.write(w, message)?;
    }
    if w.out.len() == before {
        // Ollama would load the model and say that it did.
        return Err(Error::bad_request("messages", "nothing is said in them"));
    }
    Ok(())
}

/// What the parts of a message say.
#[derive(Default)]
struct Said<'r> {
    texts: Vec<&'r str>,
    /// Base64.
    images: Vec<&'r str>,
    thinking: Vec<&'r str>,
    calls: Vec<&'r ToolCall<'r>>,
}

impl<'r> Said<'r> {
    fn of(parts: &'r [Part<'r>], index: usize, dropped: &mut Dropped) -> Result<Self, Error> {
        let mut said = Self::default();
        parts.iter().try_for_each(|part| said.take(part, index, dropped))?;
        Ok(said)
    }

    fn take(&mut self, part: &'r Part<'r>, index: usize, dropped: &mut Dropped) -> Result<(), Error> {
        match part {
            Part::Text { text, cache, extra, .. } => {
                note_cache(cache.is_some(), dropped);
                extra.iter().for_each(|extra| dropped.add(&extra.name));
                self.text(text);
            }
            Part::Refusal(text) => self.text(text),
            Part::Media(media) => {
                note_cache(media.cache.is_some(), dropped);
                self.media(media, index, dropped)?;
            }
            Part::ToolCall(call) => {
                note_cache(call.cache.is_some(), dropped);
                self.calls.push(call);
            }
            Part::Reasoning { text, .. } if !text.is_empty() => self.thinking.push(text),
            // Results have messages of their own; what only another provider reads, it alone needs back.
            Part::Reasoning { .. } | Part::RedactedReasoning(_) | Part::ToolResult { .. } | Part::Unknown { .. } => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &'r str) {
        if !text.is_empty() {
            self.texts.push(text);
        }
    }

    /// Pictures by their data; documents as far as they are text. Nothing is fetched: Ollama takes no URLs.
    fn media(&mut self, media: &'r Media<'r>, index: usize, dropped: &mut Dropped) -> Result<(), Error> {
        let reason = match (&media.source, media.kind) {
            (Source::Base64 { media_type, data }, kind)
                if kind == MediaKind::Image || media_type.starts_with("image/") =>
            {
                self.images.push(data);
                return Ok(());
            }
            (Source::Text(text), _) => {
                self.text(media.label.as_deref().unwrap_or_default());
                self.text(text);
                return Ok(());
            }
            (Source::Pieces { parts, .. }, _) => {
                self.text(media.label.as_deref().unwrap_or_default());
                return parts.iter().try_for_each(|part| self.take(part, index, dropped));
            }
            (Source::Base64 { .. }, _) => "the target takes pictures and text only",
            (Source::Url(_), _) => "the target takes pictures as data only, not by URL",
            (Source::File(_), _) => "the target has no file of that id",
        };
        Err(Error::Unsupported { field: format!("messages[{index}]").into(), reason: reason.into() })
    }

    /// Nothing is written for a message that says nothing.
    fn write(&self, w: &mut Writer<'_>, message: &Message<'_>) -> Result<(), Error> {
        let Self { texts, images, thinking, calls } = self;
        if texts.is_empty() && images.is_empty() && thinking.is_empty() && calls.is_empty() {
            return Ok(());
        }
        w.object(|w| {
            w.key("role").string(match message.role {
                Role::System | Role::Developer => "system",
                Role::User | Role::Tool => "user",
                Role::Assistant => "assistant",
            });
            self.content(w)?;
            if !thinking.is_empty() {
                w.key("thinking").string(&joined(thinking, ""));
            }
            if calls.is_empty() {
                return Ok(());
            }
            w.key("tool_calls").array(|w| calls.iter().try_for_each(|call| tool_call(w, call)))
        })
    }

    fn content(&self, w: &mut Writer<'_>) -> Result<(), Error> {
        w.key("content").string(&joined(&self.texts, "\n"));
        if self.images.is_empty() {
            return Ok(());
        }
        w.key("images").array(|w| {
            self.images.iter().for_each(|data| w.string(data));
            Ok(())
        })
    }
}

fn joined<'r>(texts: &[&'r str], by: &str) -> Cow<'r, str> {
    match texts {
        [only] => Cow::Borrowed(only),
        texts => Cow::Owned(texts.join(by)),
    }
}

fn result(w: &mut Writer<'_>, call: &str, name: &str, said: Said<'_>) -> Result<(), Error> {
    w.object(|w| {
        w.key("role").string("tool");
        w.key("tool_name").string(name);
        w.key("tool_call_id").string(call);
        said.content(w)
    })
}

fn tool_call(w: &mut Writer<'_>, call: &ToolCall<'_>) -> Result<(), Error> {
    w.object(|w| {
        w.key("id").string(&call.id);
        w.key("function").object(|w| {
            w.key("name").string(&call.name);
            let arguments = call.arguments.trim_ascii();
            w.key("arguments").raw(if arguments.is_empty() { "{}" } else { arguments });
            Ok(())
        })
    })
}

fn note_cache(is_said: bool, dropped: &mut Dropped) {
    if is_said {
        dropped.add("cache_control");
    }
}
