//! End-to-end tests: the shipped programs against real servers.

mod bed;
mod budgets;
mod chart;
mod client_errors;
mod cluster;
mod crds;
mod credentials;
mod dialects;
mod errors;
mod fakes;
mod fallback;
mod figures;
mod headers;
mod lifecycle;
mod limits;
mod matrix;
mod operations;
mod operator;
mod quickstart;
mod readme;
mod sdk;
mod streams;
mod surroundings;
mod upstreams;
mod wire;
