//! Streams for the tests, and what a client sees of them.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::*;
use crate::call::{Form, InPath};
use crate::facts::Provider;
use crate::neutral::{Event, Usage};
use crate::relay::{End, Forward};
use crate::sse::Splitter;

pub(super) const UPSTREAMS: [Dialect; 3] = [Dialect::OpenAI, Dialect::Anthropic, Dialect::Gemini];

/// What each part that breaks took.
pub(super) const TOOK: Usage = Usage {
    input: Some(11),
    output: Some(4),
    cached_input: None,
    cache_write: None,
    cache_write_1h: None,
    reasoning: None,
    audio_input: None,
    audio_output: None,
    image_output: None,
    images: None,
    terms: None,
};

/// The dialects that clients speak.
pub(super) const SPOKEN: [Dialect; 4] = [Dialect::OpenAI, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini];

pub(super) fn client(dialect: Dialect) -> Client {
    Client { dialect, include_usage: true, choices: 1, now: 1_700_000_000 }
}

/// A stream that broke.
pub(super) struct Broken {
    pub(super) call: Call,
    pub(super) body: Vec<u8>,
    pub(super) relay: Relay,
    /// What the client got.
    pub(super) client: Vec<u8>,
    dialect: Dialect,
}

/// A provider's stream of these events.
pub(super) fn stream(dialect: Dialect, id: &str, said: &[Event<'_>]) -> Vec<u8> {
    let mut emitter = Emitter::new(&client(dialect), &Names::default());
    let mut out = Vec::new();
    emitter.push(&Event::Start { id: id.into(), model: format!("{id}-model").into() }, &mut out);
    said.iter().for_each(|event| emitter.push(event, &mut out));
    emitter.flush(&mut out);
    out
}

/// One that breaks after it has said that, some characters at a time.
pub(super) fn broken(client: Dialect, upstream: Dialect, sent: &str) -> Broken {
    let prompt = Event::Usage(Usage { input: Some(11), ..Usage::default() });
    broken_after(client, upstream, &[prompt].into_iter().chain(pieces(sent, 5)).collect::<Vec<_>>())
}

/// Text in pieces of so many characters.
fn pieces(text: &str, size: usize) -> Vec<Event<'static>> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(size).map(|piece| Event::Text(piece.iter().collect::<String>().into())).collect()
}

pub(super) fn broken_after(client: Dialect, upstream: Dialect, said: &[Event<'_>]) -> Broken {
    broken_by(client, upstream, &stream(upstream, "first", said))
}

pub(super) fn broken_by(dialect: Dialect, upstream: Dialect, stream: &[u8]) -> Broken {
    let facts = Facts::of(Provider::OpenAI, "gpt-4o");
    let relay = Relay::remembering(upstream, &client(dialect), Names::default(), facts);
    let path = InPath { model: "m".into(), form: Form::Events };
    let path = (dialect == Dialect::Gemini).then_some(path);
    let call = Call { path, ..Call::chat(dialect) };
    let mut broken = Broken { call, body: Vec::new(), relay, client: Vec::new(), dialect };
    broken.ask(json!({}));
    hear(&mut broken.relay, stream, &mut broken.client);
    broken
}

impl Broken {
    /// The client's request has these members too.
    pub(super) fn ask(&mut self, members: Value) {
        let mut body = match self.dialect {
            Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
            Dialect::Responses => json!({"model": "m", "stream": true, "input": "hi"}),
            Dialect::Anthropic => json!({"model": "m", "stream": true, "max_tokens": 1000,
                "messages": [{"role": "user", "content": "hi"}]}),
            _ => json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]}),
        };
        let members = members.as_object().expect("must be members").clone();
        body.as_object_mut().expect("must be an object").extend(members);
        self.body = body.to_string().into_bytes();
    }

    pub(super) fn resume(&self) -> Result<Resume, NotResumable> {
        self.relay.resume(&self.call, &self.body, &TOOK)
    }

    /// Another target says more, and breaks too.
    pub(super) fn goes_on(&self, resume: &Resume, (dialect, facts): (Dialect, Facts), more: &str) -> Self {
        let mut told = Told::new(resume, (dialect, facts), self.client.clone());
        told.hear(&stream(dialect, "next", &[Event::Text(more.into())]));
        let Told { relay, out } = told;
        Self { call: self.call.clone(), body: self.body.clone(), relay, client: out, dialect: self.dialect }
    }
}

