//! The fake providers, judged by the official SDKs and by a bare client.

use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use penstock_tests::client::client;
use penstock_tests::fake::{Action, Answer, At, End, Fakes, How, Refusal, Script};
use serde_json::{Value, json};

use crate::sdk;

/// The scripts for Python that can be pointed at the proxy too.
const CHATS: [&str; 4] = ["openai_chat.py", "openai_responses.py", "gemini_chat.py", "mistral_chat.py"];

/// A fake of a kind, and what the SDK's scripts need to know of it.
struct Fake<'a> {
    fakes: &'a Fakes,
    name: &'a str,
    /// What the SDK wants behind the address.
    path: &'a str,
    model: &'a str,
    /// Whose server the openai SDK is told that it is.
    kind: Option<&'a str>,
}

impl Fake<'_> {
    /// Runs a script that takes this fake for the provider itself.
    async fn passes(&self, script: &str) -> anyhow::Result<()> {
        let url = format!("{}{}", self.fakes.url(self.name), self.path);
        let admin = self.fakes.admin_url();
        let answer = format!("This is {} at {}.", self.model, self.name);
        let mut arguments = vec![("base-url", url.as_str()), ("model", self.model)];
        arguments.extend(self.kind.map(|kind| ("kind", kind)));
        // A script that can be pointed at a proxy too needs a key and what to expect; the others order what they want.
        if script.ends_with(".mjs") || CHATS.contains(&script) {
            let lacks = if self.name == "mistral" { "pieces" } else { "" };
            arguments.extend([("key", "sk-fake"), ("answer", &answer), ("lacks", lacks)]);
        } else {
            arguments.extend([("admin-url", admin.as_str()), ("provider", self.name)]);
        }
        sdk::run(script, &arguments).await
    }
}

#[tokio::test]
async fn the_openai_sdk_takes_the_fake_for_openai() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    let fake = Fake { fakes, name: "openai", path: "/v1", model: "gpt-4o", kind: None };
    fake.passes("openai_chat.py").await?;
    fake.passes("openai_responses.py").await?;
    fake.passes("openai_fixtures.py").await
}

#[tokio::test]
async fn the_openai_sdk_raises_the_right_exception_for_every_failure() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    let fake = Fake { fakes, name: "openai", path: "/v1", model: "gpt-4o", kind: None };
    fake.passes("openai_errors.py").await
}

#[tokio::test]
async fn the_openai_sdk_takes_the_fake_for_azure() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    let azure = Fake { fakes, name: "azure", path: "", model: "gpt-4o", kind: Some("azure") };
    azure.passes("openai_chat.py").await?;
    azure.passes("openai_fixtures.py").await?;
    azure.passes("openai_errors.py").await
}

#[tokio::test]
async fn the_openai_sdk_takes_the_fake_for_a_server_that_is_compatible_in_its_own_way() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    let fake = Fake { fakes, name: "deepseek", path: "/v1", model: "deepseek-chat", kind: Some("compatible") };
    fake.passes("openai_chat.py").await?;
    fake.passes("openai_fixtures.py").await?;
    fake.passes("openai_errors.py").await
}

#[tokio::test]
async fn the_anthropic_sdk_takes_the_fake_for_anthropic() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    Fake { fakes, name: "anthropic", path: "", model: "claude-sonnet-4-5", kind: None }
        .passes("anthropic_messages.py")
        .await
}

#[tokio::test]
async fn the_google_genai_sdk_takes_the_fake_for_gemini() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    for model in ["gemini-2.5-flash", "gemini-3.5-flash"] {
        let fake = Fake { fakes, name: "gemini", path: "", model, kind: Some("gemini") };
        fake.passes("gemini_chat.py").await?;
    }
    Fake { fakes, name: "gemini", path: "", model: "gemini-3.5-flash", kind: None }.passes("gemini_fixtures.py").await
}

#[tokio::test]
async fn the_mistralai_sdk_takes_the_fake_for_mistral() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    let fake = Fake { fakes, name: "mistral", path: "", model: "mistral-small-latest", kind: None };
    fake.passes("mistral_chat.py").await?;
    fake.passes("mistral_fixtures.py").await
}

#[tokio::test]
async fn the_ollama_sdk_takes_the_fake_for_ollama() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    Fake { fakes, name: "ollama", path: "", model: "llama3.2", kind: None }.passes("ollama_chat.py").await
}

