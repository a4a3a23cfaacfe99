//! What the proxies have, as they said it, against what there is. Pure: `now` and the pods are given.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use penstock_config::{
    Hash, Key, Kind, ObjectRef, Verdicts,
    protocol::{Ack, Position, Refused, Report},
};
use tokio::time::Instant;

use crate::{
    pods::{Pods, Uid, expected},
    sessions::Process,
};

/// How long a new leader waits for the proxies that it has not heard of.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How many snapshots back an ACK may be.
const REMEMBERED: usize = 256;

/// What stands in `Programmed`, before it is put into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Programmed {
    /// Every expected pod runs the object's present form.
    Yes {
        pods: usize,
    },
    /// These do not yet, of so many.
    Pending {
        missing: Vec<String>,
        of: usize,
    },
    /// These could not build it, each with its reason.
    Refused {
        by: Vec<(String, String)>,
        of: usize,
    },
    NoProxies,
    /// This leader has not heard of everybody yet: what was said before stays.
    Unknown,
}

/// The book that a leader keeps during its epoch.
pub(crate) struct Book {
    epoch: u64,
    began: Instant,
    /// What was published lately, by sequence: an ACK that names another hash is of a proxy that runs something else.
    published: BTreeMap<u64, Hash>,
    /// The form of each object, and the sequence in which that form first appeared.
    since: BTreeMap<Key, (Hash, u64)>,
    /// The providers that list the name which an entry of the snapshot stands for.
    lists: BTreeMap<Key, Vec<Key>>,
    /// Forms that every proxy had: who joins later does not take that back.
    done: BTreeMap<Key, Hash>,
    proxies: BTreeMap<Uid, Proxy>,
    /// All expected pods have been heard of once, or patience has ended.
    settled: bool,
}

/// The process of a pod that was heard of last.
#[derive(Debug)]
struct Proxy {
    boot: String,
    spoke: bool,
    acked: Option<u64>,
    /// By object: the reason.
    refused: BTreeMap<Key, String>,
    /// What it refused whole, and why.
    undecodable: Option<(u64, String)>,
    reports: Vec<Report>,
}

/// The book, as the pods stand now.
pub(crate) struct View<'a> {
    book: &'a Book,
    /// The expected pods, and what was heard of each.
    proxies: Vec<(&'a str, Option<&'a Proxy>)>,
    /// What all of them have ACKed.
    floor: Option<u64>,
    /// Everything that any of them refuses.
    refused: BTreeSet<&'a Key>,
}

/// What is wrong with a provider, as expected proxies report it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Troubles {
    /// Keys that it rejected: Secret and key.
    pub(crate) rejected: BTreeSet<(String, String)>,
    pub(crate) failing: Trouble,
    pub(crate) cooling_down: Trouble,
    pub(crate) unpriced: Unpriced,
}

/// Models whose price nobody says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unpriced {
    /// The first of them.
    pub(crate) models: BTreeSet<String>,
    /// How many there are, as the proxy knows that knows the fewest prices.
    pub(crate) of: usize,
}

/// Where limits are kept, as expected proxies report it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LimitStore {
    /// Some proxy has a store for them.
    pub(crate) is_used: bool,
    /// The pods that do not reach it, or know of none where others do.
    pub(crate) without: BTreeSet<String>,
    /// How many there are.
    pub(crate) of: usize,
}

/// One kind of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) models: BTreeSet<String>,
    /// The pods that report it of some model.
    pub(crate) pods: BTreeSet<String>,
    /// How many could.
    pub(crate) of: usize,
}

impl Proxy {
    fn new(boot: &str) -> Self {
        Self {
            boot: boot.to_owned(),
            spoke: false,
            acked: None,
            refused: BTreeMap::new(),
            undecodable: None,
            reports: Vec::new(),
        }
    }
}

impl Book {
    pub(crate) fn new(epoch: u64, now: Instant) -> Self {
        Self {
            epoch,
            began: now,
            published: BTreeMap::new(),
            since: BTreeMap::new(),
            lists: BTreeMap::new(),
            done: BTreeMap::new(),
            proxies: BTreeMap::new(),
            settled: false,
        }
    }

    /// The verdicts that go with what is published now. An object whose form is what it was keeps its sequence.
    pub(crate) fn compiled(&mut self, verdicts: &Verdicts, sequence: u64, hash: Hash) {
        self.published.insert(sequence, hash);
        while self.published.len() > REMEMBERED {
            self.published.pop_first();
        }
        self.since.retain(|key, _| verdicts.contains_key(key));
        self.done.retain(|key, _| verdicts.contains_key(key));
        self.lists.clear();
        for (key, verdict) in verdicts {
            for made in &verdict.made {
                self.lists.entry(made.clone()).or_default().push(key.clone());
            }
            match self.since.get_mut(key) {
                Some((form, _)) if *form == verdict.form => {}
                Some(entry) => {
                    *entry = (verdict.form, sequence);
                    // Should the old form come back, everybody has to fetch it again.
                    self.done.remove(key);
                }
                None => drop(self.since.insert(key.clone(), (verdict.form, sequence))),
            }
        }
    }

