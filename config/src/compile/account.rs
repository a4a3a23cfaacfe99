//! ServiceAccounts whose tokens count as a Consumer.

use penstock_crds::{ConsumerSpec, Reason};

use super::{
    Output,
    consumer::{Callers, Lost},
    draft::Draft,
};
use crate::{
    ClusterIssuer, Key, Kind, ObjectRef, World,
    object::{Object, ServiceAccounts},
    world::Resource,
};

/// The ServiceAccounts that are this Consumer's alone; one that an older Consumer names stays with that one. Outside of platform
/// namespaces only those of its own may be named: else who may make a Consumer could be charged with others' calls, or read them.
pub(super) fn claim(
    world: &World,
    consumer: &Resource<ConsumerSpec>,
    draft: &mut Draft,
    callers: &mut Callers,
    lost: &mut Lost,
) -> Option<ServiceAccounts> {
    let namespace = &consumer.meta.namespace;
    let accounts = &consumer.spec.service_accounts;
    if accounts.is_empty() {
        return None;
    }
    if !world.settings.is_platform(namespace)
        && let Some(index) = accounts.iter().position(|account| account.namespace != *namespace)
    {
        let message = format!(
            "spec.serviceAccounts[{index}].namespace: only Consumers of platform namespaces may name ServiceAccounts of \
             others, {namespace} is none; name one of {namespace}"
        );
        draft.refuse(Reason::NotAllowed, message);
        return None;
    }
    let mut subjects = Vec::new();
    for (index, account) in accounts.iter().enumerate() {
        let subject = format!("system:serviceaccount:{}:{}", account.namespace, account.name);
        let owner = callers.accounts.entry(subject.clone()).or_insert_with(|| consumer.object_ref());
        if *owner != consumer.object_ref() {
            let message = format!(
                "spec.serviceAccounts[{index}]: ServiceAccount {}/{} belongs to Consumer {owner}; name another",
                account.namespace, account.name
            );
            lost.push((Reason::CallerConflict, message));
        } else if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    match world.issuer {
        ClusterIssuer::NoCluster => {
            draft.note("spec.serviceAccounts: there is no cluster here whose tokens could be verified, so none is good");
        }
        ClusterIssuer::Untold => draft.note(
            "spec.serviceAccounts: the API server does not say who signs its tokens (/.well-known/openid-configuration), so \
             none is good until it does",
        ),
        ClusterIssuer::Known(_) => draft.made.push(key()),
    }
    (!subjects.is_empty()).then_some(ServiceAccounts { subjects, created: consumer.meta.created })
}

/// Tells proxies who signs tokens, if any of them is somebody's.
pub(super) fn finish(world: &World, output: &mut Output) {
    let is_used = |object: &Object| matches!(object, Object::Consumer(consumer) if consumer.service_accounts.is_some());
    if let ClusterIssuer::Known(cluster) = &world.issuer
        && output.objects.iter().any(|(_, object)| is_used(object))
    {
        output.objects.push((key(), Object::Cluster((**cluster).clone())));
    }
}

/// Of the one entry that says who signs tokens.
fn key() -> Key {
    Key::new(Kind::Cluster, ObjectRef::new("", "issuer"))
}
