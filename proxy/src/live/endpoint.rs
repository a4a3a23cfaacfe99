//! Where a provider's API is.

use http::{HeaderValue, uri::PathAndQuery};
use penstock_config::object;
use penstock_crds::ProviderType;
use penstock_llm::Dialect;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::upstream::Origin;

pub(crate) struct Endpoint {
    pub(crate) origin: Origin,
    pub(crate) host: HeaderValue,
    chat: Chat,
    /// Where requests of the Responses API go, if such a path can be.
    responses: Option<PathAndQuery>,
}

/// Where chat requests go.
enum Chat {
    /// The body names the model.
    OnePath(PathAndQuery),
    /// Azure: the path does, as a deployment.
    Deployments { base: String, api_version: String },
    /// Gemini: the path does, and says whether the answer streams.
    Models { base: String },
}

/// What stays as it is in a segment of a path, and in the value of a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Endpoint {
    pub(crate) fn build(provider: &object::Provider, dialect: Dialect) -> Result<Self, String> {
        let base_url = &provider.base_url;
        let url = Url::parse(base_url).map_err(|error| format!("baseURL {base_url:?}: {error}"))?;
        let origin =
            Origin::of(&url).ok_or_else(|| format!("baseURL {base_url:?}: needs http:// or https:// and a host"))?;
        let default_port = if origin.tls { 443 } else { 80 };
        let host = match origin.port {
            port if port == default_port => origin.host.to_string(),
            port => format!("{}:{port}", origin.host),
        };
        let endpoint = Self {
            host: HeaderValue::try_from(host)
                .map_err(|_| format!("baseURL {base_url:?}: no header can carry its host"))?,
            responses: responses(provider, url.path().trim_end_matches('/'), dialect)?,
            chat: Chat::build(provider, url.path().trim_end_matches('/'), dialect)?,
            origin,
        };
        endpoint.chat("any", false)?;
        Ok(endpoint)
    }

    /// The path of the Responses API, where the base URL has a place for it.
    pub(crate) fn responses(&self) -> Option<&PathAndQuery> {
        self.responses.as_ref()
    }

    /// The path of chat requests for a model, by the provider's name of it.
    pub(crate) fn chat(&self, model: &str, stream: bool) -> Result<PathAndQuery, String> {
        match &self.chat {
            Chat::OnePath(path) => Ok(path.clone()),
            Chat::Deployments { base, api_version } => {
                let (model, api_version) = (utf8_percent_encode(model, PLAIN), utf8_percent_encode(api_version, PLAIN));
                path(format!("{base}/openai/deployments/{model}/chat/completions?api-version={api_version}"))
            }
            Chat::Models { base } => {
                let model = utf8_percent_encode(model.strip_prefix("models/").unwrap_or(model), PLAIN);
                let call = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                path(format!("{base}/v1beta/models/{model}:{call}"))
            }
        }
    }
}

impl Chat {
    fn build(provider: &object::Provider, base: &str, dialect: Dialect) -> Result<Self, String> {
        match (provider.r#type, &provider.api_version, dialect) {
            (ProviderType::AzureOpenAI, Some(api_version), _) => {
                Ok(Self::Deployments { base: base.to_owned(), api_version: api_version.clone() })
            }
            (_, _, Dialect::OpenAI | Dialect::Responses) => path(format!("{base}/chat/completions")).map(Self::OnePath),
            // Each as its own SDK takes it: Anthropic's, Gemini's and Mistral's base URLs end before the version.
            (_, _, Dialect::Mistral) => {
                path(format!("{}/v1/chat/completions", base.strip_suffix("/v1").unwrap_or(base))).map(Self::OnePath)
            }
            (_, _, Dialect::Anthropic) => {
                path(format!("{}/v1/messages", base.strip_suffix("/v1").unwrap_or(base))).map(Self::OnePath)
            }
            (_, _, Dialect::Ollama) => {
                let bare = base.strip_suffix("/api").or(base.strip_suffix("/v1")).unwrap_or(base);
                path(format!("{bare}/api/chat")).map(Self::OnePath)
            }
            (_, _, Dialect::Gemini) => {
                let bare = base.strip_suffix("/v1beta").or(base.strip_suffix("/v1")).unwrap_or(base);
                Ok(Self::Models { base: bare.to_owned() })
            }
        }
    }
}

