//! A provider that does to each request what a test says, byte by byte.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// What no test waits longer for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One thing done to a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Send(String),
    /// Until the peer closes the connection.
    Hang,
    /// So long.
    Wait(Duration),
    /// Until [`Provider::open_gate`].
    Gate,
    /// Sends the same for as long as the peer takes it; what it took is in [`Provider::flooded`].
    Flood(String),
    Close,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Counts connections, from 0.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What happened so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    pub(crate) seen: Vec<Seen>,
    /// Connections that have ended, in order, whoever closed them.
    pub(crate) closed: Vec<usize>,
    /// Requests whose last act is still to come: now, and the most that there were at once.
    pub(crate) open: usize,
    pub(crate) most_open: usize,
    pub(crate) flooded: usize,
    /// A flood met a peer that takes no more.
    pub(crate) stuck: bool,
}

pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    events: watch::Receiver<Events>,
    gate: watch::Sender<bool>,
    task: JoinHandle<()>,
}

type Script = Arc<Mutex<dyn FnMut(usize) -> Vec<Act> + Send>>;

/// Whole unary answer with any status.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    vec![Act::Send(format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    ))]
}

/// A good unary answer that says `text`.
pub(crate) fn says(text: &str) -> Vec<Act> {
    answer(200, "", &completion(text))
}

pub(crate) fn completion(text: &str) -> String {
    format!(
        r#"{{"id":"c1","object":"chat.completion","created":1,"model":"real-model","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}}}"#
    )
}

/// A stream of these events, without an end of the body.
pub(crate) fn stream(events: &[&str]) -> Vec<Act> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut acts = vec![Act::Send(head.to_owned())];
    acts.extend(events.iter().map(|event| Act::Send(chunk(event))));
    acts
}

pub(crate) fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// The proper end of a chunked body.
pub(crate) fn end() -> Act {
    Act::Send("0\r\n\r\n".to_owned())
}

pub(crate) fn delta(delta: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"model\":\"real-model\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
    )
}

pub(crate) fn text(text: &str) -> String {
    delta(&format!("{{\"content\":\"{text}\"}}"))
}

pub(crate) const ROLE: &str = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
pub(crate) const STOP: &str =
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub(crate) const USAGE: &str = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n";
pub(crate) const DONE: &str = "data: [DONE]\n\n";

impl Provider {
    /// Starts one; the script is asked with the number of each request, from 0.
    pub(crate) async fn start(script: impl FnMut(usize) -> Vec<Act> + Send + 'static) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, events) = watch::channel(Events::default());
        let (gate, gated) = watch::channel(false);
        let script: Script = Arc::new(Mutex::new(script));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for number in 0.. {
                let Ok((socket, _)) = listener.accept().await else { return };
                let peer = Peer { number, sender: sender.clone(), gate: gated.clone(), script: script.clone() };
                connections.spawn(peer.serve(socket));
            }
        });
        Ok(Self { address, events, gate, task })
    }

    /// One that does the same to every request.
    pub(crate) async fn always(acts: Vec<Act>) -> anyhow::Result<Self> {
        Self::start(move |_| acts.clone()).await
    }

    pub(crate) fn events(&self) -> Events {
        self.events.borrow().clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.events.borrow().seen.len()
    }

    /// The value of a header of each request.
    pub(crate) fn headers(&self, name: &str) -> Vec<Option<String>> {
        self.events().seen.iter().map(|seen| header(&seen.head, name)).collect()
    }

    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until what happened is as wanted.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Events) -> bool) -> anyhow::Result<Events> {
        let mut events = self.events.clone();
        let found = timeout(PATIENCE, events.wait_for(wanted)).await;
        let found = found.map_err(|_| anyhow::anyhow!("it did not happen: {:?}", self.events()))?;
        Ok(found?.clone())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Peer {
    number: usize,
    sender: watch::Sender<Events>,
    gate: watch::Receiver<bool>,
    script: Script,
}

impl Peer {
    async fn serve(mut self, mut socket: TcpStream) {
        while let Ok(Some((head, body))) = read(&mut socket).await {
            let mut number = 0;
            self.sender.send_modify(|events| {
                number = events.seen.len();
                events.seen.push(Seen { connection: self.number, head, body });
                events.open += 1;
                events.most_open = events.most_open.max(events.open);
            });
            let acts = (self.script.lock().unwrap_or_else(PoisonError::into_inner))(number);
            let mut open = true;
            let last = acts.len().saturating_sub(1);
            for (place, act) in acts.into_iter().enumerate() {
                if place == last {
                    self.sender.send_modify(|events| events.open -= 1);
                }
                open = open && self.act(act, &mut socket).await.unwrap_or(false);
            }
            if !open {
                break;
            }
        }
        drop(socket);
        self.sender.send_modify(|events| events.closed.push(self.number));
    }

    /// False when the connection is to be closed.
    async fn act(&mut self, act: Act, socket: &mut TcpStream) -> std::io::Result<bool> {
        match act {
            Act::Send(bytes) => socket.write_all(bytes.as_bytes()).await.map(|()| true),
            Act::Hang => {
                let mut byte = [0];
                socket.read(&mut byte).await.map(|_| false)
            }
            Act::Wait(time) => {
                tokio::time::sleep(time).await;
                Ok(true)
            }
            Act::Gate => Ok(self.gate.wait_for(|open| *open).await.is_ok()),
            Act::Flood(bytes) => loop {
                let write = timeout(Duration::from_millis(500), socket.write_all(bytes.as_bytes())).await;
                self.sender.send_modify(|events| match write {
                    Ok(_) => events.flooded += bytes.len(),
                    Err(_) => events.stuck = true,
                });
                match write {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(error),
                    Err(_) => return Box::pin(self.act(Act::Hang, socket)).await,
                }
            },
            Act::Close => Ok(false),
        }
    }
}

async fn read(socket: &mut TcpStream) -> std::io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let length: usize = header(&text, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < head + length {
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((text, String::from_utf8_lossy(&bytes[head..]).into_owned())))
}

fn header(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
}
