//! What of a client reaches a provider, and what of a provider reaches the client.

use penstock_tests::fake::{Record, Refusal, Script};
use penstock_tests::gateway::Answer;

use crate::bed::{Bed, FALLBACK_KEY, MODEL, PRIMARY, PRIMARY_KEY, hello};

/// Headers of the client that are nobody else's business, each with a value to look for.
const PRIVATE: [(&str, &str); 16] = [
    ("authorization", "Bearer private-1"),
    ("x-api-key", "private-2"),
    ("api-key", "private-3"),
    ("x-goog-api-key", "private-4"),
    ("cookie", "session=private-5"),
    ("forwarded", "for=private-6"),
    ("x-forwarded-for", "private-7"),
    ("x-real-ip", "private-8"),
    ("openai-organization", "private-9"),
    ("openai-project", "private-10"),
    ("x-end-user", "private-11"),
    ("via", "private-12"),
    ("proxy-authorization", "Basic private-13"),
    ("x-hop", "private-14"),
    ("referer", "private-15"),
    ("user-agent", "private-16"),
];

/// Headers of the providers that are nobody else's business.
const PROVIDERS_OWN: [&str; 9] = [
    "set-cookie",
    "openai-organization",
    "openai-project",
    "openai-processing-ms",
    "anthropic-organization-id",
    "cf-ray",
    "server",
    "via",
    "strict-transport-security",
];

async fn ask(bed: &Bed, stream: bool) -> anyhow::Result<Answer> {
    let mut request = bed.gateway.post("/v1/chat/completions").json(&hello(stream)).header("connection", "x-hop");
    for (name, value) in PRIVATE {
        request = request.header(name, value);
    }
    Answer::of(request.header("idempotency-key", "once").header("traceparent", TRACE)).await
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn nothing_of_a_clients_identity_reaches_a_provider_but_what_its_dialect_defines_does() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    bed.fakes.script(Script::on("openai").times(2, Refusal::ServerError));
    for stream in [false, true, false, true] {
        ask(&bed, stream).await?;
    }
    let records = bed.fakes.requests();
    assert_eq!(records.len(), 6);
    for record in &records {
        let all = format!("{:?}{}", record.headers, record.body);
        assert!(!all.contains("private-"), "{record:?}");
        assert_eq!(record.header("host"), Some(host(&bed, record).as_str()), "{record:?}");
        let trace = record.header("traceparent").unwrap_or_default();
        assert!(trace.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{record:?}");
    }
    let to = |name: &str| bed.fakes.requests_to(name);
    assert!(to("openai").iter().all(|record| record.header("authorization") == Some(&format!("Bearer {PRIMARY_KEY}"))));
    assert!(to("openai").iter().all(|record| record.header("x-api-key").is_none()));
    assert!(to("anthropic").iter().all(|record| record.header("x-api-key") == Some(FALLBACK_KEY)));
    assert!(to("anthropic").iter().all(|record| record.header("authorization").is_none()));
    assert!(to("anthropic").iter().all(|record| record.header("anthropic-version") == Some("2023-06-01")));
    Ok(())
}

fn host(bed: &Bed, record: &Record) -> String {
    bed.fakes.url(&record.provider).trim_start_matches("http://").to_owned()
}

#[tokio::test]
async fn nothing_of_a_providers_account_reaches_the_client_but_the_requests_id_does() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let invalid = Refusal::Invalid { message: "no".to_owned(), param: None };
    bed.fakes.script(Script::on("openai").times(2, Refusal::ServerError).times(2, invalid));
    for stream in [false, true, false, true, false, true] {
        let answer = ask(&bed, stream).await?;
        for name in PROVIDERS_OWN {
            assert_eq!(answer.header(name), "", "{name}: {answer:?}");
        }
        let is_limit = |name: &str| name.contains("ratelimit");
        assert!(!answer.headers.keys().any(|name| is_limit(name.as_str())), "{answer:?}");
        let id = answer.header("x-penstock-upstream-request-id");
        assert!(answer.status != 200 || id.starts_with("req_"), "{answer:?}");
        assert!(!answer.body.contains("org-fake"), "{answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_in_the_providers_own_dialect_arrives_byte_for_byte_but_for_the_model() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    let body = format!(
        "{{ \"messages\" : [{{\"content\":\"gr\\u00fc\\u00dfe\", \"role\":\"user\"}}],\n\t\"unknown\": {{\"b\": 1.50, \"a\": 1e2}}, \
         \"model\":\"{MODEL}\",\"temperature\":1.0 }}"
    );
    let request = bed.gateway.post("/v1/chat/completions").header("content-type", "application/json");
    let answer = Answer::of(request.body(body.clone())).await?;
    assert!(answer.text().starts_with(PRIMARY), "{answer:?}");
    let records = bed.fakes.requests_to("openai");
    assert_eq!(records[0].body, body.replace(MODEL, "gpt-4o"));
    Ok(())
}

#[tokio::test]
async fn the_answer_names_who_gave_it() -> anyhow::Result<()> {
    let bed = Bed::start("").await?;
    for stream in [false, true] {
        let answer = bed.hello(stream).await?;
        assert_eq!(answer.header("x-penstock-provider"), "default/openai");
        assert_eq!(answer.header("x-penstock-model"), "gpt-4o");
        assert_eq!(answer.header("x-penstock-attempts"), "1");
        // The provider's own spelling: a dated name.
        assert!(answer.body.contains("\"model\":\"gpt-4o-2024-08-06\""), "{answer:?}");
    }
    Ok(())
}
