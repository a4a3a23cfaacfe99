use super::Dropped;
use crate::Error;
use crate::neutral::Extra;

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

pub(crate) fn unsupported(field: &'static str, reason: &'static str) -> Error {
    Error::Unsupported { field: field.into(), reason: reason.into() }
}
