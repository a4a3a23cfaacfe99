//! An upstream, built: where it is and what it speaks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, uri::PathAndQuery};
use penstock_config::{ObjectRef, object};
use penstock_crds::ProviderType;
use penstock_llm::{Dialect, facts};
use url::Url;

use super::credential::Cell;
use crate::upstream::Origin;

/// A provider. The same one as long as its object says the same, whatever its keys are.
pub(crate) struct Provider {
    /// `namespace/name`.
    pub(crate) name: String,
    object: object::Provider,
    pub(crate) dialect: Dialect,
    /// Whose models these are, for what is known of them.
    pub(crate) vendor: facts::Provider,
    pub(crate) endpoint: Endpoint,
    pub(crate) retries: Retries,
    pub(crate) credentials: Arc<Cell>,
    /// It answered 400 to `stream_options`, and is not sent them again.
    takes_no_options: AtomicBool,
}

/// Where a provider's chat API is.
pub(crate) struct Endpoint {
    pub(crate) origin: Origin,
    pub(crate) host: HeaderValue,
    chat: Chat,
}

/// The path of a chat request.
enum Chat {
    /// The same for all.
    One(PathAndQuery),
    /// Gemini: model and stream are said by the path, behind this.
    OfModel(String),
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
        let endpoint = Endpoint::build(&object.base_url, dialect)?;
        let retries = Retries {
            attempts: object.retries.attempts,
            wait_up_to: Duration::from_millis(object.retries.wait_up_to_ms),
        };
        let vendor = vendor(object.r#type);
        let (name, takes_no_options) = (name.to_string(), AtomicBool::new(false));
        Ok(Arc::new(Self { name, object, dialect, vendor, endpoint, retries, credentials, takes_no_options }))
    }
}

impl Provider {
    /// Streams may be asked for their usage.
    pub(crate) fn takes_stream_options(&self) -> bool {
        !self.takes_no_options.load(Ordering::Relaxed)
    }

    pub(crate) fn refused_stream_options(&self) {
        self.takes_no_options.store(true, Ordering::Relaxed);
    }
}

impl Endpoint {
    fn build(base_url: &str, dialect: Dialect) -> Result<Self, String> {
        let url = Url::parse(base_url).map_err(|error| format!("baseURL {base_url:?}: {error}"))?;
        let origin =
            Origin::of(&url).ok_or_else(|| format!("baseURL {base_url:?}: needs http:// or https:// and a host"))?;
        let default_port = if origin.tls { 443 } else { 80 };
        let host = match origin.port {
            port if port == default_port => origin.host.to_string(),
            port => format!("{}:{port}", origin.host),
        };
        let base = url.path().trim_end_matches('/');
        let path =
            |path: String| PathAndQuery::try_from(path).map_err(|error| format!("baseURL {base_url:?}: {error}"));
        // Each as its own SDK takes it: Anthropic's and Gemini's base URLs end before the version.
        let bare = base.strip_suffix("/v1").unwrap_or(base);
        let chat = match dialect {
            Dialect::OpenAI => Chat::One(path(format!("{base}/chat/completions"))?),
            Dialect::Anthropic => Chat::One(path(format!("{bare}/v1/messages"))?),
            Dialect::Gemini => {
                let models = format!("{}/v1beta/models/", base.strip_suffix("/v1beta").unwrap_or(bare));
                path(models.clone())?;
                Chat::OfModel(models)
            }
        };
        Ok(Self {
            host: HeaderValue::try_from(host)
                .map_err(|_| format!("baseURL {base_url:?}: no header can carry its host"))?,
            chat,
            origin,
        })
    }

    /// Where a chat request for that model goes.
    pub(crate) fn chat(&self, model: &str, stream: bool) -> PathAndQuery {
        match &self.chat {
            Chat::One(path) => path.clone(),
            Chat::OfModel(models) => {
                let mut path = models.clone();
                encode(model.strip_prefix("models/").unwrap_or(model), &mut path);
                path.push_str(if stream { ":streamGenerateContent?alt=sse" } else { ":generateContent" });
                PathAndQuery::try_from(path).expect("must be a path: its start is one, and the rest is encoded")
            }
        }
    }
}

/// What a provider of this type speaks. Types that this version does not serve are refused.
pub(crate) fn dialect(r#type: ProviderType) -> Result<Dialect, String> {
    match r#type {
        ProviderType::OpenAI | ProviderType::OpenAICompatible => Ok(Dialect::OpenAI),
        ProviderType::Anthropic => Ok(Dialect::Anthropic),
        ProviderType::Gemini => Ok(Dialect::Gemini),
        ProviderType::Mistral
        | ProviderType::Ollama
        | ProviderType::AzureOpenAI
        | ProviderType::Bedrock
        | ProviderType::VertexAI => Err(format!("this version does not serve providers of type {type:?}")),
    }
}

/// Appends a segment of a path, with every byte encoded that is not plain everywhere.
fn encode(segment: &str, path: &mut String) {
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn vendor(r#type: ProviderType) -> facts::Provider {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, dialect: Dialect) -> Result<(String, String), String> {
        let endpoint = Endpoint::build(url, dialect)?;
        let host = endpoint.host.to_str().map_err(|error| error.to_string())?;
        Ok((host.to_owned(), endpoint.chat("m", false).to_string()))
    }

    #[test]
    fn the_path_of_a_dialect_is_appended_to_the_base_url() -> Result<(), String> {
        assert_eq!(
            endpoint("https://api.openai.com/v1", Dialect::OpenAI)?,
            ("api.openai.com".into(), "/v1/chat/completions".into())
        );
        assert_eq!(endpoint("http://[::1]:9000/v1", Dialect::Anthropic)?, ("[::1]:9000".into(), "/v1/messages".into()));
        assert_eq!(endpoint("http://host/a", Dialect::Anthropic)?, ("host".into(), "/a/v1/messages".into()));
        assert_eq!(endpoint("http://host:80", Dialect::OpenAI)?, ("host".into(), "/chat/completions".into()));
        for base in ["http://host", "http://host/v1beta", "http://host/v1/"] {
            assert_eq!(endpoint(base, Dialect::Gemini)?, ("host".into(), "/v1beta/models/m:generateContent".into()));
        }
        assert!(endpoint("ftp://host/v1", Dialect::OpenAI).is_err());
        Ok(())
    }

    #[test]
    fn gemini_s_path_says_the_model_percent_encoded_and_whether_it_streams() -> Result<(), String> {
        let endpoint = Endpoint::build("https://host", Dialect::Gemini)?;
        let rows = [
            ("gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
            ("models/gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
            ("a/b?key=x&é #", "/v1beta/models/a%2Fb%3Fkey%3Dx%26%C3%A9%20%23:streamGenerateContent?alt=sse"),
        ];
        for (model, expected) in rows {
            assert_eq!(endpoint.chat(model, true).to_string(), expected);
        }
        Ok(())
    }
}
