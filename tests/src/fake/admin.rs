//! The admin API: what [`Desk`] can do, over HTTP.
//!
//! | call | what |
//! |---|---|
//! | `GET /_admin/providers` | `{"NAME": {"dialect": ..., "url": ...}}` |
//! | `POST /_admin/script` | adds a [`Script`] |
//! | `DELETE /_admin/script` | forgets all scripts |
//! | `GET /_admin/requests` | every [`Record`](super::Record) |
//! | `DELETE /_admin/requests` | forgets them |
//! | `POST /_admin/keys` | `{"provider": ..., "keys": [...]}`; `null`: any key |
//! | `POST /_admin/models` | `{"provider": ..., "models": [...]}` |
//! | `POST /_admin/connections` | `{"provider": ..., "accept": false}`: refuse connections, close those that there are |
//! | `POST /_admin/gate` | opens the gate that answers with `"how": "gate"` wait at |

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::desk::Desk;
use super::record::Record;
use super::script::Script;

type Answer = Result<StatusCode, (StatusCode, String)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    provider: String,
    keys: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Models {
    provider: String,
    models: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connections {
    provider: String,
    accept: bool,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/_admin/providers", get(providers))
        .route("/_admin/script", post(add_script).delete(clear_scripts))
        .route("/_admin/requests", get(requests).delete(forget_requests))
        .route("/_admin/keys", post(set_keys))
        .route("/_admin/models", post(set_models))
        .route("/_admin/connections", post(set_connections))
        .route("/_admin/gate", post(open_gate))
        .with_state(desk)
}

fn done(result: anyhow::Result<()>) -> Answer {
    match result {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err((StatusCode::NOT_FOUND, error.to_string())),
    }
}

fn borrowed(items: &[String]) -> Vec<&str> {
    items.iter().map(String::as_str).collect()
}

async fn providers(State(desk): State<Desk>) -> Json<Value> {
    let providers: Map<String, Value> = desk
        .providers()
        .into_iter()
        .map(|(name, dialect, address)| (name, json!({"dialect": dialect, "url": format!("http://{address}")})))
        .collect();
    Json(Value::Object(providers))
}

async fn add_script(State(desk): State<Desk>, Json(script): Json<Script>) -> StatusCode {
    desk.script(script);
    StatusCode::NO_CONTENT
}

async fn clear_scripts(State(desk): State<Desk>) -> StatusCode {
    desk.clear_scripts();
    StatusCode::NO_CONTENT
}

async fn requests(State(desk): State<Desk>) -> Json<Vec<Record>> {
    Json(desk.requests())
}

async fn forget_requests(State(desk): State<Desk>) -> StatusCode {
    desk.forget_requests();
    StatusCode::NO_CONTENT
}

async fn set_keys(State(desk): State<Desk>, Json(body): Json<Keys>) -> Answer {
    done(desk.set_keys(&body.provider, body.keys.as_deref().map(borrowed).as_deref()))
}

async fn set_models(State(desk): State<Desk>, Json(body): Json<Models>) -> Answer {
    done(desk.set_models(&body.provider, &borrowed(&body.models)))
}

async fn open_gate(State(desk): State<Desk>) -> StatusCode {
    desk.open_gate();
    StatusCode::NO_CONTENT
}

async fn set_connections(State(desk): State<Desk>, Json(body): Json<Connections>) -> Answer {
    done(match body.accept {
        true => desk.accept_connections(&body.provider).await,
        false => desk.refuse_connections(&body.provider).await,
    })
}
