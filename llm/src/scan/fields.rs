mod inner;

use super::{Key, Member, Options, Scan, Span};
use super::{gemini, spots::Spots, state};
use crate::Dialect;
use crate::call::{Call, Form, Operation};
use crate::json::{Fault, Kind, Literal, Reader, camel, path_at};

pub(super) fn read(call: &Call, body: &[u8]) -> Result<Box<Scan>, Fault> {
    let mut reader = Reader::new(body)?;
    if reader.peek()? != Kind::Object {
        return Err(reader.fault("the body must be a JSON object"));
    }
    let scan = Box::new(Scan::empty(call.dialect));
    let mut walk = Walk { scan, operation: call.operation, prompts: 1, state_at: None, thoughts_at: None };
    reader.object(|reader, key| walk.member(reader, key))?;
    reader.end()?;
    let mut scan = walk.scan;
    match &call.path {
        Some(path) => {
            scan.model.clone_from(&path.model);
            scan.stream = path.form != Form::Whole;
        }
        None if scan.member(Key::Model).is_none() => return Err(Fault::new(0, "model is missing")),
        None => {}
    }
    // Nothing else streams, whatever it says.
    scan.stream &= matches!(call.operation, Operation::Chat | Operation::Completions);
    scan.choices = scan.choices.saturating_mul(walk.prompts);
    scan.state = walk.state_at.map(|at| path_at(body, at));
    scan.stored_thoughts = walk.thoughts_at.map(|at| path_at(body, at));
    Ok(scan)
}

struct Walk {
    scan: Box<Scan>,
    operation: Operation,
    /// How many texts are to be continued.
    prompts: u64,
    state_at: Option<usize>,
    thoughts_at: Option<usize>,
}

/// What is known of a value from the keys above it.
#[derive(Clone, Copy, Default)]
struct Below {
    /// The application's own data, in which no key means anything.
    opaque: bool,
    /// Declarations of tools, whose keys are text to the model too.
    tools: bool,
    /// Messages of OpenAI's dialect.
    messages: bool,
    /// The nearest key may hold bare base64.
    base64: bool,
    /// Numbers are tokens.
    tokens: bool,
}

impl Scan {
    fn empty(dialect: Dialect) -> Self {
        Self {
            dialect,
            model: String::new(),
            stream: false,
            include_usage: None,
            max_tokens: None,
            choices: 1,
            tools: false,
            structured: false,
            service_tier: None,
            user: None,
            reasons: false,
            text_bytes: 0,
            tokens: 0,
            media: 0,
            base64: false,
            state: None,
            stored_thoughts: None,
            members: [None; Key::COUNT],
            options: Options::default(),
            inner_models: Vec::new(),
            foreign_signatures: Vec::new(),
            sealed: Vec::new(),
            spots: Spots::default(),
        }
    }
}

impl Walk {
    fn member(&mut self, reader: &mut Reader<'_>, key: Literal<'_>) -> Result<(), Fault> {
        reader.peek()?;
        let start = reader.at();
        let name = key.decode();
        let governed = Key::of(self.scan.dialect, &name);
        if let Some(governed) = governed
            && self.scan.member(governed).is_some()
        {
            return Err(Fault::new(start, format!("{name} is given twice")));
        }
        match governed {
            Some(governed) => self.governed(reader, governed)?,
            None if self.names_models(&name) => self.naming(reader)?,
            None => self.inner(reader, &name, Below::default())?,
        }
        if let Some(governed) = governed {
            let key = Span { start: key.at, end: key.at + key.text.len() + 2 };
            let value = Span { start, end: reader.at() };
            self.scan.members[governed as usize] = Some(Member { key, value });
        }
        Ok(())
    }

