//! Watches a simulated world from outside, and says when something happens in it that must not. It knows what was
//! configured, what was asked of whom and what came of it, and nothing of the code that decides.

use std::{collections::HashMap, rc::Rc, time::Duration};

use tokio::time::Instant;

use super::{config::Config, script::Fault};
use gate::{Barred, Gate};
use table::Shown;
use way::Way;

mod gate;
mod table;
mod way;

/// So many repetitions a target has in any case within its window of 10 s, and so large is their share beyond.
const RESERVE: usize = 100;
const SHARE: usize = 5;
const REJECTED_FOR: Duration = Duration::from_secs(30);

/// A provider, and how often it had been pointed elsewhere.
pub(super) type Place = (usize, u32);
/// None where the provider wants none.
pub(super) type Key = Option<String>;

pub(super) struct Oracle {
    places: HashMap<Place, State>,
    ways: Vec<Way>,
    pub(super) seen: Seen,
}

/// What is known of a place.
#[derive(Default)]
struct State {
    /// The keys that may be used now, in order; none at all where none is wanted.
    keys: Vec<Key>,
    rejected: HashMap<Key, Instant>,
    gates: HashMap<Key, Gate>,
    in_flight: usize,
    /// When requests came to it, and when one decided to ask again.
    firsts: Vec<Instant>,
    repetitions: Vec<Instant>,
}

/// A call on its way.
struct Call {
    place: Place,
    /// With which it came in.
    key: Key,
    /// With which it was sent.
    sent: Option<Key>,
    since: Instant,
    /// It came in while the breaker was open.
    is_probe: bool,
    is_committed: bool,
    /// It was a probe, and has shown that the target works.
    is_noted: bool,
}

/// Why a place is not asked.
enum Shut {
    NoKey,
    Barred(Barred),
}

/// What can happen in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Request,
    Call,
    Answer,
    Broken,
    Left,
    Wait,
    Exempt,
    OtherKey,
    ReplacedKey,
    PassedBy,
    Probe,
    LastResort,
    ShareUsedUp,
    Deadline,
    Told429,
    Told502,
    Told503,
    Told504,
    Told4xx,
}

/// How often it happened; a test that has not seen it all has shown little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen([usize; Sight::Told4xx as usize + 1]);

impl Seen {
    pub(super) fn is_all(&self) -> bool {
        !self.0.contains(&0)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    fn note(&mut self, sight: Sight) {
        self.note_if(sight, true);
    }

    fn note_if(&mut self, sight: Sight, holds: bool) {
        self.0[sight as usize] += usize::from(holds);
    }
}

impl Oracle {
    pub(super) fn new() -> Self {
        Self { places: HashMap::new(), ways: Vec::new(), seen: Seen::default() }
    }

    /// This is live from now on. Where a provider was before, keys only go.
    pub(super) fn configured(&mut self, config: &Config) {
        let values: Vec<_> = config.providers.iter().flat_map(|provider| &provider.keys).collect();
        for state in self.places.values_mut() {
            state.keys.retain(|key| key.as_ref().is_none_or(|key| values.contains(&key)));
        }
        for (number, provider) in config.providers.iter().enumerate() {
            let state = self.places.entry((number, provider.moves)).or_default();
            state.keys = provider.keys.iter().cloned().map(Some).collect();
            if state.keys.is_empty() {
                state.keys.push(None);
            }
        }
    }

    /// A request has come: these are the providers that it would ask, in order.
    pub(super) fn begins(
        &mut self,
        config: &Rc<Config>,
        route: usize,
        order: Vec<usize>,
        (now, deadline): (Instant, Instant),
    ) -> usize {
        let way = Way::new(config, route, order, (now, deadline));
        let places = way.places.iter().map(|place| self.places[place].in_flight);
        way.check_order(&places.collect::<Vec<_>>());
        self.ways.push(way);
        self.seen.note(Sight::Request);
        self.ways.len() - 1
    }

    pub(super) fn in_flight(&self, place: Place) -> usize {
        self.places[&place].in_flight
    }

    pub(super) fn all_in_flight(&self) -> usize {
        self.places.values().map(|state| state.in_flight).sum()
    }

    /// A call goes out with this key.
    pub(super) fn sends(&mut self, id: usize, key: &Key, now: Instant) {
        let way = &mut self.ways[id];
        way.log(now, format!("sends with {key:?}"));
        let Some(call) = &mut way.call else { return way.violated("it sends what it does not ask") };
        self.seen.note_if(Sight::ReplacedKey, call.key != *key);
        call.sent = Some(key.clone());
        if !self.places[&call.place].keys.contains(key) {
            way.violated("a key was sent that had been replaced");
        }
    }

    /// The first content is there, or the whole answer.
    pub(super) fn commits(&mut self, id: usize, now: Instant) {
        let way = &mut self.ways[id];
        way.log(now, "has content".into());
        if now > way.deadline {
            way.violated("content came after the deadline");
        }
        way.is_over = true;
        let Some(call) = &mut way.call else { return way.violated("an answer came to what was not asked") };
        let state = self.places.get_mut(&call.place).expect("must be known");
        let sent = call.sent.clone().expect("must have been sent");
        call.is_committed = true;
        let gate = state.gates.get_mut(&call.key).expect("must have been entered");
        if call.key != sent {
            gate.leave(id);
            call.key = sent;
        } else if call.is_probe {
            gate.note(Some(id), Shown::Works, call.since, now);
            call.is_noted = true;
        }
    }

