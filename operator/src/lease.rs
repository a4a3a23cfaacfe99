//! Who leads: a Lease of the API server, taken and kept by a pure step.
//!
//! A leader counts its right to lead from the moment it *asked* for a renewal, on its own clock; a candidate counts a
//! Lease's age from the moment it *saw* it change, on its own clock. So no two clocks are ever compared, and a leader
//! has stopped ([`RENEW_DEADLINE`]) before anybody may take over ([`DURATION`]).

mod run;

use std::{net::SocketAddr, time::Duration};

use tokio::time::Instant;

pub(crate) use run::{Elected, run};

/// How long a Lease holds after it was last seen to change.
pub(crate) const DURATION: Duration = Duration::from_secs(10);
/// How long a leader leads after it asked for its last renewal that was granted.
pub(crate) const RENEW_DEADLINE: Duration = Duration::from_secs(7);
/// How often a leader renews and a candidate looks.
pub(crate) const RETRY: Duration = Duration::from_secs(2);

/// What stands in the Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Empty: released.
    pub(crate) holder: String,
    /// Where followers send proxies, where it is known.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) transitions: u64,
    /// Changes with every renewal; compared, never read as a time.
    pub(crate) renewed: String,
}

/// Whether this process leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Leader {
        /// The Lease's transitions: greater than that of every leader before.
        epoch: u64,
        /// From here on, nothing may be sent or written as leader.
        until: Instant,
    },
    Follower {
        /// The leader's address, where one is known.
        leader: Option<SocketAddr>,
    },
}

/// What to do with the Lease now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Somebody else holds it.
    Wait,
    /// Write this: over what was read, or as a new Lease if there was none.
    Write { transitions: u64, taking: bool },
}

/// A candidate's memory between two looks at the Lease.
#[derive(Debug)]
pub(crate) struct Election {
    identity: String,
    seen: Option<(Record, Instant)>,
    /// Held by this very process: the epoch, and until when.
    held: Option<(u64, Instant)>,
    highest: u64,
}

impl Role {
    /// The epoch, while it is right to act as leader.
    pub(crate) fn epoch(&self, now: Instant) -> Option<u64> {
        match self {
            Role::Leader { epoch, until } if now < *until => Some(*epoch),
            Role::Leader { .. } | Role::Follower { .. } => None,
        }
    }
}

impl Election {
    /// `identity` must be unique among the processes that run at the same time: the pod's name.
    pub(crate) fn new(identity: &str) -> Self {
        Self { identity: identity.to_owned(), seen: None, held: None, highest: 0 }
    }

    /// What to do about the Lease as it was just read.
    ///
    /// A Lease in this process's name that this process does not hold is from before a restart, or was not renewed in
    /// time: the epoch must be a new one, since another may have led in between, but there is nobody to wait for.
    pub(crate) fn step(&mut self, lease: Option<&Record>, now: Instant) -> Step {
        let Some(record) = lease else {
            self.seen = None;
            return self.take();
        };
        self.highest = self.highest.max(record.transitions);
        if self.seen.as_ref().is_none_or(|(seen, _)| seen != record) {
            self.seen = Some((record.clone(), now));
        }
        let age = self.seen.as_ref().map_or(Duration::ZERO, |(_, at)| now.duration_since(*at));
        self.held = self.held.filter(|(_, until)| now < *until);
        match self.held {
            Some((epoch, _)) if record.holder == self.identity && record.transitions == epoch => {
                Step::Write { transitions: epoch, taking: false }
            }
            _ if record.holder.is_empty() || record.holder == self.identity || age >= DURATION => self.take(),
            _ => Step::Wait,
        }
    }

    fn take(&mut self) -> Step {
        self.held = None;
        Step::Write { transitions: self.highest + 1, taking: true }
    }

    /// The write of `transitions`, asked for at `asked`, was accepted.
    pub(crate) fn granted(&mut self, transitions: u64, asked: Instant) -> Role {
        let until = asked + RENEW_DEADLINE;
        self.held = Some((transitions, until));
        self.highest = self.highest.max(transitions);
        Role::Leader { epoch: transitions, until }
    }

