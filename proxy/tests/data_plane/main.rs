//! The data plane in this process, before providers that do what a test says.

mod anthropic;
mod azure;
mod balance;
mod bed;
mod callers;
mod credentials;
mod failures;
mod gemini;
mod gemini_clients;
mod health;
mod hostile;
mod log;
mod messages;
mod mistral;
mod ollama;
mod operations;
mod prices;
mod provider;
mod responses;
mod room;
mod settlement;
mod shutdown;
mod silence;
mod streams;
mod transport;
