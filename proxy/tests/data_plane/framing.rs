//! Requests whose end can be read in two ways, and heads that are none.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    bed::{Bed, PATH, Resources, question},
    provider::{PATIENCE, Provider, says},
};

/// What comes back for these bytes until the connection is closed.
async fn said(bed: &Bed, bytes: &[u8]) -> anyhow::Result<String> {
    let mut client = TcpStream::connect(bed.address).await?;
    client.write_all(bytes).await?;
    let mut answer = Vec::new();
    // It may be reset when it has said why.
    let read = timeout(PATIENCE, client.read_to_end(&mut answer)).await?;
    anyhow::ensure!(read.is_ok() || !answer.is_empty(), "reset without an answer");
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn heads_and_chunks_that_can_be_read_in_two_ways_are_refused_and_never_forwarded() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let body = question(false).to_string();
    let length = body.len();
    let one = format!("content-length: {length}\r\n");
    let heads = [
        format!("{one}content-length: {}\r\n", length + 1),
        format!("content-length: {length}, {}\r\n", length + 1),
        format!("content-length: +{length}\r\n"),
        "content-length: 0x10\r\n".to_owned(),
        format!("transfer-encoding: gzip\r\n{one}"),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        format!("x: a\r\n b\r\n{one}"),
        format!("x: a\0b\r\n{one}"),
        format!("x: a\rb\r\n{one}"),
        format!("x : a\r\n{one}"),
        format!("content-length : {length}\r\n"),
    ];
    let head = |lines: &str| format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
    let mut hostile: Vec<String> = heads.iter().map(|lines| format!("{}{body}", head(lines))).collect();
    hostile.push(format!("POST {PATH} HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    for size in ["zz", "-1", "fffffffffffffffff", "0x5", ""] {
        hostile.push(format!("{}{size}\r\n{body}\r\n0\r\n\r\n", head("transfer-encoding: chunked\r\n")));
    }
    for bytes in hostile {
        let answer = said(&bed, bytes.as_bytes()).await?;
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.0 400 "), "{bytes:?}: {answer:?}");
    }
    assert_eq!(provider.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_believed_and_what_is_behind_is_no_request() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let body = question(false).to_string();
    let behind = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for (first, second) in
        [("content-length: 4", "transfer-encoding: chunked"), ("transfer-encoding: chunked", "content-length: 4")]
    {
        let calls = provider.calls();
        let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n{first}\r\n{second}\r\n\r\n");
        let answer = said(&bed, format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n{behind}", body.len()).as_bytes()).await?;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.matches("HTTP/1.1 ").count() == 1, "{answer}");
        assert_eq!(provider.calls(), calls + 1);
    }
    for seen in provider.events().seen {
        let head = seen.head.to_ascii_lowercase();
        assert_eq!(head.matches("content-length: ").count(), 1, "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
        assert_eq!(seen.body, body);
    }
    Ok(())
}

#[tokio::test]
async fn heads_that_are_too_long_or_have_too_many_lines_are_a_431() -> anyhow::Result<()> {
    let provider = Provider::always(says("hi")).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, json!({}))?)?;
    let begin = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n");
    // Not one byte more than is read: what is not read makes the kernel reset the connection.
    let long = format!("{begin}x: {}", "a".repeat((64 << 10) - begin.len() - 3));
    let many = format!("{begin}{}content-length: 0\r\n\r\n", "x: a\r\n".repeat(99));
    for head in [long, many] {
        let answer = said(&bed, head.as_bytes()).await?;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{} bytes: {answer:?}", head.len());
    }
    let body = question(false).to_string();
    let most =
        format!("{begin}{}connection: close\r\ncontent-length: {}\r\n\r\n{body}", "x: a\r\n".repeat(97), body.len());
    assert!(said(&bed, most.as_bytes()).await?.starts_with("HTTP/1.1 200 "));
    assert_eq!(provider.calls(), 1);
    Ok(())
}
