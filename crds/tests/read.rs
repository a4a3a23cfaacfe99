//! Resources are read from YAML strictly, and what is wrong with them says where and what to do.

use anyhow::{Context, Result, bail};
use penstock_crds::read::{Document, Resource, read};
use penstock_crds::{Kind, crd};
use serde_json::Value;

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
    assert_eq!(
        provider(
            "  type: OpenAI
",
            ""
        )?,
        ["line 4: spec.type: is required"]
    );
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

/// What an API server refuses too (the end-to-end tests ask one about the same file).
#[test]
fn each_bad_object_is_refused_at_its_field_and_for_its_reason() -> Result<()> {
    let text = include_str!("refused.yaml");
    let documents = read(text);
    assert!(documents.len() > 50, "{}", documents.len());
    for (document, expected) in documents.iter().zip(expectations(text)?) {
        let found: Vec<_> = document.problems.iter().map(|problem| problem.error.to_string()).collect();
        assert!(
            matches!(found.as_slice(), [one] if one.starts_with(&format!("{}: {}", expected.0, expected.1))),
            "{} must be refused for {expected:?}: {found:?}",
            document.object
        );
    }
    Ok(())
}

#[test]
fn every_rule_of_the_definitions_is_broken_by_some_bad_object() -> Result<()> {
    let broken: Vec<_> = read(include_str!("refused.yaml"))
        .into_iter()
        .flat_map(|document| document.problems)
        .map(|problem| problem.error.message)
        .collect();
    for definition in Kind::ALL.map(crd::definition) {
        for message in messages(&serde_json::to_value(definition)?) {
            assert!(broken.contains(&message), "nothing breaks: {message}");
        }
    }
    Ok(())
}

#[test]
fn what_comes_close_to_a_rule_is_fine() -> Result<()> {
    let providers = [
        "type: OpenAICompatible\n  preset: Groq",
        "type: OpenAICompatible\n  baseURL: http://vllm:8000/v1",
        "type: OpenAI\n  retries: {waitUpTo: 0s}",
        "type: OpenAI\n  allowedRoutes: {namespaces: {from: Selector, selector: {}}}",
        "type: AzureOpenAI\n  baseURL: https://a.example.com\n  azure: {apiVersion: 2024-10-21}",
    ];
    for to in providers {
        assert_eq!(provider("type: OpenAI", to)?, [""; 0], "{to}");
    }
    let others = [
        ("RoutePolicy", "{models: [a], allowState: true, targets: [{provider: openai, model: gpt-4o}]}"),
        ("RoutePolicy", "{models: ['*'], allowState: true, fallbackOn: []}"),
        ("RateLimit", "{match: {}, cost: {limit: '0.5', window: 24h}}"),
        ("Consumer", "{jwt: {issuer: a, audiences: [b], jwksURL: 'https://a/b'}, userFrom: {type: Claim, claim: sub}}"),
    ];
    for (kind, spec) in others {
        let text = format!("apiVersion: penstock.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n");
        assert_eq!(problems(&text)?, [""; 0], "{spec}");
    }
    Ok(())
}

/// The field and the words that each document's annotations promise.
fn expectations(text: &str) -> Result<Vec<(String, String)>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let annotation = |document: &Value, name: &str| {
        document["metadata"]["annotations"][name].as_str().unwrap_or_default().to_owned()
    };
    Ok(documents.iter().map(|document| (annotation(document, "field"), annotation(document, "says"))).collect())
}

/// The messages of all rules in a schema.
fn messages(schema: &Value) -> Vec<String> {
    let own = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let own = own.filter_map(|rule| Some(rule["message"].as_str()?.to_owned()));
    let members = schema.as_object().into_iter().flat_map(|members| members.values());
    let items = schema.as_array().into_iter().flatten();
    own.chain(members.chain(items).flat_map(messages)).collect()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(32))]

    #[test]
    fn whatever_a_file_holds_there_is_an_answer_with_lines_of_that_file(
        cuts in proptest::collection::vec((0_usize..20_000, 0_usize..40, ".{0,8}"), 0..6),
    ) {
        let mut text: Vec<char> = include_str!("refused.yaml").chars().collect();
        for (at, length, instead) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, instead.chars());
        }
        let text: String = text.into_iter().collect();
        // In YAML a carriage return ends a line by itself too.
        let last = u32::try_from(text.replace("\r\n", "\n").replace('\r', "\n").lines().count())?;
        for document in read(&text) {
            proptest::prop_assert!(document.line <= last);
            proptest::prop_assert!(document.problems.iter().all(|problem| (1..=last + 1).contains(&problem.line)));
        }
    }
}
