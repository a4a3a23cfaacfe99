//! What a message request means. The names say the rules; the bodies are what Anthropic's reference takes.

mod openai;
mod rich;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::parse_request;
use crate::neutral::{
    Extra, Media, MediaKind, Message, Output, Part, Raw, Reasoning, Request, Role, Source, Text, ToolChoice,
};
use crate::{Dialect, Error};

/// The smallest request with these members.
fn body(members: &Value) -> String {
    let mut request = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let object = request.as_object_mut().expect("must be an object");
    object.extend(members.as_object().expect("must be members").clone());
    request.to_string()
}

fn parsed(body: &str) -> Request<'_> {
    parse_request(body.as_bytes()).unwrap_or_else(|fault| panic!("{body}: {fault:?}"))
}

fn refused(body: &str) -> Error {
    let fault = parse_request(body.as_bytes()).expect_err("must be refused");
    Error::in_request(body.as_bytes(), &fault)
}

fn plain(role: Role, text: &'static str) -> Message<'static> {
    Message { role, parts: vec![Part::text(text.into())], plain: true, extra: Vec::new() }
}

fn extra(name: &'static str, value: &'static str) -> Extra<'static> {
    Extra { name: Text::Borrowed(name), value: Raw(value) }
}

#[test]
fn the_smallest_request_is_one_message_and_its_streams_tell_the_usage() {
    let body = body(&json!({}));
    let mut expected = Request::new(Dialect::Anthropic);
    expected.model = "m".into();
    expected.max_tokens = Some(9);
    expected.messages = vec![plain(Role::User, "hi")];
    expected.include_usage = Some(true);
    assert_eq!(parsed(&body), expected);
}

#[test]
fn a_system_prompt_leads_the_conversation_wherever_it_stands() {
    let text = body(&json!({"system": "be brief"}));
    assert_eq!(parsed(&text).messages, [plain(Role::System, "be brief"), plain(Role::User, "hi")]);
    let after = r#"{"messages":[],"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"model":"m","max_tokens":1}"#;
    let system = &parsed(after).messages[0];
    let cache = Some(Raw(r#"{"type":"ephemeral"}"#));
    let first = Part::Text { text: "a".into(), cache, citations: Vec::new(), extra: Vec::new() };
    assert_eq!((system.role, &system.parts[..]), (Role::System, &[first, Part::text("b".into())][..]));
    assert_eq!(parsed(&body(&json!({"system": []}))).messages.len(), 1);
}

#[test]
fn settings_are_read_one_by_one() {
    let body = body(&json!({"temperature": 0.50, "top_p": 1, "top_k": 3, "stop_sequences": ["a", ""], "stream": true,
        "metadata": {"user_id": "u", "team": 7}, "service_tier": "auto", "container": null}));
    let request = parsed(&body);
    assert_eq!(request.sampling.temperature, Some("0.5"));
    assert_eq!((request.sampling.top_p, request.sampling.top_k), (Some("1"), Some("3")));
    assert_eq!((request.stop, request.stop_is_text, request.stream), (vec!["a".into(), "".into()], false, true));
    assert_eq!(request.user.as_deref(), Some("u"));
    assert_eq!(request.extra, [extra("metadata.team", "7"), extra("service_tier", "\"auto\"")]);
}

#[test]
fn thinking_and_effort_are_how_much_to_reason() {
    let effort = || Some(Reasoning::Effort("low".into()));
    let beside = || vec![extra("output_config.effort", "\"low\"")];
    let low = json!({"effort": "low"});
    let rows = [
        (json!({}), None, vec![]),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}), Some(Reasoning::Budget(2048)), vec![]),
        (json!({"thinking": {"type": "disabled"}}), Some(Reasoning::Off), vec![]),
        (json!({"thinking": {"type": "adaptive"}}), Some(Reasoning::Adaptive), vec![]),
        (json!({"output_config": low}), effort(), vec![]),
        (json!({"thinking": {"type": "adaptive"}, "output_config": low}), effort(), vec![]),
        (json!({"thinking": {"type": "disabled"}, "output_config": low}), Some(Reasoning::Off), beside()),
        (json!({"thinking": null, "output_config": null}), None, vec![]),
        (
            json!({"thinking": {"type": "adaptive", "display": "omitted"}}),
            Some(Reasoning::Adaptive),
            vec![extra("thinking.display", "\"omitted\"")],
        ),
    ];
    for (members, reasoning, extra) in rows {
        let body = body(&members);
        let request = parsed(&body);
        assert_eq!((request.reasoning, request.extra), (reasoning, extra), "{members}");
    }
}