/// What another target tells the client, behind what it was told before.
pub(super) struct Told {
    relay: Relay,
    out: Vec<u8>,
}

impl Told {
    pub(super) fn new(resume: &Resume, (upstream, facts): (Dialect, Facts), out: Vec<u8>) -> Self {
        Self { relay: resume.relay(upstream, facts, Names::default()), out }
    }

    pub(super) fn hear(&mut self, stream: &[u8]) {
        hear(&mut self.relay, stream, &mut self.out);
    }

    pub(super) fn seen(self, client: Dialect) -> Seen {
        let own = *self.relay.usage();
        Seen::of(client, &self.out, self.relay.together().unwrap_or(own), own)
    }
}

/// Another target finishes it: with what `says` makes of the beginning that the request shows it.
pub(super) fn finish(
    broken: &Broken,
    resume: &Resume,
    (dialect, facts): (Dialect, Facts),
    manner: Manner,
    says: impl Fn(&str) -> String,
) -> Seen {
    let target = Target { dialect, model: "m", facts, ask_for_usage: true };
    let emitted = resume.request(&broken.call, &broken.body, &target, manner).expect("must be asked");
    let text = says(&begun(dialect, &emitted.body));
    let mut told = Told::new(resume, (dialect, facts), broken.client.clone());
    let mut said = vec![Event::Usage(Usage { input: Some(5), ..Usage::default() })];
    said.extend(pieces(&text, 7));
    let usage = Usage { input: Some(5), output: Some(9), ..Usage::default() };
    said.extend([Event::Finish(Finish::Stop), Event::Usage(usage), Event::End]);
    told.hear(&stream(dialect, "second", &said));
    told.seen(broken.dialect)
}

/// What a request shows the target of its answer.
fn begun(dialect: Dialect, body: &[u8]) -> String {
    let path = InPath { model: "m".into(), form: Form::Events };
    let call = Call { path: (dialect == Dialect::Gemini).then_some(path), ..Call::chat(dialect) };
    let last = |request: &Request<'_>| {
        let said = request.messages.iter().rev().find(|message| message.role == Role::Assistant);
        said.map(|message| match &message.parts[..] {
            [Part::Text { text, .. }] => text.to_string(),
            parts => panic!("{parts:?}"),
        })
    };
    translate::read(&call, body, last).expect("must be a request").unwrap_or_default()
}

fn hear(relay: &mut Relay, stream: &[u8], out: &mut Vec<u8>) {
    let mut splitter = Splitter::default();
    splitter.push(Bytes::copy_from_slice(stream));
    let mut end = None;
    while let Some(event) = splitter.next_event().expect("must be small enough") {
        let step = relay.push(&event, out);
        assert_eq!((step.malformed, &step.error), (false, &None), "{:?}", event.raw);
        if step.forward == Forward::AsItCame {
            out.extend_from_slice(&event.raw);
        }
        end = end.or(step.end);
    }
    if end.is_none() && relay.is_finished() {
        assert_eq!(relay.finish(out), End::NoMarker);
    }
}

/// What a client sees.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) raw: String,
    pub(super) text: String,
    /// What the relay says that the client was told of usage, and its own part of it.
    pub(super) told: Usage,
    pub(super) usage: Usage,
    pub(super) events: Vec<Value>,
}

