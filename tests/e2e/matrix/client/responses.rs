use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::super::task::{Call, PICTURE, Seen, TOOLS, Task, schema};
use super::{count, items, push, text};

pub(super) fn body(model: &str, task: Task, stream: bool) -> Value {
    let said = json!({"type": "input_text", "text": task.prompt()});
    let mut body = json!({"model": model, "stream": stream, "input": [{"role": "user", "content": [said]}]});
    match task {
        Task::Text => {}
        Task::Tools => {
            let tool = |(name, _)| json!({"type": "function", "name": name, "parameters": schema(), "strict": true});
            body["tools"] = TOOLS.map(tool).to_vec().into();
        }
        Task::Image => {
            let url = format!("data:image/png;base64,{PICTURE}");
            push(&mut body["input"][0]["content"], json!({"type": "input_image", "image_url": url, "detail": "auto"}));
        }
        Task::Schema => {
            let format = json!({"type": "json_schema", "name": "place", "strict": true, "schema": schema()});
            body["text"] = json!({"format": format});
        }
        Task::Reasoning => body["reasoning"] = json!({"effort": "high", "summary": "auto"}),
    }
    body
}

pub(super) fn results(seen: &Seen) -> Vec<Value> {
    let result =
        |(call, (_, said)): (&Call, _)| json!({"type": "function_call_output", "call_id": call.id, "output": said});
    seen.calls.iter().zip(TOOLS).map(result).collect()
}

pub(super) fn read(body: &Value) -> anyhow::Result<Seen> {
    let mut seen = Seen {
        finish: text(body, "status").into(),
        usage: (count(&body["usage"], "input_tokens"), count(&body["usage"], "output_tokens")),
        turn: items(&body["output"]).to_vec(),
        ..Seen::default()
    };
    for item in items(&body["output"]) {
        match text(item, "type") {
            "message" => items(&item["content"]).iter().for_each(|part| seen.text += text(part, "text")),
            "reasoning" => {
                let parts = items(&item["summary"]).iter().chain(items(&item["content"]));
                parts.for_each(|part| seen.thinking += text(part, "text"));
            }
            "function_call" => {
                let arguments = serde_json::from_str(text(item, "arguments")).context("arguments")?;
                seen.calls.push(Call { id: text(item, "call_id").into(), name: text(item, "name").into(), arguments });
            }
            _ => {}
        }
    }
    Ok(seen)
}

/// The last event has the whole answer; what was told before must amount to the same.
pub(super) fn assemble(events: &[Value]) -> anyhow::Result<Seen> {
    for (number, event) in events.iter().enumerate() {
        ensure!(event["sequence_number"] == number, "event {number} is out of order: {event}");
    }
    let last = events.last().context("no events")?;
    ensure!(text(last, "type") == "response.completed", "not completed: {last}");
    let seen = read(&last["response"])?;
    let of = |kind: &str| {
        let deltas = events.iter().filter(|event| text(event, "type") == kind);
        deltas.map(|event| text(event, "delta")).collect::<String>()
    };
    ensure!(of("response.output_text.delta") == seen.text, "the text was told otherwise before: {seen:?}");
    Ok(seen)
}
