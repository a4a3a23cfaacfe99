//! The proxy's own life: changes of the folder, SIGTERM, the log.

use anyhow::Context;
use penstock_tests::fake::{Answer, At, Fakes, How, Script};
use penstock_tests::gateway::Gateway;

use crate::bed::{Bed, FALLBACK, MODEL, PRIMARY, hello, provider, resources, route};

/// A caller's, where Google's examples put it.
const URL_KEY: &str = "key-of-a-caller-in-the-url";

#[tokio::test]
async fn an_edit_of_the_folder_takes_effect_and_a_running_stream_does_not_notice() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").once(Answer::broken(At::Content(2), How::Gate)));
    let mut stream = bed.gateway.post("/v1/chat/completions").json(&hello(true)).send().await?;
    let first = stream.chunk().await?.context("must begin")?;

    let without_openai = [
        provider("anthropic", "Anthropic", &bed.fakes.url("anthropic"), crate::bed::FALLBACK_KEY, "claude-sonnet-4-5"),
        route(&["{provider: anthropic, model: claude-sonnet-4-5}"], ""),
    ];
    bed.gateway.replace_resources(&without_openai.join("---\n"))?;
    let is_anthropic =
        async |_: &Gateway| bed.hello(false).await.is_ok_and(|answer| answer.text().starts_with(FALLBACK));
    bed.gateway.until("served by Anthropic", is_anthropic).await?;

    bed.fakes.open_gate();
    let mut rest = String::from_utf8(first.to_vec())?;
    while let Some(chunk) = stream.chunk().await? {
        rest.push_str(std::str::from_utf8(&chunk)?);
    }
    assert!(rest.contains("hello ") && rest.ends_with("data: [DONE]\n\n"), "{rest:?}");
    Ok(())
}

#[tokio::test]
async fn a_bad_object_is_named_in_the_log_and_the_rest_serves_on() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let bad = "---
apiVersion: penstock.dev/v1alpha1
kind: RoutePolicy
metadata: {name: poisoned}
spec:
  models: [poison]
  targets: [{provider: nobody, model: gpt-4o}]
---
apiVersion: penstock.dev/v1alpha1
kind: AIProvider
metadata: {name: misspelt}
spec: {type: OpenAI, baseUrl: https://example.com}
";
    let gateway = Gateway::start(&(resources(&fakes, "") + bad)).await?;
    assert!(gateway.chat(&hello(false)).await?.text().starts_with(PRIMARY));
    let mut poison = hello(false);
    poison["model"] = "poison".into();
    let answer = gateway.chat(&poison).await?;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.contains("poisoned"), "{answer:?}");
    let log = gateway.log();
    for word in ["poisoned", "nobody", "misspelt", "baseUrl"] {
        assert!(log.contains(word), "{word} is not in the log:\n{log}");
    }
    Ok(())
}

#[tokio::test]
async fn sigterm_lets_running_streams_finish_and_ends_with_success() -> anyhow::Result<()> {
    let mut bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").forever(Answer::broken(At::Content(2), How::Gate)));
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut response = bed.gateway.post("/v1/chat/completions").json(&hello(true)).send().await?;
        let first = response.chunk().await?.context("must begin")?;
        streams.push((response, first.to_vec()));
    }
    bed.gateway.terminate()?;
    let not_ready =
        async |gateway: &Gateway| gateway.get_admin("/readyz").await.is_ok_and(|answer| answer.status == 503);
    bed.gateway.until("draining", not_ready).await?;
    bed.fakes.open_gate();
    for (mut response, mut seen) in streams {
        while let Some(chunk) = response.chunk().await? {
            seen.extend(chunk);
        }
        assert!(seen.ends_with(b"data: [DONE]\n\n"), "{}", String::from_utf8_lossy(&seen));
    }
    let status = bed.gateway.ended().await?;
    assert_eq!(status.code(), Some(0), "{}", bed.gateway.log());
    Ok(())
}

#[tokio::test]
async fn no_key_and_no_words_of_a_conversation_are_in_the_log() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let gateway = Gateway::start_with(&resources(&fakes, ""), &["--auth", "open", "--log-level", "trace"]).await?;
    fakes.set_keys("openai", Some(&["another"]))?;
    for stream in [false, true] {
        gateway.chat(&hello(stream)).await?;
    }
    let path = format!("/v1beta/models/{MODEL}:generateContent?key={URL_KEY}");
    let contents = serde_json::json!({"contents": [{"parts": [{"text": "hello there"}]}]});
    assert_eq!(gateway.post(&path).json(&contents).send().await?.status(), 200);
    assert!(fakes.requests().iter().all(|record| !record.path.contains(URL_KEY)), "the key went on to a provider");
    // A request is logged once it is over, which may be after its client has the answer.
    let all_logged = async |gateway: &Gateway| {
        let log = gateway.log();
        let of_requests = log.lines().filter(|line| line.contains("penstock::request"));
        of_requests.filter(|line| line.contains("default/anthropic")).count() == 3
    };
    gateway.until("logging all requests", all_logged).await?;
    let log = gateway.log();
    for secret in [crate::bed::PRIMARY_KEY, crate::bed::FALLBACK_KEY, URL_KEY, "hello there", "You said"] {
        assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
    Ok(())
}
