//! What operator and proxies say to each other. One JSON [`Document`] a line from the operator, in a response that
//! does not end; every [`Hello`] and every snapshot is answered by an [`Ack`] on another request.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Delta, Entry, Hash, Key, ObjectRef, Secrets, Snapshot, SnapshotError};

/// `version` of a stream's request: what the proxy can read.
pub const VERSION: u32 = 1;
/// The stream: `GET /v1/snapshot?have=<hash>&boot=<nonce>&version=<VERSION>`.
pub const SNAPSHOT_PATH: &str = "/v1/snapshot";
/// Answers: `POST /v1/acks` with an [`Ack`].
pub const ACK_PATH: &str = "/v1/acks";
/// The audience that a proxy's ServiceAccount token must have.
pub const AUDIENCE: &str = "penstock";
/// A stream that says nothing sends a heartbeat this often, in seconds.
pub const HEARTBEAT_SECONDS: u64 = 3;

/// The query of a stream's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamQuery {
    /// The hash that the proxy runs; none before its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub have: Option<Hash>,
    /// Random, new in every process, so that ACKs of a restarted pod are told apart.
    pub boot: String,
    pub version: u32,
}

/// Where a snapshot stands in the order of all that were sent. A greater epoch is a later leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The Lease's transitions.
    pub epoch: u64,
    pub sequence: u64,
}

/// One line of the stream.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Document {
    Hello(Hello),
    Full(Full),
    Delta(DeltaDocument),
    Replicas(Replicas),
    Heartbeat(Heartbeat),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// Named in every ACK of this stream.
    pub session: String,
    pub position: Position,
    /// What is live: nothing follows where the proxy has it.
    pub hash: Hash,
    /// How many proxies share a limit, the new one included.
    pub replicas: u32,
    /// The CAs of the push channel, PEM.
    pub ca_bundle: String,
}

/// A whole snapshot.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Full {
    pub position: Position,
    pub hash: Hash,
    pub objects: Vec<Entry>,
    pub secrets: Secrets,
}

/// A change against the snapshot that the stream sent last.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeltaDocument {
    pub position: Position,
    pub delta: Delta,
}

/// Pods came or went. Outside the hash, so that it changes no snapshot's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicas {
    pub n: u32,
}

/// The operator is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {}

/// The body of a follower's 421: only the leader serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotLeader {
    /// Where the leader listens, as far as the follower knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<SocketAddr>,
}

/// A proxy's answer to a [`Hello`], [`Full`] or [`DeltaDocument`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    pub session: String,
    pub position: Position,
    /// The hash of what was answered.
    pub hash: Hash,
    /// The document did not decode and was refused whole: the old snapshot stays, and this hash need not be sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecodable: Option<String>,
    /// Objects that could not be built; all others are live.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// All that the proxy knows of its upstreams now. What only a newer proxy reports is left out.
    #[serde(default, deserialize_with = "known_reports")]
    pub reports: Vec<Report>,
}

/// An object that the proxy could not build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    #[serde(flatten)]
    pub key: Key,
    pub reason: String,
}

/// Something seen by a proxy that belongs into an object's status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Report {
    /// A provider answered 401 or 403 to a key that is current.
    CredentialRejected { provider: ObjectRef, secret: String, key: String },
    /// A provider's model failed so often that the breaker opened, now or in the last minute.
    Failing { provider: ObjectRef, model: String },
    /// A provider asked to be left alone for a while with a model, now or in the last minute.
    CoolingDown { provider: ObjectRef, model: String },
    /// Nobody says what some models cost that routes ask a provider for: how many, and the first of them by name.
    PriceMissing { provider: ObjectRef, models: Vec<String>, of: usize },
    /// The proxy keeps limits in a store that others share, and that answers, or does not.
    LimitStore { is_up: bool },
    /// So many percent of a Consumer's budget are spent, which begins anew on that day.
    BudgetSpent { consumer: ObjectRef, percent: u32, until: String },
}

/// An ACK says what runs: that must be heard though the proxy knows a kind of trouble that this version does not.
fn known_reports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Report>, D::Error> {
    let reports = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(reports.into_iter().filter_map(|report| serde_json::from_value(report).ok()).collect())
}

impl Full {
    pub fn new(position: Position, snapshot: &Snapshot) -> Self {
        Self {
            position,
            hash: snapshot.hash(),
            objects: snapshot.entries().cloned().collect(),
            secrets: snapshot.secrets().clone(),
        }
    }

    pub fn into_snapshot(self) -> Result<Snapshot, SnapshotError> {
        Snapshot::receive(self.hash, self.objects, self.secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_an_unknown_kind_is_left_out_and_the_rest_of_the_ack_is_heard() {
        let failing = Report::Failing { provider: ObjectRef::new("ns", "openai"), model: "gpt-4o".to_owned() };
        let ack = Ack {
            session: "s".to_owned(),
            position: Position { epoch: 1, sequence: 2 },
            hash: Hash::of(b"live"),
            undecodable: None,
            refused: vec![],
            reports: vec![failing],
        };
        let mut json = serde_json::to_value(&ack).expect("must be JSON");
        let reports = json["reports"].as_array_mut().expect("must be a list");
        reports.insert(0, serde_json::json!({"haunted": {"provider": "ns/openai"}}));
        reports.push(serde_json::json!("haunted"));
        assert_eq!(serde_json::from_value::<Ack>(json).expect("must be read"), ack);
    }
}
