//! The way of one request, as it must be.

use std::{collections::HashSet, rc::Rc, time::Duration};

use penstock_crds::{Balance, FallbackOn};
use tokio::time::Instant;

use super::{
    Call, Key, Oracle, Place, Shut, Sight, State,
    gate::{Barred, Why},
    table::{Again, Told, verdict},
};
use crate::request::walk::simulation::{
    config::{Config, Provider, Route},
    script::Fault,
};

/// So many events are shown of a request that went wrong.
const SHOWN: usize = 30;

pub(super) struct Way {
    config: Rc<Config>,
    route: usize,
    order: Vec<usize>,
    pub(super) places: Vec<Place>,
    pub(super) deadline: Instant,
    /// Where it stands in the order.
    at: usize,
    here: Here,
    /// Those that it passed by, for a reason that may be overcome.
    closed: Vec<(usize, Barred)>,
    ends: Vec<Told>,
    /// It asks, or asked, one whose breaker is open, since there is no other.
    is_last_resort: bool,
    /// Nobody else may be asked.
    is_stopped: bool,
    pub(super) is_over: bool,
    pub(super) call: Option<Call>,
    log: Vec<String>,
    start: Instant,
}

#[derive(Default)]
struct Here {
    repetitions: u32,
    cuts: u32,
    tried: Vec<Key>,
    last: Option<(Fault, Instant)>,
    waits_until: Option<Instant>,
}

impl Way {
    pub(super) fn new(
        config: &Rc<Config>,
        route: usize,
        order: Vec<usize>,
        (start, deadline): (Instant, Instant),
    ) -> Self {
        let places = order.iter().map(|number| (*number, config.providers[*number].moves)).collect();
        Self {
            config: config.clone(),
            route,
            log: vec![format!("route {route} over {order:?}, deadline after {:?}", deadline - start)],
            order,
            places,
            deadline,
            at: 0,
            here: Here::default(),
            closed: Vec::new(),
            ends: Vec::new(),
            is_last_resort: false,
            is_stopped: false,
            is_over: false,
            call: None,
            start,
        }
    }

    pub(super) fn log(&mut self, now: Instant, what: String) {
        self.log.push(format!("{:?} {what}", now - self.start));
    }

    pub(super) fn violated(&self, what: &str) {
        let log = &self.log[self.log.len().saturating_sub(SHOWN)..];
        panic!("{what}\n{}", log.join("\n"));
    }

    fn route(&self) -> &Route {
        &self.config.routes[self.route]
    }

    fn provider(&self, place: usize) -> &Provider {
        &self.config.providers[self.order[place]]
    }

    fn lists(&self, class: FallbackOn) -> bool {
        self.route().fallback_on.contains(&class)
    }

    /// All are there, by priority, and within one as the route says, as far as that is not left to chance.
    pub(super) fn check_order(&self, in_flight: &[usize]) {
        let targets = &self.route().targets;
        let all: HashSet<_> = targets.iter().map(|target| target.provider).collect();
        if all.len() != self.order.len() || !self.order.iter().all(|number| all.contains(number)) {
            self.violated("not all targets of the route are in its order");
        }
        let longest = targets.iter().map(|target| self.config.providers[target.provider].request).max();
        if Some(self.deadline - self.start) != longest {
            self.violated("the deadline is not the longest of its targets");
        }
        let priority = |place: usize| {
            targets.iter().find(|target| target.provider == self.order[place]).map(|target| target.priority)
        };
        for place in 1..self.order.len() {
            let rank = |place: usize| match self.route().balance {
                Balance::LeastBusy => in_flight[place],
                Balance::LowestCost => self.provider(place).price as usize,
                Balance::Weighted | Balance::LeastLatency => 0,
            };
            if (priority(place - 1), rank(place - 1)) > (priority(place), rank(place)) {
                self.violated("the order is not that of the route");
            }
        }
    }

    pub(super) fn failed(&mut self, fault: Fault, sent: Option<Key>, now: Instant) {
        self.here.cuts += u32::from(fault == Fault::Cut);
        if fault.again() == Again::OtherKey {
            self.here.tried.extend(sent.flatten().map(Some));
        }
        self.here.last = Some((fault, now));
    }

    /// It must have asked again, for all that is known.
    fn should_repeat(&self, fault: Fault, state: &State, now: Instant) -> bool {
        let provider = self.provider(self.at);
        let longest = match fault.again() {
            Again::No | Again::OtherKey => return false,
            Again::Backoff => backoff(self.here.repetitions).mul_f64(1.5),
            Again::Named(wait) if wait > provider.wait_up_to => return false,
            Again::Named(wait) => wait.mul_f64(1.2),
        };
        let is_left = self.here.repetitions < provider.attempts && self.here.cuts < 2;
        is_left && now + longest < self.deadline && state.may_repeat(now)
    }

    /// Leaves where it stands, after a failure that it does not wait for any more.
    fn leave(&mut self, told: Told) {
        self.ends.push(told);
        self.at += 1;
        self.here = Here::default();
    }

