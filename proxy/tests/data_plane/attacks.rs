//! Callers who want to be others, or more than they are.

use std::num::NonZeroUsize;

use futures::future::try_join_all;
use penstock_proxy::Auth;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    bed::{Bed, Got, PATH, Resources, question},
    provider::{Provider, answer, says},
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

/// So many users have buckets of their own.
const MOST: usize = 65_536;
/// Requests that are written before their answers are read.
const BATCH: usize = 64;

/// What answers begin with that pass, and that do not.
const HEADS: [&[u8]; 2] = [b"HTTP/1.1 200", b"HTTP/1.1 429"];

/// Asks as each of these users in turn, on one connection; returns how many passed and how many were refused.
async fn ask_as(bed: &Bed, users: impl Iterator<Item = usize>) -> anyhow::Result<[usize; 2]> {
    let (mut socket, mut all) = (TcpStream::connect(bed.address).await?, [0, 0]);
    let users: Vec<usize> = users.collect();
    for (batch, users) in users.chunks(BATCH).enumerate() {
        let mut requests = String::new();
        for user in users {
            let body = format!(r#"{{"model":"m","user":"u{user}","input":"a"}}"#);
            let head = format!("POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
            requests.extend([head, body]);
        }
        socket.write_all(requests.as_bytes()).await?;
        let mut answers = Vec::new();
        while all[0] + all[1] < batch * BATCH + users.len() {
            anyhow::ensure!(socket.read_buf(&mut answers).await? > 0, "closed too early");
            for (count, head) in all.iter_mut().zip(HEADS) {
                *count += memchr::memmem::find_iter(&answers, head).count();
            }
            // What may be the beginning of one more.
            answers.drain(..answers.len().saturating_sub(HEADS[0].len() - 1));
        }
    }
    Ok(all)
}

#[tokio::test]
async fn new_names_without_end_bring_no_new_allowance_and_push_no_user_out() -> anyhow::Result<()> {
    // What is answered soonest.
    let vector = r#"{"data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":1}}"#;
    let provider = Provider::always(answer(200, "", vector)).await?;
    let mut resources = Resources::new();
    resources.provider("a", &provider, json!({}))?;
    resources.limit("few", json!({"per": ["User"], "requests": {"limit": 2, "window": "24h"}}))?;
    let bed = Bed::start_with(&resources, |config| config.workers = NonZeroUsize::new(2))?;
    let quarters = (0..4).map(|quarter| ask_as(&bed, quarter * MOST / 4..(quarter + 1) * MOST / 4));
    assert_eq!(try_join_all(quarters).await?, [[MOST / 4, 0]; 4], "each has a bucket");
    assert_eq!(ask_as(&bed, MOST..MOST + 200).await?, [2, 198], "and all others have one together");
    let mut first_and_last = [0, MOST - 1].into_iter().cycle();
    assert_eq!(ask_as(&bed, first_and_last.by_ref().take(2)).await?, [2, 0], "who was there first has what is left");
    assert_eq!(ask_as(&bed, first_and_last.take(2)).await?, [0, 2], "and no more");
    assert_eq!(provider.calls(), MOST + 4);
    Ok(())
}
