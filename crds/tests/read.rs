//! Resources are read from YAML strictly, and what is wrong with them says where and what to do.

use anyhow::{Context, Result, bail};
use penstock_crds::read::{Document, Resource, read};

const PROVIDER: &str = "\
apiVersion: penstock.dev/v1alpha1
kind: AIProvider
metadata: {name: openai}
spec:
  type: OpenAI
  credentials: [{secretRef: {name: openai, key: api-key}}]
  models: [{name: gpt-4o}]
";

/// The one document of `text`.
fn one(text: &str) -> Result<Document> {
    let [document] = read(text).try_into().ok().context("must be one document")?;
    Ok(document)
}

/// What is wrong with the one document of `text`, a line each.
fn problems(text: &str) -> Result<Vec<String>> {
    Ok(one(text)?.problems.iter().map(ToString::to_string).collect())
}

/// `PROVIDER` with `from` replaced.
fn provider(from: &str, to: &str) -> Result<Vec<String>> {
    problems(&PROVIDER.replace(from, to))
}

fn policy(spec: &str) -> Result<Vec<String>> {
    problems(&format!("apiVersion: penstock.dev/v1alpha1\nkind: RoutePolicy\nmetadata: {{name: chat}}\nspec: {spec}\n"))
}

fn limit(spec: &str) -> Result<Vec<String>> {
    problems(&format!("apiVersion: penstock.dev/v1alpha1\nkind: RateLimit\nmetadata: {{name: all}}\nspec: {spec}\n"))
}

fn consumer(spec: &str) -> Result<Vec<String>> {
    problems(&format!("apiVersion: penstock.dev/v1alpha1\nkind: Consumer\nmetadata: {{name: team}}\nspec: {spec}\n"))
}

#[test]
fn a_good_provider_is_read_with_its_defaults() -> Result<()> {
    let document = one(PROVIDER)?;
    assert_eq!((document.problems.as_slice(), document.line), (&[][..], 1));
    assert_eq!(document.object, "AIProvider default/openai");
    let Some(Resource::AIProvider(provider)) = document.resource else { bail!("must be a provider") };
    assert_eq!(provider.metadata.namespace.as_deref(), Some("default"));
    assert_eq!(provider.spec.gateway, "default");
    assert_eq!(provider.spec.priority, 1);
    assert!(provider.spec.models[0].exposed);
    Ok(())
}

#[test]
fn what_a_policy_leaves_out_stays_absent() -> Result<()> {
    let document = one(
        "apiVersion: penstock.dev/v1alpha1\nkind: RoutePolicy\nmetadata: {name: chat}\nspec: {models: [gpt-4o], balance: null}",
    )?;
    assert_eq!(document.problems, []);
    let Some(Resource::RoutePolicy(policy)) = document.resource else { bail!("must be a policy") };
    assert_eq!((policy.spec.targets, policy.spec.fallback_on, policy.spec.balance), (None, None, None));
    Ok(())
}

#[test]
fn an_unknown_field_is_named_with_its_line_and_the_field_that_was_meant() -> Result<()> {
    let found = provider(
        "models: [{name: gpt-4o}]",
        "models: [{name: gpt-4o, upstreamname: x}]\n  baseUrl: https://example.com",
    )?;
    assert_eq!(
        found,
        [
            "line 7: spec.models[0].upstreamname: is not a known field; did you mean upstreamName?",
            "line 8: spec.baseUrl: is not a known field; did you mean baseURL?"
        ]
    );
    assert_eq!(
        provider("metadata: {name: openai}", "metadata: {name: openai, label: {}}\nstatus: {}\nspecs: {}")?,
        [
            "line 3: metadata.label: is not a known field; did you mean labels?",
            "line 5: specs: is not a known field; did you mean spec?"
        ]
    );
    Ok(())
}

