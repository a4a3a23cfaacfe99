//! What stands beside the messages.

use super::*;

#[test]
fn stream_is_always_sent() {
    for stream in [true, false] {
        assert_eq!(sent_with_drops(LLAMA, &json!({"stream": stream})).0["stream"], stream);
    }
    let members = json!({"stream_options": {"include_usage": true}});
    let (body, dropped) = sent_with_drops(LLAMA, &members);
    assert_eq!((&body["stream"], body.get("stream_options"), dropped), (&json!(false), None, vec![]));
}

#[test]
fn truncate_and_shift_are_off_since_the_default_silently_cuts_the_prompt() {
    let (body, _) = sent_with_drops(LLAMA, &json!({}));
    let expected = json!({"model": LLAMA, "messages": [{"role": "user", "content": "hi"}], "stream": false,
        "truncate": false, "shift": false});
    assert_eq!(body, expected);
}

#[test]
fn options_hold_num_predict_num_ctx_seed_stop_and_sampling() {
    let rows = [
        (json!({"max_tokens": 5}), json!({"num_predict": 5})),
        (json!({"max_tokens": 9, "max_completion_tokens": 5}), json!({"num_predict": 5})),
        (json!({"num_ctx": 8192, "seed": 7}), json!({"num_ctx": 8192, "seed": 7})),
        (json!({"stop": "a"}), json!({"stop": ["a"]})),
        (json!({"stop": ["a", "\n", ""]}), json!({"stop": ["a", "\n"]})),
        (
            json!({"temperature": 0.70, "top_p": 0.9, "top_k": 3, "min_p": 0.05}),
            json!({"temperature": 0.70, "top_p": 0.9, "top_k": 3, "min_p": 0.05}),
        ),
        (
            json!({"presence_penalty": 0.5, "frequency_penalty": 1, "repeat_penalty": 1.1}),
            json!({"presence_penalty": 0.5, "frequency_penalty": 1, "repeat_penalty": 1.1}),
        ),
    ];
    for (members, options) in rows {
        assert_eq!(others(LLAMA, &members), json!({"options": options}), "{members}");
    }
    assert_eq!(others(LLAMA, &json!({"n": 1})), json!({}), "no options, no member");
}

#[test]
fn keep_alive_passes() {
    for value in [json!("10m"), json!(-1)] {
        assert_eq!(others(LLAMA, &json!({"keep_alive": value})), json!({"keep_alive": value}));
    }
}

#[test]
fn format_is_the_schema_or_json() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    let rows = [
        (json!({"type": "json_object"}), json!("json")),
        (json!({"type": "json_schema", "json_schema": {"name": "n"}}), json!("json")),
        (json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": true}}), schema),
    ];
    for (format, expected) in rows {
        assert_eq!(others(LLAMA, &json!({"response_format": format})), json!({"format": expected}));
    }
    assert_eq!(others(LLAMA, &json!({"response_format": {"type": "text"}})), json!({}));
}

#[test]
fn think_is_a_level_where_the_model_thinks_and_false_turns_it_off() {
    let effort = |word: &str| json!({"reasoning_effort": word});
    let rows = [
        (QWEN, "minimal", json!({"think": "low"})),
        (QWEN, "low", json!({"think": "low"})),
        (QWEN, "medium", json!({"think": "medium"})),
        (QWEN, "high", json!({"think": "high"})),
        (QWEN, "xhigh", json!({"think": "max"})),
        (QWEN, "none", json!({"think": false})),
        (GPT_OSS, "high", json!({"think": "high"})),
        (GPT_OSS, "xhigh", json!({"think": "high"})),
        (GPT_OSS, "none", json!({"think": "low"})),
        (LLAMA, "none", json!({"think": false})),
    ];
    for (model, word, expected) in rows {
        assert_eq!(others(model, &effort(word)), expected, "{model} {word}");
    }
    let (body, dropped) = sent_with_drops(LLAMA, &effort("high"));
    assert_eq!((body.get("think"), dropped), (None, vec!["reasoning_effort".to_owned()]));
}

#[test]
fn a_budget_of_thinking_is_the_nearest_level() {
    for (budget, level) in [(1024, "low"), (8192, "medium"), (32_000, "high")] {
        let request = json!({"model": "m", "max_tokens": 40_000, "messages": [{"role": "user", "content": "hi"}],
            "thinking": {"type": "enabled", "budget_tokens": budget}});
        let emitted = emit(Dialect::Anthropic, QWEN, &request).expect("must be translated");
        let body: Value = serde_json::from_slice(&emitted.body).expect("must be JSON");
        assert_eq!((&body["think"], &body["options"]), (&json!(level), &json!({"num_predict": 40_000})));
    }
}

#[test]
fn functions_are_declared_with_a_schema_each() {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let function = |name: &str, parameters: &Value| json!({"type": "function", "function": {"name": name, "description": "d", "parameters": parameters}});
    let mut bare = function("g", &json!(null));
    bare["function"].as_object_mut().expect("must be an object").remove("parameters");
    let tools = json!([function("weather.get", &parameters), bare]);
    let declared =
        json!([function("weather.get", &parameters), function("g", &json!({"type": "object", "properties": {}}))]);
    assert_eq!(others(LLAMA, &json!({"tools": tools, "tool_choice": "auto"})), json!({"tools": declared}));
    assert_eq!(others(LLAMA, &json!({"tools": tools, "parallel_tool_calls": true})), json!({"tools": declared}));
}

#[test]
fn tools_that_may_not_be_called_are_not_shown() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(others(LLAMA, &json!({"tools": tools, "tool_choice": "none"})), json!({}));
}

#[test]
fn hints_that_ollama_does_not_know_are_dropped_and_named() {
    let strict = json!([{"type": "function", "function": {"name": "f", "parameters": {}, "strict": true}}]);
    let rows = [
        ("user", json!({"user": "ann"})),
        ("safety_identifier", json!({"safety_identifier": "ann"})),
        ("logit_bias", json!({"logit_bias": {"1": 2}})),
        // Ollama has them; an answer in the neutral form has no place for what they bring.
        ("logprobs", json!({"logprobs": true})),
        ("top_logprobs", json!({"top_logprobs": 2})),
        ("verbosity", json!({"verbosity": "low"})),
        ("service_tier", json!({"service_tier": "flex"})),
        ("x_unknown", json!({"x_unknown": [1]})),
        ("tools.strict", json!({"tools": strict})),
        (
            "parallel_tool_calls",
            json!({"tools": [{"type": "function", "function": {"name": "f"}}], "parallel_tool_calls": false}),
        ),
        (
            "cache_control",
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}]}),
        ),
    ];
    for (name, members) in rows {
        let (body, dropped) = sent_with_drops(LLAMA, &members);
        assert_eq!(dropped, [name]);
        assert_eq!((&body["messages"][0]["content"], body.get(name)), (&json!("hi"), None), "{members}");
    }
}

#[test]
fn meaning_that_ollama_has_no_words_for_is_refused_by_its_field() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let rows = [
        ("n", json!({"n": 2})),
        ("modalities", json!({"modalities": ["text", "audio"]})),
        ("tools[0]", json!({"tools": [{"type": "custom", "custom": {"name": "sql"}}]})),
        ("web_search_options", json!({"web_search_options": {"a": 1}})),
        ("functions", json!({"functions": [{"name": "f"}]})),
        ("tool_choice", json!({"tools": tools, "tool_choice": "required"})),
        ("tool_choice", json!({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "f"}}})),
    ];
    for (field, members) in rows {
        assert_eq!(refused(&members), field, "{members}");
    }
}