impl Seen {
    pub(super) fn of(dialect: Dialect, stream: &[u8], told: Usage, usage: Usage) -> Self {
        let raw = String::from_utf8(stream.to_vec()).expect("must be UTF-8");
        let data = raw.lines().filter_map(|line| line.strip_prefix("data: ").filter(|data| *data != "[DONE]"));
        let events: Vec<Value> = data.map(|data| serde_json::from_str(data).expect("must be JSON")).collect();
        let path = match dialect {
            Dialect::OpenAI => "/choices/0/delta/content",
            Dialect::Anthropic => "/delta/text",
            Dialect::Gemini => "/candidates/0/content/parts/0/text",
            _ => "/delta",
        };
        let text = events.iter().filter_map(|event| event.pointer(path).and_then(Value::as_str)).collect();
        Self { raw, text, told, usage, events }
    }

    fn all(&self, path: &str) -> Vec<&Value> {
        self.events.iter().filter_map(|event| event.pointer(path)).filter(|value| !value.is_null()).collect()
    }

    fn count(&self, what: &str) -> usize {
        self.raw.matches(what).count()
    }

    /// What the client was told of usage.
    pub(super) fn usage_told(&self) -> Usage {
        let number = |names: [&str; 4]| {
            let last = |name: &&str| self.events.iter().rev().find_map(|event| find(event, name)?.as_u64());
            names.iter().find_map(last)
        };
        Usage {
            input: number(["prompt_tokens", "promptTokenCount", "input_tokens", ""]),
            output: number(["completion_tokens", "candidatesTokenCount", "output_tokens", ""]),
            ..Usage::default()
        }
    }
}

/// A member of that name, wherever it stands.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(name).or_else(|| members.values().find_map(|value| find(value, name))),
        Value::Array(items) => items.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

/// One id, one finish reason, one usage that adds up, one end marker, and every event in its place.
pub(super) fn is_like_one_that_never_broke(client: Dialect, seen: &Seen, place: &str) {
    let same = |path: &str| {
        let all = seen.all(path);
        assert!(!all.is_empty() && all.iter().all(|value| *value == all[0]), "{path} {all:?} {place}");
    };
    let once = |what: &str| assert_eq!(seen.count(what), 1, "{what} {place}\n{}", seen.raw);
    match client {
        Dialect::OpenAI => {
            ["/id", "/model", "/created", "/choices/0/index"].into_iter().for_each(same);
            assert_eq!(seen.all("/choices/0/finish_reason").len(), 1, "{place}");
            ["\"role\"", "[DONE]", "\"total_tokens\""].into_iter().for_each(once);
        }
        Dialect::Anthropic => {
            same("/index");
            ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
                .into_iter()
                .for_each(|name| once(&format!("event: {name}\n")));
        }
        Dialect::Gemini => {
            ["/responseId", "/modelVersion"].into_iter().for_each(same);
            ["\"finishReason\"", "\"totalTokenCount\""].into_iter().for_each(once);
        }
        _ => responses(seen, place),
    }
    let told = seen.usage_told();
    assert_eq!((told.input, told.output), (seen.told.input, seen.told.output), "{place}\n{}", seen.raw);
}

fn responses(seen: &Seen, place: &str) {
    let numbers: Vec<u64> = seen.all("/sequence_number").iter().filter_map(|number| number.as_u64()).collect();
    assert!(numbers.iter().zip(0..).all(|(number, expected)| *number == expected), "{numbers:?} {place}");
    ["created", "output_item.added", "content_part.added", "output_text.done", "content_part.done", "output_item.done"]
        .into_iter()
        .for_each(|name| {
            assert_eq!(seen.count(&format!("event: response.{name}\n")), 1, "{name} {place}\n{}", seen.raw)
        });
    let last = seen.events.last().expect("must have events");
    assert!(matches!(last["type"].as_str(), Some("response.completed" | "response.incomplete")), "{last}");
    for path in ["/response/id", "/response/model", "/response/created_at", "/item_id", "/output_index"] {
        let all = seen.all(path);
        assert!(all.iter().all(|value| *value == all[0]), "{path} {place}");
    }
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], seen.text, "{place}");
    let done = seen.events.iter().find(|event| event["type"] == "response.output_text.done");
    assert_eq!(done.map(|event| &event["text"]), Some(&json!(seen.text)), "{place}");
}