    fn governed(&mut self, reader: &mut Reader<'_>, key: Key) -> Result<(), Fault> {
        let start = reader.at();
        let scan = &mut self.scan;
        match key {
            Key::Model => {
                scan.model = reader.string()?.into_owned();
                if scan.model.is_empty() {
                    return Err(Fault::new(start, "model must not be empty"));
                }
            }
            Key::Stream => scan.stream = reader.optional(Reader::bool)?.unwrap_or(false),
            Key::StreamOptions => return self.stream_options(reader),
            Key::MaxTokens | Key::MaxCompletionTokens | Key::MaxOutputTokens => {
                scan.max_tokens = reader.optional(Reader::unsigned)?.max(scan.max_tokens);
            }
            Key::N => {
                scan.choices = reader.optional(Reader::unsigned)?.unwrap_or(1);
                if !(1..=128).contains(&scan.choices) {
                    return Err(Fault::new(start, "n must be from 1 to 128"));
                }
            }
            Key::ServiceTier => scan.service_tier = optional_string(reader)?,
            // `user` is the older word; where both are given it stays the one that limits know.
            Key::User => scan.user = optional_string(reader)?.or(scan.user.take()),
            Key::SafetyIdentifier => scan.user = scan.user.take().or(optional_string(reader)?),
            Key::Metadata => self.metadata(reader)?,
            Key::ReasoningEffort => {
                scan.reasons |= optional_string(reader)?.is_some_and(|effort| effort != "none");
            }
            Key::Tools | Key::Functions => {
                self.value(reader, Below { tools: true, ..Below::default() })?;
                let tools = reader.slice(start, reader.at());
                self.scan.tools |= tools != "null" && !is_empty_list(tools);
            }
            Key::ResponseFormat => {
                self.value(reader, Below::default())?;
                let of = member_string(reader.slice(start, reader.at()), "type")?;
                self.scan.structured |= of.is_some_and(|of| of != "text");
            }
            Key::Text => {
                self.value(reader, Below::default())?;
                self.scan.structured |= has_schema(reader.slice(start, reader.at()))?;
            }
            Key::Input if self.operation == Operation::Chat => self.input(reader)?,
            Key::Thinking => {
                self.value(reader, Below::default())?;
                let of = member_string(reader.slice(start, reader.at()), "type")?;
                self.scan.reasons |= of.is_some_and(|of| of != "disabled");
            }
            Key::OutputConfig => {
                self.value(reader, Below::default())?;
                let config = reader.slice(start, reader.at());
                self.scan.reasons |= member_string(config, "effort")?.is_some();
                self.scan.structured |= has_member(config, "format")?;
            }
            Key::Reasoning => {
                let is_object = reader.peek()? == Kind::Object;
                self.value(reader, Below::default())?;
                let off = member_string(reader.slice(start, reader.at()), "effort")?.is_some_and(|word| word == "none");
                self.scan.reasons |= is_object && !off;
            }
            Key::GenerationConfig => {
                self.value(reader, Below::default())?;
                if self.scan.dialect == Dialect::Gemini {
                    gemini::config(&mut self.scan, reader.slice(start, reader.at()), start)?;
                }
            }
            Key::Temperature | Key::TopP => reader.skip()?,
            Key::EncodingFormat => scan.base64 = optional_string(reader)?.as_deref() == Some("base64"),
            Key::Input | Key::Prompt => self.texts(reader, key)?,
            Key::Messages => {
                let messages = self.scan.dialect == Dialect::OpenAI;
                self.value(reader, Below { messages, ..Below::default() })?;
            }
            Key::System
            | Key::Instructions
            | Key::Modalities
            | Key::Store
            | Key::Logprobs
            | Key::TopLogprobs
            | Key::LogitBias => self.value(reader, Below::default())?,
        }
        Ok(())
    }

    fn stream_options(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let scan = &mut self.scan;
        if reader.null()? {
            return Ok(());
        }
        reader.object(|reader, key| {
            scan.options.has_members = true;
            if key.decode() != "include_usage" {
                return reader.skip();
            }
            reader.peek()?;
            let start = reader.at();
            if scan.options.include_usage.is_some() {
                return Err(Fault::new(start, "include_usage is given twice"));
            }
            scan.include_usage = reader.optional(Reader::bool)?;
            scan.options.include_usage = Some(Span { start, end: reader.at() });
            Ok(())
        })
    }

    /// The items of the Responses API. One that only names another refers to state: by its type, or by saying nothing else.
    fn input(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        if self.scan.dialect != Dialect::Responses || reader.peek()? != Kind::Array {
            return self.value(reader, Below::default());
        }
        reader.array(|reader| {
            if reader.peek()? != Kind::Object {
                return self.value(reader, Below::default());
            }
            let item = reader.at();
            let (mut id, mut alone, mut named) = (None, true, false);
            let (mut thought, mut told, mut sealed) = (false, false, false);
            reader.object(|reader, key| {
                let kind = reader.peek()?;
                let start = reader.at();
                let key = key.decode();
                self.inner(reader, &key, Below::default())?;
                match (&*key, kind) {
                    ("id", Kind::String) => id = Some(start),
                    ("type", Kind::String) => {
                        alone = false;
                        let of = Reader::of(reader.slice(start, reader.at())).string()?;
                        (named, thought) = (of == "item_reference", of == "reasoning");
                    }
                    (_, Kind::Null) => {}
                    ("encrypted_content" | "summary" | "content", _) => {
                        alone = false;
                        let value = reader.slice(start, reader.at());
                        told |= !is_empty_list(value);
                        sealed |= crate::responses::is_sealed(value);
                    }
                    _ => alone = false,
                }
                Ok::<(), Fault>(())
            })?;
            self.state_at = self.state_at.or(id.filter(|_| alone || named));
            self.thoughts_at = self.thoughts_at.or(id.filter(|_| thought && !told));
            if sealed {
                self.scan.sealed.push(Span { start: item, end: reader.at() });
            }
            Ok(())
        })
    }

