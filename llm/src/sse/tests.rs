use proptest::prelude::*;

use super::*;

type Seen = (Option<Vec<u8>>, Option<Vec<u8>>);

fn seen(event: &Event) -> Seen {
    (event.data().map(Cow::into_owned), event.name().map(<[u8]>::to_vec))
}

fn events(chunks: &[&[u8]]) -> (Vec<Seen>, Vec<u8>) {
    let mut splitter = Splitter::default();
    let (mut out, mut raw) = (Vec::new(), Vec::new());
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next_event().expect("must be small enough") {
            out.push(seen(&event));
            raw.extend_from_slice(&event.raw);
        }
    }
    (out, raw)
}

fn data(stream: &[u8]) -> Vec<String> {
    let data = |(data, _): Seen| String::from_utf8_lossy(&data.unwrap_or_default()).into_owned();
    events(&[stream]).0.into_iter().map(data).collect()
}

#[test]
fn lines_may_end_in_crlf_lf_or_cr() {
    assert_eq!(data(b"data: a\n\ndata: b\n\n"), ["a", "b"]);
    assert_eq!(data(b"data: a\r\n\r\ndata: b\r\n\r\n"), ["a", "b"]);
    assert_eq!(data(b"data: a\r\rdata: b\r\r"), ["a", "b"]);
}

#[test]
fn the_space_after_data_is_optional_and_only_one_is_cut() {
    assert_eq!(data(b"data:a\n\ndata: b\n\ndata:  c\n\ndata\n\ndata:\n\n"), ["a", "b", " c", "", ""]);
}

#[test]
fn several_data_lines_are_joined_by_a_line_feed() {
    assert_eq!(data(b"data: a\r\ndata: b\r\ndata:\r\n\r\n"), ["a\nb\n"]);
}

#[test]
fn comments_and_unknown_fields_are_events_without_data() {
    let (seen, raw) = events(&[b": ping\n\nid: 7\nretry: 5\n\ndatabase: x\n\n"]);
    assert_eq!(seen, vec![(None, None); 3]);
    assert_eq!(raw, b": ping\n\nid: 7\nretry: 5\n\ndatabase: x\n\n");
}

#[test]
fn an_event_line_names_the_event() {
    let (seen, _) = events(&[b"event: message_stop\ndata: {}\n\n"]);
    assert_eq!(seen, [(Some(b"{}".to_vec()), Some(b"message_stop".to_vec()))]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_start_only() {
    assert_eq!(data(b"\xef\xbb\xbfdata: a\n\n"), ["a"]);
    assert_eq!(events(&[b"data: a\n\n\xef\xbb\xbfdata: b\n\n"]).0[1], (None, None));
}

#[test]
fn blank_lines_alone_are_no_event_and_are_forwarded_with_the_next() {
    let (seen, raw) = events(&[b"\n\n\ndata: a\n\n"]);
    assert_eq!(seen.len(), 1);
    assert_eq!(raw, b"\n\n\ndata: a\n\n");
}

#[test]
fn an_event_is_given_as_soon_as_its_blank_line_is_there() {
    for stream in [b"data: a\n\n".as_slice(), b"data: a\r\n\r\n", b"data: a\r\r"] {
        assert_eq!(events(&[stream]).0.len(), 1, "{stream:?}");
    }
}

#[test]
fn whole_events_in_a_chunk_are_slices_of_it() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let mut splitter = Splitter::default();
    splitter.push(chunk.clone());
    for offset in [0, 9] {
        let event = splitter.next_event().expect("must be small enough").expect("must be whole");
        assert_eq!(event.raw.as_ptr(), chunk[offset..].as_ptr());
    }
}

#[test]
fn an_event_over_the_bound_is_an_error_and_one_below_it_is_not() {
    let part = vec![b'x'; MAX_EVENT / 4];
    let mut splitter = Splitter::default();
    for _ in 0..4 {
        splitter.push(Bytes::from(part.clone()));
        assert_eq!(splitter.next_event(), Ok(None));
    }
    splitter.push(Bytes::from_static(b"x"));
    assert_eq!(splitter.next_event(), Err(Error::EventTooLarge { limit: MAX_EVENT }));
}

#[test]
fn what_is_left_at_the_end_is_closed_and_given() {
    let mut splitter = Splitter::default();
    splitter.push(Bytes::from_static(b"data: a\n\ndata: [DONE]"));
    assert!(splitter.next_event().expect("must be small enough").is_some());
    assert_eq!(splitter.next_event(), Ok(None));
    let last = splitter.finish().expect("must be there");
    assert_eq!(last.data().as_deref(), Some(b"[DONE]".as_slice()));
    assert_eq!(&last.raw[..], b"data: [DONE]\n\n");
    assert_eq!(splitter.finish(), None);
}

/// The stream in pieces that end at these places.
pub(crate) fn cut<'s>(stream: &'s [u8], cuts: &[prop::sample::Index]) -> Vec<&'s [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|w| &stream[w[0]..w[1]]).collect()
}

