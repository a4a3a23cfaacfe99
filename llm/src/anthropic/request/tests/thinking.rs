use serde_json::{Value, json};

use super::{ADAPTIVE, HAIKU, INLINE, NEWEST, OLD, SONNET, sent, sent_with_drops, text, turns};

#[test]
fn reasoning_effort_is_a_thinking_budget_below_max_tokens() {
    let rows = [
        ("minimal", json!({}), 1024),
        ("low", json!({}), 2048),
        ("medium", json!({}), 8192),
        ("high", json!({}), 16_384),
        ("high", json!({"max_tokens": 4096}), 3072),
        ("high", json!({"max_tokens": 1500}), 1024),
    ];
    for (effort, mut members, budget) in rows {
        members["reasoning_effort"] = json!(effort);
        let body = sent(HAIKU, &members);
        assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": budget}), "{members}");
        assert!(body["max_tokens"].as_u64() > Some(budget));
    }
    let (body, dropped) = sent_with_drops(HAIKU, &json!({"reasoning_effort": "low", "max_tokens": 1024}));
    assert_eq!((&body["thinking"], dropped), (&Value::Null, vec!["reasoning_effort".to_owned()]));
}

#[test]
fn reasoning_effort_is_adaptive_thinking_with_an_effort_by_model_facts() {
    let rows = [
        (ADAPTIVE, "low", "low"),
        (ADAPTIVE, "minimal", "low"),
        (ADAPTIVE, "medium", "medium"),
        (ADAPTIVE, "high", "high"),
        (ADAPTIVE, "xhigh", "high"),
        (INLINE, "xhigh", "xhigh"),
        (NEWEST, "max", "max"),
    ];
    for (model, asked, effort) in rows {
        let body = sent(model, &json!({"reasoning_effort": asked}));
        assert_eq!(body["thinking"], json!({"type": "adaptive"}), "{model} {asked}");
        assert_eq!(body["output_config"], json!({"effort": effort}), "{model} {asked}");
    }
}

#[test]
fn reasoning_effort_none_turns_thinking_off_where_it_can_be() {
    let none = json!({"reasoning_effort": "none"});
    for (model, thinking, effort) in [
        (HAIKU, json!(null), json!(null)),
        (ADAPTIVE, json!(null), json!(null)),
        ("claude-opus-5", json!({"type": "disabled"}), json!(null)),
        (NEWEST, json!(null), json!({"effort": "low"})),
    ] {
        let body = sent(model, &none);
        assert_eq!((&body["thinking"], &body["output_config"]), (&thinking, &effort), "{model}");
    }
    for model in [HAIKU, ADAPTIVE, INLINE, NEWEST, OLD] {
        let body = sent(model, &json!({}));
        assert_eq!((&body["thinking"], &body["output_config"]), (&Value::Null, &Value::Null), "{model}");
    }
}

#[test]
fn a_model_that_does_not_think_drops_the_effort_and_says_so() {
    let (body, dropped) = sent_with_drops(OLD, &json!({"reasoning_effort": "high"}));
    assert_eq!((&body["thinking"], dropped), (&Value::Null, vec!["reasoning_effort".to_owned()]));
}

#[test]
fn while_a_model_thinks_temperature_and_top_k_are_left_out_and_top_p_is_near_1() {
    let asked = json!({"reasoning_effort": "low", "temperature": 0.2, "top_k": 4, "top_p": 0.5});
    let (body, dropped) = sent_with_drops(SONNET, &asked);
    assert_eq!((&body["temperature"], &body["top_k"], &body["top_p"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
    let body = sent(SONNET, &json!({"reasoning_effort": "low", "top_p": 0.97}));
    assert_eq!(body["top_p"], json!(0.97));
    let body = sent(HAIKU, &json!({"reasoning_effort": "low", "temperature": 1, "top_p": 0.97}));
    assert_eq!((&body["temperature"], &body["top_p"]), (&Value::Null, &json!(0.97)), "temperature is not sent anyway");
}

#[test]
fn a_forced_tool_excludes_thinking() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for model in [SONNET, ADAPTIVE, INLINE] {
        let forced = json!({"tools": tools, "tool_choice": "required", "reasoning_effort": "high"});
        let (body, dropped) = sent_with_drops(model, &forced);
        assert_eq!((&body["thinking"], &body["output_config"]), (&Value::Null, &Value::Null), "{model}");
        assert_eq!(dropped, ["reasoning_effort"], "{model}");
        let free = json!({"tools": tools, "tool_choice": "auto", "reasoning_effort": "high"});
        assert!(sent(model, &free)["thinking"].is_object(), "{model}");
    }
    let unasked = sent("claude-opus-5", &json!({"tools": tools, "tool_choice": "required"}));
    assert_eq!(unasked["thinking"], json!({"type": "disabled"}), "it would think without being asked");
}

fn replayed(thinking: &Value) -> Value {
    json!([
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "so", "reasoning_content": "hm", "thinking_blocks": thinking,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
    ])
}

#[test]
fn thinking_blocks_with_signatures_are_replayed_first_in_their_turn_and_left_out_without() {
    let signed = json!({"type": "thinking", "thinking": "hm", "signature": "sig"});
    let redacted = json!({"type": "redacted_thinking", "data": "zz"});
    let blocks = json!([{"index": 0, "type": "thinking", "thinking": "hm", "signature": "sig"}, redacted]);
    let call = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
    assert_eq!(turns(HAIKU, &replayed(&blocks))[1]["content"], json!([signed, redacted, text("so"), call]));
    for unsigned in [
        json!([{"type": "thinking", "thinking": "hm"}]),
        json!([]),
        json!(null),
        json!([{"type": "thinking", "thinking": "hm", "signature": ""}]),
    ] {
        assert_eq!(turns(HAIKU, &replayed(&unsigned))[1]["content"], json!([text("so"), call]), "{unsigned}");
    }
}

#[test]
fn results_of_a_call_whose_thinking_is_lost_are_answered_without_thinking() {
    let lost = json!({"messages": replayed(&json!([])), "reasoning_effort": "high"});
    let (body, dropped) = sent_with_drops(HAIKU, &lost);
    assert_eq!((&body["thinking"], dropped), (&Value::Null, vec!["reasoning_effort".to_owned()]));
    let signed = json!([{"type": "thinking", "thinking": "hm", "signature": "sig"}]);
    let kept = json!({"messages": replayed(&signed), "reasoning_effort": "high"});
    assert!(sent(HAIKU, &kept)["thinking"].is_object());
}
