//! Objects that something is wrong with, beside the README's, which must serve on.

use anyhow::Context as _;
use kube::api::DynamicObject;
use penstock_crds::{GROUP, Kind, VERSION};
use penstock_tests::cluster::Cluster;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::installation::{Installation, WITHIN, condition};
use super::is_programmed;

/// An object with a fault, and what its status must say.
struct Faulty {
    kind: Kind,
    name: &'static str,
    spec: Value,
    condition: &'static str,
    reason: &'static str,
    /// Field, culprit and fix.
    words: &'static [&'static str],
}

impl Faulty {
    fn manifest(&self, namespace: &str) -> String {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": self.kind.as_str(),
            "metadata": {"name": self.name, "namespace": namespace},
            "spec": self.spec,
        });
        format!("{object}\n---\n")
    }

    fn is_told(&self, object: Option<&DynamicObject>) -> bool {
        let said = object.and_then(|object| condition(object, self.condition));
        said.is_some_and(|(status, reason, message)| {
            (status.as_str(), reason.as_str()) == ("False", self.reason)
                && self.words.iter().all(|word| message.contains(word))
        })
    }
}

fn provider(name: &'static str, more: Value, condition: &'static str, reason: &'static str) -> Faulty {
    let mut spec = json!({"type": "OpenAI", "models": [{"name": name}]});
    if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    Faulty { kind: Kind::AIProvider, name, spec, condition, reason, words: &[] }
}

fn route(name: &'static str, model: &str, target: &str, condition: &'static str, reason: &'static str) -> Faulty {
    let spec = json!({"models": [model], "targets": [{"provider": target, "model": "gpt-4o"}]});
    Faulty { kind: Kind::RoutePolicy, name, spec, condition, reason, words: &[] }
}

/// What is wrong with objects of a trusted namespace.
fn faulty() -> Vec<Faulty> {
    let key = |secret: &str, key: &str| json!({"credentials": [{"secretRef": {"name": secret, "key": key}}]});
    let url = |url: &str| json!({"baseURL": url});
    let short = json!({"apiKeys": [{"secretRef": {"name": "short", "key": "api-key"}}]});
    vec![
        Faulty {
            words: &["spec.credentials[0].secretRef", "nowhere", "create it"],
            ..provider("no-secret", key("nowhere", "openai"), "ResolvedRefs", "SecretNotFound")
        },
        Faulty {
            words: &["spec.credentials[0].secretRef", "\"absent\"", "add it"],
            ..provider("no-key", key("keys", "absent"), "ResolvedRefs", "KeyNotFound")
        },
        Faulty {
            words: &["spec.baseURL", "example.com", "use https://"],
            ..provider("clear-text", url("http://example.com/v1"), "Accepted", "Invalid")
        },
        Faulty {
            words: &["spec.baseURL", "99999", "write https://host/path"],
            ..provider("no-port", url("https://example.com:99999/v1"), "Accepted", "Invalid")
        },
        Faulty {
            words: &["spec.baseURL", "169.254.169.254", "--allow-upstream"],
            ..provider("link-local", url("https://169.254.169.254/v1"), "Accepted", "Invalid")
        },
        Faulty {
            words: &["spec.models[0]", "\"gpt-4o\"", "/chat", "choose another name"],
            ..route("late", "gpt-4o", "openai", "Accepted", "ModelConflict")
        },
        Faulty {
            words: &["spec.targets[0]", "/nobody", "create it"],
            ..route("lost", "lost", "nobody", "ResolvedRefs", "ProviderNotFound")
        },
        Faulty {
            kind: Kind::Consumer,
            name: "short",
            spec: short,
            condition: "Accepted",
            reason: "Invalid",
            words: &["spec.apiKeys[0].secretRef", "at least 20"],
        },
    ]
}

/// Claims that only a platform namespace may make: to all models, to the whole gateway, which would be limited to nothing, and to
/// somebody else's callers.
fn greedy() -> [Faulty; 3] {
    let claims =
        |kind, spec, words| Faulty { kind, name: "greedy", spec, condition: "Accepted", reason: "NotAllowed", words };
    let all = json!({"models": ["*"], "timeouts": {"firstToken": "5s"}});
    let nothing = json!({"requests": {"limit": 1, "window": "24h"}});
    let others = json!({"serviceAccounts": [{"namespace": "default", "name": "default"}]});
    [
        claims(Kind::RoutePolicy, all, &["spec.models[0]", "platform namespaces", "name the models"]),
        claims(Kind::RateLimit, nothing, &["spec.match.models", "platform namespaces", "name the models"]),
        claims(Kind::Consumer, others, &["spec.serviceAccounts[0].namespace", "platform namespaces", "name one of"]),
    ]
}

