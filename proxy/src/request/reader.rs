//! A stream as it is read: whole events go on as they came, and what they mean is noted.

use bytes::Bytes;
use penstock_llm::{
    classify::UpstreamError,
    neutral::{Finish, Usage},
    relay::{End, Forward, Relay},
    resume::{NotResumable, Resume},
    sse::{Event, Framing, Splitter},
};

use super::{ask::Ask, settle::Told};

/// Pure: bytes in, bytes and meaning out.
pub(super) struct Reader {
    splitter: Splitter,
    relay: Relay,
    /// What the relay writes for a chunk, when it translates.
    written: Vec<u8>,
}

/// What a chunk brought.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Content: from here on no other target can answer.
    pub(super) commits: bool,
    /// The model or its filter declined, and nothing committed before it.
    pub(super) refuses: bool,
    pub(super) error: Option<UpstreamError>,
    pub(super) end: Option<End>,
    /// Events that did not parse.
    pub(super) withheld: u32,
}

impl Reader {
    pub(super) fn new(framing: Framing, relay: Relay) -> Self {
        Self { splitter: Splitter::new(framing), relay, written: Vec::new() }
    }

    /// Takes the next bytes; what the client is to be sent is appended to `out`.
    pub(super) fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Look {
        let mut look = Look::default();
        self.splitter.push(chunk.clone());
        while look.error.is_none() && look.end.is_none() {
            match self.splitter.next_event() {
                Ok(Some(event)) => self.event(event, &chunk, &mut look, out),
                Ok(None) => break,
                Err(error) => look.error = Some(UpstreamError::broken_answer(error.to_string())),
            }
        }
        self.flush(out);
        look
    }

    /// The bytes have ended, or nothing more is waited for.
    pub(super) fn end(&mut self, out: &mut Vec<Bytes>) -> Look {
        let mut look = Look::default();
        if let Some(event) = self.splitter.finish() {
            self.event(event, &Bytes::new(), &mut look, out);
        }
        if look.error.is_none() && look.end.is_none() {
            let end = self.relay.finish(&mut self.written);
            look.end = Some(end);
        }
        self.flush(out);
        look
    }

    fn event(&mut self, event: Event, chunk: &Bytes, look: &mut Look, out: &mut Vec<Bytes>) {
        let step = self.relay.push(&event, &mut self.written);
        look.refuses |= step.finish == Some(Finish::ContentFilter) && !look.commits;
        look.commits |= step.commits;
        look.withheld += u32::from(step.malformed);
        look.error = step.error;
        look.end = step.end;
        match step.forward {
            Forward::AsItCame => {
                self.flush(out);
                append(out, chunk, event.raw);
            }
            Forward::Written | Forward::Nothing => {}
        }
    }

    fn flush(&mut self, out: &mut Vec<Bytes>) {
        if !self.written.is_empty() {
            out.push(std::mem::take(&mut self.written).into());
        }
    }

    /// Every answer has finished; only usage and the end marker may follow.
    pub(super) fn is_finished(&self) -> bool {
        self.relay.is_finished()
    }

    /// Why the latest answer to finish did so.
    pub(super) fn finish(&self) -> Option<Finish> {
        self.relay.finish_reason()
    }

    /// The number of the next event, where events are numbered.
    pub(super) fn sequence(&self) -> u64 {
        self.relay.sequence()
    }

    /// What another target needs to go on, now that the stream has broken.
    /// `took` is what it took so far.
    pub(super) fn resume(&self, ask: &Ask, took: &Usage) -> Result<Resume, NotResumable> {
        self.relay.resume(&ask.call, &ask.body, took)
    }

    /// What is known of the answer so far.
    pub(super) fn told(&self) -> Told {
        let (usage, seen, finish) = (*self.relay.usage(), self.relay.seen(), self.relay.finish_reason());
        Told { usage, together: self.relay.together(), seen, finish, is_whole: self.is_finished() }
    }
}

/// Appends an event. Neighbours in one chunk are one slice of it, so that they leave as one piece.
fn append(out: &mut Vec<Bytes>, chunk: &Bytes, event: Bytes) {
    let place = |bytes: &Bytes| {
        let start = (bytes.as_ptr() as usize).checked_sub(chunk.as_ptr() as usize)?;
        let end = start + bytes.len();
        (end <= chunk.len()).then_some((start, end))
    };
    if let Some(last) = out.last_mut()
        && let (Some((start, middle)), Some((next, end))) = (place(last), place(&event))
        && middle == next
    {
        *last = chunk.slice(start..end);
        return;
    }
    out.push(event);
}