fn lines(chunks: &[&[u8]]) -> Vec<String> {
    let mut splitter = Splitter::new(Framing::Lines);
    let mut out = Vec::new();
    let mut take = |event: Event| {
        assert_eq!(event.name(), None);
        out.push(String::from_utf8_lossy(&event.data().expect("must say something")).into_owned());
    };
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next_event().expect("must be small enough") {
            take(event);
        }
    }
    splitter.finish().into_iter().for_each(take);
    out
}

#[test]
fn ndjson_is_a_line_of_json_each_and_blank_lines_are_none() {
    assert_eq!(lines(&[b"{\"a\":1}\n\n \r\n{\"b\":\"\\n\"}\r\n"]), ["{\"a\":1}", "{\"b\":\"\\n\"}\r"]);
    assert_eq!(lines(&[b"\xef\xbb\xbf{}\ndata: x\n"]), ["{}", "data: x"], "no event's grammar is read into a line");
    assert_eq!(lines(&[b"", b"\n", b" "]), [""; 0]);
}

#[test]
fn a_last_line_without_its_end_is_given_when_the_stream_has_ended() {
    assert_eq!(lines(&[b"{}\n{\"do", b"ne\":true}"]), ["{}", "{\"done\":true}"]);
}

#[test]
fn a_line_over_the_bound_is_an_error() {
    let mut splitter = Splitter::new(Framing::Lines);
    splitter.push(Bytes::from(vec![b'x'; MAX_EVENT]));
    assert_eq!(splitter.next_event(), Ok(None));
    splitter.push(Bytes::from_static(b"xx"));
    assert_eq!(splitter.next_event(), Err(Error::EventTooLarge { limit: MAX_EVENT }));
}

proptest! {
    #[test]
    fn lines_split_at_any_byte_are_the_same_lines(
        pieces in proptest::collection::vec(prop_oneof![
            Just("{\"a\":\"é\"}"), Just("\n"), Just("\r\n"), Just("\n\n"), Just("\r"), Just(" "), Just("\u{feff}")], 0..24),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let stream = pieces.concat().into_bytes();
        prop_assert_eq!(lines(&cut(&stream, &cuts)), lines(&[&stream]));
    }

    #[test]
    fn a_stream_split_at_any_byte_gives_the_same_events(
        pieces in proptest::collection::vec(prop_oneof![
            Just("data: "), Just("data:"), Just("event: x"), Just(": c"), Just("é"), Just("\u{feff}"), Just("{\"a\":1}"),
            Just("\n"), Just("\r"), Just("\r\n"), Just("\n\n"), Just("\r\n\r\n"), Just("\r\r")], 0..24),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let stream = pieces.concat().into_bytes();
        prop_assert_eq!(events(&cut(&stream, &cuts)), events(&[&stream]));
    }
}
