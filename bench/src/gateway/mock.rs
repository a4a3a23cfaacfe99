//! An upstream that costs little: it reads a request and writes a fixed answer.

use std::{fmt::Write as _, net::SocketAddr, rc::Rc};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::load::{EVENTS, Head};

/// Answers unary requests at once and streams event by event; both as OpenAI does.
struct Answers {
    unary: Vec<u8>,
    head: &'static [u8],
    events: Vec<Vec<u8>>,
}

/// Starts the mock on a thread of its own, which ends with the process.
pub(super) async fn start() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let listener = TcpListener::from_std(listener)?;
            let answers = Rc::new(Answers::new());
            loop {
                let (socket, _) = listener.accept().await?;
                let answers = answers.clone();
                tokio::task::spawn_local(async move { answers.serve(socket).await });
            }
        })
    });
    Ok(address)
}

impl Answers {
    fn new() -> Self {
        let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"It is twenty past four in the afternoon."},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}"#;
        let unary = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let chunk = |choices: &str, usage: &str| {
            let event = format!(
                "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
                 \"model\":\"gpt-4o-2024-08-06\",\"choices\":[{choices}]{usage}}}\n\n"
            );
            chunked(&event)
        };
        let mut events: Vec<Vec<u8>> = vec![chunk(r#"{"index":0,"delta":{"role":"assistant","content":""}}"#, "")];
        for n in 0..EVENTS - 3 {
            let mut delta = String::new();
            write!(delta, r#"{{"index":0,"delta":{{"content":" word{n}"}},"finish_reason":null}}"#)
                .expect("must write to a String");
            events.push(chunk(&delta, ""));
        }
        events.push(chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#, ""));
        let usage = r#","usage":{"prompt_tokens":20,"completion_tokens":97,"total_tokens":117}"#;
        events.push(chunk("", usage));
        let mut done = chunked("data: [DONE]\n\n");
        done.extend_from_slice(b"0\r\n\r\n");
        events.push(done);
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        Self { unary: unary.into_bytes(), head, events }
    }

    async fn serve(&self, mut socket: TcpStream) -> std::io::Result<()> {
        socket.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(1 << 17);
        loop {
            let Some(stream) = read_request(&mut socket, &mut buffer).await? else {
                return Ok(());
            };
            if !stream {
                socket.write_all(&self.unary).await?;
                continue;
            }
            socket.write_all(self.head).await?;
            for event in &self.events {
                socket.write_all(event).await?;
                // Others take their turn, so events of one stream arrive one by one.
                tokio::task::yield_now().await;
            }
        }
    }
}

/// One HTTP chunk.
fn chunked(event: &str) -> Vec<u8> {
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// Reads a whole request and says whether it asks for a stream; none when the peer has closed.
async fn read_request(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<bool>> {
    buffer.clear();
    loop {
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
        let Some(head) = Head::parse(buffer) else { continue };
        if buffer.len() >= head.length + head.content_length.unwrap_or(0) {
            let stream = memchr::memmem::find(buffer, br#""stream":true"#).is_some();
            return Ok(Some(stream));
        }
    }
}
