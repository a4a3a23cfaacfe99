//! Changes of a few bytes of a body; all others stay as they came.

use bytes::Bytes;

use crate::compatible::Manners;
use crate::json::write_string;
use crate::scan::{Key, Scan, Span};
use crate::{Dialect, gemini, openai};

/// Bytes of the body that are replaced; an empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    span: Span,
    with: Vec<u8>,
}

impl Scan {
    /// Replaces the value of `model`.
    pub fn set_model(&self, model: &str) -> Option<Edit> {
        Some(Edit::naming(self.member(Key::Model)?.value, model))
    }

    /// Names the model wherever the body names one. Gemini's bodies say `models/` before it, and may say another one than
    /// the path does.
    pub fn set_models(&self, model: &str) -> Vec<Edit> {
        if self.dialect != Dialect::Gemini {
            return if self.model == model { Vec::new() } else { self.set_model(model).into_iter().collect() };
        }
        let name = gemini::resource(model);
        let outer = self.member(Key::Model).map(|member| member.value);
        outer.iter().chain(self.inner_models()).map(|span| Edit::naming(*span, &name)).collect()
    }

    /// Makes a stream of OpenAI's report its usage. `None` if the client asked for it already, and in other dialects, whose
    /// streams always do.
    pub fn ask_for_usage(&self) -> Option<Edit> {
        if self.include_usage == Some(true) || self.dialect != Dialect::OpenAI {
            return None;
        }
        let options = self.options();
        let (at, with): (Span, &[u8]) = match self.member(Key::StreamOptions) {
            None => (Span::before(self.member(Key::Model)?.key.start), br#""stream_options":{"include_usage":true},"#),
            Some(_) if let Some(value) = options.include_usage => (value, b"true"),
            Some(it) if options.has_members => (Span::before(it.value.start + 1), br#""include_usage":true,"#),
            Some(it) => (it.value, br#"{"include_usage":true}"#),
        };
        Some(Edit { span: at, with: with.to_vec() })
    }

    /// Takes out of Gemini's conversation what proves other providers' thoughts to them, and would be refused.
    pub fn own_signatures(&self) -> impl Iterator<Item = Edit> + '_ {
        let with = || format!("\"{}\"", crate::gemini::NO_SIGNATURE).into_bytes();
        self.foreign_signatures().iter().map(move |span| Edit { span: *span, with: with() })
    }

    /// Takes other providers' thoughts out of the items for a provider of the Responses API, which could not read them.
    /// `body` is what was scanned.
    pub fn without_sealed(&self, body: &[u8]) -> Vec<Edit> {
        cut(body, self.sealed().iter().copied())
    }

    /// Makes messages of OpenAI's dialect fit a server that is not quite OpenAI's own: cuts hints that it refuses and names
    /// them, calls developers the system, and takes what ids of calls carry for Gemini out of them, since no other needs it
    /// and most bound an id. `body` is what was scanned.
    pub fn fit(&self, body: &[u8], manners: &Manners) -> (Vec<Edit>, Vec<&'static str>) {
        let spots = self.spots();
        let members = manners.refuses.iter().filter(|key| **key != Key::N).filter_map(|key| {
            let value = self.member(*key)?.value;
            Some((value, Some(key.name()).filter(|_| !says_nothing(&body[value.start..value.end]))))
        });
        let (mut cut, mut hints): (Vec<Span>, Vec<_>) = members.unzip();
        if !manners.speaker_names {
            cut.extend(&spots.names);
            hints.extend(spots.names.first().map(|_| Some("messages.name")));
        }
        let mut edits = without(body, cut);
        if !manners.developer {
            edits.extend(spots.developers.iter().map(|span| Edit { span: *span, with: br#""system""#.to_vec() }));
        }
        edits.extend(spots.signatures.iter().map(|span| Edit { span: *span, with: Vec::new() }));
        (edits, hints.into_iter().flatten().collect())
    }

    /// Sets temperature and top_p to the one value that a model with fixed sampling takes, and names those that said
    /// otherwise. `body` is what was scanned.
    pub fn fix_sampling(&self, body: &[u8]) -> Vec<(Edit, &'static str)> {
        let otherwise = |key: Key| {
            let span = self.member(key)?.value;
            let value = body.get(span.start..span.end)?;
            let is_one = || std::str::from_utf8(value).ok()?.parse::<f64>().ok().filter(|value| *value == 1.0);
            let edit = Edit { span, with: b"1".to_vec() };
            (value != b"null" && is_one().is_none()).then_some((edit, key.name()))
        };
        [Key::Temperature, Key::TopP].into_iter().filter_map(otherwise).collect()
    }

    /// For a server that knows no schema of an answer: asks for JSON, and tells the schema ahead of the conversation. `None`
    /// if the client asks for no schema. `body` is what was scanned.
    pub fn tell_schema(&self, body: &[u8]) -> Option<[Edit; 2]> {
        let format = self.member(Key::ResponseFormat)?.value;
        let first = self.member(Key::Messages)?.value.start + 1;
        let mut message = openai::json_mode::instead(body.get(format.start..format.end)?)?;
        // A conversation without messages is for the provider to refuse.
        if !body.get(first..)?.trim_ascii_start().starts_with(b"]") {
            message.push(b',');
        }
        let json = Edit { span: format, with: openai::json_mode::FORMAT.into() };
        Some([json, Edit { span: Span::before(first), with: message }])
    }

    /// Takes the key by which this model calls the token bound, if the client used the other one.
    pub fn rename_max_tokens(&self, wanted: Key) -> Option<Edit> {
        let other = match wanted {
            Key::MaxTokens => Key::MaxCompletionTokens,
            Key::MaxCompletionTokens => Key::MaxTokens,
            _ => return None,
        };
        if self.member(wanted).is_some() {
            return None;
        }
        Some(Edit { span: self.member(other)?.key, with: format!("\"{}\"", wanted.name()).into_bytes() })
    }
}

impl Edit {
    fn naming(span: Span, model: &str) -> Self {
        let mut with = Vec::with_capacity(model.len() + 2);
        write_string(&mut with, model);
        Self { span, with }
    }
}

/// A hint that is the same as none.
fn says_nothing(value: &[u8]) -> bool {
    matches!(value, b"null" | b"false" | b"0" | b"{}")
}

/// Takes members out of their objects by their values, each with one comma beside it.
fn without(body: &[u8], mut values: Vec<Span>) -> Vec<Edit> {
    let back = |at: usize, sought: u8| memchr::memrchr(sought, &body[..at]).unwrap_or(0);
    values.sort_by_key(|value| value.start);
    cut(body, values.into_iter().map(|value| Span { start: back(back(value.start, b'"'), b'"'), ..value }))
}

/// Takes out what stands between commas, in order, each with one comma beside it.
fn cut(body: &[u8], spans: impl Iterator<Item = Span>) -> Vec<Edit> {
    let is_comma = |at: &usize| body.get(*at) == Some(&b',');
    let is_said = |byte: &u8| !byte.is_ascii_whitespace();
    let mut taken = 0;
    let each = spans.map(|Span { start, end }| {
        let before = body[..start].iter().rposition(is_said).filter(|at| *at >= taken && is_comma(at));
        let after = || body[end..].iter().position(is_said).map(|at| end + at).filter(is_comma);
        let span = match before {
            Some(comma) => Span { start: comma, end },
            None => Span { start, end: after().map_or(end, |comma| comma + 1) },
        };
        taken = span.end;
        Edit { span, with: Vec::new() }
    });
    each.collect()
}

/// The new body in pieces; those of the old one are slices of it.
///
/// # Panics
/// Never for edits of a [`Scan`] of this very body, as long as no two edits overlap.
pub fn apply(body: &Bytes, mut edits: Vec<Edit>) -> Vec<Bytes> {
    edits.sort_by_key(|edit| edit.span.start);
    let mut pieces = Vec::with_capacity(edits.len() * 2 + 1);
    let mut from = 0;
    for Edit { span, with } in edits {
        pieces.push(body.slice(from..span.start));
        pieces.push(Bytes::from(with));
        from = span.end;
    }
    pieces.push(body.slice(from..));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::call::Call;
    use crate::compatible::Server;
    use crate::scan::scan;

    fn spliced(body: &str, edits: impl Fn(&Scan) -> Vec<Option<Edit>>) -> String {
        let scan = scan(&Call::chat(Dialect::OpenAI), body.as_bytes()).expect("must be a request");
        let pieces = apply(&Bytes::copy_from_slice(body.as_bytes()), edits(&scan).into_iter().flatten().collect());
        String::from_utf8(pieces.concat()).expect("must be UTF-8")
    }

    fn asking(body: &str) -> String {
        spliced(body, |scan| vec![scan.ask_for_usage()])
    }

    #[test]
    fn same_dialect_keeps_every_byte_but_those_that_change() {
        let body = " {\"x\" : 1.50,\n \"m\\u006fdel\" : \"smart\" ,\"messages\":[ ],\"é\":[1e5]}\n";
        let expected = " {\"x\" : 1.50,\n \"m\\u006fdel\" : \"a\\\"b\" ,\"messages\":[ ],\"é\":[1e5]}\n";
        assert_eq!(spliced(body, |scan| vec![scan.set_model("a\"b")]), expected);
        assert_eq!(spliced(body, |_| Vec::new()), body);
    }

    #[test]
    fn thoughts_of_other_providers_are_taken_out_for_a_provider_of_responses() {
        let own = r#"{"type":"reasoning","id":"rs_1","encrypted_content":"gAAA","summary":[]}"#;
        let sealed = r#"{"type":"reasoning","id":"rs_2","encrypted_content":"penstock:signature:s","summary":[]}"#;
        let rows = [
            (format!("[{own}, {sealed} ,{{}},{sealed}]"), format!("[{own} ,{{}}]")),
            (format!("[ {sealed} , {own}]"), format!("[  {own}]")),
            (format!("[{sealed},{sealed}]"), "[]".to_owned()),
            (format!("[{own}]"), format!("[{own}]")),
        ];
        for (input, expected) in rows {
            let body = Bytes::from(format!(r#"{{"model":"m","input":{input}}}"#));
            let scan = scan(&Call::chat(Dialect::Responses), &body).expect("must be a request");
            let after = apply(&body, scan.without_sealed(&body)).concat();
            assert_eq!(String::from_utf8_lossy(&after), format!(r#"{{"model":"m","input":{expected}}}"#));
        }
    }

    #[test]
    fn usage_is_asked_for_whatever_the_client_said() {
        assert_eq!(asking(r#"{"model":"m"}"#), r#"{"stream_options":{"include_usage":true},"model":"m"}"#);
        for empty in ["null", "{}", "{    }"] {
            let body = format!(r#"{{"model":"m","stream_options":{empty}}}"#);
            assert_eq!(asking(&body), r#"{"model":"m","stream_options":{"include_usage":true}}"#);
        }
        let other = asking(r#"{"model":"m","stream_options":{ "x":1}}"#);
        assert_eq!(other, r#"{"model":"m","stream_options":{"include_usage":true, "x":1}}"#);
        for said in ["false", "null"] {
            let body = format!(r#"{{"model":"m","stream_options":{{"include_usage": {said}}}}}"#);
            assert_eq!(asking(&body), r#"{"model":"m","stream_options":{"include_usage": true}}"#);
        }
        let asked = r#"{"stream_options":{"include_usage":true},"model":"m"}"#;
        assert_eq!(asking(asked), asked);
    }

    #[test]
    fn fixed_sampling_is_set_where_the_client_says_otherwise() {
        let fix = |body: &str| {
            spliced(body, |scan| scan.fix_sampling(body.as_bytes()).into_iter().map(|(edit, _)| Some(edit)).collect())
        };
        assert_eq!(
            fix(r#"{"model":"m","temperature": 0.2,"top_p":0.9}"#),
            r#"{"model":"m","temperature": 1,"top_p":1}"#
        );
        for same in [r#"{"model":"m","temperature":1.0,"top_p":null}"#, r#"{"model":"m"}"#] {
            assert_eq!(fix(same), same);
        }
    }

    fn fitted(body: &str, server: Server) -> (String, Vec<&'static str>) {
        let fit = |scan: &Scan| scan.fit(body.as_bytes(), &Manners::of(server));
        let scan = scan(&Call::chat(Dialect::OpenAI), body.as_bytes()).expect("must be a request");
        (spliced(body, |scan| fit(scan).0.into_iter().map(Some).collect()), fit(&scan).1)
    }

    #[test]
    fn hints_that_groq_refuses_are_cut_with_their_comma_and_named() {
        let body = r#"{"logprobs":true , "top_logprobs":2,"model":"m","logit_bias": {"1":2},"n":1,
            "messages":[{"role":"user","name":"a"},{"n\u0061me" : "b", "role":"user"},{"name":"c"},{"name":"d","name":"e"}],
            "tools":[{"name":"kept"}]}"#;
        let expected = r#"{ "model":"m","n":1,
            "messages":[{"role":"user"},{ "role":"user"},{},{}],
            "tools":[{"name":"kept"}]}"#;
        let named = vec!["logprobs", "top_logprobs", "logit_bias", "messages.name"];
        assert_eq!(fitted(body, Server::Groq), (expected.to_owned(), named));
        assert_eq!(fitted(body, Server::VLLM), (body.to_owned(), Vec::new()));
        let said_nothing = fitted(r#"{"model":"m","logprobs":false,"logit_bias":null}"#, Server::Groq);
        assert_eq!(said_nothing, (r#"{"model":"m"}"#.to_owned(), Vec::new()));
    }

    #[test]
    fn developers_are_the_system_where_the_server_does_not_know_them() {
        let body = r#"{"model":"m","messages":[{"role": "developer","content":"developer"},{"role":"user","content":[{"role":"developer"}]}]}"#;
        let expected = body.replace(r#""role": "developer""#, r#""role": "system""#);
        assert_eq!(fitted(body, Server::DeepSeek), (expected, Vec::new()));
        assert_eq!(fitted(body, Server::Fireworks).0, body);
    }

    #[test]
    fn what_an_id_carries_for_gemini_is_cut_for_others() {
        let body = r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c1--sig-QUJD","type":"function"}]},
            {"role":"tool","tool_call_id":"c1--sig-QUJD","content":"--sig-"},{"tool_call_id":"c2"}]}"#;
        assert_eq!(fitted(body, Server::VLLM), (body.replace("--sig-QUJD", ""), Vec::new()));
    }

    #[test]
    fn the_token_bound_gets_the_name_that_the_model_takes() {
        let rename = |body: &str| spliced(body, |scan| vec![scan.rename_max_tokens(Key::MaxCompletionTokens)]);
        assert_eq!(rename(r#"{"model":"m","max_tokens": 7}"#), r#"{"model":"m","max_completion_tokens": 7}"#);
        let both = r#"{"model":"m","max_tokens":7,"max_completion_tokens":8}"#;
        assert_eq!(rename(both), both);
        assert_eq!(rename(r#"{"model":"m"}"#), r#"{"model":"m"}"#);
    }

    /// Members of one object, which may have one name several times, in any order and with any space between them.
    fn members(all: &'static [&'static str]) -> impl Strategy<Value = String> {
        let member = (prop::sample::select(all), prop::sample::select(vec!["", " ", "\n\t"]));
        prop::collection::vec(member, 0..5).prop_map(|all| {
            let written = all.iter().map(|(member, space)| format!("{space}{member}{space}"));
            written.collect::<Vec<_>>().join(",")
        })
    }

    const MESSAGE: &[&str] = &[
        r#""name":"a""#,
        r#""n\u0061me" : "b""#,
        r#""role": "developer""#,
        r#""content":"\"name\": \"x\", ""#,
        r#""tool_call_id":"c--sig-QUJD""#,
        r#""tool_calls":[{"id":"c--sig-QUJD"}]"#,
    ];

    proptest! {
        #[test]
        fn what_is_cut_leaves_json_with_all_that_is_not_cut(
            head in prop::sample::subsequence(vec![r#""logprobs": true,"#, r#""x":[1],"#, r#""top_logprobs":2 , "#], 0..=3),
            messages in prop::collection::vec(members(MESSAGE), 0..3),
            tail in prop::sample::subsequence(vec![r#" ,"logit_bias":{"1":2}"#, r#", "y":",""#, r#","n":1"#], 0..=3),
        ) {
            let messages = messages.iter().map(|members| format!("{{{members}}}")).collect::<Vec<_>>().join(", ");
            let body = format!(r#"{{{}"model":"m","messages":[{messages}]{}}}"#, head.concat(), tail.concat());
            let manners = Manners { developer: false, ..Manners::of(Server::Groq) };
            let after = spliced(&body, |scan| scan.fit(body.as_bytes(), &manners).0.into_iter().map(Some).collect());
            let mut expected: Value = serde_json::from_str(&body).expect("must be JSON");
            let all = expected.as_object_mut().expect("must be an object");
            all.retain(|key, _| !["logprobs", "top_logprobs", "logit_bias"].contains(&key.as_str()));
            for message in all["messages"].as_array_mut().expect("must be a list") {
                message.as_object_mut().expect("must be an object").remove("name");
            }
            let expected = expected.to_string().replace("--sig-QUJD", "").replace(r#""role":"developer""#, r#""role":"system""#);
            let after = serde_json::from_str::<Value>(&after).map_err(|error| TestCaseError::fail(format!("{after}: {error}")))?;
            prop_assert_eq!(after, serde_json::from_str::<Value>(&expected).expect("must be JSON"));
        }

        #[test]
        fn edits_change_what_they_say_and_nothing_else(
            model in any::<String>(),
            text in any::<String>(),
            options in prop_oneof![Just(json!(null)), Just(json!({})), Just(json!({"include_usage": false, "x": [1]})), Just(json!({"y": {}}))],
        ) {
            let mut body = json!({"model": "old", "messages": [{"role": "user", "content": text}], "stream_options": options});
            let after = spliced(&body.to_string(), |scan| vec![scan.set_model(&model), scan.ask_for_usage()]);
            body["model"] = json!(model);
            if body["stream_options"].is_null() {
                body["stream_options"] = json!({});
            }
            body["stream_options"]["include_usage"] = json!(true);
            prop_assert_eq!(serde_json::from_str::<Value>(&after).expect("must be JSON"), body);
        }
    }
}
