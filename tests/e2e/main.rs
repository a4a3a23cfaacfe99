//! End-to-end tests: the shipped programs against real servers.

mod chart;
mod cluster;
mod crds;
mod fakes;
mod operator;
mod sdk;
