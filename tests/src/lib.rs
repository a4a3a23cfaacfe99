//! The test bed: a real cluster's API, and providers that never leave the machine.

pub mod client;
pub mod cluster;
pub mod fake;
pub mod gateway;
pub mod redis;
pub mod setup;