    /// The answer is over, whole unless it has broken.
    pub(super) fn ends(&mut self, id: usize, broken: Option<Fault>, now: Instant) {
        let way = &mut self.ways[id];
        way.log(now, format!("ends, broken: {broken:?}"));
        if now > way.deadline {
            way.violated("an answer outlived the deadline");
        }
        let Some(call) = way.call.take() else { return way.violated("what ends was not asked") };
        match broken {
            Some(_) => self.seen.note(Sight::Broken),
            None => self.seen.note(Sight::Answer),
        }
        self.over(&call, broken, now);
    }

    /// The client has left, if the request was not over.
    pub(super) fn left(&mut self, id: usize, now: Instant) {
        let way = &mut self.ways[id];
        let Some(call) = way.call.take() else { return };
        way.is_over = true;
        way.log(now, "its client leaves".into());
        self.seen.note(Sight::Left);
        if call.is_committed {
            return self.over(&call, None, now);
        }
        let state = self.state(call.place);
        state.in_flight -= 1;
        state.gate(&call.key, now).leave(id);
    }

    /// A committed answer is over.
    fn over(&mut self, call: &Call, broken: Option<Fault>, now: Instant) {
        let state = self.state(call.place);
        state.in_flight -= 1;
        let gate = state.gate(&call.key, now);
        match broken {
            Some(fault) => gate.note(None, fault.shows(), call.since, now),
            None if call.is_noted => {}
            None => gate.note(None, Shown::Works, call.since, now),
        }
    }

    /// The call has failed before the client saw anything of it.
    pub(super) fn fails(&mut self, id: usize, fault: Fault, now: Instant) {
        let way = &mut self.ways[id];
        way.log(now, format!("fails: {fault:?}"));
        if now > way.deadline {
            way.violated("a call outlived the deadline");
        }
        let Some(call) = way.call.take() else { return way.violated("what fails was not asked") };
        way.failed(fault, call.sent.clone(), now);
        let state = self.places.get_mut(&call.place).expect("must be known");
        state.in_flight -= 1;
        if let Some(sent) = call.sent {
            let own = (sent == call.key).then_some(id);
            state.gate(&sent, now).note(own, fault.shows(), call.since, now);
            if fault == Fault::Unauthorized && sent.is_some() {
                state.rejected.insert(sent, now);
            }
        }
        state.gate(&call.key, now).leave(id);
    }

    fn state(&mut self, place: Place) -> &mut State {
        self.places.get_mut(&place).expect("must be known")
    }
}

impl State {
    fn gate(&mut self, key: &Key, now: Instant) -> &mut Gate {
        self.gates.entry(key.clone()).or_insert_with(|| Gate::new(now))
    }

    fn usable<'a>(&'a self, tried: &'a [Key], now: Instant) -> impl Iterator<Item = &'a Key> {
        let is_rejected = move |key: &&Key| self.rejected.get(*key).is_some_and(|at| now < *at + REJECTED_FOR);
        self.keys.iter().filter(move |key| !tried.contains(key) && !is_rejected(key))
    }

    /// With which key one that comes now is let in, or why it is not.
    fn choose(&self, tried: &[Key], has_waited: bool, now: Instant) -> Result<Key, Shut> {
        let mut barred: Option<Barred> = None;
        for key in self.usable(tried, now) {
            let Some(shut) = self.gates.get(key).and_then(|gate| gate.barred(has_waited, now)) else {
                return Ok(key.clone());
            };
            barred = Some(barred.filter(|other| other.until <= shut.until).unwrap_or(shut));
        }
        Err(barred.map_or(Shut::NoKey, Shut::Barred))
    }

    /// With which key one with nowhere else to go is let in.
    fn choose_last(&self, now: Instant) -> Option<Key> {
        self.usable(&[], now).find(|key| self.gates.get(*key).is_none_or(|gate| gate.admits_last(now))).cloned()
    }

    fn enters(&mut self, id: usize, key: &Key, is_again: bool, now: Instant) -> bool {
        self.in_flight += 1;
        if !is_again {
            self.firsts.push(now);
        }
        self.gate(key, now).enter(id, now)
    }

    /// So many of these were within the time before now.
    fn lately(times: &[Instant], time: Duration, now: Instant) -> usize {
        times.len() - times.partition_point(|then| *then + time < now)
    }

    /// Repetitions are surely more than their share. Their window moves in steps, one for each second or two for a little
    /// more than that, so it is looked at with some leeway.
    fn repeats_too_much(&self, now: Instant) -> bool {
        let firsts = Self::lately(&self.firsts, Duration::from_secs(22), now);
        Self::lately(&self.repetitions, Duration::from_secs(5), now) > RESERVE + firsts / SHARE
    }

    /// Another repetition is surely within their share.
    fn may_repeat(&self, now: Instant) -> bool {
        Self::lately(&self.repetitions, Duration::from_secs(25), now) < RESERVE
    }
}
