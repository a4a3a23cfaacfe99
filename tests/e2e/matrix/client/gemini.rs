use serde_json::{Value, json};

use super::super::task::{Call, PICTURE, Seen, TOOLS, Task, schema};
use super::{count, items, push, text};

pub(super) fn body(task: Task) -> Value {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": task.prompt()}]}]});
    match task {
        Task::Text => {}
        Task::Tools => {
            let tool = |(name, _)| json!({"name": name, "parametersJsonSchema": schema()});
            body["tools"] = json!([{"functionDeclarations": TOOLS.map(tool)}]);
        }
        Task::Image => {
            let inline = json!({"mimeType": "image/png", "data": PICTURE});
            push(&mut body["contents"][0]["parts"], json!({"inlineData": inline}));
        }
        Task::Schema => {
            body["generationConfig"] = json!({"responseMimeType": "application/json", "responseJsonSchema": schema()});
        }
        Task::Reasoning => {
            let thinking = json!({"thinkingBudget": 2000, "includeThoughts": true});
            body["generationConfig"] = json!({"thinkingConfig": thinking});
        }
    }
    body
}

pub(super) fn results(seen: &Seen) -> Vec<Value> {
    let result = |(call, (_, said)): (&Call, _)| {
        let mut response = json!({"name": call.name, "response": {"result": said}});
        if !call.id.starts_with("by place ") {
            response["id"] = call.id.clone().into();
        }
        json!({"functionResponse": response})
    };
    let parts: Vec<Value> = seen.calls.iter().zip(TOOLS).map(result).collect();
    vec![json!({"role": "user", "parts": parts})]
}

/// A whole answer is a stream of one chunk.
pub(super) fn read(chunks: &[Value]) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let mut parts = Vec::new();
    for chunk in chunks {
        let candidate = &chunk["candidates"][0];
        for part in items(&candidate["content"]["parts"]) {
            parts.push(part.clone());
            if part["thought"] == true {
                seen.thinking += text(part, "text");
            } else if let Some(call) = part.get("functionCall") {
                let place = format!("by place {}", seen.calls.len());
                let id = call["id"].as_str().map_or(place, str::to_owned);
                seen.calls.push(Call { id, name: text(call, "name").into(), arguments: call["args"].clone() });
            } else {
                seen.text += text(part, "text");
            }
        }
        if let Some(finish) = candidate["finishReason"].as_str() {
            seen.finish = finish.into();
        }
        if let Some(usage) = chunk.get("usageMetadata") {
            let output = count(usage, "candidatesTokenCount") + count(usage, "thoughtsTokenCount");
            seen.usage = (count(usage, "promptTokenCount"), output);
        }
    }
    seen.turn = vec![json!({"role": "model", "parts": parts})];
    Ok(seen)
}
