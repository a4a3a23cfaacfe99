//! What an OpenAI request becomes. The names say the rules; the bodies are what Gemini's reference takes.

mod config;
mod tools;

use serde_json::{Value, json};

use crate::facts::Provider;
use crate::translate::{Emitted, bed};
use crate::{Dialect, Error};

/// No thinking, schemas in the older spelling, penalties.
const OLD: &str = "gemini-2.0-flash";
/// Thinks with a budget, takes JSON schemas.
const FLASH: &str = "gemini-2.5-flash";
const PRO: &str = "gemini-2.5-pro";
/// Thinks by level, wants its signatures back.
const NEWER: &str = "gemini-3.1-pro-preview";
/// Takes no sampling parameters.
const NEWEST: &str = "gemini-4-argon";

fn emit(model: &str, members: &Value) -> Result<Emitted, Error> {
    bed::emit(Dialect::OpenAI, &bed::question(members), (Dialect::Gemini, Provider::Gemini), model)
}

/// The body that is sent for these members, and the names of the hints that were left out.
fn sent_with_drops(model: &str, members: &Value) -> (Value, Vec<String>) {
    bed::sent(emit(model, members))
}

fn sent(model: &str, members: &Value) -> Value {
    sent_with_drops(model, members).0
}

/// The contents that are sent for these messages.
fn contents(messages: &Value) -> Value {
    sent(FLASH, &json!({"messages": messages}))["contents"].clone()
}

fn said(role: &str, words: &[&str]) -> Value {
    json!({"role": role, "parts": words.iter().map(|word| json!({"text": word})).collect::<Vec<_>>()})
}

#[test]
fn model_and_stream_are_not_in_the_body() {
    let body = sent(FLASH, &json!({"stream": true, "stream_options": {"include_usage": true}}));
    assert_eq!(body, json!({"contents": [said("user", &["hi"])]}));
}

#[test]
fn roles_are_user_and_model_and_neighbours_merge() {
    let messages = json!([
        {"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c"}, {"role": "assistant", "content": ""},
        {"role": "assistant", "content": null, "refusal": "no"}, {"role": "user", "content": "d"},
    ]);
    assert_eq!(
        contents(&messages),
        json!([said("user", &["a", "b"]), said("model", &["c", "no"]), said("user", &["d"])])
    );
}

#[test]
fn leading_system_messages_are_the_system_instruction_and_later_ones_are_said_by_the_user() {
    let messages = json!([{"role": "system", "content": "be kind"}, {"role": "developer", "content": "be short"},
        {"role": "user", "content": "a"}, {"role": "system", "content": "now"}]);
    let body = sent(FLASH, &json!({"messages": messages}));
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "be kind"}, {"text": "be short"}]}));
    assert_eq!(body["contents"], json!([said("user", &["a", "<system>\nnow\n</system>"])]));
}

#[test]
fn a_conversation_of_only_system_text_gets_a_user_part() {
    let body = sent(FLASH, &json!({"messages": [{"role": "system", "content": "write a poem"}]}));
    assert_eq!(body["contents"], json!([said("user", &["Go on."])]));
}

#[test]
fn the_model_never_speaks_first_or_last() {
    let turns = contents(&json!([{"role": "assistant", "content": "Once"}]));
    assert_eq!(turns[0], said("user", &["Go on."]));
    assert_eq!((&turns[1], turns[2]["role"].as_str()), (&said("model", &["Once"]), Some("user")));
}

#[test]
fn images_are_inline_data_or_file_data() {
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let file = |data: &str| json!({"type": "file", "file": {"file_data": data}});
    let rows = [
        (image("data:image/png;base64,QUJD"), json!({"inlineData": {"mimeType": "image/png", "data": "QUJD"}})),
        (
            image("https://x/cat.JPG?size=1"),
            json!({"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x/cat.JPG?size=1"}}),
        ),
        (image("https://x/cat"), json!({"fileData": {"fileUri": "https://x/cat"}})),
        (file("JVBERi0x"), json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0x"}})),
    ];
    for (part, expected) in rows {
        assert_eq!(contents(&json!([{"role": "user", "content": [part]}]))[0]["parts"][0], expected);
    }
}

#[test]
fn thoughts_are_not_sent_back() {
    let thinking = json!([{"type": "thinking", "thinking": "hm", "signature": "of another provider"}]);
    let messages = json!([{"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "thinking_blocks": thinking}, {"role": "user", "content": "c"}]);
    assert_eq!(contents(&messages)[1], said("model", &["b"]));
}

#[test]
fn what_gemini_cannot_express_is_refused_with_the_name_of_the_field() {
    let video = json!({"type": "video_url", "video_url": {"url": "https://a/b.mp4"}});
    let tool = json!({"type": "function", "function": {"name": "f"}});
    let rows = [
        (json!({"n": 2}), "n"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (json!({"web_search_options": {"x": 1}}), "web_search_options"),
        (json!({"functions": [{"name": "f"}]}), "functions"),
        (json!({"tools": [{"type": "custom", "custom": {"name": "x"}}]}), "tools[0]"),
        (json!({"tools": [tool], "tool_choice": {"type": "allowed_tools"}}), "tool_choice"),
        (json!({"tools": [tool], "response_format": {"type": "json_object"}}), "response_format"),
        (json!({"messages": [{"role": "user", "content": [video]}]}), "messages[0]"),
    ];
    for (members, field) in rows {
        let error = emit(FLASH, &members).expect_err("must be refused");
        assert_eq!((error.status(), error.param()), (422, Some(field)), "{members}");
    }
}

#[test]
fn sound_is_inline_data_of_its_type() {
    let sound = json!({"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}});
    let body = sent(FLASH, &json!({"messages": [{"role": "user", "content": [sound]}]}));
    assert_eq!(body["contents"][0]["parts"][0], json!({"inlineData": {"mimeType": "audio/mp3", "data": "SUQz"}}));
}
