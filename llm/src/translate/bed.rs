//! For the tests of each dialect: what a request becomes for a provider.

use serde_json::{Value, json};

use super::{Emitted, Target};
use crate::facts::{Facts, Provider};
use crate::{Dialect, Error};

/// A question of OpenAI's dialect with these members.
pub(crate) fn question(members: &Value) -> Value {
    let mut request = json!({"model": "alias", "messages": [{"role": "user", "content": "hi"}]});
    let object = request.as_object_mut().expect("must be an object");
    object.extend(members.as_object().expect("must be members").clone());
    request
}

/// What a request becomes for a model of a provider.
pub(crate) fn emit(
    from: Dialect,
    request: &Value,
    (dialect, provider): (Dialect, Provider),
    model: &str,
) -> Result<Emitted, Error> {
    let target = Target { dialect, model, facts: Facts::of(provider, model), ask_for_usage: true };
    super::request(from, request.to_string().as_bytes(), &target)
}

/// The body that is sent, and the names of the hints that were left out.
pub(crate) fn sent(emitted: Result<Emitted, Error>) -> (Value, Vec<String>) {
    let emitted = emitted.unwrap_or_else(|error| panic!("{error}"));
    let body = serde_json::from_slice(&emitted.body).expect("must be JSON");
    (body, emitted.dropped.iter().map(ToString::to_string).collect())
}