/// Azure has the API under `/openai/v1` only (learn.microsoft.com, azure/foundry/openai/how-to/responses).
fn responses(provider: &object::Provider, base: &str, dialect: Dialect) -> Result<Option<PathAndQuery>, String> {
    let has = dialect == Dialect::OpenAI && provider.api_version.is_none();
    has.then(|| path(format!("{base}/responses"))).transpose()
}

fn path(text: String) -> Result<PathAndQuery, String> {
    PathAndQuery::try_from(text).map_err(|error| format!("the path of its API: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(of_type: ProviderType, base_url: &str) -> object::Provider {
        object::Provider {
            r#type: of_type,
            preset: None,
            api_version: None,
            base_url: base_url.into(),
            credentials: Vec::new(),
            retries: object::Retries { attempts: 0, wait_up_to_ms: 0 },
        }
    }

    fn endpoint(url: &str, dialect: Dialect) -> Result<(String, String), String> {
        let endpoint = Endpoint::build(&provider(ProviderType::OpenAI, url), dialect)?;
        let host = endpoint.host.to_str().map_err(|error| error.to_string())?;
        Ok((host.to_owned(), endpoint.chat("m", false)?.to_string()))
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
        for base in ["https://api.mistral.ai", "https://api.mistral.ai/v1/"] {
            assert_eq!(endpoint(base, Dialect::Mistral)?.1, "/v1/chat/completions");
        }
        for base in ["http://localhost:11434", "http://localhost:11434/api/", "http://localhost:11434/v1"] {
            assert_eq!(endpoint(base, Dialect::Ollama)?, ("localhost:11434".into(), "/api/chat".into()));
        }
        assert!(endpoint("ftp://host/v1", Dialect::OpenAI).is_err());
        Ok(())
    }

    #[test]
    fn gemini_s_path_says_the_model_percent_encoded_and_whether_it_streams() -> Result<(), String> {
        for base in ["http://host", "http://host/v1beta", "http://host/v1/"] {
            assert_eq!(endpoint(base, Dialect::Gemini)?, ("host".into(), "/v1beta/models/m:generateContent".into()));
        }
        let gemini = Endpoint::build(&provider(ProviderType::Gemini, "https://host"), Dialect::Gemini)?;
        let rows = [
            ("gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
            ("models/gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
            ("a/b?key=x&é #", "/v1beta/models/a%2Fb%3Fkey%3Dx%26%C3%A9%20%23:streamGenerateContent?alt=sse"),
        ];
        for (model, expected) in rows {
            assert_eq!(gemini.chat(model, true)?.to_string(), expected);
        }
        Ok(())
    }

    #[test]
    fn azure_s_deployment_is_in_the_path_and_its_version_in_the_query() -> Result<(), String> {
        let chat = |base: &str, version: Option<&str>, model: &str| {
            let api_version = version.map(str::to_owned);
            let azure = object::Provider { api_version, ..provider(ProviderType::AzureOpenAI, base) };
            Endpoint::build(&azure, Dialect::OpenAI)?.chat(model, false).map(|path| path.to_string())
        };
        let version = Some("2024-10-21");
        let rows = [
            ("https://r", version, "gpt-4o", "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"),
            (
                "https://r/a",
                version,
                "b/c d",
                "/a/openai/deployments/b%2Fc%20d/chat/completions?api-version=2024-10-21",
            ),
            ("https://r/openai/v1", None, "gpt-4o", "/openai/v1/chat/completions"),
        ];
        for (base, version, model, path) in rows {
            assert_eq!(chat(base, version, model)?, path);
        }
        Ok(())
    }
}
