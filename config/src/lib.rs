//! What a gateway runs, computed from what people declared.
//!
//! [`compile()`] is a pure fold from a [`World`] of resources to a [`Snapshot`] and the [`Verdicts`] on every
//! object. A snapshot's identity is its content [`Hash`]; [`Delta`]s lead from one to the next. The operator
//! pushes [`protocol`] documents, the proxy builds [`object`]s from them; neither knows the other's code.

pub mod object;
pub mod outbound;
pub mod protocol;

mod compile;
mod hash;
mod key;
mod secret;
mod settings;
mod snapshot;
mod verdict;
mod world;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod properties;

pub use compile::{Compiler, compile};
pub use hash::Hash;
pub use key::{Key, Kind, ObjectRef};
pub use secret::{Secret, Secrets};
pub use settings::Settings;
pub use snapshot::{Delta, Entry, Snapshot, SnapshotError};
pub use verdict::{CredentialState, Finding, Verdict, Verdicts};
pub use world::{ClusterIssuer, Meta, Resource, SecretState, World};
