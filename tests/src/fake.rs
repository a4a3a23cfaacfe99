//! Fake providers: the seven kinds as they are on the wire, each on its own port.
//!
//! They validate like the real ones, answer deterministically (the answer names model and provider, then quotes what was
//! said), fail on order ([`Script`]) and remember all that reached them ([`Record`]). The same is reachable over HTTP, see
//! [`admin`](Fakes::admin_url).
//!
//! Everything runs on a thread of its own, so that a test which blocks never delays an answer.

mod admin;
mod anthropic;
mod asking;
mod azure;
mod call;
mod compatible;
mod desk;
mod dialect;
mod embed;
mod fields;
mod gemini;
mod media;
mod mistral;
mod ollama;
mod openai;
mod plan;
mod question;
mod record;
mod refusal;
mod reply;
mod schema;
mod script;
mod serve;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Deref;
use std::thread::JoinHandle;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

pub use desk::Desk;
pub use record::{End, Record};
pub use refusal::Refusal;
pub use script::{Action, Answer, At, Break, Called, Filtered, How, Refuse, Respond, Script, Step, Times};

/// Whose wire format a fake speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/models`; `Authorization: Bearer`.
    OpenAI,
    /// `/v1/messages`, `/v1/messages/count_tokens`, `/v1/models`; `x-api-key` and `anthropic-version`.
    Anthropic,
    /// AI Studio: `/v1beta/models/MODEL:generateContent` and kin, `/v1beta/models`; `x-goog-api-key` or `?key=`.
    Gemini,
    /// `/v1/chat/completions`, `/v1/embeddings`, `/v1/models`; `Authorization: Bearer`.
    Mistral,
    /// `/openai/deployments/NAME/chat/completions?api-version=` and kin, or `/openai/v1/...`; `api-key`.
    AzureOpenAI,
    /// `/api/chat`, `/api/embed`, `/api/tags`, `/api/show`, `/api/version`; no key.
    Ollama,
    /// `DeepSeek`, for all who call themselves compatible and are in their own way: `/v1/chat/completions`, `/v1/models`.
    OpenAICompatible,
}

/// The fakes that [`Fakes::start`] runs: two of some, to tell one account or region from another.
pub const DEFAULT_PROVIDERS: [(&str, Dialect); 9] = [
    ("openai", Dialect::OpenAI),
    ("openai-eu", Dialect::OpenAI),
    ("anthropic", Dialect::Anthropic),
    ("anthropic-eu", Dialect::Anthropic),
    ("gemini", Dialect::Gemini),
    ("mistral", Dialect::Mistral),
    ("azure", Dialect::AzureOpenAI),
    ("ollama", Dialect::Ollama),
    ("deepseek", Dialect::OpenAICompatible),
];

/// Running fake providers. Dropping it closes every listener and connection.
pub struct Fakes {
    desk: Desk,
    admin: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fakes {
    /// Starts [`DEFAULT_PROVIDERS`] on free ports of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&DEFAULT_PROVIDERS, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Starts the named providers on free ports of `admin`'s address, and the admin API on `admin` itself.
    ///
    /// # Errors
    /// When an address can't be bound.
    pub fn start_with(providers: &[(&str, Dialect)], admin: SocketAddr) -> anyhow::Result<Self> {
        let admin_listener = bind(admin)?;
        let admin = admin_listener.local_addr()?;
        let mut listeners = Vec::new();
        for (name, dialect) in providers {
            let listener = bind(SocketAddr::new(admin.ip(), 0))?;
            listeners.push(((*name).to_owned(), *dialect, listener));
        }
        let (desk, doors) = Desk::new(listeners)?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let of_thread = desk.clone();
        let thread = std::thread::Builder::new().name("fake-providers".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve::all(of_thread, doors, admin_listener) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { desk, admin, stop: Some(stop), thread: Some(thread) })
    }

    /// Where the admin API listens, as `http://IP:PORT`.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }
}

impl Deref for Fakes {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

impl Drop for Fakes {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; a second one in a drop would abort the test run.
            drop(thread.join());
        }
    }
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// An address of this machine that nothing listens on: bound, so nobody else gets it, but not listening.
///
/// # Errors
/// When no port can be bound.
pub fn closed_port() -> anyhow::Result<(tokio::net::TcpSocket, SocketAddr)> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}
