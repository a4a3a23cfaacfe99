//! Who signs the tokens of the cluster's ServiceAccounts.

use std::sync::Arc;

use penstock_config::{
    ObjectRef,
    object::{Cluster, Jwt},
};
use serde_json::{Value, json};

use super::{Consumer, issued::Entry, jwks::Source, keys::Keys};

/// As the snapshot has it. Its tokens are judged as those of any other issuer.
pub(crate) struct Signer {
    rules: Jwt,
    source: Arc<Source>,
}

impl Signer {
    /// Puts the keys into the source, which outlives snapshots.
    ///
    /// # Errors
    /// When there is no key that can verify tokens: then none is.
    pub(crate) fn build(cluster: Cluster, source: &Arc<Source>) -> Result<Self, String> {
        let Cluster { issuer, audience, keys } = cluster;
        let set: Value = json!({"keys": keys});
        let keys = Keys::read(set.to_string().as_bytes()).map_err(|error| error.to_string())?;
        if keys.len() == 0 {
            return Err("none of the keys can verify tokens".to_owned());
        }
        source.publish(keys);
        let (jwks_url, claims, created) = (String::new(), Vec::new(), None);
        Ok(Self { rules: Jwt { issuer, audiences: vec![audience], jwks_url, claims, created }, source: source.clone() })
    }

    /// What all of its tokens must say.
    pub(crate) fn into_rules(self) -> Jwt {
        self.rules
    }

    /// A Consumer that was made then, and is known by its tokens.
    pub(crate) fn entry(&self, name: &ObjectRef, consumer: Arc<Consumer>, created: Option<i64>) -> Entry {
        let rules = Jwt { created, ..self.rules.clone() };
        Entry { name: name.clone(), consumer, rules, source: self.source.clone() }
    }
}
