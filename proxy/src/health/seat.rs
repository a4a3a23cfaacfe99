//! A model of a provider as requests see it: how busy it is, how fast, and whether it may be asked.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use penstock_config::{Hash, ObjectRef};
use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

use super::{
    gate::{Asking, Closed, Effect, Entry, Gate, Trouble},
    latency::Latency,
    room::Place,
    view::{GateState, TargetState},
};
use crate::pace::Pace;

/// What of a target's traffic may be repetitions, and how many a second may be in any case. Looked at over 10 s.
const RETRY_SHARE: f32 = 0.2;
const RETRIES_A_SECOND: u32 = 10;
const RETRY_WINDOW: Duration = Duration::from_secs(10);
/// Gates are kept for so many keys, in case an old one comes back.
const GATES: usize = 16;

/// Which credential: the digest of its key, none where the provider wants no key.
pub(crate) type Fingerprint = Option<Hash>;

pub(crate) struct Seat {
    provider: ObjectRef,
    model: String,
    pace: Pace,
    in_flight: AtomicUsize,
    retries: TpsBudget,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    latency: Latency,
    /// The latest that came is the last.
    gates: Vec<(Fingerprint, Gate)>,
}

/// One request's right to ask. Whatever becomes of the request, it is given back: a probe that shows nothing makes room.
pub(crate) struct Permit {
    seat: Arc<Seat>,
    fingerprint: Fingerprint,
    entry: Entry,
    since: Instant,
    standing: Standing,
    /// At the provider, next to all its other models.
    place: Option<Place>,
}

/// What is known of how an attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Asking,
    /// It has brought content, and is counted when it is over.
    Answering,
    Noted,
}

impl Seat {
    pub(super) fn new(provider: ObjectRef, model: String, pace: Pace) -> Self {
        Self {
            provider,
            model,
            pace,
            in_flight: AtomicUsize::new(0),
            retries: TpsBudget::new(RETRY_WINDOW, RETRIES_A_SECOND, RETRY_SHARE),
            state: Mutex::default(),
        }
    }

    /// Lets a request in, or says why not.
    pub(crate) fn enter(
        self: &Arc<Self>,
        fingerprint: Fingerprint,
        asking: Asking,
        now: Instant,
    ) -> Result<Permit, Closed> {
        let entry = self.state().gate(fingerprint, self.pace, now).enter(asking, now)?;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if asking != Asking::Again {
            self.retries.deposit();
        }
        Ok(Permit { seat: self.clone(), fingerprint, entry, since: now, standing: Standing::Asking, place: None })
    }

    /// What [`Seat::enter`] would say.
    pub(crate) fn look(&self, fingerprint: Fingerprint, asking: Asking, now: Instant) -> Result<(), Closed> {
        match self.state().gates.iter().find(|(key, _)| *key == fingerprint) {
            Some((_, gate)) => gate.entry(asking, now).map(drop),
            None => Ok(()),
        }
    }

