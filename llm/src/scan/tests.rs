use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::call::{Form, InPath, Operation};
use crate::splice;

fn scanned(body: &str) -> Box<Scan> {
    scan(&Call::chat(Dialect::OpenAI), body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn refused(body: &str) -> (String, Option<usize>) {
    match scan(&Call::chat(Dialect::OpenAI), body.as_bytes()) {
        Err(Error::BadRequest { param, offset, .. }) => (param, offset),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn governed_members_are_read_wherever_they_stand() {
    let seen = scanned(
        r#" {"messages":[{"role":"user","content":"hé\n"}],"max_tokens":5,"stream":true,"n":2,"max_completion_tokens":7,
        "stream_options":{"include_usage":true},"service_tier":"flex","user":"u","tools":[{}],"reasoning_effort":"low",
        "response_format":{"type":"json_object"},"model":"m"} "#,
    );
    assert_eq!((seen.model.as_str(), seen.stream, seen.include_usage), ("m", true, Some(true)));
    assert_eq!((seen.max_tokens, seen.choices, seen.tools), (Some(7), 2, true));
    assert_eq!((seen.service_tier.as_deref(), seen.user.as_deref()), (Some("flex"), Some("u")));
    assert!(seen.reasons && seen.structured);
    assert_eq!(seen.state, None);
}

#[test]
fn a_member_s_span_is_its_bytes() {
    let body = r#"{ "x" : 1 , "m\u006fdel" :  "a\"b" }"#;
    let member = scanned(body).member(Key::Model).expect("must be there");
    assert_eq!(&body[member.key.start..member.key.end], r#""m\u006fdel""#);
    assert_eq!(&body[member.value.start..member.value.end], r#""a\"b""#);
    assert_eq!(scanned(body).model, "a\"b");
}

#[test]
fn a_governed_key_given_twice_is_a_400_also_when_one_is_escaped() {
    for key in Key::ALL {
        let name = key.name();
        let escaped = format!("\\u{:04x}{}", u32::from(name.as_bytes()[0]), &name[1..]);
        for second in [name, escaped.as_str()] {
            let body = format!(r#"{{"model":"m","{name}":null,"{second}":null}}"#);
            let body = if key == Key::Model { format!(r#"{{"model":"m","{second}":"n"}}"#) } else { body };
            let (param, offset) = refused(&body);
            assert_eq!(param, name, "{body}");
            assert!(offset.is_some());
        }
    }
    assert_eq!(scanned(r#"{"model":"m","other":1,"other":2}"#).model, "m", "other keys are the provider's business");
}

#[test]
fn a_malformed_body_is_a_400_with_path_and_byte() {
    let rows = [
        ("", "", 0),
        ("[]", "", 0),
        ("\"model\"", "", 0),
        ("{}", "", 0),
        (r#"{"model":7}"#, "model", 9),
        (r#"{"model":""}"#, "model", 9),
        (r#"{"model":"m","stream":1}"#, "stream", 22),
        (r#"{"model":"m","n":0}"#, "n", 17),
        (r#"{"model":"m","n":129}"#, "n", 17),
        (r#"{"model":"m","max_tokens":-1}"#, "max_tokens", 26),
        (r#"{"model":"m","max_tokens":1.5}"#, "max_tokens", 26),
        (r#"{"model":"m","messages":[{"content":tru}]}"#, "messages[0].content", 36),
        (r#"{"model":"m"} x"#, "", 14),
        (r#"{"model":"m","user":7}"#, "user", 20),
    ];
    for (body, param, offset) in rows {
        assert_eq!(refused(body), (param.to_owned(), Some(offset)), "{body}");
    }
}

#[test]
fn text_is_counted_decoded_and_apart_from_base64_and_keys_count_in_tools_only() {
    let text = |member: &str| scanned(&format!(r#"{{"model":"mmmm",{member}}}"#)).text_bytes;
    assert_eq!(text(r#""messages":[{"role":"user","content":"h\u00e9\n"}]"#), 4 + 4);
    assert_eq!(text(r#""tools":[{"abc":{"de":"f"}}]"#), 6);
    let png = "iVBORw0KGgo".repeat(20);
    assert_eq!(text(&format!(r#""x":{{"url":"data:image/png;base64,{png}"}}"#)), 0);
    assert_eq!(text(&format!(r#""x":{{"data":"{png}"}}"#)), 0);
    assert_eq!(text(&format!(r#""x":{{"text":"{png}"}}"#)), png.len(), "only some keys hold bare base64");
    assert_eq!(text(r#""x":{"data":"short"}"#), 5);
}

#[test]
fn pictures_documents_and_sounds_are_counted() {
    let body = r#"{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}},
        {"type":"input_audio","input_audio":{"data":""}},{"type":"file","file":{"file_data":""}}]}]}"#;
    assert_eq!(scanned(body).media, 3);
    let body = br#"{"model":"m","messages":[{"content":[{"type":"image","source":{"type":"url"}}]}]}"#;
    assert_eq!(scan(&Call::chat(Dialect::Anthropic), body).map(|seen| seen.media), Ok(1));
}

#[test]
fn references_to_state_are_found_at_any_depth_outside_strings_and_schemas() {
    let state =
        |dialect: Dialect, body: &str| scan(&Call::chat(dialect), body.as_bytes()).expect("must be valid").state;
    let openai = [
        (r#"{"model":"m","previous_response_id":"r"}"#, Some("previous_response_id")),
        (
            r#"{"model":"m","messages":[{"content":[{"file":{"f\u0069le_id":"x"}}]}]}"#,
            Some("messages[0].content[0].file.file_id"),
        ),
        (r#"{"model":"m","messages":[{"audio":{"id":"a"}}]}"#, Some("messages[0].audio")),
        (r#"{"model":"m","audio":{"voice":"alloy"}}"#, None),
        (r#"{"model":"m","background":false,"conversation":null,"file_ids":[]}"#, None),
        (r#"{"model":"m","messages":[{"content":"\"file_id\": \"x\""}]}"#, None),
        (r#"{"model":"m","tools":[{"function":{"parameters":{"properties":{"file_id":{"type":"string"}}}}}]}"#, None),
        (r#"{"model":"m","metadata":{"container":"x"}}"#, None),
    ];
    for (body, expected) in openai {
        assert_eq!(state(Dialect::OpenAI, body).as_deref(), expected, "{body}");
    }
    let anthropic = [
        (r#"{"model":"m","container":"c"}"#, Some("container")),
        (r#"{"model":"m","thread":{"type":"create"}}"#, Some("thread")),
        (r#"{"model":"m","thread":null,"messages":[{"thread":"x"}]}"#, None),
    ];
    for (body, expected) in anthropic {
        assert_eq!(state(Dialect::Anthropic, body).as_deref(), expected, "{body}");
    }
}

#[test]
fn the_user_is_in_metadata_for_anthropic_and_beside_it_for_openai() {
    let user = |dialect: Dialect, body: &str| scan(&Call::chat(dialect), body.as_bytes()).expect("must be valid").user;
    let metadata = r#"{"model":"m","metadata":{"user_id":"u"}}"#;
    assert_eq!(user(Dialect::Anthropic, metadata).as_deref(), Some("u"));
    assert_eq!(user(Dialect::OpenAI, metadata), None);
    for body in
        [r#"{"model":"m","safety_identifier":"s","user":"u"}"#, r#"{"model":"m","user":"u","safety_identifier":"s"}"#]
    {
        assert_eq!(user(Dialect::OpenAI, body).as_deref(), Some("u"));
    }
    assert_eq!(user(Dialect::OpenAI, r#"{"model":"m","safety_identifier":"s"}"#).as_deref(), Some("s"));
    let twice = br#"{"model":"m","metadata":{"user_id":"u","user\u005fid":"v"}}"#;
    assert!(scan(&Call::chat(Dialect::Anthropic), twice).is_err());
}

#[test]
fn a_request_reasons_or_has_tools_only_if_it_says_so() {
    for (member, reasons) in [
        (r#""reasoning_effort":"none""#, false),
        (r#""reasoning_effort":null"#, false),
        (r#""reasoning_effort":"high""#, true),
        (r#""thinking":{"type":"disabled"}"#, false),
        (r#""thinking":{"type":"adaptive"}"#, true),
        (r#""output_config":{"format":{}}"#, false),
        (r#""output_config":{"effort":"low"}"#, true),
    ] {
        assert_eq!(scanned(&format!(r#"{{"model":"m",{member}}}"#)).reasons, reasons, "{member}");
    }
    for (tools, some) in [("null", false), ("[]", false), ("[ \n]", false), ("[{}]", true), ("[ {} ]", true)] {
        assert_eq!(scanned(&format!(r#"{{"model":"m","tools":{tools}}}"#)).tools, some, "{tools}");
    }
}

#[test]
fn texts_and_tokens_of_other_operations_are_counted() {
    let seen = |operation, body: &str| {
        let seen = scan(&Call::new(Dialect::OpenAI, operation), body.as_bytes()).expect("must be valid");
        (seen.text_bytes, seen.tokens, seen.choices)
    };
    let rows = [
        (Operation::Embeddings, r#""input":"ab""#, (2, 0, 1)),
        (Operation::Embeddings, r#""input":["ab","c"],"dimensions":3"#, (3, 0, 1)),
        (Operation::Embeddings, r#""input":[1,2,3]"#, (0, 3, 1)),
        (Operation::Embeddings, r#""input":[[1,2],[3]],"n":1"#, (0, 3, 1)),
        (Operation::Completions, r#""prompt":"ab","n":2"#, (2, 0, 2)),
        (Operation::Completions, r#""n":2,"prompt":["ab","c","d"]"#, (4, 0, 6)),
        (Operation::Completions, r#""prompt":[1,2],"n":2"#, (0, 2, 2)),
        (Operation::Completions, r#""prompt":[[1],[2]]"#, (0, 2, 2)),
        (Operation::Completions, r#""prompt":[]"#, (0, 0, 1)),
        (Operation::Chat, r#""prompt":["a","b"]"#, (2, 0, 1)),
    ];
    for (operation, members, expected) in rows {
        assert_eq!(seen(operation, &format!(r#"{{"model":"m",{members}}}"#)), expected, "{members}");
    }
}

#[test]
fn vectors_and_counts_do_not_stream_whatever_the_body_says() {
    let body = br#"{"model":"m","stream":true}"#;
    let streams = |operation| scan(&Call::new(Dialect::OpenAI, operation), body).expect("must be valid").stream;
    assert!(streams(Operation::Chat) && streams(Operation::Completions));
    assert!(!streams(Operation::Embeddings) && !streams(Operation::CountTokens));
}

#[test]
fn base64_is_wanted_only_where_it_is_said() {
    for (format, base64) in [("\"base64\"", true), ("\"float\"", false), ("null", false)] {
        let body = format!(r#"{{"model":"m","encoding_format":{format}}}"#);
        assert_eq!(scanned(&body).base64, base64, "{format}");
    }
}

#[test]
fn a_model_that_a_gemini_body_names_is_the_one_of_the_path_whatever_it_says() {
    let rows = [
        (
            Operation::BatchEmbeddings,
            r#"{"requests":[{"model":"models/x","content":{"model":"y"}},{"content":{}},{"m\u006fdel" : "z"}]}"#,
            r#"{"requests":[{"model":"models/t","content":{"model":"y"}},{"content":{}},{"m\u006fdel" : "models/t"}]}"#,
        ),
        (Operation::Embeddings, r#"{"model":"x","content":{}}"#, r#"{"model":"models/t","content":{}}"#),
        (
            Operation::CountTokens,
            r#"{"generateContentRequest":{"contents":[],"model":"models/x"}}"#,
            r#"{"generateContentRequest":{"contents":[],"model":"models/t"}}"#,
        ),
        (Operation::CountTokens, r#"{"contents":[{"model":"x"}]}"#, r#"{"contents":[{"model":"x"}]}"#),
    ];
    for (operation, body, expected) in rows {
        let path = InPath { model: "asked".into(), form: Form::Whole };
        let call = Call { path: Some(path), ..Call::new(Dialect::Gemini, operation) };
        let seen = scan(&call, body.as_bytes()).expect("must be valid");
        let pieces = splice::apply(&Bytes::copy_from_slice(body.as_bytes()), seen.set_models("t"));
        assert_eq!(String::from_utf8_lossy(&pieces.concat()), expected);
        assert_eq!(seen.model, "asked");
    }
    let twice = br#"{"requests":[{"model":"a","m\u006fdel":"b"}]}"#;
    let path = InPath { model: "asked".into(), form: Form::Whole };
    let call = Call { path: Some(path), ..Call::new(Dialect::Gemini, Operation::BatchEmbeddings) };
    assert!(scan(&call, twice).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(text_bytes).sum(),
        Value::Object(members) => members.values().map(text_bytes).sum(),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn a_scan_sees_the_values_that_serde_json_sees(
        model in ".+", stream in any::<Option<bool>>(), max in any::<Option<u64>>(), n in 1_u64..129, user in any::<Option<String>>(),
        messages in value(), pretty in any::<bool>(),
    ) {
        let body = json!({"model": model, "stream": stream, "max_tokens": max, "n": n, "user": user, "messages": messages});
        let bytes = if pretty { serde_json::to_vec_pretty(&body) } else { serde_json::to_vec(&body) }.expect("must serialise");
        let seen = scan(&Call::chat(Dialect::OpenAI), &bytes).expect("must be valid");
        prop_assert_eq!(&seen.model, &model);
        prop_assert_eq!((seen.stream, seen.max_tokens, seen.choices), (stream.unwrap_or(false), max, n));
        prop_assert_eq!(&seen.user, &user);
        prop_assert_eq!(seen.text_bytes, text_bytes(&messages));
        let span = seen.member(Key::Messages).expect("must be there").value;
        prop_assert_eq!(serde_json::from_slice::<Value>(&bytes[span.start..span.end]).expect("must be JSON"), messages);
    }

    // Whatever is put behind the exponent, an f64 holds it: of numbers that none holds, the scan passes what serde_json
    // refuses.
    #[test]
    fn a_scan_agrees_with_serde_json_on_validity(
        pieces in proptest::collection::vec(prop_oneof![
            Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\"a\""), Just("\""), Just("12"), Just("-0.5e-1"), Just("-"),
            Just("null"), Just("true"), Just("\\ud83d"), Just("\\ude00"), Just("\\n"), Just("\\"), Just(" "), Just("é"), Just("\u{7}")], 0..10)
    ) {
        let body = format!(r#"{{"model":"m","x":{}}}"#, pieces.concat());
        prop_assert_eq!(scan(&Call::chat(Dialect::OpenAI), body.as_bytes()).is_ok(), serde_json::from_str::<Value>(&body).is_ok(), "{}", body);
    }

    #[test]
    fn one_wrong_byte_is_never_taken_for_json(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = br#"{"model":"m\u00e9","messages":[{"role":"user","content":"a\n"}],"n":1,"x":[1.5e3,true,null,{}]}"#.to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        for dialect in [Dialect::OpenAI, Dialect::Anthropic] {
            prop_assert!(scan(&Call::chat(dialect), &body).is_err() || serde_json::from_slice::<Value>(&body).is_ok());
        }
    }

    #[test]
    fn any_bytes_at_all_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for dialect in [Dialect::OpenAI, Dialect::Anthropic] {
            prop_assert!(scan(&Call::chat(dialect), &bytes).is_err(), "no model can stand in so few random bytes");
        }
    }
}

#[test]
fn thoughts_that_only_name_what_is_stored_are_found() {
    let found = |item: &str| {
        let body = format!(r#"{{"model":"m","input":[{{"role":"user","content":"hi"}},{item}]}}"#);
        let seen = scan(&Call::chat(Dialect::Responses), body.as_bytes()).expect("must be valid");
        assert_eq!(seen.state, None, "{item}");
        seen.stored_thoughts
    };
    for named in [
        r#"{"type":"reasoning","id":"rs_1","summary":[]}"#,
        r#"{"summary":[ ],"id":"rs_1","encrypted_content":null,"type":"reasoning"}"#,
    ] {
        assert_eq!(found(named).as_deref(), Some("input[1].id"), "{named}");
    }
    for told in [
        r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}]}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]}"#,
        r#"{"type":"reasoning","summary":[]}"#,
        r#"{"type":"message","id":"msg_1","role":"assistant","content":[]}"#,
    ] {
        assert_eq!(found(told), None, "{told}");
    }
}
