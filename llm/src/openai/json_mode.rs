//! Servers that bind an answer to JSON, but to no schema: they are told it in the prompt.

use super::request;
use crate::json::{Reader, Writer};
use crate::neutral::{Output, Raw, Request};
use crate::schema::JSON_ONLY;
use crate::translate::{Dropped, Target};

/// All the form that can be demanded of them.
pub(crate) const FORMAT: &str = r#"{"type":"json_object"}"#;

/// What such a server is told, and that its word is all there is for the schema. JSON is refused where no message has the
/// word: api-docs.deepseek.com/guides/json_mode. A forced tool is no way there: models that think refuse it.
pub(super) fn told_for(request: &Request<'_>, target: &Target<'_>, dropped: &mut Dropped) -> Option<String> {
    if target.facts.json_schema {
        return None;
    }
    match request.output.as_ref()? {
        Output::Text => None,
        Output::JsonObject => Some(JSON_ONLY.to_owned()),
        Output::JsonSchema { schema, .. } => {
            dropped.add("response_format");
            Some(told(*schema))
        }
    }
}

/// The message that takes the place of a schema, by a client's own `response_format`. `None` if that has no schema.
pub(crate) fn instead(format: &[u8]) -> Option<Vec<u8>> {
    let Output::JsonSchema { schema, .. } = request::output(&mut Reader::new(format).ok()?).ok()? else {
        return None;
    };
    let mut written = Vec::new();
    message(&mut Writer::new(&mut written), &told(schema));
    Some(written)
}

/// Writes it as the message before all others.
pub(super) fn message(w: &mut Writer<'_>, text: &str) {
    let said: Result<(), crate::Error> = w.object(|w| {
        w.key("role").string("system");
        w.key("content").string(text);
        Ok(())
    });
    said.expect("must be written: nothing in it can fail");
}

fn told(schema: Option<Raw<'_>>) -> String {
    match schema {
        Some(schema) => format!("{JSON_ONLY} It must be valid by this JSON schema:\n{}", schema.0),
        None => JSON_ONLY.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::call::Call;
    use crate::compatible::{Manners, Server};
    use crate::facts::{Facts, Provider};
    use crate::{Dialect, scan, splice, translate};

    fn target() -> Target<'static> {
        let facts = Facts::of(Provider::OpenAICompatible, "m").at(&Manners::of(Server::DeepSeek));
        Target { dialect: Dialect::OpenAI, model: "m", facts, ask_for_usage: false }
    }

    fn translated(from: Dialect, body: &Value) -> (Value, Vec<String>) {
        let emitted = translate::request(from, body.to_string().as_bytes(), &target()).expect("must be translated");
        let dropped = emitted.dropped.iter().map(ToString::to_string).collect();
        (serde_json::from_slice(&emitted.body).expect("must be JSON"), dropped)
    }

    fn spliced(body: &str) -> String {
        let scan = scan::scan(&Call::chat(Dialect::OpenAI), body.as_bytes()).expect("must be a request");
        let edits = scan.tell_schema(body.as_bytes()).into_iter().flatten().collect();
        let pieces = splice::apply(&Bytes::copy_from_slice(body.as_bytes()), edits);
        String::from_utf8(pieces.concat()).expect("must be UTF-8")
    }

    /// What is told of `{"type":"object"}`.
    const TOLD: &str =
        "Answer with one JSON object and nothing else. It must be valid by this JSON schema:\n{\"type\":\"object\"}";

    #[test]
    fn a_schema_is_told_in_the_prompt_of_a_server_that_knows_json_only_and_named_as_dropped() {
        let messages = json!([{"role": "user", "content": "hi"}]);
        let schema = json!({"type": "object"});
        let chat = json!({"model": "m", "messages": messages,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});
        let responses = json!({"model": "m", "input": "hi",
            "text": {"format": {"type": "json_schema", "name": "n", "schema": schema}}});
        let anthropic = json!({"model": "m", "max_tokens": 9, "messages": messages,
            "output_config": {"format": {"type": "json_schema", "schema": schema}}});
        for (from, body) in
            [(Dialect::OpenAI, &chat), (Dialect::Responses, &responses), (Dialect::Anthropic, &anthropic)]
        {
            let (sent, dropped) = translated(from, body);
            assert_eq!(sent["response_format"], json!({"type": "json_object"}), "{from:?}");
            assert_eq!(sent["messages"][0], json!({"role": "system", "content": TOLD}), "{from:?}");
            assert_eq!((&sent["messages"][1]["content"], dropped.len()), (&json!("hi"), 1), "{from:?} {dropped:?}");
        }
        let spliced: Value = serde_json::from_str(&spliced(&chat.to_string())).expect("must be JSON");
        assert_eq!(spliced, translated(Dialect::OpenAI, &chat).0, "passed through it says the same");
    }

    #[test]
    fn json_without_a_schema_is_asked_for_by_its_name_too_and_nothing_is_dropped() {
        let body = json!({"model": "m", "messages": [], "response_format": {"type": "json_object"}});
        let (sent, dropped) = translated(Dialect::OpenAI, &body);
        assert_eq!(sent["messages"][0]["content"], JSON_ONLY);
        assert!(dropped.is_empty(), "{dropped:?}");
    }

    #[test]
    fn a_body_without_a_schema_passes_through_as_it_came_and_one_without_messages_stays_json() {
        for same in [
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
            r#"{"model":"m","messages":[],"response_format":{"type":"json_object"}}"#,
            r#"{"model":"m","messages":[],"response_format":{"type":"text"}}"#,
            r#"{"model":"m","messages":[],"response_format":{"type":"new"}}"#,
            r#"{"model":"m","messages":[],"response_format":null}"#,
        ] {
            assert_eq!(spliced(same), same);
        }
        let empty = spliced(r#"{"model":"m","messages":[ ],"response_format":{"type":"json_schema"}}"#);
        let empty: Value = serde_json::from_str(&empty).expect("must be JSON");
        assert_eq!(empty["messages"], json!([{"role": "system", "content": JSON_ONLY}]));
    }
}
