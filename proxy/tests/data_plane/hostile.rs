//! What one client does must not hurt another.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    bed::{Bed, Got, PATH, Resources, question},
    provider::{DONE, Provider, STOP, answer, end, stream, text},
};

fn with_role(role: &str, stream: bool) -> Value {
    let mut body = question(stream);
    body["messages"][0]["role"] = json!(role);
    body
}

/// Refuses what a request that is at fault says, repeating it; answers all others with a stream.
async fn echoing(fault: &'static str) -> anyhow::Result<Provider> {
    let refusal = json!({"error": {"message": format!("Invalid value: '{fault}'"), "type": "invalid_request_error",
        "param": null, "code": "invalid_value"}});
    let good = [stream(&[&text("hi"), STOP, DONE]), vec![end()]].concat();
    // The first two requests are those of the hostile client, asked again once at most.
    Provider::start(move |n| if n < 2 { answer(400, "", &refusal.to_string()) } else { good.clone() }).await
}

#[tokio::test]
async fn a_client_that_makes_a_provider_say_invalid_api_key_locks_nobody_out() -> anyhow::Result<()> {
    let provider = echoing("invalid api key").await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    for _ in 0..2 {
        let got = bed.ask(with_role("invalid api key", true)).await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (400, "invalid_value"));
    }
    assert!(bed.troubles().is_empty(), "{:?}", bed.troubles());
    assert_eq!(bed.stream().await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_client_that_makes_a_provider_blame_stream_options_turns_no_usage_off() -> anyhow::Result<()> {
    let provider = echoing("stream_options").await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    assert_eq!(bed.ask(with_role("stream_options", true)).await?.status, 400);
    assert_eq!(bed.stream().await?.status, 200);
    let asked: Vec<_> = provider.events().seen.iter().map(|seen| seen.body.contains("include_usage")).collect();
    assert_eq!(asked, [true, false, true]);
    Ok(())
}

#[tokio::test]
async fn who_sends_too_much_gets_to_read_so_even_if_it_writes_everything_first() -> anyhow::Result<()> {
    let provider = Provider::always(vec![]).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let mut socket = TcpStream::connect(bed.address).await?;
    let body = vec![b' '; (1 << 20) + (512 << 10)];
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(&body).await?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let read = socket.read(&mut piece).await?;
        anyhow::ensure!(read > 0, "closed without an answer");
        answer.extend_from_slice(&piece[..read]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(provider.calls(), 0);
    Ok(())
}

/// The answer to these very bytes.
async fn post(bed: &Bed, path: &str, body: Vec<u8>) -> anyhow::Result<Got> {
    Got::read(bed.client.post(bed.url(path)).header("content-type", "application/json").body(body)).await
}

#[tokio::test]
async fn forty_mebibytes_are_a_413_that_names_the_limit_and_the_flag() -> anyhow::Result<()> {
    let provider = Provider::always(vec![]).await?;
    let bed =
        Bed::start_with(Resources::new().provider("a", &provider, json!({}))?, |config| config.max_body = 32 << 20)?;
    for path in [PATH, "/v1/messages"] {
        let got = post(&bed, path, vec![b' '; 40 << 20]).await?;
        let says = |what: &str| got.body.contains(what);
        assert!(got.status == 413 && says("33554432 bytes") && says("--max-body"), "{} {}", got.status, got.body);
    }
    assert_eq!(provider.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn what_no_provider_could_read_is_a_400_that_names_the_place_in_every_dialect() -> anyhow::Result<()> {
    let provider = Provider::always(vec![]).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let with = |value: &[u8]| [br#"{"model":"m","messages":[{"role":"user","content":"#, value, b"}]}"].concat();
    let place = "messages[0].content";
    let rows: [(Vec<u8>, &str); 8] = [
        (with("[".repeat(100_000).as_bytes()), place),
        (with(br#""\ud800""#), place),
        (with(b"\"\xff\""), place),
        (with(b"\"\0\""), place),
        (with(b"1e"), place),
        (br#"{"model":"m","max_tokens":1e999999}"#.to_vec(), "max_tokens"),
        (br#"{"model":"m","stream":true,"stream":false}"#.to_vec(), "stream"),
        (b"\xef\xbb\xbf{\"model\":\"m\"}".to_vec(), "at byte 0"),
    ];
    for path in [PATH, "/v1/messages"] {
        for (body, place) in &rows {
            let got = post(&bed, path, body.clone()).await?;
            let body = body[..body.len().min(80)].escape_ascii();
            assert!(got.status == 400 && got.body.contains(place), "{body}: {} {}", got.status, got.body);
        }
    }
    assert_eq!(provider.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn a_result_without_its_call_is_a_400_where_it_is_translated_and_the_provider_s_business_elsewhere()
-> anyhow::Result<()> {
    let refusal = json!({"error": {"message": "said by the provider", "type": "invalid_request_error", "param": null, "code": null}});
    let provider = Provider::always(answer(400, "", &refusal.to_string())).await?;
    let mut body = question(false);
    body["messages"] = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"},
        {"role": "user", "content": "hi"}, {"role": "tool", "tool_call_id": "c9", "content": "?"}]);
    for of_type in ["Anthropic", "Gemini", "Mistral"] {
        let bed = Bed::start(Resources::new().provider("a", &provider, json!({"type": of_type}))?)?;
        let got = bed.ask(body.clone()).await?;
        let error: Value = serde_json::from_str(&got.body)?;
        assert_eq!(
            (got.status, &error["error"]["param"]),
            (400, &json!("messages[3].tool_call_id")),
            "{of_type}: {error}"
        );
    }
    assert_eq!(provider.calls(), 0);
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let got = bed.ask(body).await?;
    assert!(got.status == 400 && got.body.contains("said by the provider"), "{}", got.body);
    Ok(())
}
