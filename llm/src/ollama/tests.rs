//! What a client's request becomes for Ollama, and what of its answers the client gets.

mod answers;
mod messages;
mod requests;

use serde_json::{Value, json};

use crate::facts::{Facts, Provider};
use crate::translate::{self, Emitted, Target};
use crate::{Dialect, Error};

/// Does not think.
const LLAMA: &str = "llama3.2";
/// Thinks unless it is told not to.
const QWEN: &str = "qwen3:8b";
/// Always thinks.
const GPT_OSS: &str = "gpt-oss:20b";

fn emit(from: Dialect, model: &str, request: &Value) -> Result<Emitted, Error> {
    let target =
        Target { dialect: Dialect::Ollama, model, facts: Facts::of(Provider::Ollama, model), ask_for_usage: true };
    translate::request(from, request.to_string().as_bytes(), &target)
}

/// A question of OpenAI's dialect with these members.
fn question(members: &Value) -> Value {
    let mut request = json!({"model": "alias", "messages": [{"role": "user", "content": "hi"}]});
    let object = request.as_object_mut().expect("must be an object");
    object.extend(members.as_object().expect("must be members").clone());
    request
}

/// The body that is sent for these members, and the names of the hints that were left out.
fn sent_with_drops(model: &str, members: &Value) -> (Value, Vec<String>) {
    let emitted = emit(Dialect::OpenAI, model, &question(members)).unwrap_or_else(|error| panic!("{members}: {error}"));
    let body = serde_json::from_slice(&emitted.body).expect("must be JSON");
    (body, emitted.dropped.iter().map(ToString::to_string).collect())
}

/// The members that are sent beside those that every request has.
fn others(model: &str, members: &Value) -> Value {
    let (mut body, dropped) = sent_with_drops(model, members);
    assert_eq!(dropped, [""; 0], "{members}");
    let object = body.as_object_mut().expect("must be an object");
    for key in ["model", "messages", "stream", "truncate", "shift"] {
        assert!(object.remove(key).is_some(), "{key}");
    }
    body
}

/// The messages that are sent for these.
fn messages(messages: &Value) -> Value {
    let (body, dropped) = sent_with_drops(LLAMA, &json!({"messages": messages}));
    assert_eq!(dropped, [""; 0], "{messages}");
    body["messages"].clone()
}

/// The field for which a question with these members is refused.
fn refused(members: &Value) -> String {
    match emit(Dialect::OpenAI, LLAMA, &question(members)) {
        Err(Error::Unsupported { field, .. }) => field.into_owned(),
        other => panic!("{members}: {other:?}"),
    }
}
