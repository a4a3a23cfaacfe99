//! The shell around [`Election`]: reads and writes the Lease, and says who leads.

use std::{collections::BTreeMap, net::SocketAddr};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{DURATION, Election, RETRY, Record, Role, Step};
use crate::error::Error;

/// On the Lease: where the holder's push listener is.
const ADDRESS: &str = "penstock.dev/address";

/// Who this process is to the others.
pub(crate) struct Elected {
    pub(crate) leases: Api<Lease>,
    pub(crate) name: String,
    pub(crate) identity: String,
    /// Where followers send proxies.
    pub(crate) address: Option<SocketAddr>,
}

/// Takes part in the election until `stop`, then releases the Lease. `role` says at every moment who leads.
pub(crate) async fn run(elected: Elected, role: watch::Sender<Role>, stop: CancellationToken) {
    let mut election = Election::new(&elected.identity);
    let mut look = interval(RETRY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = deadline(role.borrow().clone()) => {
                warn!("the Lease could not be renewed in time: leading no more");
                role.send_replace(election.follow());
            }
            _ = look.tick() => match timeout(RETRY, elected.look(&mut election)).await {
                Ok(Ok(next)) => say(&role, next),
                Ok(Err(error)) => warn!(%error, "the Lease could not be read or written"),
                Err(_) => warn!("the API server did not answer about the Lease"),
            },
        }
    }
    if role.send_replace(Role::Follower { leader: None }).epoch(Instant::now()).is_some()
        && let Ok(Err(error)) = timeout(RETRY, elected.release(&election)).await
    {
        warn!(%error, "the Lease could not be released");
    }
}

async fn deadline(role: Role) {
    match role {
        Role::Leader { until, .. } => sleep_until(until).await,
        Role::Follower { .. } => std::future::pending().await,
    }
}

fn say(role: &watch::Sender<Role>, next: Role) {
    match (&*role.borrow(), &next) {
        (Role::Leader { epoch: before, .. }, Role::Leader { epoch, .. }) if before == epoch => {}
        (_, Role::Leader { epoch, .. }) => info!(epoch, "leading"),
        (before, Role::Follower { leader }) if *before != next => info!(?leader, "following"),
        (_, Role::Follower { .. }) => {}
    }
    role.send_if_modified(|role| std::mem::replace(role, next.clone()) != next);
}

impl Elected {
    /// One look at the Lease, and the write that follows from it.
    async fn look(&self, election: &mut Election) -> Result<Role, Error> {
        let lease = self.leases.get_opt(&self.name).await?;
        let asked = Instant::now();
        match election.step(lease.as_ref().map(Record::from).as_ref(), asked) {
            Step::Wait => Ok(election.follow()),
            Step::Write { transitions, taking } => {
                let next = self.lease(lease, election.identity(), transitions, taking);
                let written = if next.metadata.resource_version.is_some() {
                    self.leases.replace(&self.name, &PostParams::default(), &next).await
                } else {
                    self.leases.create(&PostParams::default(), &next).await
                };
                match written {
                    Ok(_) => Ok(election.granted(transitions, asked)),
                    // Somebody else was faster; the next look says who.
                    Err(kube::Error::Api(status)) if status.code == 409 => Ok(election.follow()),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    async fn release(&self, election: &Election) -> Result<(), Error> {
        let Some(lease) = self.leases.get_opt(&self.name).await? else {
            return Ok(());
        };
        let record = Record::from(&lease);
        if record.holder == election.identity() && Some(record.transitions) == election.held() {
            let next = self.lease(Some(lease), "", record.transitions, false);
            self.leases.replace(&self.name, &PostParams::default(), &next).await?;
            info!("released the Lease");
        }
        Ok(())
    }

    /// The Lease as it is to be; keeps the resourceVersion of what was read, so that no other write is lost.
    fn lease(&self, old: Option<Lease>, holder: &str, transitions: u64, taking: bool) -> Lease {
        let now = Some(MicroTime(Timestamp::now()));
        let (metadata, spec) = match old {
            Some(lease) => (lease.metadata, lease.spec.unwrap_or_default()),
            None => (ObjectMeta::default(), LeaseSpec::default()),
        };
        let mut annotations = metadata.annotations.clone().unwrap_or_else(BTreeMap::new);
        match self.address {
            Some(address) => annotations.insert(ADDRESS.to_owned(), address.to_string()),
            None => annotations.remove(ADDRESS),
        };
        Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), annotations: Some(annotations), ..metadata },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                lease_duration_seconds: Some(DURATION.as_secs() as i32),
                lease_transitions: Some(i32::try_from(transitions).unwrap_or(i32::MAX)),
                acquire_time: if taking { now.clone() } else { spec.acquire_time },
                renew_time: now,
                ..LeaseSpec::default()
            }),
        }
    }
}

impl From<&Lease> for Record {
    fn from(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let annotations = lease.metadata.annotations.as_ref();
        Self {
            holder: spec.holder_identity.unwrap_or_default(),
            address: annotations.and_then(|all| all.get(ADDRESS)?.parse().ok()),
            transitions: spec.lease_transitions.unwrap_or_default().try_into().unwrap_or_default(),
            renewed: spec.renew_time.map(|time| time.0.to_string()).unwrap_or_default(),
        }
    }
}