    fn pass_by(&mut self, barred: Barred) {
        self.closed.push((self.at, barred));
        self.at = if self.lists(barred.class) { self.at + 1 } else { self.order.len() };
        self.here = Here::default();
    }

    /// What the client is to be told.
    fn verdict(&self, now: Instant) -> (u16, Option<Duration>) {
        let closed = self.closed.iter().map(|(_, barred)| {
            let wait = barred.until.saturating_duration_since(now);
            match (barred.why, barred.class) {
                (Why::Open, _) => Told::Open(wait),
                (Why::Cooling, _) => Told::Limited(Some(wait)),
            }
        });
        verdict(&closed.chain(self.ends.iter().copied()).collect::<Vec<_>>())
    }
}

/// A wait that the provider does not name, give or take a half.
fn backoff(repetitions: u32) -> Duration {
    Duration::from_millis([100, 200, 400, 800][repetitions as usize])
}

impl Oracle {
    /// The request asks this provider with this key.
    pub(in super::super) fn asks(&mut self, id: usize, provider: usize, key: &Key, now: Instant) {
        let way = &mut self.ways[id];
        way.log(now, format!("asks {provider} with {key:?}"));
        if now >= way.deadline || way.is_over || way.is_stopped || way.is_last_resort || way.call.is_some() {
            way.violated("it asks when it must not: its time is over, or its turn, or it has an answer");
        }
        let place = way.order.iter().position(|number| *number == provider).expect("must be of its route");
        let is_again = place == way.at && way.here.waits_until.is_some();
        let is_other_key = place == way.at && way.here.last.is_some() && !is_again;
        let tried = if place == way.at { way.here.tried.clone() } else { Vec::new() };
        let state = &self.places[&way.places[place]];
        let expected = state.choose(&tried, is_again, now);
        let expected = match expected {
            Ok(expected) if is_again || is_other_key => {
                self.goes_on_here(id, now);
                Some(expected)
            }
            Ok(expected) if place >= way.at => {
                self.passes(id, place, now);
                Some(expected)
            }
            Ok(_) | Err(_) => self.last_resort(id, place, now),
        };
        let way = &mut self.ways[id];
        if expected.as_ref() != Some(key) {
            way.violated(&format!("it must have asked with {expected:?}"));
        }
        self.let_in(id, place, key, is_again, now);
    }

    fn let_in(&mut self, id: usize, place: usize, key: &Key, is_again: bool, now: Instant) {
        let way = &mut self.ways[id];
        let state = self.places.get_mut(&way.places[place]).expect("must be known");
        let is_probe = state.enters(id, key, is_again, now);
        self.seen.note(Sight::Call);
        self.seen.note_if(Sight::Probe, is_probe);
        way.at = place;
        way.here.last = None;
        way.here.waits_until = None;
        let place = way.places[place];
        way.call = Some(Call {
            place,
            key: key.clone(),
            sent: None,
            since: now,
            is_probe,
            is_committed: false,
            is_noted: false,
        });
    }

    /// It asks again, or with another key.
    fn goes_on_here(&mut self, id: usize, now: Instant) {
        let way = &mut self.ways[id];
        match (way.here.waits_until, way.here.last) {
            (Some(until), _) => {
                let state = &self.places[&way.places[way.at]];
                self.seen.note_if(Sight::Exempt, state.choose(&way.here.tried, false, now).is_err());
                if now < until {
                    way.violated("it did not wait as long as it was told");
                }
            }
            (None, Some((fault, at))) => {
                self.seen.note(Sight::OtherKey);
                if fault.again() != Again::OtherKey || at != now || way.here.tried.len() >= 8 {
                    way.violated("it asks again at once");
                }
            }
            (None, None) => way.violated("it asks again what it has not asked"),
        }
    }

    /// It does not ask again where it has failed.
    fn goes_from_here(&mut self, id: usize, now: Instant) {
        let way = &mut self.ways[id];
        let Some((fault, at)) = way.here.last else { return };
        if way.here.waits_until.is_some() {
            return way.ends.push(fault.told());
        }
        let state = &self.places[&way.places[way.at]];
        let other_key = fault.again() == Again::OtherKey && !way.here.tried.is_empty();
        if other_key && state.choose(&way.here.tried, false, now).is_ok() {
            way.violated("another key was left");
        }
        if at == now && way.should_repeat(fault, state, now) {
            way.violated("attempts were left");
        }
        self.seen.note_if(Sight::ShareUsedUp, fault.again() == Again::Backoff && !state.may_repeat(now));
        way.is_stopped = !fault.goes_on(&way.route().fallback_on);
        way.leave(fault.told());
    }

