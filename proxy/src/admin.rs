//! The admin listener: metrics, health, readiness and what is live. It shows no secrets and changes nothing.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use penstock_proxy::{
    Live, Metrics, State as LiveState,
    health::{ProviderState, TargetState},
};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::source::Status;

/// What the pages are made from.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) live: Live,
    pub(crate) metrics: Metrics,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) draining: CancellationToken,
}

/// The body of `/config`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(flatten)]
    status: Status,
    /// Seconds since the source last held the live snapshot to be current; none before the first.
    age_seconds: Option<f64>,
    #[serde(flatten)]
    live: LiveState,
    /// Of every target: whether it may be asked, and how busy it is.
    targets: Vec<TargetState>,
    /// Of every provider: how many requests are on their way to it, and wait.
    providers: Vec<ProviderState>,
}

impl Admin {
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/config", get(config))
            .with_state(self)
    }

    /// Why no traffic should come, if it should not.
    fn unready(&self) -> Option<&'static str> {
        if self.draining.is_cancelled() {
            return Some("draining");
        }
        (!self.status.borrow().ready).then_some("no snapshot yet")
    }
}

async fn readyz(State(admin): State<Admin>) -> Response {
    match admin.unready() {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.render())
}

async fn config(State(admin): State<Admin>) -> impl IntoResponse {
    Json(Config {
        status: admin.status.borrow().clone(),
        age_seconds: admin.metrics.snapshot_age(),
        live: admin.live.state(),
        targets: admin.live.targets(),
        providers: admin.live.providers(),
    })
}
