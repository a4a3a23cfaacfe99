//! What is written on an object: the verdict of `compile`, and what the proxies really run. Pure.

mod write;

use penstock_config::{Finding, Key, Kind, Verdict};
use penstock_crds::{
    AIProviderStatus, Condition, ConditionType, CredentialStatus, Reason, StoreFailure, Truth, condition::MAX_MESSAGE,
};

use crate::{
    acks::{LimitStore, Programmed, Trouble, Troubles, Unpriced},
    stores::object::Seen,
};

pub(crate) use write::{Desired, Wishes, Writer};

/// How many names a message has before it says how many more there are.
const NAMES: usize = 5;
/// How much of one proxy's reason a message has, in characters.
const REASON: usize = 300;

/// Everything that an object's status follows from.
pub(crate) struct Facts<'a> {
    pub(crate) key: &'a Key,
    pub(crate) seen: &'a Seen,
    /// None: it can't be read, for this reason.
    pub(crate) verdict: Result<&'a Verdict, &'a str>,
    pub(crate) programmed: Programmed,
    /// What proxies report of a provider; none where all is well.
    pub(crate) troubles: Option<&'a Troubles>,
    /// Of a RateLimit: where proxies keep it, and what it wants while they can't.
    pub(crate) limit: Option<(&'a LimitStore, StoreFailure)>,
}

impl Facts<'_> {
    /// The status as it should stand. `version` is the present one of a Secret in the object's namespace, `now` the
    /// time for what changes.
    pub(crate) fn status(&self, version: impl Fn(&str) -> Option<String>, now: &str) -> AIProviderStatus {
        let mut conditions: Vec<Condition> =
            self.findings().into_iter().map(|finding| self.condition(finding, now)).collect();
        conditions.extend(self.programmed(now));
        conditions.extend(self.healthy(now));
        conditions.extend(self.priced(now));
        conditions.extend(self.enforced(now));
        AIProviderStatus { conditions, credentials: self.credentials(version) }
    }

    fn findings(&self) -> Vec<Finding> {
        match self.verdict {
            Ok(verdict) => verdict.findings.clone(),
            Err(why) => vec![Finding {
                condition: ConditionType::Accepted,
                status: false,
                reason: Reason::Invalid,
                message: why.to_owned(),
            }],
        }
    }

    fn is_live(&self) -> bool {
        self.verdict.is_ok_and(|verdict| verdict.live)
    }

    fn programmed(&self, now: &str) -> Option<Condition> {
        let (status, reason, message) = match &self.programmed {
            _ if !self.is_live() => {
                let message = "nothing of it serves; the other conditions say why";
                (false, Reason::Invalid, message.to_owned())
            }
            Programmed::Yes { .. } => (true, Reason::Programmed, "every proxy runs it".to_owned()),
            Programmed::Pending { missing, of } => {
                let message = format!("{} of {of} proxies do not run it yet: {}", missing.len(), list(missing));
                (false, Reason::Pending, message)
            }
            Programmed::Refused { by, of } => {
                let each: Vec<String> = by.iter().map(|(pod, why)| format!("{pod}: {}", cut(why, REASON))).collect();
                (false, Reason::Refused, format!("{} of {of} proxies refused it: {}", by.len(), list(&each)))
            }
            Programmed::NoProxies => (false, Reason::NoProxies, "no proxy is ready or connected".to_owned()),
            Programmed::Unknown => match self.existing(ConditionType::Programmed) {
                Some(existing) => return Some(existing.clone()),
                None => (false, Reason::Pending, "not every proxy was heard of yet".to_owned()),
            },
        };
        let finding = Finding { condition: ConditionType::Programmed, status, reason, message };
        Some(self.condition(finding, now))
    }

    fn healthy(&self, now: &str) -> Option<Condition> {
        let trouble = self.troubles.filter(|troubles| troubles.is_unwell()).map(worst);
        self.reported(ConditionType::Healthy, trouble, (Reason::Healthy, "no proxy reports trouble"), now)
    }

    fn priced(&self, now: &str) -> Option<Condition> {
        let unpriced = self.troubles.map(|troubles| &troubles.unpriced).filter(|unpriced| unpriced.of > 0);
        let well = (Reason::Priced, "a price is known of every model that routes ask for");
        self.reported(ConditionType::Priced, unpriced.map(missing), well, now)
    }

    /// Where a limit holds: told of what runs, so not before it does.
    fn enforced(&self, now: &str) -> Option<Condition> {
        let (store, on_failure) = self.limit.filter(|_| self.is_live())?;
        match &self.programmed {
            Programmed::Yes { .. } => {}
            Programmed::NoProxies => return None,
            Programmed::Unknown | Programmed::Pending { .. } | Programmed::Refused { .. } => {
                return self.existing(ConditionType::Enforced).cloned();
            }
        }
        let LimitStore { is_used, without, of } = store;
        let names: Vec<String> = without.iter().cloned().collect();
        let told = |what: &str| {
            format!("{} of {of} proxies do not reach the store of limits: {what} there: {}", names.len(), list(&names))
        };
        let (status, reason, message) = match on_failure {
            _ if !is_used => (true, Reason::Shared, format!("each of {of} proxies gives away an equal share of it")),
            _ if without.is_empty() => (true, Reason::Redis, "all proxies keep it in one store".to_owned()),
            StoreFailure::Local => (true, Reason::Local, told("only their shares of it pass")),
            StoreFailure::Allow => (false, Reason::StoreDown, told("everything passes")),
            StoreFailure::Deny => (false, Reason::StoreDown, told("nothing that it binds passes")),
        };
        Some(self.condition(Finding { condition: ConditionType::Enforced, status, reason, message }, now))
    }

    /// What the proxies say of a provider: what they last said while a change is on its way to them, and nothing where
    /// there are none.
    fn reported(
        &self,
        condition: ConditionType,
        trouble: Option<(Reason, String)>,
        well: (Reason, &str),
        now: &str,
    ) -> Option<Condition> {
        if self.key.kind != Kind::AIProvider || !self.is_live() {
            return None;
        }
        let (status, reason, message) = match (trouble, &self.programmed) {
            (Some((reason, message)), _) => (false, reason, message),
            (None, Programmed::Yes { .. }) => (true, well.0, well.1.to_owned()),
            (None, Programmed::Unknown | Programmed::Pending { .. } | Programmed::Refused { .. }) => {
                return self.existing(condition).cloned();
            }
            (None, Programmed::NoProxies) => return None,
        };
        Some(self.condition(Finding { condition, status, reason, message }, now))
    }

    /// Rotations are waited for here: `programmed` is about the version that stands beside it.
    fn credentials(&self, version: impl Fn(&str) -> Option<String>) -> Vec<CredentialStatus> {
        let Ok(verdict) = self.verdict else { return Vec::new() };
        let mut credentials: Vec<CredentialStatus> = Vec::new();
        for credential in &verdict.credentials {
            let resource_version = credential.resource_version.as_ref().and_then(|_| version(&credential.secret));
            let mut status = CredentialStatus {
                secret: credential.secret.clone(),
                key: credential.key.clone(),
                resource_version,
                programmed: false,
            };
            status.programmed = match &self.programmed {
                Programmed::Yes { .. } => self.is_live() && credential.digest.is_some(),
                Programmed::Unknown => {
                    let before = CredentialStatus { programmed: true, ..status.clone() };
                    self.seen.status.credentials.contains(&before)
                }
                Programmed::Pending { .. } | Programmed::Refused { .. } | Programmed::NoProxies => false,
            };
            let named = |other: &CredentialStatus| (&other.secret, &other.key) == (&status.secret, &status.key);
            if !credentials.iter().any(named) {
                credentials.push(status);
            }
        }
        credentials
    }

    fn existing(&self, condition: ConditionType) -> Option<&Condition> {
        self.seen.status.conditions.iter().find(|existing| existing.type_ == condition.as_str())
    }

    /// A transition is a change of `status`, not of reason or message.
    fn condition(&self, finding: Finding, now: &str) -> Condition {
        let status = if finding.status { Truth::True } else { Truth::False };
        let same = self.existing(finding.condition).filter(|existing| existing.status == status);
        Condition {
            type_: finding.condition.as_str().to_owned(),
            status,
            observed_generation: Some(self.seen.generation),
            last_transition_time: same.map_or_else(|| now.to_owned(), |same| same.last_transition_time.clone()),
            reason: finding.reason.as_str().to_owned(),
            message: cut(&finding.message, MAX_MESSAGE),
        }
    }
}

