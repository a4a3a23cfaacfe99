use super::{Key, Scan};
use crate::json::{Fault, Members, Reader, camel};

/// The governed key of that name, in either spelling. The rest is said by the path or is the provider's business.
pub(super) fn key(name: &str) -> Option<Key> {
    Some(match &*camel(name.into()) {
        "contents" => Key::Messages,
        "systemInstruction" => Key::System,
        "tools" => Key::Tools,
        "generationConfig" => Key::GenerationConfig,
        "serviceTier" => Key::ServiceTier,
        "store" => Key::Store,
        "model" => Key::Model,
        _ => return None,
    })
}

/// Reads what is governed of a `generationConfig`, which stands at that offset.
pub(super) fn config(scan: &mut Scan, config: &str, at: usize) -> Result<(), Fault> {
    if config == "null" {
        return Ok(());
    }
    let whole = |fault: Fault| Fault { at: at + fault.at, ..fault };
    let mut config = Members::read_camel(&mut Reader::of(config), 0).map_err(whole)?;
    read(scan, &mut config).map_err(whole)
}

fn read(scan: &mut Scan, config: &mut Members<'_>) -> Result<(), Fault> {
    for name in ["maxOutputTokens", "candidateCount"] {
        if config.names().filter(|given| *given == name).count() > 1 {
            return Err(Fault::new(config.at, format!("{name} is given twice")));
        }
    }
    scan.max_tokens = config.value("maxOutputTokens", Reader::unsigned)?;
    if let Some(count) = config.take("candidateCount") {
        let at = count.at;
        scan.choices = count.value(Reader::unsigned)?;
        if !(1..=128).contains(&scan.choices) {
            return Err(Fault::new(at, "candidateCount must be from 1 to 128"));
        }
    }
    let form = config.string("responseMimeType")?.is_some_and(|form| !matches!(&*form, "" | "text/plain"));
    scan.structured = form || config.names().any(|name| matches!(name, "responseSchema" | "responseJsonSchema"));
    if let Some(thinking) = config.take("thinkingConfig") {
        let mut thinking = thinking.camel_members()?;
        let budget = thinking.raw("thinkingBudget").is_some_and(|budget| budget.0 != "0");
        scan.reasons = budget || thinking.raw("thinkingLevel").is_some() || thinking.bool("includeThoughts")? == Some(true);
    }
    Ok(())
}
