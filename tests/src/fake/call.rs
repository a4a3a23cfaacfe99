//! A request as a dialect sees it.

use serde_json::Value;

use super::asking::Asking;
use super::plan::Response;
use super::question::Question;
use super::script::{Answer, Filtered};
use super::{Dialect, Refusal};

pub(crate) struct Call<'a> {
    pub(crate) asking: &'a Asking<'a>,
    /// What a script changes of the answer.
    pub(crate) answer: &'a Answer,
    /// The models that the provider knows.
    pub(crate) models: &'a [String],
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a Result<Value, String>,
}

impl Call<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(self.headers, name)
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        parameter(self.query, name)
    }

    pub(crate) fn knows(&self, model: &str) -> Result<(), Refusal> {
        if self.models.iter().any(|known| known == model) { Ok(()) } else { Err(Refusal::UnknownModel) }
    }

    /// The body, which has to be JSON and to say so.
    pub(crate) fn json(&self) -> Result<&Value, Refusal> {
        let kind = self.header("content-type").unwrap_or_default();
        if !kind.starts_with("application/json") {
            let message = format!("Invalid content type '{kind}': expected application/json.");
            return Err(Refusal::Invalid { message, param: None });
        }
        self.body.as_ref().map_err(|error| Refusal::NotJson { error: error.clone() })
    }

    /// A 200 with this JSON.
    pub(crate) fn say(&self, value: &Value) -> Result<Response, Refusal> {
        Ok(self.asking.json(value))
    }

    /// The answer to a question.
    pub(crate) fn chat(&self, question: &Question) -> Result<Response, Refusal> {
        // Who has no word for it in an answer says it with an error.
        let says_so = matches!(self.asking.dialect, Dialect::Gemini | Dialect::Anthropic);
        if self.answer.filtered == Some(Filtered::Prompt) && !says_so {
            return Err(Refusal::ContentFilter);
        }
        Ok(self.asking.answer(question, self.answer))
    }
}

pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// A parameter of a query, as it stands there.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

/// What follows `Bearer`.
pub(crate) fn bearer(headers: &[(String, String)]) -> Option<&str> {
    let (scheme, key) = header(headers, "authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}
