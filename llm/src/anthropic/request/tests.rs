//! What an OpenAI request becomes. The names say the rules; the bodies are what Anthropic's reference takes.

mod media;
mod thinking;
mod tools;

use serde_json::{Value, json};

use crate::facts::{Facts, Provider};
use crate::translate::{self, Emitted, Target};
use crate::{Dialect, Error};

/// Continues a final assistant message, thinks with a budget when asked, knows no schemas and no system in between.
const SONNET: &str = "claude-sonnet-4-20250514";
/// The same, but temperature or top_p, and native schemas.
const HAIKU: &str = "claude-haiku-4-5";
/// Thinks as it sees fit, continues nothing.
const ADAPTIVE: &str = "claude-opus-4-6";
/// Takes system messages between the others and no sampling parameters.
const INLINE: &str = "claude-opus-4-8";
/// Always thinks; no tool can be forced.
const NEWEST: &str = "claude-opus-5-5";
/// Does not think, and its limits are not known.
const OLD: &str = "claude-3-5-haiku-20241022";

fn emit(model: &str, request: &Value) -> Result<Emitted, Error> {
    let facts = Facts::of(Provider::Anthropic, model);
    let target = Target { dialect: Dialect::Anthropic, model, facts, ask_for_usage: false };
    translate::request(Dialect::OpenAI, request.to_string().as_bytes(), &target)
}

/// The body that is sent for these members, and the names of the hints that were left out.
fn sent_with_drops(model: &str, members: &Value) -> (Value, Vec<String>) {
    let mut request = json!({"model": "alias", "messages": [{"role": "user", "content": "hi"}]});
    let object = request.as_object_mut().expect("must be an object");
    object.extend(members.as_object().expect("must be members").clone());
    let emitted = emit(model, &request).unwrap_or_else(|error| panic!("{request}: {error}"));
    let body = serde_json::from_slice(&emitted.body).expect("must be JSON");
    (body, emitted.dropped.iter().map(ToString::to_string).collect())
}

fn sent(model: &str, members: &Value) -> Value {
    sent_with_drops(model, members).0
}

fn refused(model: &str, members: &Value) -> Error {
    let mut request = json!({"model": "alias", "messages": [{"role": "user", "content": "hi"}]});
    let object = request.as_object_mut().expect("must be an object");
    object.extend(members.as_object().expect("must be members").clone());
    emit(model, &request).expect_err("must be refused")
}

/// Roles and contents of the messages that are sent.
fn turns(model: &str, messages: &Value) -> Value {
    sent(model, &json!({"messages": messages}))["messages"].clone()
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

#[test]
fn the_smallest_request_has_the_three_members_that_anthropic_demands() {
    let expected =
        json!({"model": HAIKU, "max_tokens": 64_000, "messages": [{"role": "user", "content": [text("hi")]}]});
    assert_eq!(sent(HAIKU, &json!({})), expected);
}

#[test]
fn max_tokens_is_the_model_s_own_maximum_when_the_client_gave_none_and_max_completion_tokens_wins() {
    let rows = [
        (HAIKU, json!({}), 64_000),
        (OLD, json!({}), 4096),
        (HAIKU, json!({"max_tokens": 10}), 10),
        (HAIKU, json!({"max_tokens": null, "max_completion_tokens": 11}), 11),
        (HAIKU, json!({"max_tokens": 10, "max_completion_tokens": 20}), 20),
        (HAIKU, json!({"max_completion_tokens": 20, "max_tokens": 10}), 20),
        (HAIKU, json!({"max_tokens": 1_000_000}), 64_000),
        (OLD, json!({"max_tokens": 8192}), 8192),
    ];
    for (model, members, expected) in rows {
        assert_eq!(sent(model, &members)["max_tokens"], expected, "{model} {members}");
    }
}

#[test]
fn leading_system_and_developer_messages_become_system_blocks_and_later_ones_keep_their_place() {
    let messages = json!([
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [text("b"), text(" ")]},
        {"role": "user", "content": "c"},
        {"role": "system", "content": "d"},
        {"role": "assistant", "content": "e"},
        {"role": "user", "content": "f"},
    ]);
    for (model, between) in [
        (SONNET, json!([{"role": "user", "content": [text("c"), text("<system>\nd\n</system>")]}])),
        (INLINE, json!([{"role": "user", "content": [text("c")]}, {"role": "system", "content": [text("d")]}])),
    ] {
        let body = sent(model, &json!({"messages": messages}));
        assert_eq!(body["system"], json!([text("a"), text("b")]));
        let mut expected = between;
        let rest =
            [json!({"role": "assistant", "content": [text("e")]}), json!({"role": "user", "content": [text("f")]})];
        expected.as_array_mut().expect("must be a list").extend(rest);
        assert_eq!(body["messages"], expected, "{model}");
    }
}

