//! Requests that are meant to hurt: each is a clear 4xx that names the place, or goes where it is harmless.

use penstock_llm::call::{Call, Form, InPath};
use penstock_llm::facts::{Facts, Provider};
use penstock_llm::scan::{Scan, scan};
use penstock_llm::translate::{Emitted, Target, request};
use penstock_llm::{Dialect, Error};

const TARGETS: [(Dialect, Provider, &str); 5] = [
    (Dialect::OpenAI, Provider::OpenAI, "gpt-4o"),
    (Dialect::Anthropic, Provider::Anthropic, "claude-opus-4-6"),
    (Dialect::Gemini, Provider::Gemini, "gemini-2.5-flash"),
    (Dialect::Mistral, Provider::Mistral, "mistral-large-latest"),
    (Dialect::Ollama, Provider::Ollama, "llama3.2"),
];

fn seen(body: impl AsRef<[u8]>) -> Result<Box<Scan>, Error> {
    scan(&Call::chat(Dialect::OpenAI), body.as_ref())
}

fn called(dialect: Dialect) -> Call {
    let path = (dialect == Dialect::Gemini).then(|| InPath { model: "m".into(), form: Form::Whole });
    Call { path, ..Call::chat(dialect) }
}

/// What every other dialect makes of a request.
fn translated(from: Dialect, body: &str) -> impl Iterator<Item = (Dialect, Result<Emitted, Error>)> {
    let others = TARGETS.into_iter().filter(move |(to, ..)| *to != from);
    others.map(move |(to, provider, model)| {
        let target = Target { dialect: to, model, facts: Facts::of(provider, model), ask_for_usage: false };
        (to, request(from, body.as_bytes(), &target))
    })
}

/// A 400, and the place that it names.
#[track_caller]
fn refused<T>(result: Result<T, Error>) -> String {
    let Err(error) = result else { panic!("it was taken") };
    let Error::BadRequest { message, param, .. } = &error else { panic!("{error:?}") };
    assert!(message.contains(param) && message.len() < 400, "{message}");
    param.clone()
}

fn with(value: &str) -> String {
    format!(r#"{{"model":"m","messages":[],"x":[0,{{"y":{value}}}]}}"#)
}

#[test]
fn json_that_is_nested_without_end_is_a_400_where_it_gets_too_deep() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let bomb = |n: usize| with(&format!("{}1{}", open.repeat(n), close.repeat(n)));
        assert!(seen(bomb(124)).is_ok());
        for n in [125, 1000, 1_000_000] {
            assert!(refused(seen(bomb(n))).starts_with("x[1].y"), "{n}");
        }
        assert!(refused(seen(open.repeat(5_000_000))).len() <= 160, "never closed");
    }
}

