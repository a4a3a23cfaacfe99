//! The push channel: an HTTPS response that goes on, and the ACKs that come back.

mod auth;
mod listen;
mod stream;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use k8s_openapi::api::authentication::v1::TokenReview;
use kube::Api;
use penstock_config::protocol::{ACK_PATH, Ack, NotLeader, SNAPSHOT_PATH, StreamQuery, VERSION};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, timeout},
};
use tracing::{info, warn};

use self::{auth::Denied, stream::Reader};
use crate::{
    ca::Serving,
    error::Error,
    lease::Role,
    pods::{self, Uid},
    sessions::{Process, Sessions},
};

pub(crate) use listen::listen;
pub(crate) use stream::Sources;

/// How long a stream's request waits for what is only late: its own pod in the watch, a first snapshot.
const PATIENCE: Duration = Duration::from_secs(3);
/// A proxy may refuse every one of many objects, with reasons.
const LARGEST_ACK: usize = 8 << 20;

/// What the handlers share.
pub(crate) struct Push {
    pub(crate) sources: Sources,
    pub(crate) sessions: Sessions,
    pub(crate) serving: Arc<Serving>,
    pub(crate) reviews: Api<TokenReview>,
    /// The username of the proxies' ServiceAccount.
    pub(crate) proxy: String,
    /// To the reconciler. A full channel makes proxies wait for the answer to their ACK.
    pub(crate) acks: mpsc::Sender<(Process, Ack)>,
}

/// Why a request is not served.
enum Refusal {
    NotLeader(NotLeader),
    Denied(Denied),
    /// Asked too early: nothing to serve yet, or the API server does not answer.
    NotYet(&'static str),
    /// The proxy can't read what this operator writes.
    OldVersion,
    NoSession,
}

pub(crate) fn router(push: Push) -> Router {
    Router::new()
        .route(SNAPSHOT_PATH, get(snapshot))
        .route(ACK_PATH, post(acks))
        .layer(DefaultBodyLimit::max(LARGEST_ACK))
        .with_state(Arc::new(push))
}

/// Opens a stream for a proxy, once it has shown who it is.
async fn snapshot(
    State(push): State<Arc<Push>>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    push.check_leader()?;
    if query.version < VERSION {
        return Err(Refusal::OldVersion);
    }
    let pod = push.authenticate(&headers).await?;
    let mut sources = push.sources.clone();
    let published = timeout(PATIENCE, sources.published.wait_for(Option::is_some)).await;
    let bundle = push.serving.bundle();
    let (Ok(Ok(_)), Some(bundle)) = (published, bundle) else {
        push.check_leader()?;
        return Err(Refusal::NotYet("nothing was compiled yet"));
    };
    let session = push.sessions.open(Process { pod, boot: query.boot });
    info!(pod = session.process.pod, have = ?query.have, "a proxy connected");
    let replicas = push.replicas();
    let reader = Reader::begin(session, sources, query.have, replicas, bundle.to_string());
    let reader = reader.ok_or(Refusal::NotYet("leadership ended"))?;
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(reader.into_lines())).into_response())
}

/// Takes an ACK. The session's name is the proof: only its stream was told it.
async fn acks(State(push): State<Arc<Push>>, Json(ack): Json<Ack>) -> Result<StatusCode, Refusal> {
    push.check_leader()?;
    let process = push.sessions.process(&ack.session).ok_or(Refusal::NoSession)?;
    if ack.undecodable.is_some() {
        push.sessions.mark_undecodable(&process, ack.hash);
    }
    match push.acks.send((process, ack)).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(_) => Err(Refusal::NotYet("the operator is ending")),
    }
}

impl Push {
    fn check_leader(&self) -> Result<(), Refusal> {
        let role = self.sources.role.borrow();
        match (role.epoch(Instant::now()), &*role) {
            (Some(_), _) => Ok(()),
            (None, Role::Follower { leader }) => Err(Refusal::NotLeader(NotLeader { leader: *leader })),
            (None, Role::Leader { .. }) => Err(Refusal::NotLeader(NotLeader { leader: None })),
        }
    }

    /// How many proxies there are, those that have just connected included.
    fn replicas(&self) -> u32 {
        let connected = self.sessions.processes().into_iter().map(|process| process.pod).collect();
        let replicas = pods::expected(&self.sources.pods.borrow(), &connected).len();
        u32::try_from(replicas).unwrap_or(u32::MAX)
    }

    /// The proxy pod that the request's token is bound to.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Uid, Refusal> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Denied::NoToken)?;
        let review = timeout(PATIENCE, auth::review(&self.reviews, token)).await;
        let status = review.map_err(|_| Error::KubeTimeout).and_then(|result| result).map_err(|error| {
            warn!(%error, "a proxy's token could not be reviewed");
            Refusal::NotYet("the token could not be reviewed")
        })?;
        let uid = auth::pod_of(&status, &self.proxy)?;
        // A pod that has just started may be here before the watch has told of it.
        let mut pods = self.sources.pods.clone();
        let _ = timeout(PATIENCE, pods.wait_for(|pods| pods.contains_key(&uid))).await;
        auth::admit(&pods.borrow(), &uid)?;
        Ok(uid)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Refusal::Denied(denied)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::NotLeader(leader) => (StatusCode::MISDIRECTED_REQUEST, Json(leader)).into_response(),
            Refusal::Denied(denied) => {
                warn!(%denied, "refused a reader");
                let status = if denied == Denied::NoToken { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
                status.into_response()
            }
            Refusal::NotYet(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
            Refusal::OldVersion => {
                (StatusCode::BAD_REQUEST, format!("this operator speaks version {VERSION}; update the proxy"))
                    .into_response()
            }
            Refusal::NoSession => (StatusCode::GONE, "no such session; its stream has ended").into_response(),
        }
    }
}
