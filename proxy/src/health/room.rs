//! How many requests a provider has at once, over all its models and all threads, and the queue of those that wait for room.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::view::ProviderState;

/// No more than this wait at a provider, whatever its bound is: who came later would not be let in in time.
const QUEUE: usize = 100;

pub(crate) struct Room {
    provider: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// None: no bound.
    most: Option<usize>,
    inside: usize,
    /// Who came first is let in first. As many as the bound, and at most [`QUEUE`]: past that, a request is told at once.
    queue: VecDeque<Waiting>,
    tickets: u64,
}

struct Waiting {
    ticket: u64,
    let_in: oneshot::Sender<()>,
}

/// Room for one request. Whatever becomes of the request, it is given to the next.
pub(crate) struct Place(Arc<Room>);

/// A place in the queue, left when it is dropped.
pub(crate) struct Ticket {
    room: Arc<Room>,
    ticket: u64,
    let_in: oneshot::Receiver<()>,
    /// It has become a [`Place`].
    used: bool,
}

impl Room {
    pub(super) fn new(provider: String) -> Arc<Self> {
        Arc::new(Self { provider, state: Mutex::default() })
    }

    /// The bound from now on. Those that are inside stay, and count.
    pub(super) fn bound(&self, most: Option<u32>) {
        let mut state = self.state();
        state.most = most.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        state.let_in();
    }

    /// Lets a request in, if there is room and nobody waits for it.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state();
        if !state.has_room() {
            return None;
        }
        state.inside += 1;
        Some(Place(self.clone()))
    }

    /// What [`Room::enter`] would say.
    pub(crate) fn has_room(&self) -> bool {
        self.state().has_room()
    }

    /// Joins the end of the queue, if it is not too long.
    pub(crate) fn queue(self: &Arc<Self>) -> Option<Ticket> {
        let mut state = self.state();
        if state.queue.len() >= state.most.unwrap_or(QUEUE).min(QUEUE) {
            return None;
        }
        let (sender, let_in) = oneshot::channel();
        let ticket = state.tickets;
        state.tickets += 1;
        state.queue.push_back(Waiting { ticket, let_in: sender });
        state.let_in();
        Some(Ticket { room: self.clone(), ticket, let_in, used: false })
    }

    pub(super) fn view(&self) -> ProviderState {
        let state = self.state();
        ProviderState {
            provider: self.provider.clone(),
            in_flight: state.inside,
            queued: state.queue.len(),
            max_concurrent_requests: state.most,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self) -> bool {
        self.queue.is_empty() && self.is_free()
    }

    fn is_free(&self) -> bool {
        self.most.is_none_or(|most| self.inside < most)
    }

    fn leave(&mut self) {
        self.inside -= 1;
        self.let_in();
    }

    fn let_in(&mut self) {
        while self.is_free()
            && let Some(waiting) = self.queue.pop_front()
        {
            // A ticket takes itself out of the queue before it goes, so somebody listens.
            self.inside += usize::from(waiting.let_in.send(()).is_ok());
        }
    }
}

impl Ticket {
    /// Waits for its turn. Cancelled, it is the ticket's end.
    pub(crate) async fn wait(mut self) -> Option<Place> {
        (&mut self.let_in).await.ok()?;
        self.used = true;
        Some(Place(self.room.clone()))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.used {
            return;
        }
        let mut state = self.room.state();
        match state.queue.iter().position(|waiting| waiting.ticket == self.ticket) {
            Some(place) => drop(state.queue.remove(place)),
            // It was let in, and nobody came.
            None => state.leave(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().leave();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn room(most: u32) -> Arc<Room> {
        let room = Room::new("default/a".into());
        room.bound(Some(most));
        room
    }

    fn enter(room: &Arc<Room>) -> Place {
        room.enter().expect("must be let in")
    }

    fn counts(room: &Room) -> (usize, usize) {
        (room.view().in_flight, room.view().queued)
    }

    #[tokio::test]
    async fn who_waits_is_let_in_in_order_and_before_who_comes() {
        let room = room(1);
        let first = enter(&room);
        let mut waiting: Vec<_> = [room.queue()].into_iter().flatten().map(|ticket| Box::pin(ticket.wait())).collect();
        assert!(room.queue().is_none(), "as many as the bound");
        room.bound(Some(2));
        let second = waiting.remove(0).await.expect("a greater bound lets it in");
        waiting.extend([room.queue(), room.queue()].into_iter().flatten().map(|ticket| Box::pin(ticket.wait())));
        drop(first);
        assert!(room.enter().is_none(), "others wait");
        assert!(waiting[1].as_mut().now_or_never().is_none());
        let third = waiting.remove(0).now_or_never().flatten().expect("must be let in");
        drop(second);
        assert!(waiting.remove(0).now_or_never().flatten().is_some());
        drop(third);
        assert_eq!(counts(&room), (0, 0));
    }

    #[tokio::test]
    async fn who_leaves_the_queue_takes_no_room_whether_or_not_it_was_let_in() {
        let room = room(2);
        let (first, second) = (enter(&room), enter(&room));
        let [one, two] = [room.queue(), room.queue()];
        drop(one);
        assert_eq!(counts(&room), (2, 1));
        drop(first);
        assert_eq!(counts(&room), (2, 0), "the other was let in");
        drop(two);
        assert_eq!(counts(&room), (1, 0));
        drop(second);
        assert_eq!(counts(&room), (0, 0));
    }

    #[test]
    fn a_smaller_bound_counts_those_that_are_inside() {
        let room = room(3);
        let mut inside = vec![enter(&room), enter(&room), enter(&room)];
        room.bound(Some(2));
        inside.pop();
        assert!(room.enter().is_none());
        inside.pop();
        assert!(room.enter().is_some());
        room.bound(None);
        inside.extend((0..100).map(|_| enter(&room)));
        assert_eq!(counts(&room), (101, 0));
    }
}
