//! What an installation decides outside its resources.

use std::collections::BTreeSet;

use crate::outbound::Outbound;

/// The flags that `compile` needs; the same ones on the operator and on a proxy that reads a folder.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Objects of other gateways are not looked at (`spec.gateway`).
    pub gateway: String,
    /// Whose objects may claim bare names and `*`, and define Consumers for everyone.
    pub platform_namespaces: BTreeSet<String>,
    pub outbound: Outbound,
}

impl Settings {
    pub(crate) fn is_platform(&self, namespace: &str) -> bool {
        self.platform_namespaces.contains(namespace)
    }
}
