use std::borrow::Cow;
use std::convert::Infallible;

use crate::json::Writer;
use crate::openai::seed;

/// Makes ids of items: the same for the same answer and place, in the API's form.
#[derive(Debug, Default, Clone)]
pub(super) struct Ids(String);

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said<'p> {
    /// With what it rests on, as the items of a list.
    Text(&'p str, Cow<'p, str>),
    Refusal(&'p str),
}

impl Ids {
    pub(super) fn of(response: &str) -> Self {
        Self(seed(response))
    }

    pub(super) fn message(&self, index: u64) -> String {
        format!("msg_{}_{index}", self.0)
    }

    pub(super) fn reasoning(&self, index: u64) -> String {
        format!("rs_{}_{index}", self.0)
    }

    pub(super) fn call(&self, index: u64) -> String {
        format!("fc_{}_{index}", self.0)
    }
}

pub(super) fn message<'p>(
    w: &mut Writer<'_>,
    id: &str,
    status: &str,
    mut said: impl Iterator<Item = Said<'p>>,
) -> Result<(), Infallible> {
    w.object(|w| {
        w.key("id").string(id);
        w.key("type").string("message");
        w.key("status").string(status);
        w.key("role").string("assistant");
        w.key("content").array(|w| said.try_for_each(|said| part(w, said)))
    })
}

pub(super) fn part(w: &mut Writer<'_>, said: Said<'_>) -> Result<(), Infallible> {
    w.object(|w| {
        match said {
            Said::Text(text, annotations) => {
                w.key("type").string("output_text");
                w.key("text").string(text);
                w.key("annotations").array(|w| list(w, &annotations))?;
                w.key("logprobs").raw("[]");
            }
            Said::Refusal(text) => {
                w.key("type").string("refusal");
                w.key("refusal").string(text);
            }
        }
        Ok(())
    })
}

/// Items of a list that are written already.
pub(super) fn list(w: &mut Writer<'_>, items: &str) -> Result<(), Infallible> {
    if !items.is_empty() {
        w.raw(items);
    }
    Ok(())
}

/// Thinking is told as a summary, which is where applications look for it.
pub(super) fn reasoning(w: &mut Writer<'_>, id: &str, text: &str, sealed: Option<&str>) -> Result<(), Infallible> {
    w.object(|w| {
        w.key("id").string(id);
        w.key("type").string("reasoning");
        w.key("summary").array(|w| if text.is_empty() { Ok(()) } else { summary(w, text) })?;
        match sealed {
            Some(sealed) => w.key("encrypted_content").string(sealed),
            None => w.key("encrypted_content").raw("null"),
        }
        Ok(())
    })
}

pub(super) fn summary(w: &mut Writer<'_>, text: &str) -> Result<(), Infallible> {
    w.object(|w| {
        w.key("type").string("summary_text");
        w.key("text").string(text);
        Ok(())
    })
}

pub(super) fn call(
    w: &mut Writer<'_>,
    id: &str,
    status: &str,
    call_id: &str,
    name: &str,
    arguments: &str,
) -> Result<(), Infallible> {
    w.object(|w| {
        w.key("id").string(id);
        w.key("type").string("function_call");
        w.key("status").string(status);
        w.key("call_id").string(call_id);
        w.key("name").string(name);
        w.key("arguments").string(arguments);
        Ok(())
    })
}
