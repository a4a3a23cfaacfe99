//! Whether a spec says something that makes sense.
//!
//! An API server asks the same: the bounds come from the schema itself, and every rule in [`crate::rules`] is in the
//! schema as well. Asking again matters where there is no API server, or where its definitions are older.

use std::fmt;

use serde::Serialize;

use crate::meta::Kind;
use crate::path::Path;
use crate::rules::Check;
use crate::shape::{self, Unknown};
use crate::{AIProviderSpec, ConsumerSpec, RateLimitSpec, RoutePolicySpec};

/// Something wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldError {
    /// The way to the field, such as `spec.targets[0].weight`.
    pub path: String,
    /// What is wrong with it, and what to do.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The spec of one of the kinds.
#[expect(private_bounds, reason = "only the four specs are meant")]
pub trait Spec: Serialize + Check {
    /// Whose spec it is.
    const KIND: Kind;
}

impl Spec for AIProviderSpec {
    const KIND: Kind = Kind::AIProvider;
}

impl Spec for RoutePolicySpec {
    const KIND: Kind = Kind::RoutePolicy;
}

impl Spec for RateLimitSpec {
    const KIND: Kind = Kind::RateLimit;
}

impl Spec for ConsumerSpec {
    const KIND: Kind = Kind::Consumer;
}

/// Everything that is wrong with a spec in itself: its bounds, and the rules between its fields. What it refers to is
/// not looked at.
#[must_use]
pub fn validate<S: Spec>(spec: &S) -> Vec<FieldError> {
    let path = Path::Root("spec");
    let mut errors = Vec::new();
    let value = serde_json::to_value(spec).expect("must serialise: a spec is plain data");
    shape::spec(S::KIND).check(&value, &path, Unknown::Ignored, &mut errors);
    spec.check(&path, &mut errors);
    errors
}