#[test]
fn a_system_message_stays_one_only_behind_a_user_s_turn_and_before_a_model_s() {
    let user = |texts: &[&str]| json!({"role": "user", "content": texts.iter().map(|it| text(it)).collect::<Vec<_>>()});
    let said = |role: &str, words: &str| json!({"role": role, "content": words});
    let before_user = json!([said("user", "a"), said("system", "b"), said("user", "c")]);
    assert_eq!(turns(INLINE, &before_user), json!([user(&["a", "<system>\nb\n</system>", "c"])]));
    let behind_model = json!([said("user", "a"), said("assistant", "b"), said("system", "c")]);
    let model_turn = json!({"role": "assistant", "content": [text("b")]});
    assert_eq!(turns(INLINE, &behind_model), json!([user(&["a"]), model_turn, user(&["<system>\nc\n</system>"])]));
    let at_the_end = json!([said("user", "a"), said("system", "b")]);
    assert_eq!(turns(INLINE, &at_the_end), json!([user(&["a"]), {"role": "system", "content": [text("b")]}]));
}

#[test]
fn a_conversation_of_only_system_text_gets_a_user_turn() {
    let body = sent(HAIKU, &json!({"messages": [{"role": "system", "content": "be brief"}]}));
    assert_eq!(body["system"], json!([text("be brief")]));
    assert_eq!(body["messages"][0]["role"], "user");
}

#[test]
fn prefill_is_kept_only_where_the_model_facts_allow_it() {
    let messages = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "{"}]);
    let kept = turns(SONNET, &messages);
    assert_eq!(kept, json!([{"role": "user", "content": [text("a")]}, {"role": "assistant", "content": [text("{")]}]));
    for model in [ADAPTIVE, INLINE, NEWEST] {
        let asked = turns(model, &messages);
        assert_eq!(asked[1], kept[1]);
        assert_eq!(asked[2]["role"], "user", "{model} answers 400 to a final assistant message");
        assert_eq!(asked.as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn the_first_message_is_user_and_neighbours_of_one_role_merge_and_empty_text_is_dropped() {
    let messages = json!([
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": [text("b"), text("\n ")]},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": null},
        {"role": "user", "content": [text("d"), text("")]},
    ]);
    let seen = turns(SONNET, &messages);
    assert_eq!(seen[0]["role"], "user");
    let expected = json!([{"role": "assistant", "content": [text("a"), text("b")]}, {"role": "user", "content": [text("c"), text("d")]}]);
    assert_eq!(seen.as_array().map(|all| &all[1..]), expected.as_array().map(|all| &all[..]));
}

#[test]
fn the_trailing_space_of_a_final_assistant_message_is_cut_and_of_no_other() {
    let messages = json!([
        {"role": "user", "content": "a "},
        {"role": "assistant", "content": "b "},
        {"role": "user", "content": "c\n"},
        {"role": "assistant", "content": "d \n"},
    ]);
    let seen = turns(SONNET, &messages);
    let texts: Vec<&Value> = (0..4).map(|turn| &seen[turn]["content"][0]["text"]).collect();
    assert_eq!(texts, ["a ", "b ", "c\n", "d"]);
}

#[test]
fn a_refusal_in_the_history_is_text() {
    let messages = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "refusal": "no"},
        {"role": "user", "content": "b"}]);
    assert_eq!(turns(HAIKU, &messages)[1], json!({"role": "assistant", "content": [text("no")]}));
}

#[test]
fn sampling_parameters_go_where_the_model_takes_them_and_temperature_is_clamped_to_1() {
    let all = json!({"temperature": 1.7, "top_p": 0.9, "top_k": 40});
    let rows: [(&str, Value, [Value; 3], &[&str]); 6] = [
        (SONNET, all.clone(), [json!(1), json!(0.9), json!(40)], &[]),
        (SONNET, json!({"temperature": 0.25}), [json!(0.25), json!(null), json!(null)], &[]),
        (HAIKU, all.clone(), [json!(1), json!(null), json!(40)], &["top_p"]),
        (HAIKU, json!({"top_p": 0.9}), [json!(null), json!(0.9), json!(null)], &[]),
        (INLINE, all, [json!(null), json!(null), json!(null)], &["temperature", "top_p", "top_k"]),
        (INLINE, json!({"temperature": 1, "top_p": 1.0}), [json!(null), json!(null), json!(null)], &[]),
    ];
    for (model, members, [temperature, top_p, top_k], expected) in rows {
        let (body, dropped) = sent_with_drops(model, &members);
        assert_eq!((&body["temperature"], &body["top_p"], &body["top_k"]), (&temperature, &top_p, &top_k), "{model}");
        assert_eq!(dropped, expected, "{model} {members}");
    }
}

