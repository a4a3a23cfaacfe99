//! The data plane: serves the unified API over the routes of a snapshot.
//!
//! [`Live`] holds what is live and is fed by a source of snapshots; a [`DataPlane`] answers requests with it.
//! `request.rs` is a request's life, top to bottom.

pub mod data;
pub mod health;
pub mod live;
pub mod metrics;
pub mod pace;
pub mod upstream;

mod auth;
mod bounds;
mod error;
mod limits;
mod request;
mod serve;

pub use bounds::Limits;
pub use data::{Auth, DataConfig, DataPlane};
pub use limits::StoreConfig;
pub use live::{Live, State, models::Models};
pub use metrics::Metrics;
pub use pace::Pace;