#[test]
fn an_unknown_kind_or_version_is_named_with_the_one_that_was_meant() -> Result<()> {
    assert_eq!(
        provider("kind: AIProvider", "kind: AiProvider")?,
        ["line 2: kind: is \"AiProvider\", which is not known; did you mean AIProvider?"]
    );
    assert_eq!(
        provider("kind: AIProvider", "kind: ConfigMap")?,
        [
            "line 2: kind: is \"ConfigMap\", which is not known; known are AIProvider, RoutePolicy, RateLimit, Consumer, Secret, Namespace"
        ]
    );
    assert_eq!(
        provider("v1alpha1", "v1")?,
        ["line 1: apiVersion: is \"penstock.dev/v1\", must be penstock.dev/v1alpha1 for kind AIProvider"]
    );
    assert_eq!(
        problems("kind: Secret\nmetadata: {name: a}")?,
        ["line 1: apiVersion: is missing, must be v1 for kind Secret"]
    );
    Ok(())
}

#[test]
fn a_bad_document_does_not_stop_the_others() {
    let text =
        format!("# a comment\n---\n{PROVIDER}---\nkind: [\n--- # another\n\n{PROVIDER}---\n- a\n---\n# nothing\n");
    let found: Vec<_> = read(&text).iter().map(|d| (d.line, d.problems.len(), d.resource.is_some())).collect();
    assert_eq!(found, [(3, 0, true), (11, 1, false), (14, 0, true), (22, 1, false)]);
}

#[test]
fn text_that_is_not_yaml_and_a_key_given_twice_say_the_line() -> Result<()> {
    let broken = read("a: 1\n---\nkind: Secret\nmetadata: {name: a\n");
    let [_, second] = broken.as_slice() else { bail!("must be two documents") };
    let said = second.problems[0].to_string();
    assert!(said.starts_with("line 4: is not YAML: ") || said.starts_with("line 5: is not YAML: "), "{said}");
    let twice = provider("  type: OpenAI\n", "  type: OpenAI\n  type: Anthropic\n")?;
    assert!(twice[0].starts_with("line 6: is not YAML: duplicate mapping key"), "{twice:?}");
    Ok(())
}

#[test]
fn bounds_of_the_schema_hold() -> Result<()> {
    assert_eq!(
        provider("type: OpenAI", "type: OpenAi")?,
        [
            "line 5: spec.type: is \"OpenAi\", must be one of OpenAI, Anthropic, Gemini, Mistral, Ollama, AzureOpenAI, Bedrock, VertexAI, OpenAICompatible; did you mean OpenAI?"
        ]
    );
    assert_eq!(provider("[{name: gpt-4o}]", "[]")?, ["line 7: spec.models: has 0 items, must have at least 1"]);
    assert_eq!(provider("  models: [{name: gpt-4o}]\n", "")?, ["line 4: spec.models: is required"]);
    assert_eq!(
        provider("[{name: gpt-4o}]", "[{name: gpt-4o}, {name: gpt-4o}]")?,
        ["line 7: spec.models[1]: is the same as item 0: remove one of them"]
    );
    assert_eq!(
        provider("  type: OpenAI\n", "  type: OpenAI\n  priority: 1001\n  retries: {attempts: 1.5, waitUpTo: 2}\n")?,
        [
            "line 6: spec.priority: must be between 0 and 1000",
            "line 7: spec.retries.attempts: must be a whole number",
            "line 7: spec.retries.waitUpTo: must be a string (put it in quotes), not a number"
        ]
    );
    assert_eq!(
        provider("name: gpt-4o", "name: gpt-4o, pricing: {input: 0.15, output: \"0.60\"}")?,
        ["line 7: spec.models[0].pricing.input: must be a string (put it in quotes), not a number"]
    );
    assert_eq!(
        provider("metadata: {name: openai}", "metadata: {name: Open_AI}")?,
        [
            r#"line 3: metadata.name: is "Open_AI", must match ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"#
        ]
    );
    Ok(())
}

#[test]
fn a_refused_policy_still_says_which_names_it_claims() -> Result<()> {
    let document = one(
        "apiVersion: penstock.dev/v1alpha1\nkind: RoutePolicy\nmetadata: {name: chat}\nspec: {models: [smart], balance: Fair}",
    )?;
    assert_eq!(document.problems.len(), 1);
    let Some(Resource::RoutePolicy(policy)) = document.resource else { bail!("must be a policy") };
    assert_eq!(policy.spec.models, ["smart"]);
    Ok(())
}

