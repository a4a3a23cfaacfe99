//! End-to-end tests: the shipped programs against a real API server.

mod cluster;