#[tokio::test]
async fn the_node_sdks_take_the_fakes_for_their_providers() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    let cases = [
        ("node/openai_chat.mjs", "openai", "/v1", "gpt-4o", None),
        ("node/openai_chat.mjs", "azure", "", "gpt-4o", Some("azure")),
        ("node/openai_chat.mjs", "deepseek", "/v1", "deepseek-chat", None),
        ("node/openai_responses.mjs", "openai", "/v1", "gpt-4o", None),
        ("node/anthropic_chat.mjs", "anthropic", "", "claude-sonnet-4-5", None),
        ("node/anthropic_threads.mjs", "anthropic", "", "claude-sonnet-4-5", None),
        ("node/gemini_chat.mjs", "gemini", "", "gemini-2.5-flash", None),
        ("node/gemini_chat.mjs", "gemini", "", "gemini-3.5-flash", None),
        ("node/mistral_chat.mjs", "mistral", "", "mistral-small-latest", None),
        ("node/ollama_chat.mjs", "ollama", "", "llama3.2", None),
    ];
    for (script, name, path, model, kind) in cases {
        Fake { fakes, name, path, model, kind }.passes(script).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_anthropic_sdk_sends_all_again_to_who_can_not_hold_a_thread() -> anyhow::Result<()> {
    let fakes = &Fakes::start()?;
    fakes.script(Script::on("anthropic").once(Refusal::NoThread));
    let fake = Fake { fakes, name: "anthropic", path: "", model: "claude-sonnet-4-5", kind: None };
    fake.passes("node/anthropic_threads.mjs").await?;
    let kinds: Vec<Value> = fakes.requests().iter().map(|record| record.json()["thread"]["type"].clone()).collect();
    assert_eq!(kinds, [json!("create"), Value::Null, Value::Null]);
    Ok(())
}

fn chat(fakes: &Fakes, body: &Value) -> reqwest::RequestBuilder {
    let url = format!("{}/v1/chat/completions", fakes.url("openai"));
    client().post(url).bearer_auth("sk-fake").json(body)
}

fn unix_us() -> anyhow::Result<u64> {
    Ok(SystemTime::UNIX_EPOCH.elapsed()?.as_micros().try_into()?)
}

fn hello(stream: bool) -> Value {
    json!({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
}

#[tokio::test]
async fn all_that_reached_a_fake_is_recorded_as_it_came() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    let body = r#"{"model":"gpt-4o",  "messages":[{"role":"user","content":"hi"}],"temperature":1.0}"#;
    let url = format!("{}/v1/chat/completions?a=b", fakes.url("openai"));
    let sent = client().post(url).bearer_auth("sk-one").header("content-type", "application/json").body(body);
    let before = unix_us()?;
    sent.send().await?.error_for_status()?.bytes().await?;
    let records = fakes.wait_until(|records| records.iter().all(|record| record.end.is_some())).await?;
    let after = unix_us()?;
    let [record] = records.as_slice() else { bail!("{records:?}") };
    assert_eq!((record.method.as_str(), record.path.as_str()), ("POST", "/v1/chat/completions?a=b"));
    assert_eq!((record.body.as_str(), record.credential.as_deref()), (body, Some("sk-one")));
    assert_eq!((record.status, record.end), (Some(200), Some(End::Complete)));
    assert!((before..=after).contains(&record.unix_us), "{before} to {after}: {record:?}");
    assert!(
        record.ended_us.is_some_and(|ended| (record.at_us..=after - before + record.at_us).contains(&ended)),
        "{record:?}"
    );
    let over_http: Vec<Value> =
        client().get(format!("{}/_admin/requests", fakes.admin_url())).send().await?.json().await?;
    assert_eq!(over_http[0]["body"], body);
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_is_seen_leaving_with_the_events_it_got() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    fakes.script(Script::on("openai").once(Answer::broken(At::Content(2), How::Stall)));
    fakes.script(Script::on("openai").once(Action::Hang));
    let mut response = chat(&fakes, &hello(true)).send().await?;
    let mut seen = Vec::new();
    while seen.windows(6).filter(|window| window == b"data: ").count() < 3 {
        seen.extend(response.chunk().await?.context("must not end")?);
    }
    drop(response);
    fakes.wait_until(|records| records[0].end == Some(End::ClientClosed { events: 3 })).await?;
    let hanging = tokio::spawn(chat(&fakes, &hello(false)).send());
    fakes.wait_until(|records| records.len() == 2).await?;
    hanging.abort();
    fakes.wait_until(|records| records[1].end == Some(End::ClientClosed { events: 0 })).await?;
    Ok(())
}

#[tokio::test]
async fn a_closed_fake_refuses_connections_and_comes_back_on_the_same_port() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    fakes.refuse_connections("openai").await?;
    let refused = chat(&fakes, &hello(false)).send().await.expect_err("must not connect");
    assert!(refused.is_connect(), "{refused:?}");
    fakes.accept_connections("openai").await?;
    assert_eq!(chat(&fakes, &hello(false)).send().await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn a_cut_answer_ends_in_an_error_and_a_short_one_does_not() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    for how in [How::Close, How::Reset] {
        fakes.script(Script::on("openai").times(2, Answer::broken(At::Events(2), how.clone())));
        for stream in [true, false] {
            let response = chat(&fakes, &hello(stream)).send().await?;
            assert!(response.bytes().await.is_err(), "{how:?}, stream: {stream}");
        }
    }
    fakes.script(Script::on("openai").once(Answer::broken(At::Events(2), How::End)));
    let short = chat(&fakes, &hello(true)).send().await?.text().await?;
    assert_eq!(short.matches("data: ").count(), 2);
    Ok(())
}

#[tokio::test]
async fn delays_come_where_the_script_puts_them() -> anyhow::Result<()> {
    let fakes = Fakes::start()?;
    fakes.script(Script::on("openai").once(Answer { first_token_after_ms: 3_600_000, ..Answer::default() }));
    let mut response = chat(&fakes, &hello(true)).send().await?;
    let role = response.chunk().await?.unwrap_or_default();
    assert!(role.starts_with(b"data: ") && role.ends_with(b"\n\n"), "{role:?}");
    assert!(tokio::time::timeout(Duration::from_millis(50), response.chunk()).await.is_err());
    Ok(())
}