#[cfg(test)]
mod tests {
    use penstock_llm::{Dialect, relay::Client, translate::Names};

    use super::*;

    fn reader(include_usage: bool) -> Reader {
        let client = Client { dialect: Dialect::OpenAI, include_usage, choices: 1, now: 0 };
        Reader::new(Framing::Events, Relay::new(Dialect::OpenAI, &client, Names::default()))
    }

    fn chunk(delta: &str, finish: &str) -> String {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
    }

    #[test]
    fn events_that_came_together_leave_as_one_piece_of_the_chunk() {
        let text = chunk(r#"{"role":"assistant","content":""}"#, "null") + &chunk(r#"{"content":"a"}"#, "null");
        let bytes = Bytes::from(text.clone());
        let mut out = Vec::new();
        let look = reader(false).push(bytes.clone(), &mut out);
        assert!(look.commits);
        assert_eq!(out, [text]);
        assert_eq!(out[0].as_ptr(), bytes.as_ptr(), "nothing was copied");
    }

    #[test]
    fn passing_events_on_allocates_nothing_for_each_of_them() {
        let openai = chunk(r#"{"content":"a \"word\" é"}"#, "null");
        let anthropic = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":\
            {\"type\":\"text_delta\",\"text\":\"a \\\"word\\\" é\"}}\n\n";
        for (dialect, event) in [(Dialect::OpenAI, openai.as_str()), (Dialect::Anthropic, anthropic)] {
            let client = Client { dialect, include_usage: false, choices: 1, now: 0 };
            let mut reader = Reader::new(Framing::of(dialect), Relay::new(dialect, &client, Names::default()));
            let all = Bytes::from(event.repeat(1000));
            // Bytes are counted from their first clone on, which allocates once.
            let _other = all.clone();
            let mut out = Vec::with_capacity(4);
            let together = allocation_counter::measure(|| drop(reader.push(all.clone(), &mut out)));
            assert_eq!((out.len(), together.count_total), (1, 0), "{dialect:?}, in one chunk");
            out.clear();
            let alone = allocation_counter::measure(|| {
                for n in 0..1000 {
                    reader.push(all.slice(n * event.len()..(n + 1) * event.len()), &mut out);
                    out.drain(..);
                }
            });
            assert_eq!(alone.count_total, 0, "{dialect:?}, a chunk each");
        }
    }

    #[test]
    fn half_an_event_waits_for_its_other_half() {
        let text = chunk(r#"{"content":"a"}"#, "null");
        let (one, two) = text.split_at(20);
        let mut reader = reader(false);
        let mut out = Vec::new();
        assert!(!reader.push(Bytes::copy_from_slice(one.as_bytes()), &mut out).commits);
        assert!(out.is_empty());
        assert!(reader.push(Bytes::copy_from_slice(two.as_bytes()), &mut out).commits);
        assert_eq!(out, [text]);
    }

    #[test]
    fn a_usage_chunk_between_two_events_is_hidden_from_a_client_that_did_not_ask() {
        let first = chunk("{}", "\"stop\"");
        let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";
        let done = "data: [DONE]\n\n";
        let mut reader = reader(false);
        let mut out = Vec::new();
        let look = reader.push(Bytes::from(format!("{first}{usage}{done}")), &mut out);
        assert_eq!(look.end, Some(End::Complete));
        assert_eq!(out, [first.as_str(), done]);
        let usage = reader.told().usage;
        assert_eq!((usage.input, usage.output), (Some(3), Some(4)));
    }

    #[test]
    fn a_finished_stream_without_its_marker_gets_one_and_an_unfinished_one_does_not() {
        let mut out = Vec::new();
        let mut finished = reader(false);
        finished.push(Bytes::from(chunk("{}", "\"stop\"")), &mut out);
        assert!(finished.is_finished());
        out.clear();
        assert_eq!(finished.end(&mut out).end, Some(End::NoMarker));
        assert_eq!(out, ["data: [DONE]\n\n"]);
        let mut cut = reader(false);
        out.clear();
        cut.push(Bytes::from(chunk(r#"{"content":"a"}"#, "null")), &mut out);
        out.clear();
        assert_eq!(cut.end(&mut out).end, Some(End::Truncated));
        assert!(out.is_empty());
    }
}
