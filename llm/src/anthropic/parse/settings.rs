use crate::json::{Fault, Member, Members, Reader};
use crate::neutral::{Extra, Output, Raw, Reasoning, Request, Text};

/// How much to think, which two members say together.
#[derive(Default)]
pub(super) struct Settings<'a> {
    thinking: Option<Reasoning<'a>>,
    effort: Option<(Text<'a>, Raw<'a>)>,
}

/// The name of a schema, which other dialects demand and Anthropic's does not have.
const SCHEMA_NAME: &str = "answer";

impl<'a> Settings<'a> {
    pub(super) fn thinking(&mut self, reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
        if reader.null()? {
            return Ok(());
        }
        let mut thinking = Members::read(reader, 0)?;
        let kind = thinking.need("type")?;
        let at = kind.at;
        self.thinking = Some(match &*kind.string()? {
            "enabled" => Reasoning::Budget(thinking.need("budget_tokens")?.value(Reader::unsigned)?),
            "disabled" => Reasoning::Off,
            "adaptive" => Reasoning::Adaptive,
            other => return Err(Fault::unknown(at, format!("the type {other:?} is not known"))),
        });
        request.extra.extend(thinking.rest_in("thinking"));
        Ok(())
    }

    pub(super) fn output_config(&mut self, reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
        if reader.null()? {
            return Ok(());
        }
        let mut config = Members::read(reader, 0)?;
        if let Some(effort) = config.take("effort") {
            let raw = effort.raw();
            self.effort = Some((effort.string()?, raw));
        }
        if let Some(format) = config.take("format") {
            request.output = Some(output(format.members()?)?);
        }
        request.extra.extend(config.rest_in("output_config"));
        Ok(())
    }

    /// An effort says how hard a model thinks that sees for itself; beside a budget it is of its own.
    pub(super) fn settle(self, request: &mut Request<'a>) {
        request.reasoning = match (self.thinking, self.effort) {
            (None | Some(Reasoning::Adaptive), Some((word, _))) => Some(Reasoning::Effort(word)),
            (thinking, effort) => {
                let name = Text::Borrowed("output_config.effort");
                request.extra.extend(effort.map(|(_, value)| Extra { name, value }));
                thinking
            }
        };
    }
}

/// The form of the answer.
pub(super) fn format<'a>(reader: &mut Reader<'a>) -> Result<Output<'a>, Fault> {
    output(Members::read(reader, 0)?)
}

fn output(mut format: Members<'_>) -> Result<Output<'_>, Fault> {
    let kind = format.need("type")?;
    let at = kind.at;
    match &*kind.string()? {
        "json_schema" => Ok(Output::JsonSchema {
            name: Text::Borrowed(SCHEMA_NAME),
            description: None,
            schema: Some(format.need("schema").and_then(Member::object)?),
            strict: None,
        }),
        other => Err(Fault::unknown(at, format!("the type {other:?} is not known"))),
    }
}

pub(super) fn metadata<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    let mut metadata = Members::read(reader, 0)?;
    request.user = metadata.string("user_id")?;
    request.extra.extend(metadata.rest_in("metadata"));
    Ok(())
}
