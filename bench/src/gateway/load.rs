//! Clients that keep their connections and count what they get.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use futures::future::try_join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Events of a stream, the end marker included.
pub(super) const EVENTS: usize = 101;

/// Clients at a time; all numbers of requests are multiples of it.
const CONCURRENCY: usize = 32;

/// What a client sends.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Unary,
    /// The same by nobody: the key stands in a header that means nothing.
    Anonymous,
    Stream,
    LargePrompt,
}

impl Shape {
    pub(super) const ALL: [Self; 3] = [Self::Unary, Self::Stream, Self::LargePrompt];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Anonymous => "unary, by nobody",
            Self::Stream => "stream of 100 events",
            Self::LargePrompt => "prompt of 100 kB",
        }
    }

    /// How many times the CPU of nginx it may cost.
    pub(super) fn limit(self) -> Option<f64> {
        match self {
            Self::Unary => Some(2.0),
            Self::Stream => Some(1.5),
            Self::Anonymous | Self::LargePrompt => None,
        }
    }

    /// In one round.
    pub(super) fn requests(self) -> usize {
        match self {
            Self::Unary | Self::Anonymous => 12_800,
            Self::Stream => 3_200,
            Self::LargePrompt => 6_400,
        }
    }

    fn request(self) -> Vec<u8> {
        let (words, stream) = match self {
            Self::Unary | Self::Anonymous => (10, "false"),
            Self::Stream => (10, "true"),
            Self::LargePrompt => (20_000, "false"),
        };
        let key = if matches!(self, Self::Anonymous) { "x-authorized-" } else { "authorization" };
        let prompt = "word ".repeat(words);
        let body = format!(
            r#"{{"model":"gpt-4o","stream":{stream},"stream_options":{{"include_usage":true}},"messages":[{{"role":"user","content":"{prompt}"}}]}}"#
        );
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n{key}: Bearer a-key-of-twenty-characters\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// Sends so many requests, some at a time. Any answer but a whole 200 ends the run.
pub(super) async fn run(gateway: SocketAddr, shape: Shape, requests: usize) -> Result<()> {
    let request = shape.request();
    let clients = (0..CONCURRENCY).map(|_| client(gateway, &request, requests / CONCURRENCY));
    try_join_all(clients).await.map(drop)
}

async fn client(gateway: SocketAddr, request: &[u8], times: usize) -> Result<()> {
    let mut socket = TcpStream::connect(gateway).await?;
    socket.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(1 << 16);
    for _ in 0..times {
        socket.write_all(request).await?;
        buffer.clear();
        while !is_whole(&buffer)? {
            if socket.read_buf(&mut buffer).await? == 0 {
                bail!("closed in the middle: {}", String::from_utf8_lossy(&buffer));
            }
        }
    }
    Ok(())
}

fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(head) = Head::parse(answer) else { return Ok(false) };
    if !answer.starts_with(b"HTTP/1.1 200") {
        bail!("not a 200: {}", String::from_utf8_lossy(answer));
    }
    Ok(match head.content_length {
        Some(length) => answer.len() >= head.length + length,
        None => answer.ends_with(b"\r\n0\r\n\r\n"),
    })
}

/// The little of an HTTP head that both sides need.
pub(super) struct Head {
    /// Of the head, with its blank line.
    pub(super) length: usize,
    pub(super) content_length: Option<usize>,
}

impl Head {
    /// None until the whole head is there.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let length = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&bytes[..length]).ok()?;
        let content_length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        Some(Self { length, content_length })
    }
}
