//! AIProviders: where they are, which keys open them, whose routes may use them.

use std::collections::BTreeMap;

use penstock_crds::{
    AIProviderSpec, Model, Preset, Pricing, ProviderType, Reason, RoutesFrom, Timeouts as TimeoutSpec,
};
use url::Url;

use super::{Output, draft::Draft, secrets, unsupported};
use crate::{
    CredentialState, Kind, ObjectRef, Secrets, World,
    object::{Credential, Object, Provider, Retries, Timeouts},
    world::Resource,
};

/// A provider as routes see it.
pub(super) struct Compiled<'w> {
    pub(super) resource: &'w Resource<AIProviderSpec>,
    pub(super) draft: Draft,
    /// None: it can't be used; the draft says why.
    pub(super) object: Option<Provider>,
}

/// How the base URL of Azure's API without versions ends.
const VERSIONLESS: &str = "/openai/v1";

pub(super) type Providers<'w> = BTreeMap<ObjectRef, Compiled<'w>>;

/// Judges every provider of the gateway, and puts the keys of the usable ones into `secrets`.
pub(super) fn compile<'w>(world: &'w World, secrets: &mut Secrets) -> Providers<'w> {
    let ours = world.providers.iter().filter(|(_, provider)| provider.spec.gateway == world.settings.gateway);
    ours.map(|(name, resource)| (name.clone(), compile_one(world, resource, secrets))).collect()
}

/// Adds providers and their verdicts to the output.
pub(super) fn finish(providers: Providers<'_>, output: &mut Output) {
    for (name, provider) in providers {
        output.judge(Kind::AIProvider, provider.resource, provider.draft);
        if let Some(object) = provider.object {
            output.add(Kind::AIProvider, name, Object::Provider(object));
        }
    }
}

impl Compiled<'_> {
    /// May routes of `namespace` use this provider?
    pub(super) fn allows(&self, world: &World, namespace: &str) -> bool {
        let allowed = &self.resource.spec.allowed_routes.namespaces;
        match allowed.from {
            _ if namespace == self.resource.meta.namespace => true,
            RoutesFrom::Same => false,
            RoutesFrom::All => true,
            RoutesFrom::Selector => {
                let labels = world.namespaces.get(namespace);
                allowed.selector.as_ref().is_some_and(|selector| labels.is_some() && selector.matches(labels))
            }
        }
    }

    /// The model that a target names, as the provider calls it, and its price where the provider's object says it. A
    /// provider that lists none takes any name as it is.
    pub(super) fn upstream_model<'a>(&'a self, name: &'a str) -> Option<(&'a str, Option<&'a Pricing>)> {
        let models = &self.resource.spec.models;
        if models.is_empty() {
            return Some((name, None));
        }
        models.iter().find(|model| model.name == name).map(|model| (upstream_name(model), model.pricing.as_ref()))
    }

    /// The provider's timeouts, overridden by a route's, over the built-in ones.
    pub(super) fn timeouts(&self, route: &TimeoutSpec) -> Timeouts {
        let spec = &self.resource.spec;
        timeouts(spec.type_, route, spec.timeouts.as_ref().unwrap_or(&TimeoutSpec::default()))
    }
}

pub(super) fn upstream_name(model: &Model) -> &str {
    model.upstream_name.as_deref().unwrap_or(&model.name)
}

fn compile_one<'w>(world: &World, resource: &'w Resource<AIProviderSpec>, secrets: &mut Secrets) -> Compiled<'w> {
    let spec = &resource.spec;
    let mut draft = Draft::new(&resource.problems);
    unsupported::provider(spec, &mut draft);
    if spec.allowed_routes.namespaces.from == RoutesFrom::Selector && !world.namespaces_known {
        let message = "spec.allowedRoutes.namespaces.from: Selector is not supported where the operator watches only \
                       named namespaces, since labels of Namespaces are not known there; use Same or All";
        draft.refuse(Reason::NotSupported, message);
    }
    let base_url = match base_url(world, spec) {
        Ok(url) => Some(url),
        Err(what) => {
            // A URL that is malformed was refused with the spec already.
            if !draft.is_refused() {
                draft.refuse(Reason::Invalid, format!("spec.baseURL: {what}"));
            }
            None
        }
    };
    let credentials = credentials(world, resource, &mut draft, secrets);
    if credentials.is_empty() && !spec.credentials.is_empty() {
        draft.dead();
    }
    let object = base_url.filter(|_| draft.is_live()).map(|base_url| Provider {
        r#type: spec.type_,
        preset: spec.preset,
        api_version: api_version(spec, &base_url, &mut draft),
        base_url,
        credentials,
        retries: retries(spec),
        max_concurrent_requests: spec.max_concurrent_requests,
    });
    Compiled { resource, draft, object }
}

/// The URL that paths of the provider's dialect are appended to: as its own SDK takes it, without a trailing slash.
/// Its form was judged with the spec; what is left is whether it may be called.
fn base_url(world: &World, spec: &AIProviderSpec) -> Result<String, String> {
    let text = match (&spec.base_url, spec.type_) {
        (Some(text), _) => text.as_str(),
        (None, ProviderType::OpenAI) => "https://api.openai.com/v1",
        (None, ProviderType::Anthropic) => "https://api.anthropic.com",
        (None, ProviderType::Mistral) => "https://api.mistral.ai/v1",
        (None, ProviderType::OpenAICompatible) => match spec.preset.and_then(address) {
            Some(address) => address,
            None => return Err(format!("must be set with {}", preset_of(spec))),
        },
        (None, ProviderType::Ollama) => "http://localhost:11434",
        (None, ProviderType::Gemini) => "https://generativelanguage.googleapis.com",
        (None, other) => return Err(format!("must be set with type {other:?}")),
    };
    let url =
        Url::parse(text).map_err(|error| format!("\"{text}\" is not a URL ({error}); write https://host/path"))?;
    world.settings.outbound.judge(&url, spec.type_)?;
    let url = url.as_str().trim_end_matches('/');
    let url = match spec.type_ {
        ProviderType::Anthropic => url.strip_suffix("/v1").unwrap_or(url),
        ProviderType::AzureOpenAI => return Ok(azure_url(url, spec)),
        ProviderType::Ollama => url.strip_suffix("/api").or(url.strip_suffix("/v1")).unwrap_or(url),
        ProviderType::Gemini => url.strip_suffix("/v1beta").or(url.strip_suffix("/v1")).unwrap_or(url),
        _ => url,
    };
    Ok(url.to_owned())
}

