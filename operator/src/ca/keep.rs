//! The shell around [`Ca`]: one Secret that replicas share, one ConfigMap for proxies, one certificate in service.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde_json::json;
use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};

use super::{Ca, LEAF_RENEWAL};
use crate::{error::Error, lease::Role};

/// The Secret that only operators read.
const SECRET: &str = "penstock-ca";
/// The ConfigMap that proxies mount, and the key in it.
const BUNDLE: &str = "penstock-ca-bundle";
const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";
/// How often a replica without a CA looks for one, and how often a replica that has one looks whether it is still there.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What is served, replaced while connections go on.
#[derive(Default)]
pub(crate) struct Serving {
    leaf: ArcSwapOption<CertifiedKey>,
    bundle: ArcSwapOption<String>,
}

/// Where the CA is kept, and for whom leaves are made.
pub(crate) struct Keeper {
    pub(crate) secrets: Api<Secret>,
    pub(crate) config_maps: Api<ConfigMap>,
    pub(crate) names: Vec<String>,
    pub(crate) role: watch::Receiver<Role>,
    pub(crate) serving: Arc<Serving>,
}

impl Serving {
    /// The CAs that proxies should trust, PEM; `None` before there is one.
    pub(crate) fn bundle(&self) -> Option<Arc<String>> {
        self.bundle.load_full()
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Serving")
    }
}

impl ResolvesServerCert for Serving {
    /// `None`, which ends the handshake, before there is a CA.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.leaf.load_full()
    }
}

/// Finds the CA, or makes it where this process leads; then renews the leaf for as long as the process lives.
pub(crate) async fn keep(mut keeper: Keeper) {
    let mut ca = None;
    let mut renew = Instant::now();
    loop {
        match keeper.look(&mut ca, &mut renew).await {
            Ok(()) => {}
            Err(error) => warn!(%error, "the CA could not be read or written"),
        }
        let pause = if ca.is_some() { LOOK_AGAIN } else { LOOK };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = keeper.role.changed() => if changed.is_err() { return },
        }
    }
}

impl Keeper {
    async fn look(&mut self, ca: &mut Option<Ca>, renew: &mut Instant) -> Result<(), Error> {
        let leads = self.role.borrow_and_update().epoch(Instant::now()).is_some();
        let stored = self.secrets.get_opt(SECRET).await?;
        let found = match stored.as_ref().and_then(read) {
            Some(found) => found,
            None if leads => self.store(stored, ca.as_ref()).await?,
            None => return Ok(()),
        };
        let new = ca.as_ref().is_none_or(|ca| ca.certificate_pem != found.certificate_pem);
        if new || Instant::now() >= *renew {
            let leaf = found.leaf(&self.names, SystemTime::now())?;
            self.serving.leaf.store(Some(leaf));
            self.serving.bundle.store(Some(Arc::new(found.certificate_pem.clone())));
            *renew = Instant::now() + LEAF_RENEWAL;
            info!(names = ?self.names, "serving the push channel with a new certificate");
        }
        if leads {
            self.publish(&found.certificate_pem).await?;
        }
        *ca = Some(found);
        Ok(())
    }

    /// Writes a CA where there is none: the one in memory if a stored one was lost, since proxies trust it.
    async fn store(&self, stored: Option<Secret>, known: Option<&Ca>) -> Result<Ca, Error> {
        let ca = match known {
            Some(ca) => ca.clone(),
            None => Ca::generate(SystemTime::now())?,
        };
        let data = BTreeMap::from([
            (CERTIFICATE.to_owned(), ByteString(ca.certificate_pem.clone().into_bytes())),
            (KEY.to_owned(), ByteString(ca.key_pem.clone().into_bytes())),
        ]);
        match stored {
            Some(empty) => {
                let version = empty.metadata.resource_version;
                let patch = json!({"metadata": {"resourceVersion": version}, "data": data});
                self.secrets.patch(SECRET, &PatchParams::default(), &Patch::Merge(patch)).await?;
            }
            None => {
                let secret = Secret { metadata: named(SECRET), data: Some(data), ..Secret::default() };
                self.secrets.create(&PostParams::default(), &secret).await?;
            }
        }
        info!("made a CA for the push channel");
        Ok(ca)
    }

    async fn publish(&self, bundle: &str) -> Result<(), Error> {
        let data = BTreeMap::from([(CERTIFICATE.to_owned(), bundle.to_owned())]);
        match self.config_maps.get_opt(BUNDLE).await? {
            Some(map) if map.data.as_ref().and_then(|data| data.get(CERTIFICATE)).is_some_and(|old| old == bundle) => {}
            Some(_) => {
                let patch = Patch::Merge(json!({"data": data}));
                self.config_maps.patch(BUNDLE, &PatchParams::default(), &patch).await?;
            }
            None => {
                let map = ConfigMap { metadata: named(BUNDLE), data: Some(data), ..ConfigMap::default() };
                self.config_maps.create(&PostParams::default(), &map).await?;
            }
        }
        Ok(())
    }
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

/// The CA in the Secret, if it is whole.
fn read(secret: &Secret) -> Option<Ca> {
    let text = |key| String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok();
    Some(Ca { certificate_pem: text(CERTIFICATE)?, key_pem: text(KEY)? })
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, routing::get};
    use kube::Client;
    use tokio::net::TcpListener;

    use super::*;

    /// An API server that has nothing and takes nothing.
    async fn empty_and_full() -> Client {
        let refuse = || async { StatusCode::INSUFFICIENT_STORAGE };
        let absent = || async {
            let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
            (StatusCode::NOT_FOUND, axum::Json(status))
        };
        let router = Router::new().fallback(get(absent).post(refuse));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("must bind");
        let address = listener.local_addr().expect("must have an address");
        tokio::spawn(axum::serve(listener, router).into_future());
        let config = kube::Config::new(format!("http://{address}").parse().expect("must be a URL"));
        Client::try_from(config).expect("must build")
    }

    #[tokio::test]
    async fn a_ca_that_could_not_be_stored_again_is_still_the_one_that_proxies_trust() {
        let client = empty_and_full().await;
        let until = Instant::now() + Duration::from_secs(3600);
        let mut keeper = Keeper {
            secrets: Api::namespaced(client.clone(), "ns"),
            config_maps: Api::namespaced(client, "ns"),
            names: vec![],
            role: watch::channel(Role::Leader { epoch: 1, until }).1,
            serving: Arc::default(),
        };
        let mut ca = Some(Ca::generate(SystemTime::now()).expect("must generate"));
        keeper.look(&mut ca, &mut Instant::now()).await.expect_err("must fail");
        assert!(ca.is_some());
    }
}
