use super::{schema, unsupported};
use crate::Error;
use crate::json::Writer;
use crate::neutral::{Request, Tool, ToolChoice};
use crate::translate::{Dropped, Names, SUFFIX, Target, rename_tools};

/// The longest name that every model takes.
const MAX_NAME: usize = 64;

/// Names for tools whose own ones Gemini does not take.
pub(super) fn rename(request: &Request<'_>) -> Names {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    rename_tools(request, is_name, |name| {
        let mut plain = name.replace(odd, "_");
        if !plain.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            plain.insert(0, '_');
        }
        plain.truncate(MAX_NAME - SUFFIX);
        plain
    })
}

/// Letters, digits, `_`, `-` and `.`, led by a letter or `_`.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// All functions in one tool, and which of them are called.
pub(super) fn write(
    w: &mut Writer<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    names: &Names,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    if matches!(request.tool_choice, Some(ToolChoice::Other(_))) {
        return Err(unsupported("tool_choice", "only auto, none, required and one function"));
    }
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        dropped.add("parallel_tool_calls");
    }
    if request.tools.is_empty() {
        return Ok(());
    }
    w.key("tools").array(|w| {
        w.object(|w| {
            w.key("functionDeclarations")
                .array(|w| request.tools.iter().try_for_each(|tool| declare(w, tool, target, names, dropped)))
        })
    })?;
    let (mode, only) = match &request.tool_choice {
        None | Some(ToolChoice::Other(_)) => return Ok(()),
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::Named(name)) => ("ANY", Some(names.sent_name(name))),
    };
    w.key("toolConfig").object(|w| {
        w.key("functionCallingConfig").object(|w| {
            w.key("mode").string(mode);
            match only {
                Some(name) => w.key("allowedFunctionNames").array(|w| {
                    w.string(name);
                    Ok(())
                }),
                None => Ok(()),
            }
        })
    })
}

fn declare(
    w: &mut Writer<'_>,
    tool: &Tool<'_>,
    target: &Target<'_>,
    names: &Names,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    if tool.strict == Some(true) {
        dropped.add("tools.strict");
    }
    w.object(|w| {
        w.key("name").string(names.sent_name(&tool.name));
        if let Some(description) = tool.description.as_deref().filter(|text| !text.is_empty()) {
            w.key("description").string(description);
        }
        match tool.parameters {
            Some(parameters) if schema::says_nothing(parameters.0) => {}
            Some(parameters) if target.facts.json_schema => w.key("parametersJsonSchema").raw(parameters.0),
            Some(parameters) => w.key("parameters").raw(&schema::plain(parameters.0)),
            None => {}
        }
        Ok(())
    })
}
