use super::emit::{Echo, StreamEmitter};
use crate::json::{Fault, Kind, Reader};
use crate::neutral::Text;
use crate::openai::{count, string};

/// Where a stream is that another target is to go on with.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(super) id: String,
    pub(super) model: String,
    /// Seconds since 1970.
    pub(super) created: Option<u64>,
    pub(super) echo: Echo,
    /// The number of the next event.
    pub(super) sequence: u64,
    /// The index of the next item.
    pub(super) next: u64,
    pub(super) message: Option<Message>,
    /// Items that have begun and are not done.
    open: u64,
    /// Items that are done, as they came, each by its index.
    pub(super) done: Vec<(u64, Vec<u8>)>,
}

/// The message that is open.
#[derive(Debug, Default, Clone)]
pub(super) struct Message {
    pub(super) index: u64,
    pub(super) id: String,
    /// The text of each part; the last one may be open.
    pub(super) parts: Vec<String>,
    /// The last part is.
    pub(super) is_open: bool,
}

#[derive(Default)]
struct Members<'e> {
    of_type: Text<'e>,
    sequence: Option<u64>,
    output_index: u64,
    response: Option<&'e str>,
    item: Option<&'e str>,
    part: Option<&'e str>,
    delta: Option<Text<'e>>,
}

impl Place {
    /// Takes the data of an event. False if it says something that is no text.
    pub(crate) fn note(&mut self, data: &[u8]) -> Result<bool, Fault> {
        if data.trim_ascii() == b"[DONE]" {
            return Ok(true);
        }
        let event = Members::read(data)?;
        self.sequence = event.sequence.map_or(self.sequence, |number| number.saturating_add(1));
        match &*event.of_type {
            "response.created" | "response.in_progress" | "response.queued" => self.begin(event.response)?,
            "response.output_item.added" => return self.item(&event),
            "response.content_part.added" => return self.part(event.part),
            "response.output_text.delta" => self.say(&event.delta.unwrap_or_default()),
            "response.output_text.done" | "response.content_part.done" => self.close_part(),
            "response.output_item.done" => {
                let item = event.item.unwrap_or("{}").as_bytes().to_vec();
                self.done.push((event.output_index, item));
                (self.open, self.message) = (self.open.saturating_sub(1), None);
            }
            "ping" | "keepalive" => {}
            kind => return Ok(kind.starts_with("response.reasoning")),
        }
        Ok(true)
    }

    fn begin(&mut self, response: Option<&str>) -> Result<(), Fault> {
        let response = response.unwrap_or("{}");
        Reader::of(response).object(|reader, key| {
            match &*key.decode() {
                "id" => self.id = string(reader)?.unwrap_or_default().into_owned(),
                "model" => self.model = string(reader)?.unwrap_or_default().into_owned(),
                "created_at" => self.created = count(reader)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        self.echo = Echo::of(response.as_bytes())?;
        Ok(())
    }

    fn item(&mut self, event: &Members<'_>) -> Result<bool, Fault> {
        let (mut of_type, mut id) = (None, None);
        Reader::of(event.item.unwrap_or("{}")).object(|reader, key| {
            match &*key.decode() {
                "type" => of_type = string(reader)?,
                "id" => id = string(reader)?,
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        self.next = event.output_index.saturating_add(1);
        self.open += 1;
        match of_type.as_deref() {
            Some("message") => {
                let id = id.unwrap_or_default().into_owned();
                self.message = Some(Message { index: event.output_index, id, ..Message::default() });
                Ok(true)
            }
            of_type => Ok(of_type == Some("reasoning")),
        }
    }

    fn part(&mut self, part: Option<&str>) -> Result<bool, Fault> {
        let mut of_type = None;
        Reader::of(part.unwrap_or("{}")).object(|reader, key| match &*key.decode() {
            "type" => string(reader).map(|text| of_type = text),
            _ => reader.skip(),
        })?;
        if let Some(message) = &mut self.message {
            message.parts.push(String::new());
            message.is_open = true;
        }
        Ok(of_type.as_deref() == Some("output_text") || of_type.as_deref() == Some("reasoning_text"))
    }

    fn say(&mut self, delta: &str) {
        if let Some(part) = self.message.as_mut().and_then(|message| message.parts.last_mut()) {
            part.push_str(delta);
        }
    }

    fn close_part(&mut self) {
        if let Some(message) = &mut self.message {
            message.is_open = false;
        }
    }

    /// Whether it can go on here: not within a thought, and not between the end of a text and that of its message.
    pub(crate) fn is_open(&self) -> bool {
        match &self.message {
            Some(message) => self.open == 1 && (message.is_open || message.parts.is_empty()),
            None => self.open == 0,
        }
    }

    /// Who writes what follows: more of the message that is open, with the numbers that come next.
    pub(crate) fn emitter(&self, now: u64) -> StreamEmitter {
        StreamEmitter::within(self, now)
    }
}

impl<'e> Members<'e> {
    fn read(data: &'e [u8]) -> Result<Self, Fault> {
        let mut event = Self::default();
        Reader::of_answer(data)?.object(|reader, key| {
            let kind = reader.peek()?;
            match &*key.decode() {
                "type" if kind == Kind::String => event.of_type = reader.string()?,
                "sequence_number" => event.sequence = count(reader)?,
                "output_index" => event.output_index = count(reader)?.unwrap_or(0),
                "response" if kind == Kind::Object => event.response = Some(reader.raw()?),
                "item" if kind == Kind::Object => event.item = Some(reader.raw()?),
                "part" if kind == Kind::Object => event.part = Some(reader.raw()?),
                "delta" if kind == Kind::String => event.delta = Some(reader.string()?),
                _ => reader.skip()?,
            }
            Ok::<(), Fault>(())
        })?;
        Ok(event)
    }
}
