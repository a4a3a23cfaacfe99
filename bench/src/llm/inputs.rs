use bytes::Bytes;
use serde_json::{Value, json};

pub(super) const PROSE: &str =
    "The quick brown fox jumps over the lazy dog, again and again, until the evening comes. ";
/// Real code, full of line ends and quotes: this very file.
pub(super) const CODE: &str = include_str!("inputs.rs");

pub(super) const EVENTS: usize = 100;

pub(super) fn prompt(text: &str, size: usize) -> Vec<u8> {
    let content = text.repeat(size / text.len() + 1);
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": content}], "stream": true});
    body.to_string().into_bytes()
}

pub(super) fn conversation() -> Vec<u8> {
    let mut messages = vec![json!({"role": "system", "content": PROSE})];
    for turn in 0..5 {
        let id = format!("call_{turn}");
        let call = json!({"id": id, "type": "function", "function": {"name": "tool_1", "arguments": "{\"city\":\"Paris\",\"days\":3}"}});
        messages.push(json!({"role": "user", "content": PROSE}));
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
        messages
            .push(json!({"role": "tool", "tool_call_id": id, "content": "{\"temperature\": 21, \"wind\": \"low\"}"}));
        messages.push(json!({"role": "assistant", "content": PROSE}));
    }
    messages.truncate(19);
    messages.push(json!({"role": "user", "content": PROSE}));
    let tool = |n: usize| {
        let parameters = json!({"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "description": "The name of the city"}, "days": {"type": "integer", "minimum": 1}}});
        json!({"type": "function", "function": {"name": format!("tool_{n}"), "description": PROSE, "parameters": parameters}})
    };
    let tools: Vec<Value> = (0..5).map(tool).collect();
    let body = json!({"model": "smart", "messages": messages, "tools": tools, "temperature": 0.7, "max_tokens": 1000, "stream": true});
    body.to_string().into_bytes()
}

pub(super) fn openai_events() -> Vec<Bytes> {
    let chunk = |delta: Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        let chunk = json!({"id": "chatcmpl-abcdefghijklmnopqrstuvwxyz", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_0123456789", "choices": [choice]});
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let mut events: Vec<Bytes> =
        (0..EVENTS - 2).map(|n| chunk(json!({"content": format!(" word{n}")}), None)).collect();
    events.push(chunk(json!({}), Some("stop")));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

pub(super) fn anthropic_events() -> Vec<Bytes> {
    let event =
        |data: Value| Bytes::from(format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default()));
    let message = json!({"id": "msg_0123456789", "type": "message", "role": "assistant", "model": "claude-opus-4-6", "content": [],
        "usage": {"input_tokens": 25, "output_tokens": 1}});
    let mut events = vec![
        event(json!({"type": "message_start", "message": message})),
        event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
    ];
    let delta = |n| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": format!(" word{n}")}});
    events.extend((0..EVENTS - 5).map(|n| event(delta(n))));
    events.push(event(json!({"type": "content_block_stop", "index": 0})));
    let usage = json!({"output_tokens": 95});
    events.push(event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})));
    events.push(event(json!({"type": "message_stop"})));
    events
}
