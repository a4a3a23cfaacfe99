//! What is known of upstreams: shared by all threads and kept outside the snapshot, so that a change of it forgets nothing
//! of a target that it does not touch.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use penstock_config::{ObjectRef, protocol::Report};
use tokio::time::Instant;

pub(crate) use gate::{Asking, Closed, Effect, Why};
pub(crate) use room::{Place, Room, Ticket};
pub(crate) use seat::{Fingerprint, Permit, Seat};
pub(crate) use view::Skipped;
pub use view::{GateState, ProviderState, TargetState};

use crate::pace::Pace;

mod gate;
mod latency;
mod room;
mod seat;
mod view;
mod window;

/// All seats that some route holds, by provider, base URL and model. A provider that is pointed elsewhere starts anew.
pub(crate) struct Seats {
    pace: Pace,
    seats: Mutex<HashMap<(ObjectRef, String, String), Weak<Seat>>>,
    /// By provider and base URL.
    rooms: Mutex<HashMap<(ObjectRef, String), Weak<Room>>>,
}

impl Seats {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, seats: Mutex::default(), rooms: Mutex::default() }
    }

    /// That of a provider's model, as it is known.
    pub(crate) fn of(&self, provider: &ObjectRef, base_url: &str, model: &str) -> Arc<Seat> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (provider.clone(), base_url.to_owned(), model.to_owned());
        if let Some(seat) = seats.get(&place).and_then(Weak::upgrade) {
            return seat;
        }
        let seat = Arc::new(Seat::new(provider.clone(), model.to_owned(), self.pace));
        seats.insert(place, Arc::downgrade(&seat));
        seat
    }

    /// The room that a provider has, with this bound from now on.
    pub(crate) fn room(&self, provider: &ObjectRef, base_url: &str, most: Option<u32>) -> Arc<Room> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (provider.clone(), base_url.to_owned());
        let room = rooms.get(&place).and_then(Weak::upgrade).unwrap_or_else(|| Room::new(provider.to_string()));
        room.bound(most);
        rooms.insert(place, Arc::downgrade(&room));
        room
    }

    /// Forgets those that nobody holds any more.
    pub(crate) fn prune(&self) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, seat| seat.strong_count() > 0);
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, room| room.strong_count() > 0);
    }

    /// How full each provider is now, in the order of their names.
    pub(crate) fn rooms(&self) -> Vec<ProviderState> {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let held: Vec<_> = rooms.values().filter_map(Weak::upgrade).collect();
        drop(rooms);
        let mut states: Vec<_> = held.iter().map(|room| room.view()).collect();
        states.sort_by(|one, other| one.provider.cmp(&other.provider));
        states
    }

    /// What there is to report of the models of providers, by base URL and credential as far as they are `current`.
    pub(crate) fn reports(&self, current: impl Fn(&ObjectRef, &str, Fingerprint) -> bool, now: Instant) -> Vec<Report> {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let held = seats.iter().filter_map(|(place, seat)| Some((place, seat.upgrade()?)));
        let troubles = held.flat_map(|((provider, base_url, model), seat)| {
            let troubles = seat.troubles(|fingerprint| current(provider, base_url, fingerprint), now).into_iter();
            troubles.map(|trouble| trouble.report(provider.clone(), model.clone()))
        });
        troubles.collect()
    }

    /// What is known of each target now, in the order of providers and models.
    pub(crate) fn states(&self, now: Instant) -> Vec<TargetState> {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let held: Vec<_> = seats.values().filter_map(Weak::upgrade).collect();
        drop(seats);
        let mut states: Vec<_> = held.iter().map(|seat| seat.view(now)).collect();
        states.sort_by(|one, other| (&one.provider, &one.model).cmp(&(&other.provider, &other.model)));
        states
    }
}
