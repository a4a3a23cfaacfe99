//! What the operator is told of prices that nobody says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use penstock_config::{ObjectRef, protocol::Report};

use super::route::{Answer, Route};

/// So many models of a provider are named. Reports are in every ACK, and a provider may have hundreds.
const NAMED: usize = 8;

/// One report for each provider that routes ask for a model without a price.
pub(super) fn reports<'a>(routes: impl Iterator<Item = &'a Arc<Route>>) -> Vec<Report> {
    let mut missing: BTreeMap<&ObjectRef, BTreeSet<&str>> = BTreeMap::new();
    for route in routes {
        if let Answer::Forward(forward) = &route.answer {
            for (provider, model) in forward.unpriced() {
                missing.entry(provider).or_default().insert(model);
            }
        }
    }
    let report = |(provider, models): (&ObjectRef, BTreeSet<&str>)| Report::PriceMissing {
        provider: provider.clone(),
        of: models.len(),
        models: models.into_iter().take(NAMED).map(str::to_owned).collect(),
    };
    missing.into_iter().map(report).collect()
}
