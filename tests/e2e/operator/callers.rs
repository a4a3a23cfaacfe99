//! A Consumer's keys that change while it calls.

use anyhow::{Context as _, ensure};
use futures::future::{try_join, try_join_all};
use kube::api::DynamicObject;
use penstock_crds::Kind;
use penstock_tests::cluster::Cluster;
use penstock_tests::cluster::kubelet::RunningPod;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::installation::{CALLER, Installation, WITHIN};
use super::is_programmed;
use crate::figures;

const ROTATIONS: usize = 3;
/// Who call at the same time, each again as soon as it is answered.
const CALLERS: usize = 4;
/// So many calls with a key are to be seen in each state.
const ENOUGH: usize = 40;

/// What a key gets that is nobody's; the second once that has happened often.
const REFUSED: [u16; 2] = [401, 429];

/// A call, and what came of it.
struct Call {
    key: String,
    sent: Instant,
    answered: Instant,
    status: u16,
}

/// A key, and when the status said that every proxy takes it.
struct Key {
    value: String,
    programmed: Instant,
    removal: Option<Removal>,
}

struct Removal {
    begun: Instant,
    /// When the status said that no proxy takes it.
    programmed: Instant,
}

#[tokio::test]
async fn nobody_is_refused_while_both_keys_of_a_consumer_overlap_and_the_old_one_is_after_its_removal()
-> anyhow::Result<()> {
    let installation = Installation::new(Cluster::shared().await?, "callers").await?;
    let (operator, [first, second]) = installation.serving().await?;

    let (keys, used) = watch::channel(vec![CALLER.to_owned()]);
    let load = Load {
        installation: &installation,
        proxies: [&first, &second].map(|proxy| proxy.ip.to_string()),
        calls: watch::Sender::default(),
    };
    let callers = try_join_all((0..CALLERS).map(|number| load.caller(number, used.clone())));
    let (_, keys) = try_join(callers, rotate(&load, keys)).await?;

    let calls = load.calls.borrow();
    calls.iter().try_for_each(|call| call.check(&keys))?;
    let removals = keys.iter().filter_map(|key| key.removal.as_ref());
    let slowest = removals.map(|removal| removal.programmed - removal.begun).max().unwrap_or_default();
    figures::print(format_args!(
        "a Consumer's key: {ROTATIONS} rotations under {} calls; from its removal until the status says that no proxy takes it \
         {} ms at most",
        calls.len(),
        slowest.as_millis()
    ))?;
    drop(calls);
    try_join_all([first, second, operator].map(RunningPod::stop)).await?;
    Ok(())
}

/// Callers who never pause.
struct Load<'a> {
    installation: &'a Installation<'a>,
    proxies: [String; 2],
    calls: watch::Sender<Vec<Call>>,
}

impl Load<'_> {
    /// Calls with each of the keys in turn, until there are none.
    async fn caller(&self, number: usize, keys: watch::Receiver<Vec<String>>) -> anyhow::Result<()> {
        for turn in number.. {
            let keys = keys.borrow().clone();
            let Some(key) = keys.get(turn % keys.len().max(1)) else { break };
            let sent = Instant::now();
            let status = self.status(key, &self.proxies[turn / keys.len() % 2]).await?;
            let call = Call { key: key.clone(), sent, answered: Instant::now(), status };
            self.calls.send_modify(|calls| calls.push(call));
        }
        Ok(())
    }

    async fn status(&self, key: &str, ip: &str) -> anyhow::Result<u16> {
        let answer = self.installation.ask_as(key, ip).send().await?;
        let status = answer.status().as_u16();
        answer.bytes().await?;
        Ok(status)
    }

    /// Until enough calls with this key have begun since, and are over.
    async fn enough(&self, key: &str, since: Instant) -> anyhow::Result<()> {
        let mut calls = self.calls.subscribe();
        let enough =
            |calls: &Vec<Call>| calls.iter().filter(|call| call.key == key && call.sent > since).count() >= ENOUGH;
        timeout(WITHIN, calls.wait_for(enough)).await.with_context(|| format!("few calls with {key}"))??;
        Ok(())
    }

    /// Has the Consumer have these keys of the Secret, and waits until the status says it of every proxy.
    async fn keys_are(&self, names: &[&str]) -> anyhow::Result<Instant> {
        let keys: Vec<Value> = names.iter().map(|name| json!({"secretRef": {"name": "keys", "key": name}})).collect();
        let consumer = json!({
            "apiVersion": "penstock.dev/v1alpha1", "kind": "Consumer", "metadata": {"name": "search-team"},
            "spec": {"apiKeys": keys},
        });
        self.installation.apply(&consumer.to_string()).await?;
        self.installation.until(Kind::Consumer, "search-team", is_programmed_as_it_is).await?;
        Ok(Instant::now())
    }
}

fn is_programmed_as_it_is(object: Option<&DynamicObject>) -> bool {
    let conditions = object.and_then(|object| object.data.pointer("/status/conditions")?.as_array());
    let programmed = conditions.into_iter().flatten().find(|condition| condition["type"] == "Programmed");
    let generation = object.and_then(|object| object.metadata.generation);
    let is_of_it = programmed.is_some_and(|programmed| programmed["observedGeneration"].as_i64() == generation);
    is_of_it && is_programmed(object)
}

/// Gives the Consumer new keys, as the documentation says: the new one beside the old one, and then alone.
async fn rotate(load: &Load<'_>, used: watch::Sender<Vec<String>>) -> anyhow::Result<Vec<Key>> {
    let mut keys = Vec::new();
    let mut name = "search-team".to_owned();
    let mut key = Key { value: CALLER.to_owned(), programmed: Instant::now(), removal: None };
    for number in 1..=ROTATIONS {
        let (new, new_name) = (format!("key-number-{number}-of-the-search-team"), format!("search-team-{number}"));
        load.installation.change_secret(json!({"stringData": {&new_name: &new}})).await?;
        let programmed = load.keys_are(&[&name, &new_name]).await?;
        used.send_replace(vec![key.value.clone(), new.clone()]);
        load.enough(&key.value, programmed).await?;
        load.enough(&new, programmed).await?;
        let begun = Instant::now();
        let removed = load.keys_are(&[&new_name]).await?;
        for ip in &load.proxies {
            ensure!(REFUSED.contains(&load.status(&key.value, ip).await?), "{} passes after its removal", key.value);
        }
        used.send_replace(vec![new.clone()]);
        load.installation.change_secret(json!({"data": {&name: null}})).await?;
        load.enough(&new, removed).await?;
        key.removal = Some(Removal { begun, programmed: removed });
        keys.push(std::mem::replace(&mut key, Key { value: new, programmed, removal: None }));
        name = new_name;
    }
    used.send_replace(Vec::new());
    keys.push(key);
    Ok(keys)
}

impl Call {
    fn check(&self, keys: &[Key]) -> anyhow::Result<()> {
        let key = keys.iter().find(|key| key.value == self.key).context("a key that nobody has")?;
        let is_refused = REFUSED.contains(&self.status);
        let is_right = match &key.removal {
            Some(removal) if self.sent > removal.programmed => is_refused,
            // It is being removed: either.
            Some(removal) if self.answered > removal.begun => is_refused || self.status == 200,
            Some(_) | None => self.status == 200,
        };
        let later = self.sent.saturating_duration_since(key.programmed);
        ensure!(is_right, "a {} for {}, {later:?} after it was programmed", self.status, self.key);
        Ok(())
    }
}