#[tokio::test]
async fn every_bad_object_says_what_is_wrong_and_the_rest_serves_on() -> anyhow::Result<()> {
    let cluster = Cluster::shared().await?;
    let elsewhere = cluster.namespace("untrusted").await?;
    let installation = Installation::watching(cluster, "verdicts", &elsewhere).await?;
    let (operator, [proxy]) = installation.serving().await?;

    let (faulty, greedy) = (faulty(), greedy());
    let short = "{apiVersion: v1, kind: Secret, metadata: {name: short}, stringData: {api-key: abc}}\n---\n";
    let bad: String = faulty.iter().map(|faulty| faulty.manifest(&installation.namespace)).collect();
    installation.apply(&(short.to_owned() + &bad)).await?;
    let manifests = greedy.each_ref().map(|greedy| greedy.manifest(&elsewhere)).concat();
    cluster.kubectl(&["apply", "--filename=-"], &manifests).await?;
    for object in &faulty {
        installation.until(object.kind, object.name, |found| object.is_told(found)).await?;
    }
    for object in &greedy {
        installation.until_in(&elsewhere, object.kind, object.name, |found| object.is_told(found)).await?;
    }

    installation.wait_programmed().await?;
    for _ in 0..2 {
        assert_eq!(installation.answered_by(&proxy).await?, format!("{}/openai", installation.namespace));
    }
    let answer = installation.ask_for(&proxy, "lost", false).send().await?;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text().await?.contains(&format!("{}/lost", installation.namespace)));
    proxy.stop().await?;
    operator.stop().await
}

#[tokio::test]
async fn with_the_chart_s_own_values_routes_of_chosen_namespaces_may_use_a_provider() -> anyhow::Result<()> {
    // A cluster of its own, since it looks at all namespaces.
    let cluster = Cluster::start().await?;
    let installation = Installation::everywhere(&cluster, "defaults").await?;
    let operator = installation.operator("operator-0").await?;
    let proxy = installation.proxy("proxy-0", &[&operator]).await?;
    let team = cluster.namespace("team").await?;
    for namespace in [&installation.namespace, &team] {
        cluster.kubectl(&["label", "namespace", namespace, "may-use=openai"], "").await?;
    }
    installation.apply_quickstart().await?;
    let chosen = json!({"spec": {"allowedRoutes": {"namespaces": {
        "from": "Selector", "selector": {"matchLabels": {"may-use": "openai"}},
    }}}});
    let patch = ["patch", "aiprovider", "openai", "--type=merge", "--namespace", &installation.namespace, "--patch"];
    cluster.kubectl(&[&patch[..], &[&chosen.to_string()]].concat(), "").await?;
    let mine = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "RoutePolicy",
        "metadata": {"name": "mine", "namespace": team},
        "spec": {"models": ["mine"], "targets": [
            {"provider": "openai", "namespace": installation.namespace, "model": "gpt-4o"},
        ]},
    });
    cluster.kubectl(&["apply", "--filename=-"], &mine.to_string()).await?;
    let [greedy, ..] = greedy();
    cluster.kubectl(&["apply", "--filename=-"], &greedy.manifest(&team)).await?;

    installation.wait_programmed().await?;
    installation.until_in(&team, Kind::RoutePolicy, "mine", is_programmed).await?;
    installation.until_in(&team, greedy.kind, greedy.name, |found| greedy.is_told(found)).await?;
    let model = format!("{team}/mine");
    let answer = installation.ask_for(&proxy, &model, false).send().await?;
    assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await?);

    cluster.kubectl(&["label", "namespace", &team, "may-use-"], "").await?;
    let not_permitted = Faulty {
        words: &["spec.targets[0]", "allowedRoutes"],
        ..route("mine", "mine", "openai", "ResolvedRefs", "NotPermitted")
    };
    installation.until_in(&team, Kind::RoutePolicy, "mine", |found| not_permitted.is_told(found)).await?;
    let closed = async {
        loop {
            let answer = installation.ask_for(&proxy, &model, false).send().await?;
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(WITHIN, closed).await.context("the route stayed open")??;
    installation.answered_by(&proxy).await?;
    proxy.stop().await?;
    operator.stop().await
}
