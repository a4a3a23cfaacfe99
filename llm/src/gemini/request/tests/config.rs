use super::*;

fn config(model: &str, members: &Value) -> Value {
    sent(model, members)["generationConfig"].clone()
}

#[test]
fn bounds_stop_and_sampling_are_in_camel_case_as_they_were_spelled() {
    let members = json!({"max_tokens": 100, "temperature": 0.50, "top_p": 0.9, "top_k": 40, "stop": ["a", ""], "seed": 7,
        "n": 1});
    let expected = json!({"maxOutputTokens": 100, "temperature": 0.50, "topP": 0.9, "topK": 40, "stopSequences": ["a"],
        "seed": 7});
    assert_eq!(config(FLASH, &members), expected);
    assert_eq!(config(FLASH, &json!({"max_completion_tokens": 1_000_000}))["maxOutputTokens"], 65_536);
    assert_eq!(config(FLASH, &json!({"stop": "a"}))["stopSequences"], json!(["a"]));
}

#[test]
fn sampling_is_dropped_and_said_where_the_model_takes_none() {
    let members = json!({"temperature": 0.2, "top_p": 1, "top_k": 5});
    let (body, dropped) = sent_with_drops(NEWEST, &members);
    assert_eq!((body.get("generationConfig"), dropped), (None, vec!["temperature".to_owned(), "top_k".to_owned()]));
}

#[test]
fn penalties_are_native_where_the_model_has_them() {
    let members = json!({"presence_penalty": 0.5, "frequency_penalty": -1});
    assert_eq!(config(OLD, &members), json!({"presencePenalty": 0.5, "frequencyPenalty": -1}));
    let (_, dropped) = sent_with_drops(FLASH, &members);
    assert_eq!(dropped, ["frequency_penalty", "presence_penalty"]);
}

#[test]
fn hints_that_gemini_does_not_know_are_dropped_and_said() {
    let members = json!({"logit_bias": {"1": 2}, "logprobs": true, "top_logprobs": 3, "user": "u", "verbosity": "low",
        "service_tier": "flex", "seed": 5_000_000_000_u64});
    let (body, mut dropped) = sent_with_drops(FLASH, &members);
    dropped.sort();
    assert_eq!(dropped, ["logit_bias", "logprobs", "seed", "service_tier", "top_logprobs", "user", "verbosity"]);
    assert_eq!(body.get("generationConfig"), None);
    let silent = json!({"logprobs": false, "presence_penalty": 0, "logit_bias": null, "service_tier": "auto",
        "modalities": ["text"], "store": false});
    assert_eq!(sent_with_drops(FLASH, &silent).1, [""; 0], "what says nothing is not dropped");
}

#[test]
fn reasoning_effort_is_a_budget_for_2_5_and_a_level_from_3_on() {
    let budget = |tokens: u32| json!({"thinkingBudget": tokens, "includeThoughts": true});
    let level = |level: &str| json!({"thinkingLevel": level, "includeThoughts": true});
    let rows = [
        (FLASH, "low", budget(1024)),
        (FLASH, "medium", budget(8192)),
        (FLASH, "high", budget(24_576)),
        (FLASH, "none", json!({"thinkingBudget": 0})),
        (PRO, "none", json!({"thinkingBudget": 128})),
        (PRO, "xhigh", budget(32_768)),
        (NEWER, "minimal", level("LOW")),
        (NEWER, "medium", level("MEDIUM")),
        (NEWER, "xhigh", level("HIGH")),
        (NEWER, "none", json!({"thinkingLevel": "LOW"})),
        ("gemini-3-pro-preview", "medium", level("HIGH")),
        ("gemini-3-flash-preview", "minimal", level("MINIMAL")),
        ("gemini-3-flash-preview", "none", json!({"thinkingLevel": "MINIMAL"})),
    ];
    for (model, effort, expected) in rows {
        let members = json!({"reasoning_effort": effort});
        assert_eq!(config(model, &members)["thinkingConfig"], expected, "{model} {effort}");
    }
    let (body, dropped) = sent_with_drops(OLD, &json!({"reasoning_effort": "high"}));
    assert_eq!((body.get("generationConfig"), dropped), (None, vec!["reasoning_effort".to_owned()]));
}

#[test]
fn json_schema_is_native_where_the_model_takes_it() {
    let schema =
        json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}});
    let members = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}});
    let native = json!({"responseMimeType": "application/json", "responseJsonSchema": schema});
    assert_eq!(config(FLASH, &members), native);
    let plain = json!({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}});
    assert_eq!(config(OLD, &members), json!({"responseMimeType": "application/json", "responseSchema": plain}));
    let object = json!({"response_format": {"type": "json_object"}});
    assert_eq!(config(OLD, &object), json!({"responseMimeType": "application/json"}));
    let tool = json!({"type": "function", "function": {"name": "f"}});
    let both = json!({"response_format": {"type": "json_object"}, "tools": [tool]});
    assert_eq!(config(NEWER, &both), json!({"responseMimeType": "application/json"}));
}
