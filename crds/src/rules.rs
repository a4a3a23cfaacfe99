//! Rules between fields, each said twice side by side: in CEL for the API server, and in Rust for everybody else.
//!
//! Both give the same message, which names the field and the fix.

use serde_json::{Value, json};

use crate::path::Path;
use crate::validation::FieldError;

mod consumer;
mod limit;
mod provider;
mod route;

pub(crate) use consumer::{CONSUMER, JWT, USER_FROM};
pub(crate) use limit::{COST_RATE, RATE, RATE_LIMIT};
pub(crate) use provider::{AI_PROVIDER, ROUTE_NAMESPACES, TIMEOUTS};
pub(crate) use route::{CACHE, MIDDLEWARE, ROUTE_POLICY};

/// Something that must hold for a `T`.
pub(crate) struct Rule<T: 'static> {
    /// The field that an error is reported at.
    at: &'static str,
    cel: &'static str,
    holds: fn(&T) -> bool,
    message: &'static str,
}

/// Something that has rules, or has parts that do.
pub(crate) trait Check {
    /// Adds what is wrong with `self`, which is at `path`.
    fn check(&self, path: &Path<'_>, out: &mut Vec<FieldError>);
}

/// The rules as a schema says them.
pub(crate) fn cel<T>(rules: &[Rule<T>]) -> Value {
    rules
        .iter()
        .map(|rule| json!({"rule": rule.cel, "message": rule.message, "fieldPath": format!(".{}", rule.at)}))
        .collect()
}

fn apply<T>(rules: &[Rule<T>], value: &T, path: &Path<'_>, out: &mut Vec<FieldError>) {
    let broken = rules.iter().filter(|rule| !(rule.holds)(value));
    out.extend(broken.map(|rule| path.field(rule.at).error(rule.message)));
}

fn each<T: Check>(list: &[T], path: &Path<'_>, out: &mut Vec<FieldError>) {
    for (index, item) in list.iter().enumerate() {
        item.check(&path.item(index), out);
    }
}

/// An `http://` or `https://` URL: a host, and no user, query or fragment.
macro_rules! http_url {
    ($schemes:literal) => {
        concat!("^", $schemes, r"://[^/?#@\\s]+(/[^?#\\s]*)?$")
    };
}
use http_url;
