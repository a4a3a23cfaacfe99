//! What a client's request becomes for Ollama, and what of its answers the client gets.

mod answers;
mod messages;
mod requests;

use serde_json::{Value, json};

use crate::facts::Provider;
use crate::translate::Emitted;
use crate::translate::bed::{self, question};
use crate::{Dialect, Error};

/// Does not think.
const LLAMA: &str = "llama3.2";
/// Thinks unless it is told not to.
const QWEN: &str = "qwen3:8b";
/// Always thinks.
const GPT_OSS: &str = "gpt-oss:20b";

fn emit(from: Dialect, model: &str, request: &Value) -> Result<Emitted, Error> {
    bed::emit(from, request, (Dialect::Ollama, Provider::Ollama), model)
}

/// The body that is sent for these members, and the names of the hints that were left out.
fn sent_with_drops(model: &str, members: &Value) -> (Value, Vec<String>) {
    bed::sent(emit(Dialect::OpenAI, model, &question(members)))
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
