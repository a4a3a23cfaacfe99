//! One request in a simulated world: asks as the gateway does, but of a script and not of the network.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use rand::RngExt;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    World,
    config::millis,
    script::{Act, Fault},
};
use crate::{
    error::Expired,
    live::{
        credential::Pick,
        route::{Answer, Forward, Target},
    },
    pace::Pace,
    request::{
        balance,
        plan::Failure,
        walk::{Ended, Next, Turn, Walk},
    },
};

struct Request<'a> {
    world: &'a World,
    id: usize,
    deadline: Instant,
    stream: bool,
}

/// What is to come after the first content.
struct Rest {
    lasts: Duration,
    breaks: Option<Fault>,
}

/// How a call was sent, and how it went.
#[derive(Default)]
struct Sent {
    pick: Option<Pick>,
    fault: Option<Fault>,
}

/// Says that the client has left, if it leaves in the middle.
struct Call<'a>(&'a World, usize);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.oracle.borrow_mut().left(self.1, Instant::now());
        }
    }
}

/// A request comes, and goes with its answer or before.
pub(super) async fn request(world: Rc<World>) {
    let route = world.chance.borrow_mut().random_range(0..5);
    let forward = forward(&world, route);
    let now = Instant::now();
    let deadline = now + forward.deadline;
    let order = balance::order(&forward, &world.call, &world.scan, now, || world.random());
    let numbers = order.iter().map(|target| number(target)).collect();
    let config = world.config.borrow().clone();
    let id = world.oracle.borrow_mut().begins(&config, route, numbers, (now, deadline));
    for target in &order {
        let place = (number(target), config.providers[number(target)].moves);
        assert_eq!(target.seat.in_flight(), world.oracle.borrow().in_flight(place), "in flight at {place:?}");
    }
    let (stream, leaves) = {
        let mut chance = world.chance.borrow_mut();
        let leaves =
            if chance.random_bool(0.1) { now + millis(&mut chance, 0, 6_000) } else { deadline + super::AFTER };
        (chance.random_bool(0.5), leaves)
    };
    let request = Request { world: &world, id, deadline, stream };
    let _ = timeout_at(leaves, request.walk(Walk::new(&forward, order, deadline, Pace::REAL))).await;
}

fn forward(world: &World, route: usize) -> Arc<Forward> {
    match &world.live.tables().routes[&format!("r{route}")].answer {
        Answer::Forward(forward) => forward.clone(),
        Answer::Refuse(reason) => panic!("route {route} must be built: {reason}"),
    }
}

/// Which provider it is of.
fn number(target: &Target) -> usize {
    let number = target.provider.name.strip_prefix("default/p").and_then(|number| number.parse().ok());
    number.expect("must be a number")
}

fn value(pick: &Pick) -> Option<String> {
    let Pick::Key(credential) = pick else { return None };
    credential.header.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned)
}

impl Request<'_> {
    async fn walk(&self, mut walk: Walk<'_>) {
        let oracle = &self.world.oracle;
        loop {
            let now = Instant::now();
            match walk.next(now) {
                Next::Ask(turn) => {
                    oracle.borrow_mut().asks(self.id, number(turn.target), &value(&turn.pick), now);
                    if self.turn(&mut walk, turn).await {
                        return;
                    }
                }
                Next::Wait(until) => {
                    oracle.borrow_mut().waits(self.id, until, now);
                    sleep_until(until).await;
                }
                Next::Queue(..) => panic!("no provider of this world has a bound"),
                Next::Over => {
                    let error = walk.verdict(now);
                    oracle.borrow_mut().gives_up(self.id, error.status(), error.retry_after(), now);
                    return;
                }
            }
        }
    }

    /// True if the client has its answer.
    async fn turn<'a>(&self, walk: &mut Walk<'a>, mut turn: Turn<'a>) -> bool {
        let _call = Call(self.world, self.id);
        let sent = RefCell::default();
        let answered = self.in_time(walk, turn.target, self.send(&turn, walk, &sent)).await;
        let now = Instant::now();
        let Sent { pick, fault } = sent.into_inner();
        match answered {
            Ok(rest) => {
                let pick = pick.expect("must have been sent");
                turn.permit.answered(pick.fingerprint(), now);
                self.world.oracle.borrow_mut().commits(self.id, now);
                self.finish(turn, rest).await;
                true
            }
            Err(failure) => {
                let fault = if let Failure::Silent(_) = failure { Fault::Silent } else { fault.expect("must say how") };
                self.world.oracle.borrow_mut().fails(self.id, fault, now);
                walk.failed(Ended { turn, failure, sent_with: pick, random: self.world.random() }, now);
                false
            }
        }
    }

    async fn in_time(
        &self,
        walk: &Walk<'_>,
        target: &Target,
        sending: impl Future<Output = Result<Rest, Failure>>,
    ) -> Result<Rest, Failure> {
        let mut sending = std::pin::pin!(sending);
        let patience = if self.stream { target.timeouts.first_token } else { target.timeouts.answer };
        let mut moment = walk.patient_until(patience, Instant::now());
        loop {
            match timeout_at(moment, sending.as_mut()).await {
                Ok(answered) => return answered,
                Err(_) => moment = walk.silent(moment, Expired::Answer, patience)?,
            }
        }
    }

    async fn send(&self, turn: &Turn<'_>, walk: &Walk<'_>, sent: &RefCell<Sent>) -> Result<Rest, Failure> {
        let connects = millis(&mut self.world.chance.borrow_mut(), 0, 40);
        sleep_until(Instant::now() + connects).await;
        let now = Instant::now();
        let credentials = &turn.target.provider.credentials;
        let fails = |fault: Fault| {
            sent.borrow_mut().fault = Some(fault);
            Err(fault.failure())
        };
        let Some(pick) = credentials.current(&turn.pick, walk.tried(), now) else { return fails(Fault::Unsent) };
        let (number, key) = (number(turn.target), value(&pick));
        self.world.oracle.borrow_mut().sends(self.id, &key, now);
        sent.borrow_mut().pick = Some(pick);
        match self.world.act(number, &key, now) {
            Act::Answers { first, rest, breaks } => {
                sleep_until(now + first).await;
                Ok(Rest { lasts: rest, breaks })
            }
            Act::Fails(after, fault) => {
                sleep_until(now + after).await;
                fails(fault)
            }
            Act::Silent => std::future::pending().await,
        }
    }

    /// The answer from its first content on; at the deadline it is cut.
    async fn finish(&self, mut turn: Turn<'_>, rest: Rest) {
        let ends = Instant::now() + rest.lasts;
        sleep_until(ends.min(self.deadline)).await;
        let broken = if ends > self.deadline { Some(Fault::Silent) } else { rest.breaks };
        let now = Instant::now();
        let failure = broken.map(|fault| match fault {
            Fault::Silent => Failure::Silent(Expired::Request),
            fault => fault.failure(),
        });
        if let Some(effect) = failure.and_then(|failure| failure.effect()) {
            turn.permit.broke(effect, now);
        }
        drop(turn);
        self.world.oracle.borrow_mut().ends(self.id, broken, now);
    }
}
