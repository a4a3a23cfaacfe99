//! What is special to the operations besides chat: texts in place of messages, and requests inside the request.

use super::{Below, Walk};
use crate::Dialect;
use crate::call::Operation;
use crate::json::{Fault, Kind, Reader, camel};
use crate::scan::{Key, Span};

impl Walk {
    /// A text, its tokens, or a list of either; in chat something else.
    pub(super) fn texts(&mut self, reader: &mut Reader<'_>, key: Key) -> Result<(), Fault> {
        if self.operation == Operation::Chat {
            return self.inner(reader, key.name(), Below::default());
        }
        let below = Below { tokens: true, ..Below::default() };
        if reader.peek()? != Kind::Array {
            return self.value(reader, below);
        }
        let mut texts = 0;
        reader.array(|reader| {
            texts += u64::from(reader.peek()? != Kind::Number);
            self.value(reader, below)
        })?;
        if key == Key::Prompt && self.operation == Operation::Completions {
            self.prompts = texts.max(1);
        }
        Ok(())
    }

    /// Whether a member of the outermost object holds requests that name the model again, as Gemini's do.
    pub(super) fn names_models(&self, key: &str) -> bool {
        match self.operation {
            Operation::BatchEmbeddings => key == "requests",
            Operation::CountTokens if self.scan.dialect == Dialect::Gemini => {
                camel(key.into()) == "generateContentRequest"
            }
            Operation::Chat | Operation::Completions | Operation::Embeddings | Operation::CountTokens => false,
        }
    }

    /// A request inside the request, or a list of them.
    pub(super) fn naming(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        match reader.peek()? {
            Kind::Array => reader.array(|reader| self.naming(reader)),
            Kind::Object => {
                let mut named = false;
                reader.object(|reader, key| {
                    let key = key.decode();
                    if key != "model" {
                        return self.inner(reader, &key, Below::default());
                    }
                    reader.peek()?;
                    let start = reader.at();
                    if std::mem::replace(&mut named, true) {
                        return Err(Fault::new(start, "model is given twice"));
                    }
                    reader.string()?;
                    self.scan.inner_models.push(Span { start, end: reader.at() });
                    Ok(())
                })
            }
            _ => self.value(reader, Below::default()),
        }
    }
}