#[test]
fn a_schema_for_the_answer_is_read_by_its_name_of_today_and_that_of_its_beta() {
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    for members in [json!({"output_config": {"format": format}}), json!({"output_format": format})] {
        let body = body(&members);
        let schema = Some(Raw(r#"{"type":"object"}"#));
        let expected = Output::JsonSchema { name: "answer".into(), description: None, schema, strict: None };
        assert_eq!(parsed(&body).output, Some(expected));
    }
}

#[test]
fn tool_choice_says_which_tool_and_how_many() {
    let rows = [
        (json!({"type": "auto"}), ToolChoice::Auto, None),
        (json!({"type": "any", "disable_parallel_tool_use": true}), ToolChoice::Required, Some(false)),
        (json!({"type": "tool", "name": "f"}), ToolChoice::Named("f".into()), None),
        (json!({"disable_parallel_tool_use": false, "type": "none"}), ToolChoice::None, None),
    ];
    for (choice, expected, parallel) in rows {
        let body = body(&json!({"tool_choice": choice}));
        let request = parsed(&body);
        assert_eq!((request.tool_choice, request.parallel_tool_calls), (Some(expected), parallel), "{choice}");
    }
}

#[test]
fn the_client_s_tools_are_functions_and_the_provider_s_are_kept_in_their_place() {
    let body = body(&json!({"tools": [
        {"name": "a", "description": "does", "input_schema": {"type": "object"}, "strict": true, "defer_loading": true},
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "custom", "name": "b", "input_schema": {}, "cache_control": {"type": "ephemeral"}},
    ]}));
    let request = parsed(&body);
    let [a, b] = &request.tools[..] else { panic!("must be two: {:?}", request.tools) };
    assert_eq!((&*a.name, a.description.as_deref(), a.strict), ("a", Some("does"), Some(true)));
    assert_eq!(
        (a.parameters, &a.extra[..]),
        (Some(Raw(r#"{"type":"object"}"#)), &[extra("defer_loading", "true")][..])
    );
    assert_eq!((&*b.name, b.cache.is_some(), &b.extra[..]), ("b", true, &[extra("type", "\"custom\"")][..]));
    let other = &request.other_tools[0];
    assert_eq!((other.index, &*other.kind), (1, "web_search_20250305"));
}

#[test]
fn results_of_tools_are_messages_of_their_own_before_the_rest_of_their_turn() {
    let body = body(&json!({"messages": [
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "zz"},
            {"type": "text", "text": "so", "citations": []},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "t2", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "text", "text": "and"},
            {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
            {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": [{"type": "text", "text": "two"}]},
            {"type": "text", "text": "go on"}]},
    ]}));
    let request = parsed(&body);
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::Assistant, Role::Tool, Role::Tool, Role::User]);
    let said = &request.messages[0].parts;
    assert_eq!(said[0], Part::Reasoning { text: "hm".into(), signature: Some("sig".into()) });
    assert_eq!(said[1], Part::RedactedReasoning("zz".into()));
    assert!(matches!(&said[2], Part::Text { extra, .. } if extra[0].name == "citations"));
    assert!(matches!(&said[3], Part::ToolCall(call) if call.id == "t1" && call.arguments == r#"{"a":1}"#));
    let result = |call: &'static str, text: &'static str, plain, is_error| Part::ToolResult {
        call: call.into(),
        parts: vec![Part::text(text.into())],
        plain,
        is_error,
        cache: None,
        extra: Vec::new(),
    };
    assert_eq!(request.messages[1].parts, [result("t1", "one", true, false)]);
    assert_eq!(request.messages[2].parts, [result("t2", "two", false, true)]);
    assert_eq!(request.messages[3].parts, [Part::text("and".into()), Part::text("go on".into())]);
}

#[test]
fn pictures_and_documents_are_read_from_every_source_that_is_known() {
    let png = json!({"type": "base64", "media_type": "image/png", "data": "iVBO"});
    let bytes = || Source::Base64 { media_type: "image/png".into(), data: "iVBO".into() };
    let piece = || Part::text("p".into());
    let rows = [
        ("image", png, bytes()),
        ("image", json!({"type": "url", "url": "https://x/y"}), Source::Url("https://x/y".into())),
        ("image", json!({"type": "file", "file_id": "file_1"}), Source::File("file_1".into())),
        ("document", json!({"type": "text", "media_type": "text/plain", "data": "d"}), Source::Text("d".into())),
        ("document", json!({"type": "content", "content": "p"}), Source::Pieces { parts: vec![piece()], plain: true }),
        (
            "document",
            json!({"type": "content", "content": [{"type": "text", "text": "p"}]}),
            Source::Pieces { parts: vec![piece()], plain: false },
        ),
    ];
    for (of_type, source, expected) in rows {
        let block = json!({"type": of_type, "source": source, "cache_control": {"type": "ephemeral"}});
        let body = body(&json!({"messages": [{"role": "user", "content": [block]}]}));
        let kind = if of_type == "image" { MediaKind::Image } else { MediaKind::Document };
        let cache = Some(Raw(r#"{"type":"ephemeral"}"#));
        let media = Media { kind, source: expected, label: None, cache, extra: Vec::new() };
        assert_eq!(parsed(&body).messages[0].parts, [Part::Media(media)], "{source}");
    }
    let document = json!({"type": "document", "title": "t", "context": "c", "citations": {"enabled": true},
        "source": {"type": "url", "url": "u"}});
    let body = body(&json!({"messages": [{"role": "user", "content": [document]}]}));
    let request = parsed(&body);
    let Part::Media(media) = &request.messages[0].parts[0] else { panic!("must be media") };
    assert_eq!(media.label.as_deref(), Some("t"));
    assert_eq!(media.extra, [extra("citations", r#"{"enabled":true}"#), extra("context", "\"c\"")]);
}

#[test]
fn a_block_that_is_not_known_or_not_at_its_place_is_kept_as_it_is() {
    let nested = json!({"type": "tool_use", "id": "x", "name": "f", "input": {}});
    for block in [
        json!({"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}}),
        json!({"type": "image", "source": {"type": "hologram"}}),
        json!({"type": "tool_result", "tool_use_id": "t", "content": [nested]}),
    ] {
        let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]});
        let text = body(&json!({"messages": [call, {"role": "user", "content": [block]}]}));
        let request = parsed(&text);
        let kept = match &request.messages[1].parts[0] {
            Part::ToolResult { parts, .. } => &parts[0],
            part => part,
        };
        let Part::Unknown { origin: Dialect::Anthropic, value, .. } = kept else { panic!("must be kept: {kept:?}") };
        let expected = if block["type"] == "tool_result" { &nested } else { &block };
        assert_eq!(&serde_json::from_str::<Value>(value.0).expect("must be JSON"), expected);
    }
}

#[test]
fn what_is_malformed_is_a_400_that_names_the_place_and_what_is_not_known_a_422() {
    let content =
        |block: Value| json!({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}, block]}]});
    let rows = [
        (content(json!({"type": "text"})), 400, "messages[0].content[1]"),
        (content(json!({"type": "text", "text": 7})), 400, "messages[0].content[1].text"),
        (content(json!({"text": "x"})), 400, "messages[0].content[1]"),
        (content(json!("x")), 400, "messages[0].content[1]"),
        (content(json!({"type": "tool_result", "tool_use_id": "no"})), 400, "messages[0].content[1]"),
        (
            content(json!({"type": "tool_use", "id": "a", "name": "f", "input": "{}"})),
            400,
            "messages[0].content[1].input",
        ),
        (
            content(json!({"type": "image", "source": {"type": "base64", "media_type": "a", "data": "%"}})),
            400,
            "messages[0].content[1].source.data",
        ),
        (
            content(
                json!({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": 1}]}}),
            ),
            400,
            "messages[0].content[1].source.content[0].text",
        ),
        (json!({"messages": [{"role": "user"}]}), 400, "messages[0]"),
        (json!({"messages": [{"role": "user", "content": null}]}), 400, "messages[0].content"),
        (json!({"messages": [{"role": "robot", "content": ""}]}), 422, "messages[0].role"),
        (json!({"thinking": {"type": "enabled"}}), 400, "thinking"),
        (json!({"thinking": {"type": "enabled", "budget_tokens": -1}}), 400, "thinking.budget_tokens"),
        (json!({"thinking": {"type": "deep"}}), 422, "thinking.type"),
        (json!({"tool_choice": {"type": "tool"}}), 400, "tool_choice"),
        (json!({"tool_choice": {"type": "some"}}), 422, "tool_choice.type"),
        (json!({"tools": [{"name": "f"}]}), 400, "tools[0]"),
        (json!({"output_config": {"format": {"type": "xml"}}}), 422, "output_config.format.type"),
        (json!({"max_tokens": 1.5}), 400, "max_tokens"),
        (json!({"metadata": {"user_id": 7}}), 400, "metadata.user_id"),
    ];
    for (members, status, place) in rows {
        let error = refused(&body(&members));
        assert_eq!((error.status(), error.param()), (status, Some(place)), "{members}: {error}");
    }
}

#[test]
fn max_tokens_model_and_messages_are_missed_by_their_name() {
    for name in ["max_tokens", "model", "messages"] {
        let mut request: Value = serde_json::from_str(&body(&json!({}))).expect("must be JSON");
        request.as_object_mut().expect("must be an object").remove(name);
        let error = refused(&request.to_string());
        assert!(error.status() == 400 && error.to_string().contains(name), "{error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(cut in 0usize..4000, junk in any::<Vec<u8>>(), at in 0usize..4000) {
        let whole = rich::request().to_string().into_bytes();
        let _ = parse_request(&junk);
        let _ = parse_request(&whole[..cut.min(whole.len())]);
        let mut broken = whole.clone();
        let at = at.min(whole.len());
        broken.splice(at..at, junk);
        if let Err(fault) = parse_request(&broken) {
            prop_assert!(fault.at <= broken.len());
            Error::in_request(&broken, &fault);
        }
    }
}
