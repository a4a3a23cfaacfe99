//! The test bed.

pub mod cluster;
pub mod setup;
