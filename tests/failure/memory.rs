//! Whether the proxy's memory stays what it is.

use std::time::Duration;

use penstock_tests::gateway::Gateway;
use tokio::sync::watch;
use tokio::time::interval;

const EVERY: Duration = Duration::from_millis(250);

/// Bytes that the proxy occupied, at equal distances in time.
pub(crate) struct Memory(Vec<u64>);

impl Memory {
    /// Looks until `over` says so.
    pub(crate) async fn watch(gateway: &Gateway, mut over: watch::Receiver<bool>) -> anyhow::Result<Self> {
        let mut ticks = interval(EVERY);
        let mut samples = Vec::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => samples.push(gateway.resident()?),
                _ = over.wait_for(|over| *over) => return Ok(Self(samples)),
            }
        }
    }

    /// The most that was ever occupied.
    pub(crate) fn most(&self) -> u64 {
        self.0.iter().copied().max().unwrap_or_default()
    }

    /// By how many bytes the line of best fit rises from this share of the time to the end.
    pub(crate) fn rise(&self, from: f64) -> f64 {
        let part = &self.0[(self.0.len() as f64 * from) as usize..];
        let count = part.len() as f64;
        let (middle, mean) = ((count - 1.0) / 2.0, part.iter().sum::<u64>() as f64 / count);
        let off = |place: usize| place as f64 - middle;
        let [together, alone] = part.iter().enumerate().fold([0.0, 0.0], |[together, alone], (place, bytes)| {
            [together + off(place) * (*bytes as f64 - mean), alone + off(place).powi(2)]
        });
        if alone == 0.0 { 0.0 } else { together / alone * (count - 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_rises_is_told_from_noise() {
        let risen = Memory((0..100).map(|place| 1000 + 10 * place).collect()).rise(0.5);
        assert!((risen - 490.0).abs() < 1e-6, "{risen}");
        let noise = Memory((0..100).map(|place| 1000 + 10 * (place % 2)).collect()).rise(0.5);
        assert!(noise.abs() < 1.0, "{noise}");
        assert!(Memory(vec![7]).rise(0.5).abs() < 1e-6);
        assert_eq!(Memory(vec![3, 7, 5]).most(), 7);
    }
}
