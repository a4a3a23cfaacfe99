use super::teller::{Place, Teller};
use crate::json::Writer;
use crate::neutral::Citation;
use crate::openai::length;
use crate::responses::annotations;
use crate::responses::emit::item::{self, Said};
use crate::responses::place::Message as Begun;
use crate::translate::arguments::Progress;

/// What is open of that which is told one after the other.
#[derive(Debug, Clone)]
pub(super) enum Spoken {
    Message(Message),
    Thought(Thought),
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    place: Place,
    /// The last one is open.
    parts: Vec<Piece>,
    /// What is said next is another part.
    apart: bool,
}

/// A part of a message.
#[derive(Debug, Clone)]
struct Piece {
    refuses: bool,
    said: String,
    /// Where it begins, in characters of all text of the answer.
    from: u64,
    /// What it rests on, as the items of a list, and how many they are.
    annotations: (String, u64),
}

#[derive(Debug, Clone)]
pub(super) struct Thought {
    place: Place,
    text: String,
    sealed: Option<String>,
}

#[derive(Debug, Clone)]
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
        Self { place, parts: Vec::new(), apart: false }
    }

    /// One that has begun, with its parts so far; the last of them is open.
    pub(super) fn within(message: &Begun) -> Self {
        let mut from = 0;
        let parts = message.parts.iter().map(|text| {
            let piece = Piece { refuses: false, said: text.clone(), from, annotations: Default::default() };
            from += length(&text.into());
            piece
        });
        let place = Place { index: message.index, id: message.id.clone() };
        Self { place, parts: parts.collect(), apart: false }
    }

    /// Says more: of the part that is open, or of a new one if it is of another kind. `from`: so many characters of text
    /// came before.
    pub(super) fn say(&mut self, more: &Said<'_>, from: u64, teller: &mut Teller, out: &mut Vec<u8>) {
        let refuses = matches!(more, Said::Refusal(_));
        let apart = std::mem::replace(&mut self.apart, false);
        if apart || self.parts.last().is_none_or(|piece| piece.refuses != refuses) {
            self.close_part(teller, out);
            self.open_part(Piece { refuses, said: String::new(), from, annotations: Default::default() }, teller, out);
        }
        let number = self.number();
        match more {
            Said::Text(text, _) => teller.inside(out, "response.output_text.delta", &self.place, number, |w| {
                w.key("delta").string(text);
                w.key("logprobs").raw("[]");
                Ok(())
            }),
            Said::Refusal(text) => teller.inside(out, "response.refusal.delta", &self.place, number, |w| {
                w.key("delta").string(text);
                Ok(())
            }),
        }
        if let (Some(piece), Said::Text(text, _) | Said::Refusal(text)) = (self.parts.last_mut(), more) {
            piece.said.push_str(text);
        }
    }

    /// What is said next is another part, if it is text after text.
    pub(super) fn part(&mut self) {
        self.apart = self.parts.last().is_some_and(|piece| !piece.refuses);
    }

    /// Notes what the text that is open rests on, and gives its size in bytes. `to`: so many characters of text came so
    /// far.
    pub(super) fn cite(&mut self, citation: &Citation<'_>, to: u64, teller: &mut Teller, out: &mut Vec<u8>) -> usize {
        let number = self.number();
        let Some(piece) = self.parts.last_mut().filter(|piece| !piece.refuses) else { return 0 };
        let span = citation.span.unwrap_or((piece.from, to));
        let span = (span.0.saturating_sub(piece.from), span.1.saturating_sub(piece.from));
        let written = annotations::written([citation], |_| span);
        if written.is_empty() {
            return 0;
        }
        let (all, count) = &mut piece.annotations;
        teller.inside(out, "response.output_text.annotation.added", &self.place, number, |w| {
            w.key("annotation_index").unsigned(*count);
            w.key("annotation").raw(&written);
            Ok(())
        });
        if *count > 0 {
            all.push(',');
        }
        all.push_str(&written);
        *count += 1;
        written.len()
    }

    fn number(&self) -> Option<(&'static str, u64)> {
        Some(("content_index", self.parts.len().saturating_sub(1) as u64))
    }

    fn open_part(&mut self, piece: Piece, teller: &mut Teller, out: &mut Vec<u8>) {
        self.parts.push(piece);
        self.tell_part("response.content_part.added", teller, out);
    }

    fn tell_part(&self, name: &'static str, teller: &mut Teller, out: &mut Vec<u8>) {
        let Some(piece) = self.parts.last() else { return };
        teller.inside(out, name, &self.place, self.number(), |w| {
            w.key("part");
            item::part(w, piece.part())
        });
    }

    fn close_part(&mut self, teller: &mut Teller, out: &mut Vec<u8>) {
        let Some(Piece { refuses, said, .. }) = self.parts.last() else { return };
        let (name, key) =
            if *refuses { ("response.refusal.done", "refusal") } else { ("response.output_text.done", "text") };
        teller.inside(out, name, &self.place, self.number(), |w| {
            w.key(key).string(said);
            if !refuses {
                w.key("logprobs").raw("[]");
            }
            Ok(())
        });
        self.tell_part("response.content_part.done", teller, out);
    }

    fn close(mut self, status: &str, teller: &mut Teller, out: &mut Vec<u8>) -> (u64, Vec<u8>) {
        self.close_part(teller, out);
        let said = self.parts.iter().map(Piece::part);
        done(&self.place, teller, out, |w| item::message(w, &self.place.id, status, said))
    }
}

impl Piece {
    fn part(&self) -> Said<'_> {
        let Self { refuses, said, annotations: (annotations, _), .. } = self;
        if *refuses { Said::Refusal(said) } else { Said::Text(said, annotations.into()) }
    }
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
