//! An upstream, built: where it is and what it speaks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::uri::PathAndQuery;
use penstock_config::{ObjectRef, object};
use penstock_crds::{Preset, ProviderType};
use penstock_llm::{
    Dialect,
    call::Operation,
    compatible::{Manners, Server},
    facts,
};

use super::{
    credential::{Cell, Scheme},
    endpoint::Endpoint,
};
use crate::health::{Room, Seats};

/// A provider. The same one as long as its object says the same, whatever its keys are.
pub(crate) struct Provider {
    /// `namespace/name`.
    pub(crate) name: String,
    object: object::Provider,
    pub(crate) dialect: Dialect,
    /// Whose models these are, for what is known of them.
    pub(crate) vendor: facts::Provider,
    /// How it differs from OpenAI, if it speaks that dialect.
    pub(crate) manners: Manners,
    pub(crate) endpoint: Endpoint,
    pub(crate) retries: Retries,
    pub(crate) credentials: Arc<Cell>,
    /// How many requests it has at once.
    pub(crate) room: Arc<Room>,
    pub(crate) scheme: Scheme,
    /// It is known not to need `stream_options`, or answered 400 to `stream_options`, and is not sent them again.
    takes_no_options: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    pub(crate) attempts: u32,
    pub(crate) wait_up_to: Duration,
}

impl Provider {
    /// Builds it, or gives the old one if nothing but credentials changed. The error is the reason of a refusal.
    pub(crate) fn build(
        name: &ObjectRef,
        object: &object::Provider,
        credentials: Arc<Cell>,
        seats: &Seats,
        old: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        let mut object = object.clone();
        object.credentials.clear();
        if let Some(old) = old
            && old.object == object
            && Arc::ptr_eq(&old.credentials, &credentials)
        {
            return Ok(old.clone());
        }
        let dialect = dialect(object.r#type)?;
        let endpoint = Endpoint::build(&object, dialect)?;
        let retries = Retries {
            attempts: object.retries.attempts,
            wait_up_to: Duration::from_millis(object.retries.wait_up_to_ms),
        };
        let manners = manners(&object);
        Ok(Arc::new(Self {
            name: name.to_string(),
            dialect,
            vendor: vendor(object.r#type),
            manners,
            endpoint,
            retries,
            credentials,
            room: seats.room(name, &object.base_url, object.max_concurrent_requests),
            scheme: Scheme::of(object.r#type),
            takes_no_options: AtomicBool::new(!manners.stream_options),
            object,
        }))
    }
}

impl Provider {
    /// Where it is asked for something, by its own name of the model. None if it has no such thing.
    pub(crate) fn path(&self, operation: Operation, model: &str, stream: bool) -> Result<Option<PathAndQuery>, String> {
        let has = match operation {
            Operation::Chat | Operation::CountTokens => true,
            Operation::Completions => self.manners.completions,
            Operation::Embeddings | Operation::BatchEmbeddings => self.manners.embeddings,
        };
        if has { self.endpoint.path(operation, model, stream) } else { Ok(None) }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.object.base_url
    }

    /// Streams may be asked for their usage.
    pub(crate) fn takes_stream_options(&self) -> bool {
        !self.takes_no_options.load(Ordering::Relaxed)
    }

    pub(crate) fn refused_stream_options(&self) {
        self.takes_no_options.store(true, Ordering::Relaxed);
    }
}

/// What a provider of this type speaks. Types that this version does not serve are refused.
fn dialect(r#type: ProviderType) -> Result<Dialect, String> {
    match r#type {
        ProviderType::OpenAI | ProviderType::OpenAICompatible | ProviderType::AzureOpenAI => Ok(Dialect::OpenAI),
        ProviderType::Anthropic => Ok(Dialect::Anthropic),
        ProviderType::Gemini => Ok(Dialect::Gemini),
        ProviderType::Mistral => Ok(Dialect::Mistral),
        ProviderType::Ollama => Ok(Dialect::Ollama),
        ProviderType::Bedrock | ProviderType::VertexAI => {
            Err(format!("this version does not serve providers of type {type:?}"))
        }
    }
}

/// Whose models these are.
pub(crate) fn vendor(r#type: ProviderType) -> facts::Provider {
    match r#type {
        ProviderType::OpenAI => facts::Provider::OpenAI,
        ProviderType::Anthropic => facts::Provider::Anthropic,
        ProviderType::Gemini => facts::Provider::Gemini,
        ProviderType::Mistral => facts::Provider::Mistral,
        ProviderType::Ollama => facts::Provider::Ollama,
        ProviderType::AzureOpenAI => facts::Provider::AzureOpenAI,
        ProviderType::Bedrock => facts::Provider::Bedrock,
        ProviderType::VertexAI => facts::Provider::VertexAI,
        ProviderType::OpenAICompatible => facts::Provider::OpenAICompatible,
    }
}

fn manners(object: &object::Provider) -> Manners {
    match (object.r#type, object.preset) {
        (_, Some(preset)) => Manners::of(server(preset)),
        (ProviderType::OpenAICompatible, None) => Manners::UNKNOWN,
        (_, None) => Manners::OPENAI,
    }
}

fn server(preset: Preset) -> Server {
    match preset {
        Preset::Groq => Server::Groq,
        Preset::DeepSeek => Server::DeepSeek,
        Preset::Together => Server::Together,
        Preset::Fireworks => Server::Fireworks,
        Preset::XAI => Server::XAI,
        Preset::OpenRouter => Server::OpenRouter,
        Preset::VLLM => Server::VLLM,
        Preset::LlamaCpp => Server::LlamaCpp,
    }
}
