//! The data plane in this process, before providers that do what a test says.

mod anthropic;
mod azure;
mod balance;
mod bed;
mod callers;
mod credentials;
mod failures;
mod framing;
mod gemini;
mod gemini_clients;
mod hostile;
mod leaving;
mod log;
mod messages;
mod mistral;
mod ollama;
mod operations;
mod overload;
mod prices;
mod provider;
mod responses;
mod settlement;
mod shutdown;
mod silence;
mod streams;
mod transport;
