use anyhow::Context as _;
use serde_json::{Value, json};

use super::super::task::{Call, PICTURE, Seen, TOOLS, Task, schema};
use super::{count, items, push, text};

pub(super) fn body(model: &str, task: Task, stream: bool) -> Value {
    let said = json!({"type": "text", "text": task.prompt()});
    let mut body = json!({
        "model": model, "max_tokens": 4000, "stream": stream, "messages": [{"role": "user", "content": [said]}],
    });
    match task {
        Task::Text => {}
        Task::Tools => {
            body["tools"] = TOOLS.map(|(name, _)| json!({"name": name, "input_schema": schema()})).to_vec().into();
        }
        Task::Image => {
            let source = json!({"type": "base64", "media_type": "image/png", "data": PICTURE});
            push(&mut body["messages"][0]["content"], json!({"type": "image", "source": source}));
        }
        Task::Schema => body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema()}}),
        Task::Reasoning => body["thinking"] = json!({"type": "enabled", "budget_tokens": 2000}),
    }
    body
}

pub(super) fn results(seen: &Seen) -> Vec<Value> {
    let result =
        |(call, (_, said)): (&Call, _)| json!({"type": "tool_result", "tool_use_id": call.id, "content": said});
    let results: Vec<Value> = seen.calls.iter().zip(TOOLS).map(result).collect();
    vec![json!({"role": "user", "content": results})]
}

pub(super) fn read(body: &Value) -> anyhow::Result<Seen> {
    let mut seen = Seen {
        finish: text(body, "stop_reason").into(),
        usage: (count(&body["usage"], "input_tokens"), count(&body["usage"], "output_tokens")),
        turn: vec![json!({"role": "assistant", "content": body["content"]})],
        ..Seen::default()
    };
    for block in items(&body["content"]) {
        match text(block, "type") {
            "text" => seen.text += text(block, "text"),
            "thinking" => seen.thinking += text(block, "thinking"),
            "tool_use" => seen.calls.push(Call {
                id: text(block, "id").into(),
                name: text(block, "name").into(),
                arguments: block["input"].clone(),
            }),
            _ => {}
        }
    }
    Ok(seen)
}

/// The message that a stream amounts to, as the SDK puts it together.
pub(super) fn assemble(events: &[Value]) -> anyhow::Result<Seen> {
    let mut message = Value::Null;
    let mut blocks = Vec::<Value>::new();
    for event in events {
        match text(event, "type") {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => blocks.push(event["content_block"].clone()),
            "content_block_delta" => {
                let block = blocks.last_mut().context("a delta before its block")?;
                append(block, &event["delta"]);
            }
            "content_block_stop" => close(blocks.last_mut().context("an end before its block")?)?,
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                for (key, value) in event["usage"].as_object().into_iter().flatten() {
                    message["usage"][key] = value.clone();
                }
            }
            _ => {}
        }
    }
    message["content"] = blocks.into();
    read(&message)
}

fn append(block: &mut Value, delta: &Value) {
    for (of, to) in [("text", "text"), ("thinking", "thinking"), ("signature", "signature"), ("partial_json", "json")] {
        if let Some(more) = delta[of].as_str() {
            block[to] = (text(block, to).to_owned() + more).into();
        }
    }
}

/// The input of a tool comes as pieces of JSON.
fn close(block: &mut Value) -> anyhow::Result<()> {
    let Some(block) = block.as_object_mut() else { return Ok(()) };
    if let Some(json) = block.remove("json") {
        let json = json.as_str().unwrap_or_default();
        block.insert("input".into(), serde_json::from_str(json).with_context(|| format!("input {json:?}"))?);
    }
    Ok(())
}