fn preset_of(spec: &AIProviderSpec) -> String {
    match spec.preset {
        Some(preset) => format!("preset {preset:?}"),
        None => format!("type {:?}", spec.type_),
    }
}

/// Where a known server is; none for those that people run themselves. Each from the vendor's own page on using OpenAI's
/// SDK.
fn address(preset: Preset) -> Option<&'static str> {
    match preset {
        Preset::Groq => Some("https://api.groq.com/openai/v1"),
        Preset::DeepSeek => Some("https://api.deepseek.com"),
        Preset::Together => Some("https://api.together.ai/v1"),
        Preset::Fireworks => Some("https://api.fireworks.ai/inference/v1"),
        Preset::XAI => Some("https://api.x.ai/v1"),
        Preset::OpenRouter => Some("https://openrouter.ai/api/v1"),
        Preset::VLLM | Preset::LlamaCpp => None,
    }
}

/// A resource's own address with `/openai/v1`, the API without versions, or with nothing behind it. People write it with
/// either, with `/openai`, or bare.
fn azure_url(url: &str, spec: &AIProviderSpec) -> String {
    if url.ends_with(VERSIONLESS) {
        return url.to_owned();
    }
    let resource = url.strip_suffix("/openai").unwrap_or(url);
    let has_version = spec.azure.as_ref().is_some_and(|azure| azure.api_version.is_some());
    if has_version { resource.to_owned() } else { format!("{resource}{VERSIONLESS}") }
}

/// The version to ask Azure for, where its API has versions.
fn api_version(spec: &AIProviderSpec, base_url: &str, draft: &mut Draft) -> Option<String> {
    let version = spec.azure.as_ref()?.api_version.clone()?;
    if base_url.ends_with(VERSIONLESS) {
        draft.note("spec.azure.apiVersion has no effect with a baseURL that ends in /openai/v1");
        return None;
    }
    Some(version)
}

/// The credentials that have a value, in order. What is missing goes into the draft.
fn credentials(
    world: &World,
    resource: &Resource<AIProviderSpec>,
    draft: &mut Draft,
    secrets: &mut Secrets,
) -> Vec<Credential> {
    let mut usable = Vec::new();
    let mut missing = Vec::new();
    for (index, credential) in resource.spec.credentials.iter().enumerate() {
        let reference = &credential.secret_ref;
        let found = secrets::look_up(world, &resource.meta.namespace, reference);
        let digest = match found.value {
            Ok(value) => Some(secrets.insert(value)),
            Err((reason, message)) => {
                missing.push((reason, format!("spec.credentials[{index}].secretRef: {message}")));
                None
            }
        };
        draft.credentials.push(CredentialState {
            secret: reference.name.clone(),
            key: reference.key.clone(),
            resource_version: found.resource_version,
            digest,
        });
        usable.extend(digest.map(|digest| Credential {
            secret: reference.name.clone(),
            key: reference.key.clone(),
            digest,
        }));
    }
    for (reason, message) in missing {
        if !usable.is_empty() {
            draft.partial(Reason::CredentialMissing, message.clone());
        }
        draft.unresolved(reason, message);
    }
    usable
}

fn retries(spec: &AIProviderSpec) -> Retries {
    const ATTEMPTS: u32 = 2;
    const WAIT_UP_TO_MS: u64 = 2_000;
    let retries = spec.retries.as_ref();
    Retries {
        attempts: retries.and_then(|retries| retries.attempts).unwrap_or(ATTEMPTS),
        wait_up_to_ms: retries.and_then(|r| r.wait_up_to.as_ref()).map_or(WAIT_UP_TO_MS, millis),
    }
}

fn timeouts(of_type: ProviderType, route: &TimeoutSpec, provider: &TimeoutSpec) -> Timeouts {
    const FIRST_TOKEN_MS: u64 = 10_000;
    const SLOW_FIRST_TOKEN_MS: u64 = 60_000;
    type Field = fn(&TimeoutSpec) -> &Option<penstock_crds::Duration>;
    let pick = |field: Field, default| {
        let set = field(route).as_ref().or(field(provider).as_ref());
        set.map_or(default, millis)
    };
    // It may be loading the model.
    let is_slow = of_type == ProviderType::Ollama;
    Timeouts {
        connect_ms: pick(|t| &t.connect, 5_000),
        first_token_ms: pick(|t| &t.first_token, if is_slow { SLOW_FIRST_TOKEN_MS } else { FIRST_TOKEN_MS }),
        first_token_reasoning_ms: pick(|t| &t.first_token, SLOW_FIRST_TOKEN_MS),
        answer_ms: pick(|t| &t.answer, 120_000),
        idle_ms: pick(|t| &t.idle, 30_000),
        request_ms: pick(|t| &t.request, 600_000),
    }
}

fn millis(duration: &penstock_crds::Duration) -> u64 {
    u64::try_from(duration.get().as_millis()).unwrap_or(u64::MAX)
}
