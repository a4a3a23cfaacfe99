use super::extra;
use crate::json::{Fault, Kind, Reader};
use crate::neutral::{OtherTool, Raw, Request, Text, Tool, ToolChoice};

pub(super) fn read<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    let mut index = 0;
    reader.array(|reader| {
        match tool(reader)? {
            Ok(tool) => request.tools.push(tool),
            Err((kind, value)) => request.other_tools.push(OtherTool { index, kind, value }),
        }
        index += 1;
        Ok(())
    })
}

/// A function, or the kind and text of another tool.
fn tool<'a>(reader: &mut Reader<'a>) -> Result<Result<Tool<'a>, (Text<'a>, Raw<'a>)>, Fault> {
    reader.peek()?;
    let start = reader.at();
    let mut of_type = Text::Borrowed("function");
    let mut name = None;
    let mut tool = Tool::default();
    reader.object(|reader, key| {
        match &*key.decode() {
            "type" => of_type = reader.string()?,
            "function" => reader.object(|reader, key| {
                match &*key.decode() {
                    "name" => name = Some(reader.string()?),
                    "description" => tool.description = reader.optional(Reader::string)?,
                    "parameters" => tool.parameters = reader.optional(|reader| reader.raw().map(Raw))?,
                    "strict" => tool.strict = reader.optional(Reader::bool)?,
                    name => extra(reader, name, &mut tool.extra)?,
                }
                Ok::<(), Fault>(())
            })?,
            "cache_control" => tool.cache = reader.optional(|reader| reader.raw().map(Raw))?,
            _ => reader.skip()?,
        }
        Ok::<(), Fault>(())
    })?;
    if of_type != "function" {
        return Ok(Err((of_type, Raw(reader.slice(start, reader.at())))));
    }
    tool.name = name.ok_or_else(|| Fault::new(start, "function.name is missing"))?;
    Ok(Ok(tool))
}

pub(super) fn choice<'a>(reader: &mut Reader<'a>) -> Result<ToolChoice<'a>, Fault> {
    let start = reader.at();
    if reader.peek()? == Kind::String {
        return match &*reader.string()? {
            "auto" => Ok(ToolChoice::Auto),
            // The second is Mistral's older word.
            "required" | "any" => Ok(ToolChoice::Required),
            "none" => Ok(ToolChoice::None),
            other => Err(Fault::unknown(start, format!("the choice {other:?} is not known"))),
        };
    }
    let mut name = None;
    reader.object(|reader, key| {
        if key.decode() != "function" {
            return reader.skip();
        }
        reader.object(|reader, key| {
            if key.decode() == "name" {
                name = Some(reader.string()?);
                return Ok(());
            }
            reader.skip()
        })
    })?;
    Ok(match name {
        Some(name) => ToolChoice::Named(name),
        None => ToolChoice::Other(Raw(reader.slice(start, reader.at()))),
    })
}
