use anyhow::Context as _;
use serde_json::{Value, json};

use super::super::task::{Call, PICTURE, Seen, TOOLS, Task, schema};
use super::{count, items, text};

pub(super) fn body(model: &str, task: Task, stream: bool) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": task.prompt()}]});
    if stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    match task {
        Task::Text => {}
        Task::Tools => {
            let tool = |(name, _)| json!({"type": "function", "function": {"name": name, "parameters": schema()}});
            body["tools"] = TOOLS.map(tool).to_vec().into();
        }
        Task::Image => {
            let url = format!("data:image/png;base64,{PICTURE}");
            body["messages"][0]["content"] = json!([
                {"type": "text", "text": task.prompt()}, {"type": "image_url", "image_url": {"url": url}},
            ]);
        }
        Task::Schema => {
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": "place", "strict": true, "schema": schema()}});
        }
        Task::Reasoning => body["reasoning_effort"] = "high".into(),
    }
    body
}

pub(super) fn results(seen: &Seen) -> Vec<Value> {
    let result = |(call, (_, said)): (&Call, _)| json!({"role": "tool", "tool_call_id": call.id, "content": said});
    seen.calls.iter().zip(TOOLS).map(result).collect()
}

pub(super) fn read(body: &Value) -> anyhow::Result<Seen> {
    let choice = &body["choices"][0];
    let message = &choice["message"];
    let calls = items(&message["tool_calls"]).iter().map(|call| {
        let arguments = text(&call["function"], "arguments");
        let arguments = serde_json::from_str(arguments).with_context(|| format!("arguments {arguments:?}"))?;
        Ok(Call { id: text(call, "id").into(), name: text(&call["function"], "name").into(), arguments })
    });
    Ok(Seen {
        text: text(message, "content").into(),
        thinking: text(message, "reasoning_content").into(),
        calls: calls.collect::<anyhow::Result<_>>()?,
        finish: text(choice, "finish_reason").into(),
        usage: (count(&body["usage"], "prompt_tokens"), count(&body["usage"], "completion_tokens")),
        turn: vec![message.clone()],
    })
}

/// The whole answer that a stream amounts to.
pub(super) fn assemble(chunks: &[Value]) -> Value {
    let (mut content, mut thinking, mut finish, mut usage) = (String::new(), String::new(), Value::Null, Value::Null);
    let mut calls = Vec::<Value>::new();
    for chunk in chunks {
        let choice = &chunk["choices"][0];
        content += text(&choice["delta"], "content");
        thinking += text(&choice["delta"], "reasoning_content");
        for piece in items(&choice["delta"]["tool_calls"]) {
            if piece["index"] == calls.len() {
                calls.push(piece.clone());
                continue;
            }
            let Some(call) = calls.last_mut() else { continue };
            let whole = text(&call["function"], "arguments").to_owned() + text(&piece["function"], "arguments");
            call["function"]["arguments"] = whole.into();
        }
        let latest = |old: &mut Value, new: &Value| (!new.is_null()).then(|| *old = new.clone());
        latest(&mut finish, &choice["finish_reason"]);
        latest(&mut usage, &chunk["usage"]);
    }
    let mut message = json!({"role": "assistant", "content": content, "reasoning_content": thinking});
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({"choices": [{"message": message, "finish_reason": finish}], "usage": usage})
}
