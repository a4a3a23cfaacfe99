//! The proxy pods: who may fetch snapshots, and whose ACKs count.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;

/// By uid. A pod that was replaced is another pod, though its name may be the same.
pub(crate) type Pods = BTreeMap<Uid, Pod>;
pub(crate) type Uid = String;

/// What of a pod matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) ready: bool,
    /// It has a deletionTimestamp: it still serves what it began.
    pub(crate) leaving: bool,
}

impl Pod {
    /// `None` for a pod without a uid, which the API server never sends.
    pub(crate) fn read(pod: &v1::Pod) -> Option<(Uid, Self)> {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        let ready = |condition: &v1::PodCondition| condition.type_ == "Ready" && condition.status == "True";
        let read = Self {
            name: pod.metadata.name.clone()?,
            ready: conditions.is_some_and(|all| all.iter().any(ready)),
            leaving: pod.metadata.deletion_timestamp.is_some(),
        };
        Some((pod.metadata.uid.clone()?, read))
    }
}

/// The pods that must run a snapshot before it counts as programmed, and that share a limit: they are not leaving,
/// and Ready or with a stream open, so that a pod that joins is counted before it may become Ready.
pub(crate) fn expected(pods: &Pods, connected: &BTreeSet<Uid>) -> BTreeSet<Uid> {
    let counts = |(uid, pod): &(&Uid, &Pod)| !pod.leaving && (pod.ready || connected.contains(*uid));
    pods.iter().filter(counts).map(|(uid, _)| uid.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(ready: bool, leaving: bool) -> Pod {
        Pod { name: "p".to_owned(), ready, leaving }
    }

    #[test]
    fn expected_are_pods_that_stay_and_are_ready_or_connected() {
        let pods = Pods::from([
            ("ready".to_owned(), pod(true, false)),
            ("joining".to_owned(), pod(false, false)),
            ("starting".to_owned(), pod(false, false)),
            ("leaving".to_owned(), pod(true, true)),
        ]);
        let connected = ["joining", "leaving", "gone"].map(str::to_owned).into();
        assert_eq!(expected(&pods, &connected), ["joining", "ready"].map(str::to_owned).into());
    }
}