#[test]
fn stop_is_a_string_or_a_list_and_whitespace_only_entries_are_dropped() {
    let stop = |stop: Value| sent(HAIKU, &json!({"stop": stop}))["stop_sequences"].clone();
    assert_eq!(stop(json!("END")), json!(["END"]));
    assert_eq!(stop(json!(["a", "\n\n", " ", "", "b"])), json!(["a", "b"]));
    for nothing in [json!("\n"), json!([]), json!(null)] {
        assert_eq!(stop(nothing), Value::Null);
    }
}

#[test]
fn user_goes_to_metadata_user_id() {
    let seen = |members: Value| sent_with_drops(HAIKU, &members);
    assert_eq!(seen(json!({"user": "u-1"})).0["metadata"], json!({"user_id": "u-1"}));
    assert_eq!(seen(json!({"safety_identifier": "s-1"})).0["metadata"], json!({"user_id": "s-1"}));
    assert_eq!(seen(json!({"safety_identifier": "s-1", "user": "u-1"})).0["metadata"], json!({"user_id": "u-1"}));
    let (long, dropped) = seen(json!({"user": "x".repeat(257)}));
    assert_eq!((&long["metadata"], dropped), (&Value::Null, vec!["user".to_owned()]));
}

#[test]
fn logprobs_penalties_seed_and_logit_bias_are_dropped_and_said() {
    let hints = json!({"logprobs": true, "top_logprobs": 2, "presence_penalty": 0.5, "frequency_penalty": -1, "seed": 0,
        "logit_bias": {"50256": -100}, "verbosity": "low", "n": 1});
    let (body, mut dropped) = sent_with_drops(HAIKU, &hints);
    dropped.sort();
    let expected =
        ["frequency_penalty", "logit_bias", "logprobs", "presence_penalty", "seed", "top_logprobs", "verbosity"];
    assert_eq!(dropped, expected);
    assert_eq!(body, sent(HAIKU, &json!({})));
    let silent = json!({"logprobs": false, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": null,
        "service_tier": "auto", "modalities": ["text"], "store": false});
    assert_eq!(sent_with_drops(HAIKU, &silent).1, [""; 0], "what says nothing is not dropped");
}

#[test]
fn what_anthropic_cannot_express_is_refused_with_the_name_of_the_field() {
    let rows = [
        (json!({"n": 2}), "n"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (json!({"web_search_options": {"x": 1}}), "web_search_options"),
        (json!({"functions": [{"name": "f"}]}), "functions"),
        (json!({"messages": [{"role": "function", "name": "f", "content": "a"}]}), "messages[0].role"),
        (json!({"response_format": {"type": "grammar"}}), "response_format"),
        (json!({"tool_choice": "sometimes"}), "tool_choice"),
        (json!({"tools": [{"type": "custom", "custom": {"name": "x"}}]}), "tools[0]"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}]}),
            "messages[0]",
        ),
    ];
    for (members, field) in rows {
        let error = refused(HAIKU, &members);
        assert_eq!((error.status(), error.param()), (422, Some(field)), "{members}");
    }
}

#[test]
fn a_malformed_request_is_a_400_that_names_the_place() {
    let rows = [
        (json!({"messages": {}}), "messages"),
        (json!({"messages": [{"content": "a"}]}), "messages[0]"),
        (json!({"messages": [{"role": 7, "content": "a"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user", "content": 7}]}), "messages[0].content"),
        (json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}), "messages[0].content[0]"),
        (json!({"max_tokens": "many"}), "max_tokens"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"stop": 7}), "stop"),
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0]"),
    ];
    for (members, place) in rows {
        let error = refused(HAIKU, &members);
        assert_eq!((error.status(), error.param()), (400, Some(place)), "{members}");
    }
}

#[test]
fn stream_is_sent_and_options_that_only_openai_has_are_not() {
    let body = sent(HAIKU, &json!({"stream": true, "stream_options": {"include_usage": true}}));
    assert_eq!((&body["stream"], &body["stream_options"]), (&json!(true), &Value::Null));
    assert_eq!(sent(HAIKU, &json!({"stream": false}))["stream"], Value::Null);
}
