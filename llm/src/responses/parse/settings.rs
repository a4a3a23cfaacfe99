use crate::json::{Fault, Kind, Reader};
use crate::json::{Member, Members};
use crate::neutral::{Extra, Output, Raw, Request, Text};
use crate::openai::effort_word;
use crate::translate::Dropped;

/// The form of the answer, and how long it is.
pub(super) fn text<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>, dropped: &mut Dropped) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    let mut text = Members::read(reader, 0)?;
    if let Some(format) = text.take("format") {
        request.output = Some(output(format.members()?)?);
    }
    if let Some(verbosity) = text.raw("verbosity") {
        request.extra.push(Extra { name: Text::Borrowed("verbosity"), value: verbosity });
    }
    text.rest_in("text").for_each(|extra| dropped.add(&extra.name));
    Ok(())
}

pub(in crate::responses) fn output(mut format: Members<'_>) -> Result<Output<'_>, Fault> {
    let kind = format.need("type")?;
    let at = kind.at;
    match &*kind.string()? {
        "text" => Ok(Output::Text),
        "json_object" => Ok(Output::JsonObject),
        "json_schema" => Ok(Output::JsonSchema {
            name: format.need("name").and_then(Member::string)?,
            description: format.string("description")?,
            schema: Some(format.need("schema").and_then(Member::object)?),
            strict: format.bool("strict")?,
        }),
        other => Err(Fault::unknown(at, format!("the type {other:?} is not known"))),
    }
}

/// How much to think. Whether a summary is wanted does not matter: what can be shown of thinking is always shown.
pub(super) fn reasoning<'a>(
    reader: &mut Reader<'a>,
    request: &mut Request<'a>,
    dropped: &mut Dropped,
) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    let mut reasoning = Members::read(reader, 0)?;
    request.reasoning = reasoning.string("effort")?.map(effort_word);
    drop((reasoning.take("summary"), reasoning.take("generate_summary")));
    reasoning.rest_in("reasoning").for_each(|extra| dropped.add(&extra.name));
    Ok(())
}

/// There is no option to ask for usage: it always comes. Padding against eavesdroppers is not translated.
pub(super) fn stream(reader: &mut Reader<'_>, dropped: &mut Dropped) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    let options = Members::read(reader, 0)?;
    let asked = options.rest_in("stream_options").filter(|extra| extra.value != Raw("false"));
    asked.for_each(|extra| dropped.add(&extra.name));
    Ok(())
}

/// What else the answer is to hold. Proof of thinking always comes; what concerns built-in tools has nothing to show.
pub(super) fn include(reader: &mut Reader<'_>, dropped: &mut Dropped) -> Result<(), Fault> {
    if reader.peek()? == Kind::Null {
        return reader.skip();
    }
    reader.array(|reader| {
        if reader.string()? == "message.output_text.logprobs" {
            dropped.add("include");
        }
        Ok(())
    })
}
