//! What a connection is polled with in place of its user's waker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake},
};

use futures::task::AtomicWaker;

/// Wakes the user of a connection, but not for what the connection does while its user polls it: most of that is seen to
/// in the same poll, and a user who was woken for it would be polled once more for nothing.
#[derive(Default)]
pub(super) struct Bell {
    /// It rang, and the connection has not been polled since.
    rung: AtomicBool,
    /// Who waits. Nobody while the connection is being polled, or lies idle.
    user: AtomicWaker,
}

impl Bell {
    /// One that has rung: what it belongs to was never polled.
    pub(super) fn rung() -> Arc<Self> {
        Arc::new(Self { rung: AtomicBool::new(true), user: AtomicWaker::new() })
    }

    /// The connection must be polled, even if nothing rings.
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
    }

    /// True if it rang since this was last asked: the connection is to be polled now.
    pub(super) fn take(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Runs what polls the connection for a user. If there is nothing yet, the user is woken as soon as it rings, or at once
    /// if it rang and the connection was not polled again.
    pub(super) fn answer<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        drop(self.user.take());
        let polled = poll();
        if polled.is_pending() {
            self.user.register(cx.waker());
            if self.rung.load(Ordering::Acquire) {
                cx.waker().wake_by_ref();
            }
        }
        polled
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
        self.user.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// How often it was woken.
    #[derive(Default)]
    struct User(AtomicUsize);

    impl Wake for User {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often its user is woken while one poll of a connection runs, and by two rings after it.
    fn woken<T>(poll: impl FnOnce(&Arc<Bell>) -> Poll<T>) -> [usize; 2] {
        let (bell, user) = (Bell::rung(), Arc::new(User::default()));
        let count = || user.0.swap(0, Ordering::Relaxed);
        let _ = bell.answer(&mut Context::from_waker(&user.clone().into()), || poll(&bell));
        let while_polled = count();
        (0..2).for_each(|_| bell.wake_by_ref());
        [while_polled, count()]
    }

    #[test]
    fn one_who_waits_is_woken_once_by_what_rings_after_the_poll() {
        let seen_to = |bell: &Arc<Bell>| {
            bell.wake_by_ref();
            bell.take();
            Poll::<()>::Pending
        };
        assert_eq!(woken(seen_to), [0, 1]);
    }

    #[test]
    fn what_rings_in_a_poll_and_is_not_seen_to_wakes_at_once() {
        let not_seen_to = |bell: &Arc<Bell>| {
            bell.take();
            bell.wake_by_ref();
            Poll::<()>::Pending
        };
        assert_eq!(woken(not_seen_to)[0], 1);
        assert_eq!(woken(|_| Poll::<()>::Pending)[0], 1, "a connection that was never polled");
    }

    #[test]
    fn one_who_has_an_answer_is_not_woken_and_the_connection_is_polled_before_the_next() {
        let mut bell = None;
        let answered = |rung: &Arc<Bell>| {
            rung.take();
            rung.wake_by_ref();
            bell = Some(rung.clone());
            Poll::Ready(())
        };
        assert_eq!(woken(answered), [0, 0]);
        assert!(bell.is_some_and(|bell| bell.take()));
    }
}
