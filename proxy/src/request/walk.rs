//! The way of a request through the targets of its route: whom it asks, when it waits, when it gives up. Pure: it is told
//! the time, what happened, and what chance says.

use std::{sync::Arc, time::Duration};

use penstock_crds::FallbackOn;
use tokio::time::Instant;

use super::plan::{Budget, Circumstances, Failure, Step, verdict};
use crate::{
    error::{Error, Expired},
    health::{Asking, Closed, Permit, Place, Skipped, Ticket, Why},
    live::{
        credential::{Barred, Credential, Pick},
        route::{Forward, Target},
    },
    pace::Pace,
};

/// So many keys are tried at one target, however often they are replaced meanwhile.
const MAX_CREDENTIALS: usize = 8;
/// So long a request waits in all for room at providers that have as many requests as they may.
const QUEUED_FOR: Duration = Duration::from_secs(1);

pub(super) struct Walk<'a> {
    /// Whom it would ask, one after the other. Behind `once` are those that had no room when it was their turn.
    order: Vec<&'a Arc<Target>>,
    once: usize,
    fallback_on: &'a [FallbackOn],
    deadline: Instant,
    pace: Pace,
    place: usize,
    here: Option<Here>,
    /// Targets that may not be asked now, by their places.
    closed: Vec<(usize, Closed)>,
    /// Targets whose provider had no room, by their places.
    full: Vec<usize>,
    /// Until when it waits for room, once it does.
    queued_until: Option<Instant>,
    /// The last failure of each target that was left.
    ends: Vec<Failure>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Walking,
    /// Nobody is left but those whose breaker is open, and one of them is asked all the same.
    LastResort,
    Over,
}

/// Where it stands with the target whose place it is.
struct Here {
    budget: Budget,
    /// Credentials that failed this request already.
    tried: Vec<Arc<Credential>>,
    /// It is asked again then, and why.
    again: Option<(Instant, Failure)>,
    /// What it has waited for.
    room: Option<Place>,
}

/// What is to be done next.
pub(super) enum Next<'a> {
    Ask(Turn<'a>),
    /// Nothing until then.
    Wait(Instant),
    /// Room at a provider, and until then; [`Walk::let_in`] is told.
    Queue(Ticket, Instant),
    Over,
}

/// A target's turn: with whose leave, and with which credential unless it is replaced before it is sent.
pub(super) struct Turn<'a> {
    pub(super) target: &'a Arc<Target>,
    pub(super) pick: Pick,
    pub(super) permit: Permit,
}

