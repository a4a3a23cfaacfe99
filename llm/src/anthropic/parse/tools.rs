use crate::json::{Fault, Member, Members, Reader};
use crate::neutral::{Extra, OtherTool, Raw, Request, Text, Tool, ToolChoice};

pub(super) fn read<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    let mut index = 0;
    reader.array(|reader| {
        let mut tool = Members::read(reader, 0)?;
        match tool.string("type")? {
            Some(kind) if kind != "custom" => request.other_tools.push(OtherTool { index, kind, value: tool.whole }),
            custom => request.tools.push(client_tool(tool, custom.is_some())?),
        }
        index += 1;
        Ok(())
    })
}

/// A tool that the client runs and declares itself.
fn client_tool(mut tool: Members<'_>, typed: bool) -> Result<Tool<'_>, Fault> {
    let name = tool.need("name")?.string()?;
    let description = tool.string("description")?;
    let parameters = Some(tool.need("input_schema")?.object()?);
    let (strict, cache) = (tool.bool("strict")?, tool.raw("cache_control"));
    let mut extra = tool.rest();
    if typed {
        extra.push(Extra { name: Text::Borrowed("type"), value: Raw(r#""custom""#) });
    }
    Ok(Tool { name, description, parameters, strict, cache, extra })
}

/// Reads which tool is called, and whether several may be.
pub(super) fn choice<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    let mut choice = Members::read(reader, 0)?;
    let kind = choice.need("type")?;
    let at = kind.at;
    request.tool_choice = Some(match &*kind.string()? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.need("name").and_then(Member::string)?),
        other => return Err(Fault::unknown(at, format!("the choice {other:?} is not known"))),
    });
    // That several may be called goes without saying.
    if choice.bool("disable_parallel_tool_use")? == Some(true) {
        request.parallel_tool_calls = Some(false);
    }
    Ok(())
}
