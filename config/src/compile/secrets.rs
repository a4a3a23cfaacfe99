//! From a reference to a Secret to the value in it.

use penstock_crds::{Reason, SecretKeyRef};

use crate::{Secret, SecretState, World};

/// A usable value and the version of the Secret that it was read from, or what to say.
pub(super) struct Lookup {
    pub(super) resource_version: Option<String>,
    pub(super) value: Result<Secret, (Reason, String)>,
}

/// Looks a key up in a Secret of `namespace`. White space around the value is not part of it: files end in a newline.
pub(super) fn look_up(world: &World, namespace: &str, reference: &SecretKeyRef) -> Lookup {
    let SecretKeyRef { name, key } = reference;
    let failed = |reason, message| Lookup { resource_version: None, value: Err((reason, message)) };
    let object = crate::ObjectRef::new(namespace, name);
    let (resource_version, data) = match world.secrets.get(&object) {
        Some(SecretState::Found { resource_version, data }) => (resource_version, data),
        Some(SecretState::Missing) | None => {
            let message = format!("Secret {object} does not exist; create it in namespace {namespace}");
            return failed(Reason::SecretNotFound, message);
        }
        Some(SecretState::Forbidden) => {
            let message = format!("Secret {object} may not be read; allow get on it");
            return failed(Reason::SecretNotFound, message);
        }
    };
    let value = match data.get(key) {
        None => Err(format!("Secret {object} has no key \"{key}\"; add it")),
        Some(value) => usable(value).map_err(|what| format!("key \"{key}\" of Secret {object} {what}")),
    };
    Lookup {
        resource_version: Some(resource_version.clone()),
        value: value.map_err(|message| (Reason::KeyNotFound, message)),
    }
}

fn usable(value: &Secret) -> Result<Secret, &'static str> {
    let text = value.expose();
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("is empty; set it");
    }
    if !trimmed.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has characters that no HTTP header can carry; use visible ASCII without spaces");
    }
    Ok(if trimmed.len() == text.len() { value.clone() } else { Secret::new(trimmed) })
}