    /// Anthropic keeps the user in it; in OpenAI's dialect it is the application's own.
    fn metadata(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        if self.scan.dialect != Dialect::Anthropic || reader.null()? {
            return reader.skip();
        }
        let mut seen = false;
        reader.object(|reader, key| {
            if key.decode() != "user_id" {
                return reader.skip();
            }
            if std::mem::replace(&mut seen, true) {
                return Err(reader.fault("user_id is given twice"));
            }
            self.scan.user = optional_string(reader)?;
            Ok(())
        })
    }

    fn value(&mut self, reader: &mut Reader<'_>, below: Below) -> Result<(), Fault> {
        match reader.peek()? {
            Kind::Object => reader.object(|reader, key| {
                if below.tools {
                    self.scan.text_bytes += key.decoded_len;
                }
                if key.escaped { self.inner(reader, &key.decode(), below) } else { self.inner(reader, key.text, below) }
            }),
            Kind::Array => reader.array(|reader| self.value(reader, below)),
            Kind::String => {
                let literal = reader.literal()?;
                if !state::is_base64(literal.text, below.base64) {
                    self.scan.text_bytes += literal.decoded_len;
                }
                Ok(())
            }
            Kind::Number => {
                self.scan.tokens += usize::from(below.tokens);
                reader.skip()
            }
            Kind::Bool | Kind::Null => reader.skip(),
        }
    }

    /// The value of a member with that key.
    fn inner(&mut self, reader: &mut Reader<'_>, key: &str, below: Below) -> Result<(), Fault> {
        let dialect = self.scan.dialect;
        let name;
        let key = match dialect {
            Dialect::Gemini => {
                name = camel(key.into());
                &*name
            }
            Dialect::OpenAI | Dialect::Anthropic | Dialect::Mistral | Dialect::Ollama | Dialect::Responses => key,
        };
        let kind = reader.peek()?;
        let start = reader.at();
        if !below.opaque && kind != Kind::Null {
            if state::is_media(dialect, key) && reader.depth() > 1 {
                self.scan.media += 1;
            }
            let refers = self.state_at.is_none() && state::refers(dialect, key, reader.depth());
            self.value(
                reader,
                Below { opaque: state::is_opaque(dialect, key), base64: state::may_be_base64(key), ..below },
            )?;
            let value = reader.slice(start, reader.at());
            if refers && !matches!(value, "false" | "\"\"" | "[]" | "{}") && state::is_kept(dialect, key, value) {
                self.state_at = Some(start);
            }
            if below.messages {
                self.scan.spots.look(key, reader.depth(), start, value);
            }
            if dialect == Dialect::Gemini && key == "thoughtSignature" && crate::gemini::is_foreign(value) {
                self.scan.foreign_signatures.push(Span { start, end: reader.at() });
            }
            return Ok(());
        }
        self.value(reader, Below { base64: state::may_be_base64(key), ..below })
    }
}

fn is_empty_list(value: &str) -> bool {
    value.strip_prefix('[').is_some_and(|items| items.trim_ascii_start().starts_with(']'))
}

fn optional_string(reader: &mut Reader<'_>) -> Result<Option<String>, Fault> {
    reader.optional(|reader| reader.string().map(|text| text.into_owned()))
}

/// The string under a key of an object that was checked already.
fn member_string(object: &str, name: &str) -> Result<Option<String>, Fault> {
    let mut reader = Reader::of(object);
    let mut found = None;
    if reader.peek()? == Kind::Object {
        reader.object(|reader, key| {
            if key.decode() == name && reader.peek()? == Kind::String {
                found = Some(reader.string()?.into_owned());
                return Ok(());
            }
            reader.skip()
        })?;
    }
    Ok(found)
}

/// The Responses API's `text` binds the answer to JSON or a schema.
fn has_schema(text: &str) -> Result<bool, Fault> {
    let mut reader = Reader::of(text);
    let mut found = false;
    if reader.peek()? == Kind::Object {
        reader.object(|reader, key| {
            if key.decode() == "format" {
                let format = reader.raw()?;
                found |= member_string(format, "type")?.is_some_and(|of| of != "text");
                return Ok(());
            }
            reader.skip()
        })?;
    }
    Ok(found)
}

fn has_member(object: &str, name: &str) -> Result<bool, Fault> {
    let mut reader = Reader::of(object);
    let mut found = false;
    if reader.peek()? == Kind::Object {
        reader.object(|reader, key| {
            found |= key.decode() == name && reader.peek()? != Kind::Null;
            reader.skip()
        })?;
    }
    Ok(found)
}
