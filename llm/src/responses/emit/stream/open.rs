use super::teller::{Place, Teller};
use crate::json::Writer;
use crate::responses::emit::item::{self, Said};
use crate::translate::arguments::Progress;

/// What is open of that which is told one after the other.
#[derive(Debug)]
pub(super) enum Spoken {
    Message(Message),
    Thought(Thought),
}

#[derive(Debug)]
pub(super) struct Message {
    place: Place,
    /// The last one is open. True: a refusal.
    parts: Vec<(bool, String)>,
}

#[derive(Debug)]
pub(super) struct Thought {
    place: Place,
    text: String,
    sealed: Option<String>,
}

#[derive(Debug)]
pub(super) struct Call {
    place: Place,
    /// Its number among the calls.
    pub(super) number: u32,
    call_id: String,
    name: String,
    arguments: String,
    progress: Progress,
}

const ADDED: &str = "response.output_item.added";
const DONE: &str = "response.output_item.done";

impl Spoken {
    /// Its index, and the item.
    pub(super) fn close(self, status: &str, teller: &mut Teller, out: &mut Vec<u8>) -> (u64, Vec<u8>) {
        match self {
            Self::Message(message) => message.close(status, teller, out),
            Self::Thought(thought) => thought.close(teller, out),
        }
    }
}

impl Message {
    pub(super) fn open(place: Place, teller: &mut Teller, out: &mut Vec<u8>) -> Self {
        teller.item(out, ADDED, place.index, |w| item::message(w, &place.id, "in_progress", std::iter::empty()));
        Self { place, parts: Vec::new() }
    }

    /// Says more: of the part that is open, or of a new one if it is of another kind.
    pub(super) fn say(&mut self, more: Said<'_>, teller: &mut Teller, out: &mut Vec<u8>) {
        let refuses = matches!(more, Said::Refusal(_));
        if self.parts.last().is_none_or(|(refused, _)| *refused != refuses) {
            self.close_part(teller, out);
            self.parts.push((refuses, String::new()));
            let empty = as_part(refuses, "");
            teller.inside(out, "response.content_part.added", &self.place, self.number(), |w| {
                w.key("part");
                item::part(w, empty)
            });
        }
        let number = self.number();
        match more {
            Said::Text(text) => teller.inside(out, "response.output_text.delta", &self.place, number, |w| {
                w.key("delta").string(text);
                w.key("logprobs").raw("[]");
                Ok(())
            }),
            Said::Refusal(text) => teller.inside(out, "response.refusal.delta", &self.place, number, |w| {
                w.key("delta").string(text);
                Ok(())
            }),
        }
        if let (Some((_, said)), Said::Text(text) | Said::Refusal(text)) = (self.parts.last_mut(), more) {
            said.push_str(text);
        }
    }

    fn number(&self) -> Option<(&'static str, u64)> {
        Some(("content_index", self.parts.len().saturating_sub(1) as u64))
    }

    fn close_part(&mut self, teller: &mut Teller, out: &mut Vec<u8>) {
        let number = self.number();
        let Some((refused, said)) = self.parts.last() else { return };
        let (name, key) =
            if *refused { ("response.refusal.done", "refusal") } else { ("response.output_text.done", "text") };
        teller.inside(out, name, &self.place, number, |w| {
            w.key(key).string(said);
            if !refused {
                w.key("logprobs").raw("[]");
            }
            Ok(())
        });
        teller.inside(out, "response.content_part.done", &self.place, number, |w| {
            w.key("part");
            item::part(w, as_part(*refused, said))
        });
    }

    fn close(mut self, status: &str, teller: &mut Teller, out: &mut Vec<u8>) -> (u64, Vec<u8>) {
        self.close_part(teller, out);
        let said = self.parts.iter().map(|(refused, said)| as_part(*refused, said));
        done(&self.place, teller, out, |w| item::message(w, &self.place.id, status, said))
    }
}

fn as_part(refuses: bool, text: &str) -> Said<'_> {
    if refuses { Said::Refusal(text) } else { Said::Text(text) }
}

impl Thought {
    pub(super) fn open(place: Place, teller: &mut Teller, out: &mut Vec<u8>) -> Self {
        teller.item(out, ADDED, place.index, |w| item::reasoning(w, &place.id, "", None));
        Self { place, text: String::new(), sealed: None }
    }

    pub(super) fn think(&mut self, more: &str, teller: &mut Teller, out: &mut Vec<u8>) {
        if self.text.is_empty() {
            self.part("response.reasoning_summary_part.added", teller, out);
        }
        self.text.push_str(more);
        teller.inside(out, "response.reasoning_summary_text.delta", &self.place, SUMMARY, |w| {
            w.key("delta").string(more);
            Ok(())
        });
    }

    pub(super) fn seal(&mut self, sealed: String) {
        self.sealed = Some(sealed);
    }

    fn part(&self, name: &'static str, teller: &mut Teller, out: &mut Vec<u8>) {
        teller.inside(out, name, &self.place, SUMMARY, |w| {
            w.key("part");
            item::summary(w, &self.text)
        });
    }

    fn close(self, teller: &mut Teller, out: &mut Vec<u8>) -> (u64, Vec<u8>) {
        if !self.text.is_empty() {
            teller.inside(out, "response.reasoning_summary_text.done", &self.place, SUMMARY, |w| {
                w.key("text").string(&self.text);
                Ok(())
            });
            self.part("response.reasoning_summary_part.done", teller, out);
        }
        done(&self.place, teller, out, |w| item::reasoning(w, &self.place.id, &self.text, self.sealed.as_deref()))
    }
}

/// A thought has one summary.
const SUMMARY: Option<(&str, u64)> = Some(("summary_index", 0));

impl Call {
    pub(super) fn open(
        place: Place,
        number: u32,
        call_id: String,
        name: &str,
        teller: &mut Teller,
        out: &mut Vec<u8>,
    ) -> Self {
        teller.item(out, ADDED, place.index, |w| item::call(w, &place.id, "in_progress", &call_id, name, ""));
        let (name, arguments) = (name.to_owned(), String::new());
        Self { place, number, call_id, name, arguments, progress: Progress::default() }
    }

    pub(super) fn argue(&mut self, more: &str, teller: &mut Teller, out: &mut Vec<u8>) {
        self.arguments.push_str(more);
        self.progress.push(more);
        teller.inside(out, "response.function_call_arguments.delta", &self.place, None, |w| {
            w.key("delta").string(more);
            Ok(())
        });
    }

    pub(super) fn is_whole(&self) -> bool {
        self.progress.is_whole()
    }

    pub(super) fn close(self, status: &str, teller: &mut Teller, out: &mut Vec<u8>) -> (u64, Vec<u8>) {
        let Self { place, call_id, name, arguments, .. } = &self;
        teller.inside(out, "response.function_call_arguments.done", place, None, |w| {
            w.key("name").string(name);
            w.key("arguments").string(arguments);
            Ok(())
        });
        done(place, teller, out, |w| item::call(w, &place.id, status, call_id, name, arguments))
    }
}

/// Tells that an item is done, and gives it for the last event.
fn done(
    place: &Place,
    teller: &mut Teller,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), std::convert::Infallible>,
) -> (u64, Vec<u8>) {
    let mut item = Vec::new();
    let Ok(()) = write(&mut Writer::new(&mut item));
    let text = String::from_utf8_lossy(&item);
    teller.item(out, DONE, place.index, |w| {
        w.raw(&text);
        Ok(())
    });
    (place.index, item)
}