#[test]
fn numbers_of_any_size_pass_where_nobody_computes_with_them_and_are_a_400_where_penstock_does() {
    let long = "9".repeat(400);
    for number in ["1e999999", "-1e-999999", "1E+400", &long, "0.1e99999999999999999999"] {
        assert!(seen(with(number)).is_ok(), "{number}");
        assert!(seen(format!(r#"{{"model":"m","temperature":{number}}}"#)).is_ok(), "{number}");
        for key in ["max_tokens", "max_completion_tokens", "n"] {
            assert_eq!(refused(seen(format!(r#"{{"model":"m","{key}":{number}}}"#))), key, "{number}");
        }
    }
    for number in ["1e", "1e+", "--1", "0x10", "1.", ".5", "01", "NaN", "Infinity"] {
        assert!(refused(seen(with(number))).starts_with("x[1]"), "{number}");
    }
}

#[test]
fn half_a_surrogate_pair_is_a_400_in_a_value_and_in_a_key() {
    for text in [r#""\ud800""#, r#""a\udc00b""#, r#""\ud800\u0041""#, r#""\ud83d\ud83d""#, r#""\uD8""#, r#""\ud83d"#] {
        assert_eq!(refused(seen(with(text))), "x[1].y", "{text}");
    }
    assert_eq!(refused(seen(r#"{"model":"m","x":{"\udc00":1}}"#)), "x");
    assert!(seen(with(r#""\ud83d\ude00""#)).is_ok());
}

#[test]
fn a_governed_key_given_twice_is_a_400_and_another_is_the_provider_s_business() {
    assert_eq!(refused(seen(r#"{"model":"m","model":"n"}"#)), "model");
    assert_eq!(refused(seen(r#"{"model":"m","max_tokens":1,"\u006dax_tokens":2}"#)), "max_tokens");
    let within = r#"{"model":"m","stream_options":{"include_usage":true,"include_\u0075sage":false}}"#;
    assert_eq!(refused(seen(within)), "stream_options.include_usage");
    assert!(seen(r#"{"model":"m","x":1,"x":2,"messages":[{"role":"user","role":"system"}]}"#).is_ok());
}

#[test]
fn bytes_that_are_no_text_are_a_400_at_their_place() {
    let around = |bytes: &[u8]| [br#"{"model":"m","messages":[{"content":""#, bytes, br#""}]}"#].concat();
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"] {
        assert_eq!(refused(seen(around(bytes))), "messages[0].content", "{bytes:?}");
    }
    assert_eq!(refused(seen(around(b"\0"))), "messages[0].content", "a NUL must be escaped");
    assert!(seen(around(br"\u0000")).is_ok());
    for bytes in [&b"\xef\xbb\xbf{\"model\":\"m\"}"[..], b"\0", b"{\"model\":\"m\"}\0", b"", b"\xff\xfe{\0"] {
        refused(seen(bytes));
    }
}

#[test]
fn base64_that_is_none_is_a_400_that_names_it_when_it_is_translated() {
    let openai = |part: &str| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{{"role":"user","content":[{part}]}}]}}"#)
    };
    let anthropic =
        |block: &str| format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{block}]}}]}}"#);
    let rows = [
        (
            Dialect::OpenAI,
            openai(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,%%%"}}"#),
            "messages[1].content[0].image_url.url",
        ),
        (
            Dialect::OpenAI,
            openai(r#"{"type":"image_url","image_url":"data:image/png;base64,a b"}"#),
            "messages[1].content[0].image_url",
        ),
        (
            Dialect::OpenAI,
            openai(r#"{"type":"image_url","image_url":{"url":"data:image/png,abc"}}"#),
            "messages[1].content[0].image_url.url",
        ),
        (
            Dialect::OpenAI,
            openai(r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,é"}}"#),
            "messages[1].content[0].file.file_data",
        ),
        (
            Dialect::OpenAI,
            openai(r#"{"type":"file","file":{"file_data":"no base64"}}"#),
            "messages[1].content[0].file.file_data",
        ),
        (
            Dialect::Anthropic,
            anthropic(r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"!"}}"#),
            "messages[0].content[0].source.data",
        ),
        (
            Dialect::Anthropic,
            anthropic(
                r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"\u0000"}}"#,
            ),
            "messages[0].content[0].source.data",
        ),
    ];
    let gemini = r#"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"%"}}]}]}"#;
    let gemini = (Dialect::Gemini, gemini.to_owned(), "contents[0].parts[0].inlineData.data");
    for (from, body, place) in rows.into_iter().chain([gemini]) {
        assert!(scan(&called(from), body.as_bytes()).is_ok(), "the provider of the same dialect judges it");
        translated(from, &body).for_each(|(_, result)| assert_eq!(refused(result), place, "{body}"));
    }
}

#[test]
fn a_tool_result_without_its_call_is_a_400_that_names_it_when_it_is_translated() {
    let openai = r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,
        "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"1"},{"role":"tool","tool_call_id":"c2","content":"2"}]}"#;
    let anthropic = r#"{"model":"m","max_tokens":1,"system":"s","messages":[{"role":"user","content":"a"},
        {"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1"},{"type":"tool_result","tool_use_id":"c2"}]}]}"#;
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"a"}]},
        {"role":"user","parts":[{"functionResponse":{"id":"c2","name":"f","response":{}}}]}]}"#;
    for (from, body, place) in [
        (Dialect::OpenAI, openai, "messages[3].tool_call_id"),
        (Dialect::Anthropic, anthropic, "messages[2].content[1]"),
        (Dialect::Gemini, gemini, "contents[1].parts[0].functionResponse"),
    ] {
        assert!(scan(&called(from), body.as_bytes()).is_ok(), "the provider of the same dialect judges it");
        translated(from, body).for_each(|(to, result)| assert_eq!(refused(result), place, "{to:?}"));
    }
}

#[test]
fn as_many_tools_calls_and_results_as_a_body_holds_are_translated_in_one_go() {
    const MANY: usize = 20_000;
    let list = |item: fn(usize) -> String| (0..MANY).map(item).collect::<Vec<_>>().join(",");
    let body = format!(
        r#"{{"model":"m","tools":[{}],"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","tool_calls":[{}]}},{},{},{}]}}"#,
        list(|n| format!(r#"{{"type":"function","function":{{"name":"same name é {n} {:0>120}"}}}}"#, n)),
        list(|n| format!(r#"{{"id":"call {n}","type":"function","function":{{"name":"f.{n}"}}}}"#)),
        list(|n| format!(r#"{{"role":"user","content":"{n}"}}"#)),
        list(|n| format!(r#"{{"role":"tool","tool_call_id":"call {n}","content":""}}"#)),
        list(|n| format!(r#"{{"role":"tool","tool_call_id":"call {}","content":""}}"#, MANY - 1 - n)),
    );
    for (to, result) in translated(Dialect::OpenAI, &body) {
        let emitted = result.unwrap_or_else(|error| panic!("{to:?}: {error}"));
        assert!(emitted.body.len() < 4 * body.len(), "{to:?}");
    }
}

#[test]
fn schemas_that_refer_to_themselves_in_every_way_stay_in_proportion() {
    let defs = (1..12)
        .map(|n| format!(r##""d{n}":{{"anyOf":[{{"$ref":"#/$defs/d{}"}},{{"$ref":"#/$defs/d{}"}}]}}"##, n - 1, n - 1));
    let defs = defs.collect::<Vec<_>>().join(",");
    let words = "w".repeat(2000);
    let schema =
        format!(r##"{{"$ref":"#/$defs/d11","$defs":{{"d0":{{"type":"string","description":"{words}"}},{defs}}}}}"##);
    let tools =
        (0..100).map(|n| format!(r#"{{"type":"function","function":{{"name":"f{n}","parameters":{schema}}}}}"#));
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}],"tools":[{}]}}"#,
        tools.collect::<Vec<_>>().join(",")
    );
    for (to, result) in translated(Dialect::OpenAI, &body) {
        let emitted = result.unwrap_or_else(|error| panic!("{to:?}: {error}"));
        assert!(emitted.body.len() < 32 * body.len(), "{to:?}: {} of {}", emitted.body.len(), body.len());
    }
}
