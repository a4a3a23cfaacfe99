//! Who calls, and what they may ask for.

use std::sync::Arc;

use http::{HeaderMap, header::AUTHORIZATION};
use penstock_config::{Hash, ObjectRef, object};

use crate::{
    data::Auth,
    error::Error,
    live::{Tables, route::Route},
};

/// A caller that is known.
pub(crate) struct Consumer {
    /// `namespace/name`, for logs.
    pub(crate) name: String,
    /// Sorted; empty: everything in its scope.
    models: Vec<String>,
    only_namespace: Option<String>,
}

/// Who a request comes from.
#[derive(Clone)]
pub(crate) enum Caller {
    Known(Arc<Consumer>),
    /// Let in by `--auth open`.
    Anyone,
}

impl Consumer {
    pub(crate) fn build(name: &ObjectRef, object: &object::Consumer) -> Self {
        let mut models = object.models.clone();
        models.sort_unstable();
        Self { name: name.to_string(), models, only_namespace: object.only_namespace.clone() }
    }
}

impl Caller {
    /// Finds the Consumer of the request's key: `Authorization: Bearer` or `x-api-key`.
    pub(crate) fn of(headers: &HeaderMap, tables: &Tables, auth: Auth) -> Result<Self, Error> {
        let key = match headers.get(AUTHORIZATION).map(|value| value.as_bytes()) {
            Some(value) if value.len() > 7 && value[..7].eq_ignore_ascii_case(b"bearer ") => Some(&value[7..]),
            Some(_) | None => headers.get("x-api-key").map(|value| value.as_bytes()),
        };
        let consumer = key.and_then(|key| tables.consumers.get(&Hash::of(key.trim_ascii())));
        match (consumer, auth) {
            (Some(consumer), _) => Ok(Caller::Known(consumer.clone())),
            (None, Auth::Open) => Ok(Caller::Anyone),
            (None, Auth::Required) if key.is_some() => Err(Error::UnknownKey),
            (None, Auth::Required) => Err(Error::NoKey),
        }
    }

    /// May it ask for this name of the route?
    pub(crate) fn may_use(&self, name: &str, route: &Route) -> bool {
        let Caller::Known(consumer) = self else { return true };
        let in_scope = consumer.only_namespace.as_ref().is_none_or(|namespace| **namespace == *route.namespace);
        in_scope
            && (consumer.models.is_empty()
                || consumer.models.binary_search_by(|model| model.as_str().cmp(name)).is_ok())
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Caller::Known(consumer) => &consumer.name,
            Caller::Anyone => "",
        }
    }
}
