//! How fast waits pass.

use std::time::Duration;

/// Stretches or shortens every wait that the proxy keeps, whoever set it, and nothing else: what it decides is the same at
/// any pace. 1 but in tests, which have no minutes to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace(f64);

impl Pace {
    /// Waits as they are written.
    pub const REAL: Self = Self(1.0);

    /// Waits that last this share of what is written; none unless it is a positive number.
    pub fn new(share: f64) -> Option<Self> {
        (share.is_finite() && share > 0.0).then_some(Self(share))
    }

    /// How long a wait lasts.
    pub(crate) fn of(self, wait: Duration) -> Duration {
        if self == Self::REAL { wait } else { wait.mul_f64(self.0) }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::REAL
    }
}
