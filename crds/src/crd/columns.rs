//! What `kubectl get` shows.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;

use crate::meta::Kind;

/// Where a column shows: always, or with `-o wide` only.
#[derive(Clone, Copy)]
enum Shown {
    Always,
    Wide,
}

use Shown::{Always, Wide};

/// The columns of a kind, from left to right, after the name.
pub(super) fn columns(kind: Kind) -> Vec<CustomResourceColumnDefinition> {
    match kind {
        Kind::AIProvider => vec![
            field("Type", ".spec.type", Always),
            status("Accepted"),
            status("Programmed"),
            status("Healthy"),
            field("Models", ".spec.models[*].name", Wide),
            reason(),
            age(),
        ],
        Kind::RoutePolicy => vec![
            field("Models", ".spec.models", Always),
            status("Accepted"),
            status("ResolvedRefs"),
            status("Programmed"),
            field("Providers", ".spec.targets[*].provider", Wide),
            reason(),
            age(),
        ],
        Kind::RateLimit => vec![
            field("Per", ".spec.per", Always),
            number("Requests", ".spec.requests.limit"),
            number("Tokens", ".spec.tokens.limit"),
            field("Cost", ".spec.cost.limit", Always),
            status("Accepted"),
            status("Programmed"),
            reason(),
            age(),
        ],
        Kind::Consumer => vec![
            field("Budget", ".spec.budget.limit", Always),
            field("Period", ".spec.budget.period", Always),
            status("Accepted"),
            status("ResolvedRefs"),
            status("Programmed"),
            reason(),
            age(),
        ],
    }
}

fn column(name: &str, type_: &str, json_path: String, shown: Shown) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path,
        priority: match shown {
            Always => None,
            Wide => Some(1),
        },
        ..CustomResourceColumnDefinition::default()
    }
}

fn field(name: &str, path: &str, shown: Shown) -> CustomResourceColumnDefinition {
    column(name, "string", path.to_owned(), shown)
}

fn number(name: &str, path: &str) -> CustomResourceColumnDefinition {
    column(name, "integer", path.to_owned(), Always)
}

fn status(condition: &str) -> CustomResourceColumnDefinition {
    column(condition, "string", format!(".status.conditions[?(@.type==\"{condition}\")].status"), Always)
}

/// Why an object is not served as it says, or that it is.
fn reason() -> CustomResourceColumnDefinition {
    column("Reason", "string", ".status.conditions[?(@.type==\"Programmed\")].reason".to_owned(), Wide)
}

fn age() -> CustomResourceColumnDefinition {
    column("Age", "date", ".metadata.creationTimestamp".to_owned(), Always)
}
