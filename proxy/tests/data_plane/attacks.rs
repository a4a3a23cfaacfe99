//! Callers who want to be others, or more than they are.

use penstock_proxy::Auth;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    bed::{Bed, Got, PATH, Resources, question},
    provider::{Provider, says},
};

const KEY: &str = "a-key-of-twenty-chars";
/// It begins with the other.
const LONGER: &str = "a-key-of-twenty-chars-and-more";

/// One request a day for each user, of a Consumer that says where its users' names are.
async fn bed(user_from: Value) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?.consumer_with("c", KEY, json!({"userFrom": user_from}))?;
    resources.limit("few", json!({"per": ["User"], "requests": {"limit": 1, "window": "24h"}}))?;
    let bed = Bed::start_with(&resources, |config| {
        config.auth = Auth::Required;
        config.max_body = 4 << 20;
    })?;
    Ok((bed, provider))
}

/// Is refused for the name of its user, which is not repeated.
async fn is_too_long(request: reqwest::RequestBuilder) -> anyhow::Result<()> {
    let got = Got::read(request.bearer_auth(KEY)).await?;
    assert_eq!((got.status, got.error()?.1.as_str()), (400, "user_too_long"), "{got:?}");
    assert!(got.body.len() < 500, "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn a_user_s_name_of_a_megabyte_is_refused_wherever_it_is_before_anything_is_asked_or_kept() -> anyhow::Result<()>
{
    let long = "x".repeat(1 << 20);
    let (by_body, provider) = bed(json!({"type": "Body"})).await?;
    let mut body = question(false);
    body["user"] = long.clone().into();
    is_too_long(by_body.request(body)).await?;
    assert_eq!(provider.calls(), 0);

    let (by_header, provider) = bed(json!({"type": "Header", "header": "X-End-User"})).await?;
    is_too_long(by_header.request(question(false)).header("x-end-user", &long[..60_000])).await?;
    // No head may be so long. Its client may still be writing when it is told so, and then not read it.
    let mut socket = TcpStream::connect(by_header.address).await?;
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nx-end-user: {long}\r\n\r\n");
    let _ = socket.write_all(head.as_bytes()).await;
    let mut told = Vec::new();
    let _ = socket.read_to_end(&mut told).await;
    assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&told));
    assert_eq!(provider.calls(), 0);
    let ann = by_header.request(question(false)).header("x-end-user", "ann").bearer_auth(KEY);
    assert_eq!(Got::read(ann).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_key_that_another_begins_with_is_a_key_of_its_own_and_what_is_nearly_one_is_none() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({"models": [{"name": "m"}, {"name": "other"}]}))?;
    resources.consumer("short", KEY, &["m"])?.consumer("long", LONGER, &["other"])?;
    let bed = Bed::start_with(&resources, |config| config.auth = Auth::Required)?;
    let ask = async |key: &str, model: &str| {
        let mut body = question(false);
        body["model"] = model.into();
        anyhow::Ok(Got::read(bed.request(body).bearer_auth(key)).await?.status)
    };
    assert_eq!([ask(KEY, "m").await?, ask(KEY, "other").await?], [200, 404]);
    assert_eq!([ask(LONGER, "m").await?, ask(LONGER, "other").await?], [404, 200]);
    let upper = KEY.to_uppercase();
    for nearly in [&KEY[..KEY.len() - 1], &KEY[1..], &LONGER[..KEY.len() + 1], &LONGER[..LONGER.len() - 1], &upper] {
        assert_eq!(ask(nearly, "m").await?, 401, "{nearly}");
    }
    Ok(())
}