    /// It goes from where it stands to that place, and on its way there was nobody to be asked.
    fn passes(&mut self, id: usize, to: usize, now: Instant) {
        self.goes_from_here(id, now);
        let way = &mut self.ways[id];
        while way.at < to && !way.is_stopped {
            let has_waited = way.here.waits_until.is_some();
            match self.places[&way.places[way.at]].choose(&way.here.tried, has_waited, now) {
                Ok(_) => way.violated("it passes by a target that may be asked"),
                Err(Shut::Barred(barred)) => {
                    self.seen.note(Sight::PassedBy);
                    way.pass_by(barred);
                }
                Err(Shut::NoKey) => {
                    if has_waited {
                        way.ends.pop();
                    }
                    way.is_stopped = !way.lists(FallbackOn::Auth);
                    way.leave(Told::Upstream);
                }
            }
        }
        if way.is_stopped && to < way.order.len() {
            way.violated("it goes on after what must end it");
        }
    }

    /// Nobody else is left. Gives the key that it must ask this one with.
    fn last_resort(&mut self, id: usize, place: usize, now: Instant) -> Option<Key> {
        let length = self.ways[id].order.len();
        self.passes(id, length, now);
        let chosen = self.choose_last(id, now);
        let way = &mut self.ways[id];
        let Some((index, key)) = chosen.filter(|(index, _)| way.closed[*index].0 == place) else {
            way.violated("it asks a target that is closed");
            return None;
        };
        way.closed.remove(index);
        way.is_last_resort = true;
        self.seen.note(Sight::LastResort);
        Some(key)
    }

    fn choose_last(&self, id: usize, now: Instant) -> Option<(usize, Key)> {
        let way = &self.ways[id];
        let mut open = way.closed.iter().enumerate().filter(|(_, (_, barred))| barred.why == Why::Open);
        open.find_map(|(index, (place, _))| Some((index, self.places[&way.places[*place]].choose_last(now)?)))
    }

    /// The request waits until then to ask again.
    pub(in super::super) fn waits(&mut self, id: usize, until: Instant, now: Instant) {
        let way = &mut self.ways[id];
        way.log(now, format!("waits until {:?}", until - way.start));
        let Some((fault, at)) = way.here.last else { return way.violated("it waits for nothing") };
        let provider = way.provider(way.at);
        let (least, most) = match fault.again() {
            Again::Named(wait) if wait <= provider.wait_up_to => (wait, wait.mul_f64(1.2)),
            Again::Backoff => {
                let wait = backoff(way.here.repetitions);
                (wait.mul_f64(0.5), wait.mul_f64(1.5))
            }
            Again::Named(_) | Again::No | Again::OtherKey => return way.violated("it waits to ask in vain"),
        };
        if at != now || until - now < least || until - now > most || until >= way.deadline {
            way.violated(&format!("it must wait between {least:?} and {most:?}"));
        }
        let is_too_often = way.here.repetitions >= provider.attempts || way.here.cuts > 1;
        if is_too_often || way.is_last_resort || way.here.waits_until.is_some() {
            way.violated("it asks more often than it may");
        }
        way.here.repetitions += 1;
        way.here.waits_until = Some(until);
        let state = self.places.get_mut(&way.places[way.at]).expect("must be known");
        state.repetitions.push(now);
        self.seen.note(Sight::Wait);
        if state.repeats_too_much(now) {
            way.violated("repetitions are more than their share");
        }
    }

    /// The request is given up, and its client told this.
    pub(in super::super) fn gives_up(&mut self, id: usize, status: u16, wait: Option<Duration>, now: Instant) {
        let way = &mut self.ways[id];
        way.log(now, format!("gives up with {status}, wait {wait:?}"));
        if way.is_over || now > way.deadline {
            way.violated("it gives up too late");
        }
        if now >= way.deadline {
            self.seen.note(Sight::Deadline);
            self.expires(id, now);
        } else if way.is_last_resort {
            way.ends.extend(way.here.last.map(|(fault, _)| fault.told()));
        } else {
            let length = way.order.len();
            self.passes(id, length, now);
            if !self.ways[id].is_stopped && self.choose_last(id, now).is_some() {
                self.ways[id].violated("the last usable target was not asked");
            }
        }
        let way = &mut self.ways[id];
        way.is_over = true;
        let expected = way.verdict(now);
        if expected != (status, wait) {
            way.violated(&format!("its client must be told {expected:?}"));
        }
        self.seen.note(match status {
            429 => Sight::Told429,
            502 => Sight::Told502,
            503 => Sight::Told503,
            504 => Sight::Told504,
            _ => Sight::Told4xx,
        });
    }

    /// The deadline has passed: what was to be tried with another key is not counted, nor is there time for anyone else.
    fn expires(&mut self, id: usize, now: Instant) {
        let way = &mut self.ways[id];
        if let Some((fault, _)) = way.here.last {
            let state = &self.places[&way.places[way.at]];
            let other_key = fault.again() == Again::OtherKey && !way.here.tried.is_empty();
            if way.is_last_resort || !other_key || state.choose(&way.here.tried, false, now).is_err() {
                way.ends.push(fault.told());
            }
        }
        if way.ends.is_empty() {
            way.ends.push(Told::Timeout);
        }
    }
}