    /// The streams that are open. A new boot of a pod has ACKed nothing yet, whatever the old one did.
    pub(crate) fn connected(&mut self, processes: &BTreeSet<Process>) {
        for process in processes {
            // Two at once: an old stream that nobody has missed yet. Whoever ACKs next is the one that lives.
            let mut boots = processes.iter().filter(|other| other.pod == process.pod).map(|other| &other.boot);
            let known = self.proxies.get(&process.pod);
            if !known.is_some_and(|proxy| boots.any(|boot| *boot == proxy.boot)) {
                self.proxies.insert(process.pod.clone(), Proxy::new(&process.boot));
            }
        }
    }

    /// Takes an ACK down, and returns whether it says that the process moved on. One of another epoch, or older than
    /// what the process said before, says nothing new.
    pub(crate) fn acked(&mut self, process: &Process, ack: Ack) -> bool {
        let Position { epoch, sequence } = ack.position;
        if epoch != self.epoch {
            return false;
        }
        let proxy = self.proxies.entry(process.pod.clone()).or_insert_with(|| Proxy::new(&process.boot));
        if proxy.boot != process.boot {
            *proxy = Proxy::new(&process.boot);
        }
        proxy.spoke = true;
        proxy.reports = ack.reports;
        if let Some(reason) = ack.undecodable {
            proxy.undecodable = Some((sequence, reason));
            return false;
        }
        let runs_it = self.published.get(&sequence) == Some(&ack.hash);
        if !runs_it || proxy.acked.is_some_and(|acked| sequence < acked) {
            return false;
        }
        proxy.undecodable = None;
        proxy.refused.clear();
        for Refused { key, reason } in ack.refused {
            // No object has this key: whoever made the entry is told.
            for object in self.lists.get(&key).into_iter().flatten() {
                let reason = match key.kind {
                    Kind::Model => format!("model {}: {reason}", key.object.name),
                    _ => format!("the keys of the cluster's tokens: {reason}"),
                };
                proxy.refused.entry(object.clone()).or_insert(reason);
            }
            proxy.refused.insert(key, reason);
        }
        proxy.acked.replace(sequence).is_some_and(|before| before < sequence)
    }

    /// Forgets pods that are gone; notes whether everybody has been heard of, and what everybody has.
    pub(crate) fn look(&mut self, pods: &Pods, connected: &BTreeSet<Uid>, now: Instant) {
        self.proxies.retain(|uid, _| pods.contains_key(uid));
        let view = self.view(pods, connected);
        let everybody =
            !view.proxies.is_empty() && view.proxies.iter().all(|(_, proxy)| proxy.is_some_and(|p| p.spoke));
        let has = |(key, (form, since)): (&Key, &(Hash, u64))| {
            let done = self.done.get(key) != Some(form) && view.is_everywhere(key, *since);
            done.then(|| (key.clone(), *form))
        };
        let done: Vec<_> = self.since.iter().filter_map(has).collect();
        self.settled |= everybody || now.duration_since(self.began) >= PATIENCE;
        self.done.extend(done);
    }

    /// What the expected pods have, summed up once for questions about many objects.
    pub(crate) fn view<'a>(&'a self, pods: &'a Pods, connected: &BTreeSet<Uid>) -> View<'a> {
        let expected = expected(pods, connected);
        let named = |uid: &Uid| {
            let (uid, pod) = pods.get_key_value(uid)?;
            Some((pod.name.as_str(), self.proxies.get(uid)))
        };
        let proxies: Vec<_> = expected.iter().filter_map(named).collect();
        let floor = proxies.iter().map(|(_, proxy)| proxy.and_then(|proxy| proxy.acked)).min().flatten();
        let refused = proxies.iter().filter_map(|(_, proxy)| *proxy).flat_map(|proxy| proxy.refused.keys()).collect();
        View { book: self, proxies, floor, refused }
    }

    /// When [`Book::look`] changes its mind by itself.
    pub(crate) fn patience_ends(&self) -> Option<Instant> {
        (!self.settled).then(|| self.began + PATIENCE)
    }
}

