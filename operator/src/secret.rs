//! Reads one Secret that an object refers to.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1;
use kube::{Api, Client};
use penstock_config::{Secret, SecretState};
use tokio::time::timeout;

use crate::{error::Error, stores::secrets::Ask};

const ANSWER: Duration = Duration::from_secs(10);

/// What the API server says of a Secret. Only the keys that were asked for leave this function; that it does not
/// exist or may not be read is an answer, an error is not.
pub(crate) async fn fetch(client: Client, ask: Ask) -> (Ask, Result<SecretState, Error>) {
    let secrets = Api::<v1::Secret>::namespaced(client, &ask.name.namespace);
    let answer = timeout(ANSWER, secrets.get_opt(&ask.name.name)).await;
    let state = match answer {
        Ok(Ok(Some(secret))) => Ok(found(&secret, &ask)),
        Ok(Ok(None)) => Ok(SecretState::Missing),
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => Ok(SecretState::Forbidden),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Error::KubeTimeout),
    };
    (ask, state)
}

/// A value that is not text is kept as what can be read of it: `compile` says that no header can carry it.
fn found(secret: &v1::Secret, ask: &Ask) -> SecretState {
    let mut data = BTreeMap::new();
    for (key, value) in secret.data.iter().flatten() {
        if ask.keys.contains(key) {
            data.insert(key.clone(), Secret::new(&String::from_utf8_lossy(&value.0)));
        }
    }
    SecretState::Found { resource_version: secret.metadata.resource_version.clone().unwrap_or_default(), data }
}
