//! The published snapshot, kept in a Secret: what proxies start from while no operator answers.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::Arc,
    time::{Duration, SystemTime},
};

use flate2::{Compression, GzBuilder};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use penstock_config::protocol::{Full, Position};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

use crate::{
    error::Error,
    lease::Role,
    metrics::Metrics,
    publish::{Latest, Published},
};

/// The Secret that proxies mount, and the key in it.
pub(crate) const SECRET: &str = "penstock-snapshot";
const KEY: &str = "snapshot.json.gz";
/// On the Secret: what it holds, so that a restart without a change writes nothing.
const HASH: &str = "penstock.dev/snapshot-hash";
/// The API server takes 1 MiB, with everything around it.
const LARGEST: usize = 900 * 1024;
/// Between two writes.
const PAUSE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(10);

/// Keeps the stored copy up to date while this process leads. What can't or must not be stored takes the old copy's
/// place as nothing: a proxy would start from keys and routes that were withdrawn.
pub(crate) struct Keeper {
    pub(crate) secrets: Api<Secret>,
    /// Whether there is to be a copy at all.
    pub(crate) enabled: bool,
    pub(crate) published: watch::Receiver<Latest>,
    pub(crate) role: watch::Receiver<Role>,
    pub(crate) metrics: Arc<Metrics>,
    /// Told of a snapshot that is too large.
    pub(crate) too_large: mpsc::Sender<()>,
}

/// The stored form: the whole document, compressed, with the time in the archive's header, by which a proxy knows its age.
fn encode(position: Position, published: &Published) -> Result<Vec<u8>, Error> {
    let full = serde_json::to_vec(&Full::new(position, &published.snapshot))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = u32::try_from(now.as_secs()).unwrap_or(0);
    let mut encoder = GzBuilder::new().mtime(seconds).write(Vec::new(), Compression::default());
    encoder.write_all(&full)?;
    Ok(encoder.finish()?)
}

/// The merge patch that takes the copy out of the Secret, if it has one. The version that was read is a precondition.
fn emptied(secret: &Secret) -> Option<Value> {
    secret.data.as_ref()?.get(KEY)?;
    let version = &secret.metadata.resource_version;
    Some(json!({"metadata": {"resourceVersion": version, "annotations": {HASH: null}}, "data": {KEY: null}}))
}

pub(crate) async fn keep(mut keeper: Keeper) {
    loop {
        if keeper.published.changed().await.is_err() {
            return;
        }
        let Some(published) = keeper.published.borrow_and_update().clone() else { continue };
        let stored = timeout(ANSWER, keeper.store(&published)).await.unwrap_or(Err(Error::KubeTimeout));
        match stored {
            Ok(false) => {}
            Ok(true) => sleep(PAUSE).await,
            Err(error) => {
                warn!(%error, "the snapshot could not be stored");
                sleep(AGAIN).await;
                keeper.published.mark_changed();
            }
        }
    }
}

impl Keeper {
    /// Writes the copy, unless it is there already, or takes an old one away. Returns whether it wrote.
    async fn store(&self, published: &Published) -> Result<bool, Error> {
        let hash = published.hash().to_string();
        let stored = self.secrets.get_opt(SECRET).await?;
        if self.role.borrow().epoch(Instant::now()) != Some(published.position.epoch) {
            return Ok(false);
        }
        if !self.enabled {
            return self.empty(stored).await;
        }
        let holds = stored.as_ref().and_then(|secret| secret.metadata.annotations.as_ref()?.get(HASH));
        if holds == Some(&hash) {
            return Ok(false);
        }
        let bytes = encode(published.position, published)?;
        if bytes.len() > LARGEST {
            self.metrics.snapshot_not_stored.inc();
            warn!(
                bytes = bytes.len(),
                "the snapshot is too large to be stored; proxies can't start without an operator"
            );
            // Full: somebody is being told already.
            let _ = self.too_large.try_send(());
            return self.empty(stored).await;
        }
        self.write(stored, bytes, hash).await?;
        info!(hash = %published.hash(), "stored the snapshot");
        Ok(true)
    }

    async fn empty(&self, stored: Option<Secret>) -> Result<bool, Error> {
        let Some(patch) = stored.as_ref().and_then(emptied) else { return Ok(false) };
        self.secrets.patch(SECRET, &PatchParams::default(), &Patch::Merge(patch)).await?;
        info!("took the stored snapshot away");
        Ok(true)
    }

    /// The version that was read is a precondition: a leader that is leader no more overwrites nothing newer.
    async fn write(&self, stored: Option<Secret>, bytes: Vec<u8>, hash: String) -> Result<(), Error> {
        let data = BTreeMap::from([(KEY.to_owned(), ByteString(bytes))]);
        let annotations = BTreeMap::from([(HASH.to_owned(), hash)]);
        match stored {
            Some(secret) => {
                let version = secret.metadata.resource_version;
                let metadata = json!({"resourceVersion": version, "annotations": annotations});
                let patch = Patch::Merge(json!({"metadata": metadata, "data": data}));
                self.secrets.patch(SECRET, &PatchParams::default(), &patch).await?;
            }
            None => {
                let secret = Secret {
                    metadata: ObjectMeta {
                        name: Some(SECRET.to_owned()),
                        annotations: Some(annotations),
                        ..ObjectMeta::default()
                    },
                    data: Some(data),
                    ..Secret::default()
                };
                self.secrets.create(&PostParams::default(), &secret).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_copy_is_taken_out_with_the_hash_that_says_what_it_was_and_a_secret_without_one_is_left_alone() {
        let mut secret = Secret { data: Some(BTreeMap::new()), ..Secret::default() };
        assert_eq!(emptied(&secret), None);
        secret.metadata.resource_version = Some("7".to_owned());
        secret.data.get_or_insert_default().insert(KEY.to_owned(), ByteString(vec![1]));
        let patch = json!({
            "metadata": {"resourceVersion": "7", "annotations": {"penstock.dev/snapshot-hash": null}},
            "data": {"snapshot.json.gz": null},
        });
        assert_eq!(emptied(&secret), Some(patch));
    }
}