impl View<'_> {
    /// Do the proxies run the object's present form?
    ///
    /// A refusal is always said, since it is a fact about what runs. A pod that joined and has not ACKed yet is not
    /// waited for where everybody had that form before.
    pub(crate) fn programmed(&self, key: &Key) -> Programmed {
        let Some((form, since)) = self.book.since.get(key) else {
            return Programmed::Unknown;
        };
        let of = self.proxies.len();
        if self.is_everywhere(key, *since) && self.book.settled {
            return Programmed::Yes { pods: of };
        }
        let mut refused = Vec::new();
        let mut missing = Vec::new();
        for (name, proxy) in &self.proxies {
            match proxy.map(|proxy| (proxy, proxy.refusal(key, *since))) {
                Some((_, Some(reason))) => refused.push(((*name).to_owned(), reason.to_owned())),
                Some((proxy, None)) if proxy.has(*since) => {}
                _ => missing.push((*name).to_owned()),
            }
        }
        refused.sort();
        missing.sort();
        match () {
            () if !refused.is_empty() => Programmed::Refused { by: refused, of },
            () if !self.book.settled => Programmed::Unknown,
            () if of == 0 => Programmed::NoProxies,
            () if missing.is_empty() || self.book.done.get(key) == Some(form) => Programmed::Yes { pods: of },
            () => Programmed::Pending { missing, of },
        }
    }

    /// What the pods report of providers. A provider of which nobody reports anything is not in it.
    pub(crate) fn troubles(&self) -> BTreeMap<&ObjectRef, Troubles> {
        let mut troubles = BTreeMap::<&ObjectRef, Troubles>::new();
        let reports = self.proxies.iter().filter_map(|(pod, proxy)| Some((*pod, &(*proxy)?.reports)));
        for (pod, report) in reports.flat_map(|(pod, reports)| reports.iter().map(move |report| (pod, report))) {
            match report {
                Report::CredentialRejected { provider, secret, key } => {
                    troubles.entry(provider).or_default().rejected.insert((secret.clone(), key.clone()));
                }
                Report::Failing { provider, model } => {
                    troubles.entry(provider).or_default().failing.add(model, pod, self.proxies.len());
                }
                Report::CoolingDown { provider, model } => {
                    troubles.entry(provider).or_default().cooling_down.add(model, pod, self.proxies.len());
                }
                Report::PriceMissing { provider, models, of } => {
                    troubles.entry(provider).or_default().unpriced.add(models, *of);
                }
                Report::LimitStore { .. } | Report::BudgetSpent { .. } => {}
            }
        }
        troubles
    }

    /// Where the pods keep limits.
    pub(crate) fn limit_store(&self) -> LimitStore {
        let is_up = |proxy: &Proxy| {
            proxy.reports.iter().find_map(|report| match report {
                Report::LimitStore { is_up } => Some(*is_up),
                _ => None,
            })
        };
        let heard = self.proxies.iter().filter_map(|(pod, proxy)| Some((*pod, is_up((*proxy)?))));
        let (with, without): (Vec<_>, Vec<_>) = heard.partition(|(_, is_up)| *is_up == Some(true));
        LimitStore {
            is_used: !with.is_empty() || without.iter().any(|(_, is_up)| is_up.is_some()),
            without: without.into_iter().map(|(pod, _)| pod.to_owned()).collect(),
            of: self.proxies.len(),
        }
    }

    /// How many percent of Consumers' budgets are spent, as the proxy says that knows of the most, and until when they are: where
    /// it is enough to be told of.
    pub(crate) fn budgets(&self) -> BTreeMap<&ObjectRef, (&str, u32)> {
        let mut budgets = BTreeMap::new();
        for report in self.proxies.iter().filter_map(|(_, proxy)| *proxy).flat_map(|proxy| &proxy.reports) {
            if let Report::BudgetSpent { consumer, percent, until } = report {
                let most = budgets.entry(consumer).or_insert((until.as_str(), *percent));
                *most = (*most).max((until, *percent));
            }
        }
        budgets
    }

    /// Does every expected pod run it, and is there one? Quick where nobody lags and nobody refuses.
    fn is_everywhere(&self, key: &Key, since: u64) -> bool {
        let floor = self.floor.is_some_and(|floor| floor >= since);
        let runs = |(_, proxy): &(&str, Option<&Proxy>)| proxy.is_some_and(|proxy| proxy.refusal(key, since).is_none());
        floor && (!self.refused.contains(key) || self.proxies.iter().all(runs))
    }
}

impl Troubles {
    /// The provider does not answer as it should.
    pub(crate) fn is_unwell(&self) -> bool {
        let Self { rejected, failing, cooling_down, unpriced: _ } = self;
        !rejected.is_empty() || !failing.models.is_empty() || !cooling_down.models.is_empty()
    }
}

impl Unpriced {
    fn add(&mut self, models: &[String], of: usize) {
        self.models.extend(models.iter().cloned());
        self.of = self.of.max(of).max(self.models.len());
    }
}

impl Trouble {
    fn add(&mut self, model: &str, pod: &str, of: usize) {
        self.models.insert(model.to_owned());
        self.pods.insert(pod.to_owned());
        self.of = of;
    }
}

impl Proxy {
    /// ACKed the form that first appeared at `since`, or a later one of the whole.
    fn has(&self, since: u64) -> bool {
        self.acked.is_some_and(|acked| acked >= since)
    }

    /// Why it does not run the present form, if it said so. What it said of an older form does not count.
    fn refusal(&self, key: &Key, since: u64) -> Option<&str> {
        if let Some((sequence, reason)) = &self.undecodable
            && *sequence >= since
            && !self.has(since)
        {
            return Some(reason);
        }
        self.refused.get(key).filter(|_| self.has(since)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
