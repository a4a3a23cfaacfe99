//! What a request meets before its caller is known: whether everybody may call, and how often who calls may be wrong.

use std::{cell::OnceCell, net::IpAddr, time::Duration};

use http::HeaderMap;
use ipnet::IpNet;

use super::{
    address::TrustedProxies,
    throttle::{Throttle, Wrong},
};
use crate::{data::Auth, error::Error, metrics::Metrics, pace::Pace};

/// Shared by all threads.
pub(crate) struct Door {
    auth: Auth,
    trusted: TrustedProxies,
    throttle: Throttle,
    metrics: Metrics,
}

/// A request that says who it is.
pub(crate) struct Attempt<'a> {
    door: &'a Door,
    peer: IpAddr,
    pub(super) headers: &'a HeaderMap,
    address: OnceCell<IpAddr>,
}

impl Door {
    pub(crate) fn new(auth: Auth, trusted: &[IpNet], pace: Pace, metrics: Metrics) -> Self {
        Self { auth, trusted: TrustedProxies::new(trusted), throttle: Throttle::new(pace), metrics }
    }

    /// Whom a request comes from that this peer has sent.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.trusted.client(peer, headers)
    }

    pub(crate) fn attempt<'a>(&'a self, peer: IpAddr, headers: &'a HeaderMap) -> Attempt<'a> {
        Attempt { door: self, peer, headers, address: OnceCell::new() }
    }
}

impl Attempt<'_> {
    /// Everybody may call.
    pub(super) fn is_open(&self) -> bool {
        self.door.auth == Auth::Open
    }

    /// May a signature be verified for it?
    ///
    /// # Errors
    /// When too many from its address were wrong: until when.
    pub(super) fn may_verify(&self) -> Result<(), Duration> {
        if self.is_open() {
            return Ok(());
        }
        self.door.throttle.look(self.address(), Wrong::Forged)
    }

    /// A signature that was verified for it is wrong.
    pub(super) fn forged(&self) {
        // Who is spent already has asked in the same moment as others.
        let _ = self.door.throttle.take(self.address(), Wrong::Forged);
    }

    /// What a caller is told who is nobody: the error, or that there were too many of them from its address. To show nothing is
    /// no guess, and that keys are missing here is nobody's fault.
    pub(super) fn failed(&self, error: Error) -> Error {
        let told = match error {
            Error::UnknownKey | Error::Token(_) => match self.door.throttle.take(self.address(), Wrong::Failed) {
                Ok(()) => error,
                Err(wait) => Error::TooManyFailures { wait },
            },
            other => other,
        };
        if matches!(told, Error::TooManyFailures { .. }) {
            self.door.metrics.throttled_failure();
        }
        told
    }

    fn address(&self) -> IpAddr {
        *self.address.get_or_init(|| self.door.client(self.peer, self.headers))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A door at which nobody is trusted, and the headers of a request that come to it.
    pub(in crate::auth) fn closed() -> (Door, HeaderMap) {
        (Door::new(Auth::Required, &[], Pace::REAL, Metrics::new()), HeaderMap::new())
    }

    fn told(attempt: &Attempt<'_>, error: impl Fn() -> Error) -> Vec<u16> {
        (0..12).map(|_| attempt.failed(error()).status()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_are_told_to_wait_after_ten_and_who_shows_nothing_is_not() {
        let (door, headers) = closed();
        let attempt = |last| door.attempt([192, 0, 2, last].into(), &headers);
        assert_eq!(told(&attempt(1), || Error::NoKey), [401; 12]);
        assert_eq!(told(&attempt(1), || Error::NoKeysYet), [503; 12]);
        let mut expected = vec![401; 10];
        expected.extend([429; 2]);
        assert_eq!(told(&attempt(1), || Error::UnknownKey), expected);
        assert_eq!(attempt(1).failed(Error::UnknownKey).retry_after(), Some(Duration::from_secs(1)));
        assert_eq!(told(&attempt(2), || Error::UnknownKey), expected, "another address");
        assert_eq!(told(&attempt(2), || Error::NoKey), [401; 12]);
        assert!(door.metrics.render().contains("penstock_throttled_failures_total 5"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_forwarded_address_is_another_only_behind_a_trusted_proxy() {
        let trusted = ["192.0.2.0/24".parse().expect("must be a network")];
        let door = Door::new(Auth::Required, &trusted, Pace::REAL, Metrics::new());
        let failures = |peer: [u8; 4]| {
            let said = (0..12).map(|n| {
                let forwarded = format!("203.0.113.{n}").parse().expect("must be a header's value");
                let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-forwarded-for"), forwarded)]);
                door.attempt(peer.into(), &headers).failed(Error::UnknownKey).status()
            });
            said.filter(|status| *status == 429).count()
        };
        assert_eq!(failures([192, 0, 2, 1]), 0, "they are of twelve");
        assert_eq!(failures([198, 51, 100, 1]), 2, "they are of one, whatever it says");
    }
}
