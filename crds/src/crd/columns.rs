//! What `kubectl get` shows.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;

use crate::meta::Kind;

/// The columns of a kind, from left to right, after the name. A column shows one value, so lists of objects have none.
pub(super) fn columns(kind: Kind) -> Vec<CustomResourceColumnDefinition> {
    match kind {
        Kind::AIProvider => vec![
            field("Type", ".spec.type"),
            status("Accepted"),
            status("Programmed"),
            status("Healthy"),
            reason(),
            age(),
        ],
        Kind::RoutePolicy => vec![
            field("Models", ".spec.models"),
            status("Accepted"),
            status("ResolvedRefs"),
            status("Programmed"),
            reason(),
            age(),
        ],
        Kind::RateLimit => vec![
            field("Per", ".spec.per"),
            number("Requests", ".spec.requests.limit"),
            number("Tokens", ".spec.tokens.limit"),
            field("Cost", ".spec.cost.limit"),
            status("Accepted"),
            status("Programmed"),
            reason(),
            age(),
        ],
        Kind::Consumer => vec![
            field("Budget", ".spec.budget.limit"),
            field("Period", ".spec.budget.period"),
            status("Accepted"),
            status("ResolvedRefs"),
            status("Programmed"),
            reason(),
            age(),
        ],
    }
}

fn column(name: &str, type_: &str, json_path: String) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path,
        ..CustomResourceColumnDefinition::default()
    }
}

fn field(name: &str, path: &str) -> CustomResourceColumnDefinition {
    column(name, "string", path.to_owned())
}

fn number(name: &str, path: &str) -> CustomResourceColumnDefinition {
    column(name, "integer", path.to_owned())
}

fn status(condition: &str) -> CustomResourceColumnDefinition {
    column(condition, "string", format!(".status.conditions[?(@.type==\"{condition}\")].status"))
}

/// Why an object is not served as it says, or that it is. Only with `-o wide`.
fn reason() -> CustomResourceColumnDefinition {
    let path = ".status.conditions[?(@.type==\"Programmed\")].reason".to_owned();
    CustomResourceColumnDefinition { priority: Some(1), ..column("Reason", "string", path) }
}

fn age() -> CustomResourceColumnDefinition {
    column("Age", "date", ".metadata.creationTimestamp".to_owned())
}