/// What a person should be told of: reason and message of whatever is not as it was asked for. That proxies are being
/// waited for is no news, and a model without a price is nothing that went wrong: many servers of one's own have none.
pub(crate) fn complaints(status: &AIProviderStatus) -> impl Iterator<Item = (&str, &str)> {
    let bad = |condition: &&Condition| {
        let is = |type_: ConditionType| condition.type_ == type_.as_str();
        match condition.status {
            Truth::True => is(ConditionType::PartiallyInvalid),
            Truth::False if is(ConditionType::Programmed) => condition.reason == Reason::Refused.as_str(),
            Truth::False => !is(ConditionType::Priced),
            Truth::Unknown => false,
        }
    };
    let bad = status.conditions.iter().filter(bad);
    bad.map(|condition| (condition.reason.as_str(), condition.message.as_str()))
}

/// The one that is told of: what a person has to put right before what may pass by itself.
fn worst(troubles: &Troubles) -> (Reason, String) {
    let Troubles { rejected, failing, cooling_down, unpriced: _ } = troubles;
    let told = |trouble: &Trouble, what: &str| {
        let models: Vec<String> = trouble.models.iter().cloned().collect();
        format!("{} of {} proxies report that {what}: {}", trouble.pods.len(), trouble.of, list(&models))
    };
    if !rejected.is_empty() {
        let keys: Vec<String> = rejected.iter().map(|(secret, key)| format!("{key} of Secret {secret}")).collect();
        let message = format!("the provider rejected {}; put a valid key there", list(&keys));
        (Reason::CredentialsRejected, message)
    } else if !failing.models.is_empty() {
        (Reason::Failing, told(failing, "these models fail, or failed in the last minute"))
    } else {
        (Reason::CoolingDown, told(cooling_down, "the provider asks to be left alone for a while with these models"))
    }
}

/// Which models have no price, and what to do about it.
fn missing(unpriced: &Unpriced) -> (Reason, String) {
    let models: Vec<String> = unpriced.models.iter().cloned().collect();
    let message = format!(
        "no price is known of {}; what they cost is not counted until spec.models[].pricing or the proxies' own \
         price list says it",
        list_of(&models, unpriced.of)
    );
    (Reason::PriceMissing, message)
}

/// The first few, and how many more.
fn list(names: &[String]) -> String {
    list_of(names, names.len())
}

/// The same where not all of them are named.
fn list_of(names: &[String], of: usize) -> String {
    let named = &names[..names.len().min(NAMES)];
    let mut text = named.join(", ");
    if of > named.len() {
        text.push_str(&format!(" and {} more", of - named.len()));
    }
    text
}

/// At most so many bytes, cut between characters.
fn cut(text: &str, most: usize) -> String {
    const MARK: &str = "...";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most - MARK.len()).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests;
