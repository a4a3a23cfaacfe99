//! What a route pays for a request at most: targets that would probably take more are none for it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use penstock_llm::{call::Call, price::Dollars, scan::Scan};

use super::balance;
use crate::{
    error::Error,
    live::route::{Forward, Target},
};

/// No target of a route keeps to its bound. Amounts are in picodollars.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooDear {
    bound: u64,
    /// The smallest of the estimates; none where no target has one.
    least: Option<u64>,
    /// Models whose price is not known, so that nobody can say whether they keep to it.
    unpriced: Vec<String>,
}

/// A route without the targets that may cost more than its bound. What has no price known is left out with them: nobody
/// could say that it keeps to the bound. Here, before anyone is asked, so that it holds for whoever is asked in the end.
pub(super) fn within(forward: Arc<Forward>, call: &Call, scan: &Scan) -> Result<Arc<Forward>, Error> {
    let Some(bound) = forward.max_cost else { return Ok(forward) };
    let cost = |target: &Arc<Target>| balance::cost(target, &forward, call, scan);
    let keeps = |target: &Arc<Target>| cost(target).is_some_and(|cost| cost <= bound);
    let targets = &forward.targets;
    if targets.iter().all(keeps) {
        return Ok(forward);
    }
    if !targets.iter().any(keeps) {
        let unpriced: BTreeSet<_> =
            targets.iter().filter(|target| cost(target).is_none()).map(|target| &target.model).collect();
        return Err(Error::TooDear(Box::new(TooDear {
            bound,
            least: targets.iter().filter_map(cost).min(),
            unpriced: unpriced.into_iter().cloned().collect(),
        })));
    }
    let kept = targets.iter().filter(|target| keeps(target)).cloned().collect();
    let mut fewer = Arc::unwrap_or_clone(forward);
    fewer.targets = kept;
    Ok(Arc::new(fewer))
}

impl fmt::Display for TooDear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = Dollars(self.bound);
        write!(f, "no target of this route keeps to its maxCostPerRequest of {bound} US dollars")?;
        if let Some(least) = self.least {
            write!(f, ": this request may cost {}; ask for a shorter answer, or less", Dollars(least))?;
        }
        for (index, model) in self.unpriced.iter().enumerate() {
            let before = if index == 0 { "; no price is known of" } else { "," };
            write!(f, "{before} `{model}`")?;
        }
        Ok(())
    }
}
