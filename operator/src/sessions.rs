//! The open streams. A session lives exactly as long as its stream.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use penstock_config::Hash;
use rand::RngExt;
use tokio::sync::watch;

use crate::pods::Uid;

/// One process of one proxy pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process {
    pub(crate) pod: Uid,
    /// Random, new in every process.
    pub(crate) boot: String,
}

/// All sessions; shared between the streams, the ACKs and the reconciler.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Shared>);

#[derive(Default)]
struct Shared {
    open: Mutex<Open>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Open {
    sessions: HashMap<String, Process>,
    /// What a process could not decode; it is not sent that again. One entry a pod, until the pod goes.
    undecodable: BTreeMap<Uid, (String, Hash)>,
}

/// Ends its session when dropped.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) process: Process,
    sessions: Sessions,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session under a name that can't be guessed: whoever knows it may ACK.
    pub(crate) fn open(&self, process: Process) -> Session {
        let random: [u8; 16] = rand::rng().random();
        let id = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.lock().sessions.insert(id.clone(), process.clone());
        self.0.changed.send_replace(());
        Session { id, process, sessions: self.clone() }
    }

    /// Whose session it is; `None` once its stream has ended.
    pub(crate) fn process(&self, id: &str) -> Option<Process> {
        self.lock().sessions.get(id).cloned()
    }

    /// Every process that has a stream open.
    pub(crate) fn processes(&self) -> BTreeSet<Process> {
        self.lock().sessions.values().cloned().collect()
    }

    /// Told of every stream that opens or ends.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    pub(crate) fn mark_undecodable(&self, process: &Process, hash: Hash) {
        let entry = (process.boot.clone(), hash);
        self.lock().undecodable.insert(process.pod.clone(), entry);
    }

    pub(crate) fn is_undecodable(&self, process: &Process, hash: Hash) -> bool {
        let open = self.lock();
        let marked = open.undecodable.get(&process.pod);
        marked.is_some_and(|(boot, bad)| *boot == process.boot && *bad == hash)
    }

    /// Forgets what is known of pods that are gone.
    pub(crate) fn retain(&self, exists: impl Fn(&Uid) -> bool) {
        self.lock().undecodable.retain(|pod, _| exists(pod));
    }
}

impl Session {
    pub(crate) fn is_undecodable(&self, hash: Hash) -> bool {
        self.sessions.is_undecodable(&self.process, hash)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sessions.lock().sessions.remove(&self.id);
        self.sessions.0.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pod: &str, boot: &str) -> Process {
        Process { pod: pod.to_owned(), boot: boot.to_owned() }
    }

    #[test]
    fn a_session_is_known_exactly_as_long_as_its_stream_lives() {
        let sessions = Sessions::default();
        let first = sessions.open(process("a", "1"));
        let second = sessions.open(process("a", "1"));
        assert_ne!(first.id, second.id);
        assert_eq!(sessions.process(&first.id), Some(process("a", "1")));
        let id = first.id.clone();
        drop(first);
        assert_eq!(sessions.process(&id), None);
        assert_eq!(sessions.processes(), [process("a", "1")].into());
    }

    #[test]
    fn what_a_process_could_not_decode_is_remembered_for_that_process_until_its_pod_goes() {
        let sessions = Sessions::default();
        let hash = Hash::of(b"bad");
        sessions.mark_undecodable(&process("a", "1"), hash);
        assert!(sessions.is_undecodable(&process("a", "1"), hash));
        assert!(!sessions.is_undecodable(&process("a", "2"), hash));
        assert!(!sessions.is_undecodable(&process("a", "1"), Hash::of(b"other")));
        sessions.retain(|pod| pod != "a");
        assert!(!sessions.is_undecodable(&process("a", "1"), hash));
    }
}
