use super::Schemas;
use crate::json::{Fault, Member, Members, Reader};
use crate::neutral::{Extra, OtherTool, Raw, Request, Text, Tool, ToolChoice};

const CALLING: &str = "toolConfig.functionCallingConfig";
/// The member of a request that keeps which functions may be called, if not all.
pub(super) const ALLOWED: &str = "toolConfig.functionCallingConfig.allowedFunctionNames";

/// Reads `tools`: functions, and tools that Google runs. One item may hold both.
pub(super) fn read<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>, schemas: &'a Schemas) -> Result<(), Fault> {
    let mut index = 0;
    reader.each(|reader| {
        let mut tool = Members::read_camel(reader, 0)?;
        if let Some(functions) = tool.take("functionDeclarations") {
            functions.each(|reader, base| {
                request.tools.push(function(Members::read_camel(reader, base)?, schemas)?);
                Ok(())
            })?;
        }
        let other = |Extra { name, value }| OtherTool { index, kind: name, value };
        request.other_tools.extend(tool.rest().into_iter().map(other));
        index += 1;
        Ok::<(), Fault>(())
    })
}

fn function<'a>(mut function: Members<'a>, schemas: &'a Schemas) -> Result<Tool<'a>, Fault> {
    let name = function.need("name")?.string()?;
    let description = function.string("description")?;
    let newer = function.take("parametersJsonSchema").map(Member::object).transpose()?;
    let older = function.take("parameters");
    let mut extra = function.rest();
    let older = older.map(|older| {
        let (at, given) = (older.at, older.object()?);
        extra.push(Extra { name: "parameters".into(), value: given });
        Ok::<_, Fault>(schemas.at(at).unwrap_or(given))
    });
    let parameters = newer.or(older.transpose()?);
    Ok(Tool { name, description, parameters, strict: None, cache: None, extra })
}

/// Reads `toolConfig`.
pub(super) fn config<'a>(reader: &mut Reader<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    let mut config = Members::read_camel(reader, 0)?;
    if let Some(calling) = config.take("functionCallingConfig") {
        choice(calling.camel_members()?, request)?;
    }
    request.extra.extend(config.rest_in("toolConfig"));
    Ok(())
}

/// `VALIDATED` is `AUTO` with arguments that fit the schema, which no other dialect has as a choice.
fn choice<'a>(mut calling: Members<'a>, request: &mut Request<'a>) -> Result<(), Fault> {
    let mut allowed: Vec<Text<'a>> = Vec::new();
    let given = ["mode", "allowedFunctionNames"].map(|name| calling.raw_extra(CALLING, name));
    request.extra.extend(given.into_iter().flatten());
    if let Some(names) = calling.take("allowedFunctionNames") {
        names.each(|reader, _| {
            allowed.push(reader.string()?);
            Ok(())
        })?;
    }
    let Some(mode) = calling.take("mode") else {
        request.extra.extend(calling.rest_in(CALLING));
        return Ok(());
    };
    let at = mode.at;
    request.tool_choice = match (&*mode.string()?, &allowed[..]) {
        ("MODE_UNSPECIFIED", _) => None,
        ("AUTO" | "VALIDATED", _) => Some(ToolChoice::Auto),
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", [only]) => Some(ToolChoice::Named(only.clone())),
        ("ANY", _) => Some(ToolChoice::Required),
        (other, _) => return Err(Fault::unknown(at, format!("the mode {other:?} is not known"))),
    };
    request.extra.extend(calling.rest_in(CALLING));
    Ok(())
}

/// The names in a list that was read before.
pub(super) fn names(list: Raw<'_>) -> Vec<Text<'_>> {
    let mut names = Vec::new();
    // It is a list of strings, or it would not have got here.
    let _: Result<(), Fault> = Reader::of(list.0).each(|reader| {
        names.push(reader.string()?);
        Ok(())
    });
    names
}