    /// This process does not lead, and if it did, that epoch is over. Says who does.
    pub(crate) fn follow(&mut self) -> Role {
        self.held = None;
        let leader = self.seen.as_ref().map(|(record, _)| record);
        let other = leader.filter(|record| !record.holder.is_empty() && record.holder != self.identity);
        Role::Follower { leader: other.and_then(|record| record.address) }
    }

    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The epoch that this process holds, as far as it knows.
    pub(crate) fn held(&self) -> Option<u64> {
        self.held.map(|(epoch, _)| epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(holder: &str, transitions: u64, renewed: &str) -> Record {
        Record {
            holder: holder.to_owned(),
            address: Some(([127, 0, 0, 1], holder.len() as u16).into()),
            transitions,
            renewed: renewed.to_owned(),
        }
    }

    fn take(transitions: u64) -> Step {
        Step::Write { transitions, taking: true }
    }

    #[test]
    fn a_missing_or_released_lease_is_taken_at_once_in_a_new_epoch() {
        let mut election = Election::new("a");
        assert_eq!(election.step(None, Instant::now()), take(1));
        assert_eq!(election.step(Some(&record("", 6, "t")), Instant::now()), take(7));
    }

    #[test]
    fn a_lease_that_is_renewed_is_left_alone_and_one_that_is_not_is_taken_after_its_duration() {
        let mut election = Election::new("a");
        let start = Instant::now();
        let mut look =
            |renewed, seconds| election.step(Some(&record("b", 3, renewed)), start + Duration::from_secs(seconds));
        assert_eq!(look("t0", 0), Step::Wait);
        assert_eq!(look("t1", 9), Step::Wait);
        assert_eq!(look("t1", 18), Step::Wait);
        assert_eq!(look("t1", 19), take(4));
    }

    #[test]
    fn a_leader_keeps_its_epoch_and_leads_for_seven_seconds_after_it_asked() {
        let mut election = Election::new("a");
        let asked = Instant::now();
        election.step(None, asked);
        let role = election.granted(1, asked);
        assert_eq!(role.epoch(asked + Duration::from_millis(6_999)), Some(1));
        assert_eq!(role.epoch(asked + RENEW_DEADLINE), None);
        let renew = Step::Write { transitions: 1, taking: false };
        assert_eq!(election.step(Some(&record("a", 1, "t1")), asked), renew);
    }

    #[test]
    fn a_leader_that_stopped_leading_comes_back_in_a_new_epoch() {
        let mut election = Election::new("a");
        let asked = Instant::now();
        election.step(None, asked);
        election.granted(1, asked);
        let own = record("a", 1, "t1");
        assert_eq!(election.step(Some(&own), asked + RENEW_DEADLINE), take(2), "its deadline passed");
        election.granted(2, asked);
        election.follow();
        assert_eq!(election.step(Some(&record("a", 2, "t2")), asked), take(3), "its write met a conflict");
    }

    #[test]
    fn a_restarted_process_takes_its_own_old_lease_at_once_in_a_new_epoch() {
        let mut election = Election::new("a");
        assert_eq!(election.step(Some(&record("a", 5, "t")), Instant::now()), take(6));
    }

    #[test]
    fn a_leader_whose_lease_was_taken_follows_and_names_the_other() {
        let mut election = Election::new("a");
        election.step(None, Instant::now());
        election.granted(1, Instant::now());
        assert_eq!(election.step(Some(&record("b", 2, "t")), Instant::now()), Step::Wait);
        let leader = record("b", 2, "t").address;
        assert_eq!(election.follow(), Role::Follower { leader });
        assert_eq!(election.held(), None);
    }

    #[test]
    fn an_epoch_never_goes_back_when_the_lease_was_deleted() {
        let mut election = Election::new("a");
        election.step(Some(&record("b", 8, "t")), Instant::now());
        assert_eq!(election.step(None, Instant::now()), take(9));
    }

    #[test]
    fn a_leader_stops_before_another_may_take_over() {
        assert!(RENEW_DEADLINE + RETRY < DURATION);
    }
}
