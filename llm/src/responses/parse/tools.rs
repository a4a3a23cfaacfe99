use crate::json::{Fault, Kind, Reader};
use crate::json::{Member, Members};
use crate::neutral::{Request, Text, Tool, ToolChoice};
use crate::translate::Dropped;

/// The tools that may be called of those that are declared.
pub(super) struct Allowed<'a> {
    names: Vec<Text<'a>>,
    choice: ToolChoice<'a>,
}

impl<'a> Allowed<'a> {
    /// What may not be called is not declared.
    pub(super) fn apply(self, request: &mut Request<'a>) {
        request.tools.retain(|tool| self.names.contains(&tool.name));
        request.tool_choice = Some(self.choice);
    }
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>, dropped: &mut Dropped) -> Result<(), Fault> {
    if reader.null()? {
        return Ok(());
    }
    reader.array(|reader| {
        let mut tool = Members::read(reader, 0)?;
        let kind = tool.need("type")?.string()?;
        if kind != "function" {
            return Err(Fault::unknown(tool.at, format!("the target has no tools of type {kind:?}")));
        }
        request.tools.push(function(&mut tool)?);
        tool.rest_in("tools").for_each(|extra| dropped.add(&extra.name));
        Ok(())
    })
}

/// Reads a function's declaration.
pub(in crate::responses) fn function<'a>(tool: &mut Members<'a>) -> Result<Tool<'a>, Fault> {
    Ok(Tool {
        name: tool.need("name")?.string()?,
        description: tool.string("description")?,
        parameters: tool.take("parameters").map(Member::object).transpose()?,
        strict: tool.bool("strict")?,
        ..Tool::default()
    })
}

/// Which tool is called, and which may be, if that is not all of them.
pub(super) fn choice<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<Option<Allowed<'a>>, Fault> {
    match reader.peek()? {
        Kind::Null => reader.skip()?,
        Kind::String => request.tool_choice = Some(word(reader, 0)?),
        _ => {
            let mut choice = Members::read(reader, 0)?;
            let kind = choice.need("type")?;
            let at = kind.at;
            match &*kind.string()? {
                "function" => {
                    request.tool_choice = Some(ToolChoice::Named(choice.need("name").and_then(Member::string)?));
                }
                "allowed_tools" => return allowed(choice).map(Some),
                other => return Err(Fault::unknown(at, format!("the target has no tools of type {other:?}"))),
            }
        }
    }
    Ok(None)
}

pub(in crate::responses) fn word<'a>(reader: &mut Reader<'a>, base: usize) -> Result<ToolChoice<'a>, Fault> {
    reader.peek()?;
    let start = base + reader.at();
    match &*reader.string()? {
        "auto" => Ok(ToolChoice::Auto),
        "required" => Ok(ToolChoice::Required),
        "none" => Ok(ToolChoice::None),
        other => Err(Fault::unknown(start, format!("the choice {other:?} is not known"))),
    }
}

fn allowed(mut choice: Members<'_>) -> Result<Allowed<'_>, Fault> {
    let mode = choice.need("mode")?.value(|reader| word(reader, 0))?;
    let mut names = Vec::new();
    choice.need("tools")?.items(|reader, base| {
        let mut tool = Members::read(reader, base)?;
        let kind = tool.need("type")?.string()?;
        if kind != "function" {
            return Err(Fault::unknown(tool.at, format!("the target has no tools of type {kind:?}")));
        }
        names.push(tool.need("name")?.string()?);
        Ok(())
    })?;
    Ok(Allowed { names, choice: mode })
}
