use crate::Error;
use crate::json::Writer;
use crate::neutral::{Request, Tool, ToolChoice};
use crate::translate::{Dropped, Names, unsupported};

/// Mistral demands a schema of every function.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

pub(super) fn write(
    w: &mut Writer<'_>,
    request: &Request<'_>,
    names: &Names,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    if request.tools.is_empty() {
        return Ok(());
    }
    w.key("tools").array(|w| request.tools.iter().try_for_each(|tool| declare(w, tool, names, dropped)))?;
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => w.key("tool_choice").string("auto"),
        Some(ToolChoice::Required) => w.key("tool_choice").string("required"),
        Some(ToolChoice::None) => w.key("tool_choice").string("none"),
        Some(ToolChoice::Named(name)) => w.key("tool_choice").object(|w| {
            w.key("type").string("function");
            w.key("function").object(|w| {
                w.key("name").string(names.sent_name(name));
                Ok::<(), Error>(())
            })
        })?,
        Some(ToolChoice::Other(_)) => {
            return Err(unsupported("tool_choice", "only auto, none, required and one function"));
        }
    }
    if let Some(parallel) = request.parallel_tool_calls {
        w.key("parallel_tool_calls").bool(parallel);
    }
    Ok(())
}

fn declare(w: &mut Writer<'_>, tool: &Tool<'_>, names: &Names, dropped: &mut Dropped) -> Result<(), Error> {
    tool.extra.iter().for_each(|extra| dropped.add(&extra.name));
    if tool.cache.is_some() {
        dropped.add("cache_control");
    }
    w.object(|w| {
        w.key("type").string("function");
        w.key("function").object(|w| {
            w.key("name").string(names.sent_name(&tool.name));
            if let Some(description) = &tool.description {
                w.key("description").string(description);
            }
            w.key("parameters").raw(tool.parameters.map_or(NO_ARGUMENTS, |parameters| parameters.0));
            if let Some(strict) = tool.strict {
                w.key("strict").bool(strict);
            }
            Ok(())
        })
    })
}
