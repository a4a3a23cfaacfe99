//! A request's life, top to bottom.

use std::{cell::Cell, rc::Rc, sync::Arc};

use http::{HeaderMap, Request, Response, header::EXPECT, request::Parts};
use hyper::body::Incoming;
use penstock_llm::{
    call::Call,
    scan::{Scan, scan},
};

use crate::{
    auth::Caller,
    error::Error,
    limits::{Need, Subject},
    live::{
        Tables,
        route::{Answer as RouteAnswer, Forward, Route},
    },
    serve::{Worker, body::Answer},
    upstream::Upstream,
};

pub(crate) use affordable::TooDear;
use ask::{Ask, Charged};
pub(crate) use record::Record;

mod affordable;
mod ask;
mod attempt;
mod balance;
pub(crate) mod body;
mod headers;
mod hold;
mod plan;
mod prepare;
mod reader;
mod record;
mod settle;
mod stream;
mod targets;
mod walk;

/// Answers a request in the dialect that its client speaks, whatever happens.
pub(crate) async fn serve(
    call: Call,
    record: Rc<Record>,
    worker: &Worker,
    upstream: &Rc<Upstream>,
    request: Request<Incoming>,
) -> Response<Answer> {
    let dialect = call.dialect;
    let (head, mut body) = request.into_parts();
    let waits = head.headers.contains_key(EXPECT);
    let mut response = match life(call, worker, upstream, head, &mut body, &record).await {
        Ok(response) => response,
        Err(error) => {
            record.failed(&error);
            body::drain(waits, &mut body, worker.shared.max_body).await;
            crate::serve::refuse(dialect, &error)
        }
    };
    headers::say_attempts(response.headers_mut(), record.attempts());
    headers::say_limits(response.headers_mut(), dialect, &record.standing());
    response
}

/// admit -> authenticate -> read -> scan -> route -> cost -> limits -> targets, each: translate, credential, send, decode.
async fn life(
    call: Call,
    worker: &Worker,
    upstream: &Rc<Upstream>,
    head: Parts,
    body: &mut Incoming,
    record: &Rc<Record>,
) -> Result<Response<Answer>, Error> {
    let shared = &*worker.shared;
    record.admitted(shared.bounds.requests.take(1).map_err(Error::Overloaded)?);
    let attempt = shared.door.attempt(record.peer, &head.headers);
    let caller = Caller::of(&attempt, &head.uri, &shared.live.tables())?;
    record.caller(&caller);
    let hops = headers::hops(&head.headers, &shared.instance)?;
    let mut held = shared.bounds.held.take(0).map_err(Error::Overloaded)?;
    let pace = shared.live.pace();
    let body = body::read(&head.headers, body, shared.max_body, &mut held, pace).await?;
    let scan = scan(&call, &body)?;
    let route = route(&shared.live.tables(), &caller, &scan)?;
    record.route(&route, &call, &scan);
    let forward = affordable::within(forward(&route, &scan)?, &call, &scan)?;
    let charged = reserve(worker, &caller, (&head.headers, &call, &scan), &forward, record).await?;
    let ask = Rc::new(Ask {
        client: Ask::client(&call, &scan),
        deadline: record.started + forward.deadline,
        pace,
        headers: head.headers,
        call,
        hops,
        body,
        held,
        scan,
        forward,
        charged,
    });
    if ask.scan.stream {
        return hold::answer(ask, upstream, record, shared.hold_head).await;
    }
    let answered = targets::answer(&ask, upstream, record).await?;
    Ok(answered.into_response(record))
}

/// Takes what the request will probably take of every limit that binds it, or nothing where one refuses. Returns whom limits of
/// providers are to charge.
async fn reserve(
    Worker { shared, lane, .. }: &Worker,
    caller: &Caller,
    (headers, call, scan): (&HeaderMap, &Call, &Scan),
    forward: &Forward,
    record: &Record,
) -> Result<Option<Charged>, Error> {
    let (limiter, limits) = (shared.live.limits(), shared.live.tables().limits.clone());
    let budgets = caller.budgets();
    if limits.is_empty() && budgets.is_empty() {
        return Ok(None);
    }
    let address = || shared.door.client(record.peer, headers);
    let user = caller.user(headers, scan.user.as_deref(), address)?;
    let subject = Subject { consumer: caller.consumer(), user: &user, model: &scan.model, provider: None };
    let has_cost = limits.has_cost() || !budgets.is_empty();
    let amounts = balance::estimate(forward, call, scan, has_cost);
    let need = Need { amounts, time: forward.deadline };
    let reserved = limiter.reserve(limits.iter().chain(budgets), lane.as_ref(), subject, need).await;
    record.reserved(reserved).map_err(Error::Limited)?;
    Ok((limits.has_provider_s() || has_cost).then(|| Charged {
        limiter: limiter.clone(),
        lane: lane.clone(),
        limits,
        caller: caller.clone(),
        user: user.into_owned(),
        has_cost,
        cost: Cell::new(amounts.cost),
    }))
}

/// The route of the model that the client asks for. What it may not use does not exist for it.
fn route(tables: &Tables, caller: &Caller, scan: &Scan) -> Result<Arc<Route>, Error> {
    let route = tables.routes.get(&scan.model).filter(|route| caller.may_use(&scan.model, route));
    route.cloned().ok_or_else(|| Error::UnknownModel(scan.model.clone()))
}

fn forward(route: &Route, scan: &Scan) -> Result<Arc<Forward>, Error> {
    let forward = match &route.answer {
        RouteAnswer::Forward(forward) => forward,
        RouteAnswer::Refuse(reason) => return Err(Error::Refused(reason.clone())),
    };
    match &scan.state {
        Some(field) if !forward.allow_state => Err(Error::state(field.clone())),
        Some(_) | None => Ok(forward.clone()),
    }
}

#[cfg(test)]
mod tests;
