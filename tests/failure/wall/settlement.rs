//! What the proxy's log says of each request.

use std::collections::HashMap;

use anyhow::Context as _;
use penstock_tests::gateway::Gateway;
use serde::Deserialize;

/// The line of a request.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Settlement {
    /// `namespace/name`; none if it met no route.
    route: Option<String>,
    /// Who answered, or was asked last.
    pub(crate) provider: Option<String>,
    /// Who gave the beginning of an answer that another has finished.
    pub(crate) continued_from: Option<String>,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cost_picodollars: Option<u64>,
    #[serde(default)]
    pub(crate) estimated: bool,
}

/// All that there are, by their routes' names.
pub(crate) fn read(gateway: &Gateway) -> anyhow::Result<HashMap<String, Vec<Settlement>>> {
    let mut all = HashMap::<String, Vec<Settlement>>::new();
    for line in gateway.log().lines().filter(|line| line.contains("\"penstock::request\"")) {
        let settlement: Settlement = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let route = settlement.route.clone().unwrap_or_default();
        all.entry(route.trim_start_matches("default/").to_owned()).or_default().push(settlement);
    }
    Ok(all)
}
