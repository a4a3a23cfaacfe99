use super::Dropped;
use crate::neutral::{Extra, Message, Part, Request};
use crate::{Dialect, Error};

/// What a member of OpenAI's dialect, one that the neutral form does not know, means to a target that does not know it:
/// a hint is noted and left out, what changes the meaning is refused.
pub(crate) fn check_extra(extra: &Extra<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    let value = extra.value.0;
    let says_nothing = matches!(value, "0" | "0.0" | "false" | "{}" | "[]" | "\"\"");
    match &*extra.name {
        "seed" => dropped.add("seed"),
        _ if says_nothing => {}
        "modalities" if value.chars().filter(|c| !c.is_whitespace()).eq(r#"["text"]"#.chars()) => {}
        "modalities" => return Err(unsupported("modalities", "the target answers with text only")),
        "web_search_options" => return Err(unsupported("web_search_options", "the target has no such tool")),
        "functions" => return Err(unsupported("functions", "declare them as tools")),
        "function_call" => return Err(unsupported("function_call", "use tool_choice")),
        "service_tier" if matches!(value, r#""auto""# | r#""default""#) => {}
        // Sound comes with a modality only; storing is refused or allowed before a target is picked.
        "audio" | "store" => {}
        name => dropped.add(name),
    }
    Ok(())
}

/// Refuses what Anthropic keeps for its clients, for a target of another dialect. Routes mostly refuse it earlier.
pub(crate) fn refuse_kept(request: &Request<'_>) -> Result<(), Error> {
    let mut kept = request.extra.iter().filter(|extra| matches!(&*extra.name, "thread" | "container"));
    let Some(extra) = kept.next().filter(|_| request.origin == Dialect::Anthropic) else { return Ok(()) };
    Err(Error::Unsupported { field: extra.name.to_string().into(), reason: "the target keeps no state".into() })
}

/// Refuses tools that are no functions, for a target that has functions only.
pub(crate) fn refuse_other_tools(request: &Request<'_>) -> Result<(), Error> {
    let Some(tool) = request.other_tools.first() else { return Ok(()) };
    let reason = format!("the target has no tools of type {:?}", tool.kind);
    Err(Error::Unsupported { field: format!("tools[{}]", tool.index).into(), reason: reason.into() })
}

/// Refuses a message that holds, in itself or in a tool's result, a part that no other dialect knows.
pub(crate) fn refuse_unknown(message: &Message<'_>, index: usize) -> Result<(), Error> {
    let inner = |part: &'_ Part<'_>| matches!(part, Part::Unknown { .. });
    for part in &message.parts {
        let unknown = match part {
            Part::ToolResult { parts, .. } => parts.iter().find(|part| inner(part)),
            part => Some(part).filter(|part| inner(part)),
        };
        if let Some(Part::Unknown { kind, .. }) = unknown {
            let reason = format!("the target takes no parts of type {kind:?}");
            return Err(Error::Unsupported { field: format!("messages[{index}]").into(), reason: reason.into() });
        }
    }
    Ok(())
}

pub(crate) fn unsupported(field: &'static str, reason: &'static str) -> Error {
    Error::Unsupported { field: field.into(), reason: reason.into() }
}
