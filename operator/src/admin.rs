//! Metrics and health. Plain HTTP, nothing secret.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use tokio::sync::watch;

use crate::metrics::Metrics;

#[derive(Clone)]
struct Admin {
    metrics: Arc<Metrics>,
    ready: watch::Receiver<bool>,
}

/// `ready` is whether all stores have synced, on followers too.
pub(crate) fn router(metrics: Arc<Metrics>, ready: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(Admin { metrics, ready })
}

async fn show(State(admin): State<Admin>) -> impl IntoResponse {
    ([("content-type", "text/plain; version=0.0.4")], admin.metrics.render())
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if *admin.ready.borrow() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not everything was listed yet\n")
    }
}
