pub(crate) mod answer;
pub(crate) mod request;
pub(crate) mod stream;

use serde_json::value::RawValue;

/// Whether serde_json takes it. Numbers are not looked at, since those that no `f64` holds pass as they are spelled.
fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}