/// How a turn ended that brought no answer.
pub(super) struct Ended<'a> {
    pub(super) turn: Turn<'a>,
    pub(super) failure: Failure,
    /// What it was sent with; none if it was not sent.
    pub(super) sent_with: Option<Pick>,
    /// Between 0 and 1.
    pub(super) random: f64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(forward: &'a Forward, order: Vec<&'a Arc<Target>>, deadline: Instant, pace: Pace) -> Self {
        Self {
            once: order.len(),
            order,
            fallback_on: &forward.fallback_on,
            deadline,
            pace,
            place: 0,
            here: None,
            closed: Vec::new(),
            full: Vec::new(),
            queued_until: None,
            ends: Vec::new(),
            stage: Stage::Walking,
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Next<'a> {
        if now >= self.deadline {
            self.expire();
        }
        while self.stage == Stage::Walking {
            let Some(target) = self.order.get(self.place).copied() else { return self.last_resort(now) };
            let pace = self.pace;
            let here = self.here.get_or_insert_with(|| Here::at(target, pace));
            let asking = match here.again {
                Some((until, _)) if until > now => return Next::Wait(until),
                Some(_) => Asking::Again,
                None => Asking::First,
            };
            match enter(target, &here.tried, asking, here.room.take(), now) {
                Ok(Some(turn)) => {
                    // With another key it would be a newcomer.
                    here.again = None;
                    return Next::Ask(turn);
                }
                Ok(None) => {
                    if let Some((ticket, until)) = self.queue(target, now) {
                        return Next::Queue(ticket, until);
                    }
                }
                Err(Barred::NoCredential) => self.leave(Failure::NoCredential),
                Err(Barred::Closed(closed)) => self.pass_by(closed),
            }
        }
        Next::Over
    }

    /// A target could not be asked, or failed. True if the walk has left it for the next.
    pub(super) fn failed(&mut self, ended: Ended<'a>, now: Instant) -> bool {
        let Ended { turn, failure, sent_with, random } = ended;
        let Turn { target, mut permit, .. } = turn;
        if let (Some(sent_with), Some(effect)) = (&sent_with, failure.effect()) {
            permit.note(sent_with.fingerprint(), effect, now);
        }
        drop(permit);
        if let Some(Pick::Key(used)) = &sent_with
            && failure.rejects_credential()
        {
            target.provider.credentials.reject(used, now);
        }
        let (Stage::Walking, Some(here)) = (self.stage, &mut self.here) else {
            self.ends.push(failure);
            self.stage = Stage::Over;
            return false;
        };
        here.tried.extend(sent_with.and_then(Pick::key));
        let around = Circumstances {
            other_credential: here.has_other(target, now),
            fallback_on: self.fallback_on,
            time_left: self.deadline.saturating_duration_since(now),
            random,
        };
        match here.budget.decide(&failure, around) {
            Step::NextCredential => false,
            Step::Again(wait) if target.seat.may_repeat() => {
                here.tried.pop();
                here.again = Some((now + wait, failure));
                false
            }
            // Its share of repetitions is used up.
            Step::Again(_) | Step::NextTarget | Step::Stop => {
                self.leave(failure);
                self.stage == Stage::Walking && self.place < self.order.len()
            }
        }
    }

    /// The queue has come to an end: with room, or not in time.
    pub(super) fn let_in(&mut self, room: Option<Place>) {
        if let Some(here) = &mut self.here {
            here.room = room;
        }
    }

    /// The targets that were not asked though they were next, and why.
    pub(super) fn passed_by(&self) -> impl Iterator<Item = (&'a Arc<Target>, Skipped)> {
        let closed = self.closed.iter().map(|(place, closed)| (*place, closed.why.into()));
        let full = self.full.iter().map(|place| (*place, Skipped::Full));
        closed.chain(full).map(|(place, why)| (self.order[place], why))
    }

    /// Another target is left, and may be asked now, for a failure of this class.
    pub(super) fn has_elsewhere(&self, class: FallbackOn, now: Instant) -> bool {
        let may_ask = |target: &&Arc<Target>| target.provider.room.has_room() && may_enter(target, &[], now);
        self.may_have_elsewhere(class) && self.order[self.place + 1..].iter().any(may_ask)
    }

    /// Until when a target that is asked now may be silent: to the moment to try elsewhere, or to the deadline if there is
    /// nowhere else.
    pub(super) fn patient_until(&self, patience: Duration, now: Instant) -> Instant {
        let may_leave = self.may_have_elsewhere(FallbackOn::Timeout);
        if may_leave { self.deadline.min(now + patience) } else { self.deadline }
    }

    /// It was silent until then. Gives the next such moment, if nobody else may be asked at this one. `limit` is the name
    /// of the patience.
    pub(super) fn silent(&self, until: Instant, limit: Expired, patience: Duration) -> Result<Instant, Failure> {
        if until >= self.deadline {
            Err(Failure::Silent(Expired::Request))
        } else if self.has_elsewhere(FallbackOn::Timeout, until) {
            Err(Failure::Silent(limit))
        } else {
            Ok(self.deadline.min(until + patience))
        }
    }

    /// Another target is left.
    fn may_have_elsewhere(&self, class: FallbackOn) -> bool {
        self.stage == Stage::Walking && self.place + 1 < self.order.len() && self.fallback_on.contains(&class)
    }

    /// The targets after the one whose turn it is.
    pub(super) fn rest(&self) -> Vec<Arc<Target>> {
        self.order.iter().skip(self.place + 1).copied().cloned().collect()
    }

    /// The credentials that failed at this target.
    pub(super) fn tried(&self) -> &[Arc<Credential>] {
        self.here.as_ref().map_or(&[], |here| &here.tried)
    }

    /// What the client is told when the walk is over.
    pub(super) fn verdict(self, now: Instant) -> Error {
        let closed = self.closed.iter().map(|(_, closed)| Failure::closed(closed, now));
        // The last failure has a say of its own, and no target that was not asked may take it.
        verdict(closed.chain(self.ends).collect())
    }

    fn expire(&mut self) {
        self.stage = Stage::Over;
        let waiting = self.here.take().and_then(|here| here.again).map(|(_, failure)| failure);
        self.ends.extend(waiting);
        if self.ends.is_empty() {
            self.ends.push(Failure::Silent(Expired::Request));
        }
    }

    fn leave(&mut self, failure: Failure) {
        if !failure.goes_on(self.fallback_on) {
            self.stage = Stage::Over;
        }
        self.ends.push(failure);
        self.place += 1;
        self.here = None;
    }

    /// It is left as it would be for the failure that closed it.
    fn pass_by(&mut self, closed: Closed) {
        // It failed, and closed while its next turn was waited for.
        if let Some((_, failure)) = self.here.take().and_then(|here| here.again) {
            self.ends.push(failure);
        }
        self.closed.push((self.place, closed));
        let next = self.place + 1;
        // Those without room have not failed, so they are still to be asked.
        self.place = if self.fallback_on.contains(&closed.class) { next } else { next.max(self.once) };
    }

    /// There is no room. That is our own bound and no failure: whoever else is left is asked at once, whatever the route falls
    /// back on. With nobody else, or for a repetition, it waits. None: the walk has gone on.
    fn queue(&mut self, target: &'a Arc<Target>, now: Instant) -> Option<(Ticket, Instant)> {
        let repeats = self.here.as_ref().is_some_and(|here| here.again.is_some());
        if !repeats && self.place < self.once && self.place + 1 < self.order.len() {
            self.full.push(self.place);
            self.order.push(target);
            (self.place, self.here) = (self.place + 1, None);
            return None;
        }
        let until = *self.queued_until.get_or_insert(self.deadline.min(now + self.pace.of(QUEUED_FOR)));
        if let Some(ticket) = Some(&target.provider.room).filter(|_| now < until).and_then(|room| room.queue()) {
            return Some((ticket, until));
        }
        self.full.push(self.place);
        let failed = self.here.take().and_then(|here| here.again);
        self.leave(failed.map_or(Failure::Full, |(_, failure)| failure));
        None
    }

    /// The last usable target is never skipped: the first that only our own guess keeps from being asked.
    fn last_resort(&mut self, now: Instant) -> Next<'a> {
        self.stage = Stage::Over;
        let mut guessed = (0..self.closed.len()).filter(|index| self.closed[*index].1.why == Why::BreakerOpen);
        let entered = guessed.find_map(|index| {
            let (place, _) = self.closed[index];
            let turn = enter(self.order[place], &[], Asking::LastResort, None, now).ok()??;
            Some((index, place, turn))
        });
        let Some((index, place, turn)) = entered else { return Next::Over };
        self.closed.remove(index);
        (self.stage, self.place, self.here) = (Stage::LastResort, place, None);
        Next::Ask(turn)
    }
}

impl Here {
    fn at(target: &Target, pace: Pace) -> Self {
        Self { budget: Budget::new(target.provider.retries, pace), tried: Vec::new(), again: None, room: None }
    }

    fn has_other(&self, target: &Target, now: Instant) -> bool {
        !self.tried.is_empty() && self.tried.len() < MAX_CREDENTIALS && may_enter(target, &self.tried, now)
    }
}

/// None: its provider has no room for it.
fn enter<'a>(
    target: &'a Arc<Target>,
    tried: &[Arc<Credential>],
    asking: Asking,
    room: Option<Place>,
    now: Instant,
) -> Result<Option<Turn<'a>>, Barred> {
    let enter = |fingerprint| target.seat.enter(fingerprint, asking, now);
    let (pick, mut permit) = target.provider.credentials.choose(tried, now, enter)?;
    let Some(place) = room.or_else(|| target.provider.room.enter()) else { return Ok(None) };
    permit.keep(place);
    Ok(Some(Turn { target, pick, permit }))
}

fn may_enter(target: &Target, tried: &[Arc<Credential>], now: Instant) -> bool {
    let look = |fingerprint| target.seat.look(fingerprint, Asking::First, now);
    target.provider.credentials.choose(tried, now, look).is_ok()
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