    /// Takes one from the share of traffic that may be repetitions, if there is one.
    pub(crate) fn may_repeat(&self) -> bool {
        self.retries.withdraw()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// What it costs to ask now, in seconds; to compare targets by.
    pub(crate) fn latency(&self, now: Instant) -> f64 {
        self.state().latency.cost(self.in_flight(), now)
    }

    /// What there is to report of it with credentials that are `current`.
    pub(super) fn troubles(&self, current: impl Fn(Fingerprint) -> bool, now: Instant) -> BTreeSet<Trouble> {
        let state = self.state();
        let troubles = |(fingerprint, gate): &(Fingerprint, Gate)| {
            let fingerprint = *fingerprint;
            gate.troubles(now).map(move |trouble| (fingerprint, trouble))
        };
        let all = state.gates.iter().flat_map(troubles);
        all.filter(|(fingerprint, _)| current(*fingerprint)).map(|(_, trouble)| trouble).collect()
    }

    pub(super) fn view(&self, now: Instant) -> TargetState {
        let gates = self.state();
        let seconds = |until: Instant| until.saturating_duration_since(now).as_secs_f64();
        let credentials = gates.gates.iter().map(|(fingerprint, gate)| {
            let (phase, until) = gate.phase(now);
            GateState {
                fingerprint: fingerprint.map(|digest| digest.to_string().chars().take(12).collect()),
                breaker: phase.as_str(),
                open_seconds: until.map(seconds),
                cooling_down_seconds: gate.cooling_until(now).map(seconds),
            }
        });
        TargetState {
            provider: self.provider.to_string(),
            model: self.model.clone(),
            in_flight: self.in_flight(),
            credentials: credentials.collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn gate(&mut self, fingerprint: Fingerprint, pace: Pace, now: Instant) -> &mut Gate {
        let place = self.gates.iter().position(|(key, _)| *key == fingerprint);
        let place = place.unwrap_or_else(|| {
            if self.gates.len() == GATES {
                self.gates.remove(0);
            }
            self.gates.push((fingerprint, Gate::new(pace, now)));
            self.gates.len() - 1
        });
        &mut self.gates[place].1
    }
}

impl Permit {
    /// Keeps this place for as long as the permit.
    pub(crate) fn keep(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// Notes what an attempt showed that was sent with this credential in the end.
    pub(crate) fn note(&mut self, sent_with: Fingerprint, effect: Effect, now: Instant) {
        let mut state = self.seat.state();
        let own = self.standing == Standing::Asking && sent_with == self.fingerprint;
        let entry = if own { self.entry } else { Entry::Ordinary };
        state.gate(sent_with, self.seat.pace, now).note(entry, effect, self.since, now);
        if own {
            self.standing = Standing::Noted;
        }
    }

    /// The first content, or the whole answer, is there. An attempt is counted once: an ordinary one when it is over.
    pub(crate) fn answered(&mut self, sent_with: Fingerprint, now: Instant) {
        self.seat.state().latency.note(now.saturating_duration_since(self.since), now);
        match self.entry {
            Entry::Probe { .. } if sent_with == self.fingerprint => self.note(sent_with, Effect::Answered, now),
            Entry::Probe { .. } | Entry::Ordinary => {
                self.let_go();
                (self.fingerprint, self.standing) = (sent_with, Standing::Answering);
            }
        }
    }

    /// An answer that had begun has broken.
    pub(crate) fn broke(&mut self, effect: Effect, now: Instant) {
        self.standing = Standing::Noted;
        self.note(self.fingerprint, effect, now);
    }

    /// The answer is over, or its client has left it.
    fn over(&mut self, now: Instant) {
        if self.standing == Standing::Answering {
            self.standing = Standing::Noted;
            self.note(self.fingerprint, Effect::Answered, now);
        }
    }

    /// A probe that has shown nothing makes room.
    fn let_go(&mut self) {
        if self.standing == Standing::Asking
            && let Some((_, gate)) = self.seat.state().gates.iter_mut().find(|(key, _)| *key == self.fingerprint)
        {
            gate.release(self.entry);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.seat.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.let_go();
        self.over(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use penstock_crds::FallbackOn;

    fn seat() -> Arc<Seat> {
        Arc::new(Seat::new(ObjectRef::new("default", "a"), "m".into(), Pace::REAL))
    }

    fn key(name: &str) -> Fingerprint {
        Some(Hash::of(name.as_bytes()))
    }

    fn enter(seat: &Arc<Seat>, fingerprint: Fingerprint, now: Instant) -> Permit {
        let Ok(permit) = seat.enter(fingerprint, Asking::First, now) else { panic!("must be let in") };
        permit
    }

    fn fails(seat: &Arc<Seat>, fingerprint: Fingerprint, now: Instant) {
        let mut permit = enter(seat, fingerprint, now);
        permit.note(fingerprint, Effect::Failed(FallbackOn::ServerError), now);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_does_not_inherit_what_was_noted_of_the_old_one() {
        let (seat, now) = (seat(), Instant::now());
        (0..10).for_each(|_| fails(&seat, key("old"), now));
        assert!(seat.enter(key("old"), Asking::First, now).is_err());
        assert!(seat.enter(key("new"), Asking::First, now).is_ok());
        assert_eq!(seat.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_troubles_of_current_keys_are_reported() {
        let (seat, now) = (seat(), Instant::now());
        (0..10).for_each(|_| fails(&seat, key("old"), now));
        assert_eq!(seat.troubles(|fingerprint| fingerprint == key("old"), now), [Trouble::Failing].into());
        assert_eq!(seat.troubles(|fingerprint| fingerprint == key("new"), now), [].into());
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_replaced_key_was_let_in_for_is_noted_of_the_key_that_was_sent() {
        let (seat, now) = (seat(), Instant::now());
        for _ in 0..10 {
            let mut permit = enter(&seat, key("old"), now);
            permit.note(key("new"), Effect::Failed(FallbackOn::ServerError), now);
        }
        assert!(seat.enter(key("new"), Asking::First, now).is_err());
        assert!(seat.enter(key("old"), Asking::First, now).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_makes_room_for_the_next() {
        let (seat, now) = (seat(), Instant::now());
        (0..10).for_each(|_| fails(&seat, None, now));
        let later = now + Duration::from_secs(5);
        let probe = enter(&seat, None, later);
        assert!(seat.enter(None, Asking::First, later).is_err());
        drop(probe);
        assert!(seat.enter(None, Asking::First, later).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_breaks_after_it_began_is_one_failure_and_no_answer() {
        let (seat, now) = (seat(), Instant::now());
        for n in 0..10 {
            let mut permit = enter(&seat, None, now);
            permit.answered(None, now);
            if n % 2 == 1 {
                permit.broke(Effect::Failed(FallbackOn::ServerError), now);
            }
        }
        assert!(seat.enter(None, Asking::First, now).is_err(), "five of ten");
        assert_eq!(seat.state().gates[0].1.counted(now), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn repetitions_are_a_fifth_of_the_traffic_and_a_few_a_second() {
        let seat = seat();
        for _ in 0..1_000 {
            drop(seat.enter(None, Asking::First, Instant::now()));
        }
        let repeated = (0..1_000).filter(|_| seat.may_repeat()).count();
        assert_eq!(repeated, 200 + 10 * RETRIES_A_SECOND as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_came_and_went_are_not_kept_for_ever() {
        let (seat, now) = (seat(), Instant::now());
        (0..100).for_each(|n| fails(&seat, key(&n.to_string()), now));
        assert_eq!(seat.state().gates.len(), GATES);
    }
}