#[test]
fn secrets_are_read_and_their_variables_are_left_alone() -> Result<()> {
    let document = one(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: openai, namespace: a}\ntype: Opaque\nstringData: {api-key: \"${KEY}\"}\ndata: {old: c2VjcmV0}",
    )?;
    assert_eq!(document.problems, []);
    let Some(Resource::Secret(secret)) = document.resource else { bail!("must be a secret") };
    assert_eq!(secret.string_data["api-key"], "${KEY}");
    assert_eq!(secret.data["old"], b"secret");
    assert_eq!(secret.metadata.namespace.as_deref(), Some("a"));
    assert_eq!(
        problems("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {b: \"sk-*\"}")?,
        ["line 4: data.b: is not base64; plain text goes into stringData"]
    );
    Ok(())
}

#[test]
fn problems_of_secrets_never_say_a_value() -> Result<()> {
    let found =
        problems("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringdata: {k: sk-12345}\ndata: {k: sk-12345}")?;
    assert_eq!(found.len(), 2);
    assert!(!found.concat().contains("12345"), "{found:?}");
    Ok(())
}

#[test]
fn namespaces_are_read_for_their_labels() -> Result<()> {
    let document = one("apiVersion: v1\nkind: Namespace\nmetadata: {name: search, labels: {team: a}}")?;
    assert_eq!((document.problems.as_slice(), document.object.as_str()), (&[][..], "Namespace search"));
    let Some(Resource::Namespace(namespace)) = document.resource else { bail!("must be a namespace") };
    assert_eq!(namespace.metadata.labels.unwrap_or_default()["team"], "a");
    Ok(())
}

#[test]
fn rules_of_providers_hold() -> Result<()> {
    let cases = [
        ("type: OpenAI", "type: OpenAI\n  preset: Groq", "preset: preset goes only with type OpenAICompatible"),
        ("type: OpenAI", "type: OpenAI\n  azure: {}", "azure: azure goes only with type AzureOpenAI"),
        ("type: OpenAI", "type: AzureOpenAI\n  baseURL: https://a.example.com", "azure: azure is required"),
        ("type: OpenAI", "type: OpenAICompatible", "baseURL: baseURL is required"),
        ("type: OpenAI", "type: OpenAICompatible\n  preset: VLLM", "baseURL: baseURL is required"),
        ("type: OpenAI", "type: OpenAI\n  baseURL: api.openai.com", "baseURL: baseURL must be an http"),
        ("type: OpenAI", "type: OpenAI\n  baseURL: https://key@api.openai.com", "baseURL: baseURL must be an http"),
        ("type: OpenAI", "type: OpenAI\n  baseURL: https://a.example.com/?k=1", "baseURL: baseURL must be an http"),
        (
            "key: api-key}}",
            "key: api-key}}, {secretRef: {name: openai, key: api-key}}",
            "credentials: credentials names",
        ),
        ("type: OpenAI", "type: OpenAI\n  timeouts: {idle: 0s}", "timeouts.idle: idle must be longer than 0s"),
        (
            "type: OpenAI",
            "type: OpenAI\n  allowedRoutes: {namespaces: {from: Selector}}",
            "allowedRoutes.namespaces.selector: selector is required",
        ),
        (
            "type: OpenAI",
            "type: OpenAI\n  allowedRoutes: {namespaces: {selector: {}}}",
            "allowedRoutes.namespaces.selector: selector goes only",
        ),
    ];
    for (from, to, wanted) in cases {
        let found = provider(from, to)?;
        assert!(found.len() == 1 && found[0].contains(&format!("spec.{wanted}")), "{to}: {found:?}");
    }
    let fine = [
        "type: OpenAICompatible\n  preset: Groq",
        "type: OpenAICompatible\n  baseURL: http://vllm:8000/v1",
        "type: OpenAI\n  retries: {waitUpTo: 0s}",
        "type: OpenAI\n  allowedRoutes: {namespaces: {from: Selector, selector: {}}}",
        "type: AzureOpenAI\n  baseURL: https://a.example.com\n  azure: {apiVersion: 2024-10-21}",
    ];
    for to in fine {
        assert_eq!(provider("type: OpenAI", to)?, [""; 0], "{to}");
    }
    Ok(())
}

