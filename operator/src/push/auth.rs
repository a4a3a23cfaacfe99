//! Who may read snapshots: a proxy, by the token that Kubernetes gave its pod.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::{Api, api::PostParams};
use penstock_config::protocol::AUDIENCE;

use crate::{
    error::Error,
    pods::{Pods, Uid},
};

/// Where the API server names the pod that a token is bound to.
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// Why a caller may not read. The text is for the log; callers learn only 401 or 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("no bearer token")]
    NoToken,
    #[error("the token is not valid for the audience \"penstock\"")]
    NotAuthenticated,
    #[error("not the proxy's ServiceAccount")]
    OtherAccount,
    #[error("the token is not bound to a pod")]
    Unbound,
    #[error("not one of the proxy pods")]
    OtherPod,
}

/// Asks the API server whose token it is.
pub(crate) async fn review(reviews: &Api<TokenReview>, token: &str) -> Result<TokenReviewStatus, Error> {
    let review = TokenReview {
        spec: TokenReviewSpec { audiences: Some(vec![AUDIENCE.to_owned()]), token: token.to_owned() },
        ..TokenReview::default()
    };
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.unwrap_or_default())
}

/// The pod that a reviewed token is bound to, if it is the proxy's token for this audience.
pub(crate) fn pod_of(status: &TokenReviewStatus, proxy: &str) -> Result<Uid, Denied> {
    let audience = |audiences: &Vec<String>| audiences.iter().any(|audience| audience == AUDIENCE);
    if status.authenticated != Some(true) || !status.audiences.as_ref().is_some_and(audience) {
        return Err(Denied::NotAuthenticated);
    }
    let user = status.user.as_ref();
    if user.and_then(|user| user.username.as_deref()) != Some(proxy) {
        return Err(Denied::OtherAccount);
    }
    let extra = user.and_then(|user| user.extra.as_ref());
    match extra.and_then(|extra| extra.get(POD_UID)).map(Vec::as_slice) {
        Some([uid]) => Ok(uid.clone()),
        _ => Err(Denied::Unbound),
    }
}

/// Is it one of the proxy pods?
pub(crate) fn admit(pods: &Pods, uid: &Uid) -> Result<(), Denied> {
    pods.contains_key(uid).then_some(()).ok_or(Denied::OtherPod)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::*;

    const PROXY: &str = "system:serviceaccount:penstock:penstock-proxy";

    fn status(username: &str, audience: &str, uids: &[&str]) -> TokenReviewStatus {
        let uids: Vec<String> = uids.iter().map(|&uid| uid.to_owned()).collect();
        TokenReviewStatus {
            authenticated: Some(true),
            audiences: Some(vec![audience.to_owned()]),
            user: Some(UserInfo {
                username: Some(username.to_owned()),
                extra: (!uids.is_empty()).then(|| BTreeMap::from([(POD_UID.to_owned(), uids)])),
                ..UserInfo::default()
            }),
            ..TokenReviewStatus::default()
        }
    }

    #[test]
    fn only_a_bound_token_of_the_proxys_account_for_our_audience_names_a_pod() {
        let other = "system:serviceaccount:elsewhere:penstock-proxy";
        for (status, outcome) in [
            (status(PROXY, AUDIENCE, &["u"]), Ok("u".to_owned())),
            (status(PROXY, "https://kubernetes.default.svc", &["u"]), Err(Denied::NotAuthenticated)),
            (TokenReviewStatus::default(), Err(Denied::NotAuthenticated)),
            (status(other, AUDIENCE, &["u"]), Err(Denied::OtherAccount)),
            (status(&format!("{PROXY}x"), AUDIENCE, &["u"]), Err(Denied::OtherAccount)),
            (status(PROXY, AUDIENCE, &[]), Err(Denied::Unbound)),
            (status(PROXY, AUDIENCE, &["u", "v"]), Err(Denied::Unbound)),
        ] {
            assert_eq!(pod_of(&status, PROXY), outcome, "{status:?}");
        }
    }

    #[test]
    fn an_authenticator_that_names_no_audience_is_not_believed() {
        let mut status = status(PROXY, AUDIENCE, &["u"]);
        status.audiences = None;
        assert_eq!(pod_of(&status, PROXY), Err(Denied::NotAuthenticated));
    }

    #[test]
    fn a_pod_that_is_not_watched_is_denied() {
        assert_eq!(admit(&Pods::new(), &"u".to_owned()), Err(Denied::OtherPod));
    }
}
