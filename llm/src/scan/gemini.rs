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
        scan.reasons =
            budget || thinking.raw("thinkingLevel").is_some() || thinking.bool("includeThoughts")? == Some(true);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::call::{Call, Form, InPath, Operation};
    use crate::scan::scan;
    use crate::{Dialect, Error, splice};

    fn scanned(form: Form, body: &str) -> Result<Box<Scan>, Error> {
        let path = Some(InPath { model: "smart".into(), form });
        scan(&Call { dialect: Dialect::Gemini, operation: Operation::Chat, path }, body.as_bytes())
    }

    fn seen(body: &str) -> Box<Scan> {
        scanned(Form::Whole, body).unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    #[test]
    fn gemini_s_governed_members_are_read_in_either_spelling() {
        let older = r#"{"generation_config":{"max_output_tokens":5,"candidate_count":2,"response_mime_type":"application/json",
            "thinking_config":{"thinking_level":"LOW"}},"tools":{"google_search":{}},"service_tier":"flex"}"#;
        let newer = r#"{"generationConfig":{"maxOutputTokens":5,"candidateCount":2,"responseSchema":{},
            "thinkingConfig":{"thinkingBudget":-1}},"tools":[{}],"serviceTier":"flex"}"#;
        for body in [older, newer] {
            let seen = seen(body);
            assert_eq!(
                (seen.max_tokens, seen.choices, seen.service_tier.as_deref()),
                (Some(5), 2, Some("flex")),
                "{body}"
            );
            assert!(seen.tools && seen.structured && seen.reasons, "{body}");
        }
        let plain = seen(
            r#"{"generationConfig":{"responseMimeType":"text/plain","thinkingConfig":{"thinkingBudget":0}},"tools":[]}"#,
        );
        assert!(!(plain.tools || plain.structured || plain.reasons));
    }

    #[test]
    fn model_and_stream_are_in_the_path() {
        for (form, stream) in [(Form::Whole, false), (Form::Events, true), (Form::Array, true)] {
            let seen = scanned(form, r#"{"model":"models/other"}"#).expect("must be a request");
            assert_eq!((seen.model.as_str(), seen.stream), ("smart", stream));
        }
    }

    #[test]
    fn a_governed_member_given_twice_in_two_spellings_is_a_400() {
        let rows = [
            (r#"{"generationConfig":{},"generation_config":{}}"#, "generation_config"),
            (r#"{"contents":[],"contents":[]}"#, "contents"),
            (r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}"#, "generationConfig"),
            (r#"{"generationConfig":{"candidateCount":0}}"#, "generationConfig.candidateCount"),
            (r#"{"generationConfig":{"maxOutputTokens":"x"}}"#, "generationConfig.maxOutputTokens"),
        ];
        for (body, place) in rows {
            let error = scanned(Form::Whole, body).expect_err(body);
            assert_eq!((error.status(), error.param()), (400, Some(place)), "{body}");
        }
    }

    #[test]
    fn base64_in_either_alphabet_is_no_text_and_pictures_are_counted() {
        let data = "iVBORw0KGgo-_w".repeat(20);
        for (outer, inner) in [("inlineData", "mimeType"), ("inline_data", "mime_type")] {
            let part = json!({outer: {inner: "image/png", "data": data}});
            let body = json!({"contents": [{"parts": [part, {"text": "héy", "thoughtSignature": data}]}]});
            let seen = seen(&body.to_string());
            assert_eq!((seen.text_bytes, seen.media), ("image/png".len() + "héy".len(), 1));
        }
    }

    #[test]
    fn references_to_what_google_keeps_are_found_and_addresses_of_others_are_none() {
        let file = |uri: &str| json!({"contents": [{"parts": [{"file_data": {"file_uri": uri}}]}]}).to_string();
        let kept = file("https://generativelanguage.googleapis.com/v1beta/files/1");
        let rows = [
            (r#"{"cached_content":"cachedContents/1"}"#.to_owned(), Some("cached_content")),
            (
                r#"{"tools":[{"fileSearch":{"fileSearchStoreNames":["a"]}}]}"#.to_owned(),
                Some("tools[0].fileSearch.fileSearchStoreNames"),
            ),
            (kept.replace('/', "\\/"), Some("contents[0].parts[0].file_data.file_uri")),
            (kept, Some("contents[0].parts[0].file_data.file_uri")),
            (file("https://example.com/a.png"), None),
            (
                r#"{"contents":[{"parts":[{"functionCall":{"name":"f","args":{"cachedContent":"x"}}}]}]}"#.to_owned(),
                None,
            ),
        ];
        for (body, place) in rows {
            assert_eq!(seen(&body).state.as_deref(), place, "{body}");
        }
    }

    #[test]
    fn signatures_of_other_providers_are_taken_out_and_gemini_s_own_stay() {
        let foreign = crate::gemini::signature("sig");
        let body = format!(
            r#"{{"contents":[{{"parts":[{{"text":"a","thoughtSignature": "{foreign}"}},{{"text":"b","thought_signature":"QUJD"}}]}}]}}"#
        );
        let edits = seen(&body).own_signatures().collect();
        let after = splice::apply(&Bytes::from(body.clone()), edits).concat();
        assert_eq!(String::from_utf8_lossy(&after), body.replace(&foreign, crate::gemini::NO_SIGNATURE));
    }
}