#[test]
fn rules_of_policies_limits_and_consumers_hold() -> Result<()> {
    let keys = "apiKeys: [{secretRef: {name: a, key: b}}]";
    let jwt = "jwt: {issuer: a, audiences: [b], jwksURL: 'https://id.example.com/keys'}";
    let target = "{provider: openai, model: gpt-4o}";
    let cases = [
        (policy("{models: ['*', a]}")?, "models: models has *"),
        (policy(&format!("{{models: ['*'], targets: [{target}]}}"))?, "targets: targets can't go"),
        (
            policy(&format!("{{models: [a], allowState: true, targets: [{target}, {target}]}}"))?,
            "allowState: allowState",
        ),
        (policy("{models: [a], cache: {ttl: 0s}}")?, "cache.ttl: ttl must be longer"),
        (policy("{models: [a], timeouts: {request: 0ms}}")?, "timeouts.request: request must be longer"),
        (
            policy("{models: [a], middleware: [{type: PIIScrubber}]}")?,
            "middleware[0].piiScrubber: piiScrubber is required",
        ),
        (
            policy("{models: [a], middleware: [{type: RequestLogger, promptInjection: {action: Reject}}]}")?,
            "middleware[0].promptInjection: promptInjection is required",
        ),
        (policy("{models: [a], middleware: [{type: Scrubber}]}")?, "middleware[0].type: is \"Scrubber\""),
        (limit("{per: [User]}")?, "requests: a RateLimit needs"),
        (limit("{requests: {limit: 1, window: 0m}}")?, "requests.window: window must be longer"),
        (limit("{cost: {limit: '1', window: 0s}}")?, "cost.window: window must be longer"),
        (limit("{per: [User, User], requests: {limit: 1, window: 1m}}")?, "per[1]: is the same as item 0"),
        (consumer("{}")?, "apiKeys: a Consumer needs"),
        (consumer("{apiKeys: []}")?, "apiKeys: a Consumer needs"),
        (
            consumer("{apiKeys: [{secretRef: {name: a, key: b}}, {secretRef: {name: a, key: b}}]}")?,
            "apiKeys: apiKeys names",
        ),
        (consumer(&format!("{{{keys}, userFrom: {{type: Header}}}}"))?, "userFrom.header: header is required"),
        (consumer(&format!("{{{keys}, userFrom: {{header: x-user}}}}"))?, "userFrom.header: header is required"),
        (
            consumer(&format!("{{{keys}, userFrom: {{type: Header, header: Authorization}}}}"))?,
            "userFrom.header: header carries a secret",
        ),
        (consumer(&format!("{{{keys}, userFrom: {{type: Claim, claim: sub}}}}"))?, "userFrom: userFrom of type Claim"),
        (consumer(&format!("{{{jwt}, userFrom: {{type: Claim}}}}"))?, "userFrom.claim: claim is required"),
        (consumer("{jwt: {issuer: a, audiences: [b], jwksURL: 'http://a'}}")?, "jwt.jwksURL: jwksURL must be an https"),
    ];
    for (found, wanted) in cases {
        assert!(found.len() == 1 && found[0].contains(&format!("spec.{wanted}")), "{wanted}: {found:?}");
    }
    assert_eq!(consumer(&format!("{{{jwt}, userFrom: {{type: Claim, claim: sub}}}}"))?, [""; 0]);
    assert_eq!(policy(&format!("{{models: [a], allowState: true, targets: [{target}]}}"))?, [""; 0]);
    assert_eq!(limit("{match: {}, cost: {limit: '0.5', window: 24h}}")?, [""; 0]);
    Ok(())
}
