//! Vectors between the dialects. The names say the rules.

use serde_json::{Value, json};

use super::*;
use crate::call::InPath;
use crate::call::{Form, Reader as AnswerReader};
use crate::classify::ErrorKind;
use crate::facts::{Facts, Provider};
use crate::relay::Client;

fn openai() -> Call {
    Call::new(Dialect::OpenAI, Operation::Embeddings)
}

fn gemini(operation: Operation) -> Call {
    let path = InPath { model: "m".into(), form: Form::Whole };
    Call { path: Some(path), ..Call::new(Dialect::Gemini, operation) }
}

fn target(dialect: Dialect) -> Target<'static> {
    Target { dialect, model: "vec", facts: Facts::of(Provider::OpenAI, "vec"), ask_for_usage: false }
}

fn sent(call: &Call, to: Dialect, body: &Value) -> (Value, Vec<String>) {
    let emitted = call.request(body.to_string().as_bytes(), &target(to)).expect("must be translated");
    let dropped = emitted.dropped.iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&emitted.body).expect("must be JSON"), dropped)
}

fn refused(call: &Call, to: Dialect, body: &Value) -> (u16, String) {
    let error = call.request(body.to_string().as_bytes(), &target(to)).expect_err("must be refused");
    (error.status(), error.param().unwrap_or_default().to_owned())
}

fn answered(call: &Call, base64: bool, upstream: Dialect, body: &str) -> Result<Answer, UpstreamError> {
    let client = Client { dialect: call.dialect, include_usage: false, choices: 1, now: 1 };
    let reader = AnswerReader { client: &client, names: &Names::default(), base64, model: "vec" };
    call.answer(upstream, &reader, body.as_bytes())
}

fn told(call: &Call, base64: bool, upstream: Dialect, body: &Value) -> (Option<Value>, Usage) {
    let answer = answered(call, base64, upstream, &body.to_string()).expect("must be an answer");
    (answer.body.map(|body| serde_json::from_slice(&body).expect("must be JSON")), answer.usage)
}

/// 1, -2.5 and 0.1, as OpenAI encodes them.
const ENCODED: &str = "AACAPwAAIMDNzMw9";

fn gemini_answer() -> Value {
    json!({"embeddings": [{"values": [1, -2.5, 0.1]}, {"values": [3e-1]}]})
}

#[test]
fn embeddings_input_is_a_string_strings_tokens_or_token_lists() {
    let inputs = |input: Value| {
        let body = json!({"model": "m", "input": input}).to_string();
        openai::embeddings::parse_request(body.as_bytes())
            .map(|request| format!("{:?}", request.inputs))
            .map_err(|fault| crate::json::path_at(body.as_bytes(), fault.at))
    };
    let rows = [
        (json!("a\n"), Ok(r#"[Text("a\n")]"#)),
        (json!(["a", "b"]), Ok(r#"[Text("a"), Text("b")]"#)),
        (json!([1, 22]), Ok(r#"[Tokens(Raw("[1,22]"))]"#)),
        (json!([[1, 22], [3]]), Ok(r#"[Tokens(Raw("[1,22]")), Tokens(Raw("[3]"))]"#)),
        (json!(["a", [1]]), Ok(r#"[Text("a"), Tokens(Raw("[1]"))]"#)),
        (json!([]), Err("input")),
        (json!(null), Err("input")),
        (json!({}), Err("input")),
        (json!([1, "a"]), Err("input[1]")),
        (json!(["a", 1.5]), Err("input[1]")),
        (json!([[1, -1]]), Err("input[0][1]")),
    ];
    for (input, expected) in rows {
        assert_eq!(inputs(input.clone()), expected.map(str::to_owned).map_err(str::to_owned), "{input}");
    }
    assert_eq!(refused(&openai(), Dialect::Gemini, &json!({"model": "m"})), (400, String::new()));
}

#[test]
fn openai_s_clients_ask_gemini_in_one_batch() {
    let body = json!({"model": "m", "input": ["a", "b"], "dimensions": 256, "encoding_format": "base64", "user": "u",
        "odd": 1, "null": null});
    let one = |text: &str| {
        json!({"model": "models/vec", "content": {"parts": [{"text": text}]},
        "outputDimensionality": 256})
    };
    let (request, dropped) = sent(&openai(), Dialect::Gemini, &body);
    assert_eq!(request, json!({"requests": [one("a"), one("b")]}));
    assert_eq!(dropped, ["user", "odd"]);
}

#[test]
fn openai_s_clients_ask_mistral_for_what_it_knows_only() {
    let body = json!({"model": "m", "input": "a", "dimensions": 256, "encoding_format": "base64", "user": "u",
        "output_dtype": "int8", "odd": 1});
    let (request, dropped) = sent(&openai(), Dialect::Mistral, &body);
    assert_eq!(request, json!({"model": "vec", "input": ["a"], "output_dimension": 256, "output_dtype": "int8"}));
    assert_eq!(dropped, ["user", "odd"]);
}

#[test]
fn ollama_is_told_not_to_cut_what_is_too_long() {
    let body = json!({"model": "m", "input": "a", "dimensions": 256, "encoding_format": "base64", "keep_alive": "5m"});
    let (request, dropped) = sent(&openai(), Dialect::Ollama, &body);
    let expected = json!({"model": "vec", "input": ["a"], "dimensions": 256, "keep_alive": "5m", "truncate": false});
    assert_eq!((request, dropped), (expected, Vec::new()));
    let answer = json!({"model": "vec:latest", "embeddings": [[1, -2.5, 0.1]], "prompt_eval_count": 4});
    let (body, usage) = told(&openai(), true, Dialect::Ollama, &answer);
    let body = body.expect("must be written");
    assert_eq!((&body["data"][0]["embedding"], &body["model"]), (&json!(ENCODED), &json!("vec:latest")));
    assert_eq!(usage.input, Some(4));
}

#[test]
fn tokens_mean_nothing_to_a_target_that_takes_texts() {
    for input in [json!([1, 2]), json!([[1], [2]]), json!(["a", [2]])] {
        for to in [Dialect::Gemini, Dialect::Mistral, Dialect::Ollama] {
            let body = json!({"model": "m", "input": input});
            assert_eq!(refused(&openai(), to, &body), (422, "input".to_owned()), "{input} to {to:?}");
        }
    }
}

#[test]
fn a_provider_without_embeddings_is_a_422_that_says_so() {
    let body = json!({"model": "m", "input": "a"});
    assert_eq!(refused(&openai(), Dialect::Anthropic, &body), (422, "model".to_owned()));
}

#[test]
fn embeddings_embed_content_and_batch_embed_contents() {
    let one = json!({"content": {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}, "taskType": "RETRIEVAL_QUERY",
        "title": "t", "outputDimensionality": 8});
    let expected = json!({"model": "vec", "input": ["ab"], "dimensions": 8, "encoding_format": "float"});
    let (request, dropped) = sent(&gemini(Operation::Embeddings), Dialect::OpenAI, &one);
    assert_eq!((request, dropped), (expected, vec!["taskType".to_owned(), "title".to_owned()]));

    let item = |text: &str| {
        json!({"model": "models/m", "content": {"parts": [{"text": text}]},
        "embed_content_config": {"output_dimensionality": 8, "auto_truncate": false}})
    };
    let batch = json!({"requests": [item("a"), item("b")]});
    let (request, dropped) = sent(&gemini(Operation::BatchEmbeddings), Dialect::Mistral, &batch);
    assert_eq!(request, json!({"model": "vec", "input": ["a", "b"], "output_dimension": 8}));
    assert_eq!(dropped, ["autoTruncate"]);
}

#[test]
fn what_cannot_be_said_of_gemini_s_requests_names_its_place() {
    let batch = |requests: Value| json!({"requests": requests});
    let text = |text: &str, dimensions: u64| json!({"content": {"parts": [{"text": text}]}, "outputDimensionality": dimensions});
    let picture = json!({"content": {"parts": [{"text": "a"}, {"inlineData": {"data": ""}}]}});
    let rows = [
        (batch(json!([text("a", 1), text("b", 2)])), 422, "requests[1]"),
        (batch(json!([picture])), 422, "requests[0].content.parts[1]"),
        (batch(json!([{"model": "m"}])), 400, "requests[0]"),
        (batch(json!([])), 400, ""),
        (batch(json!({})), 400, "requests"),
        (json!({"content": {"parts": [{"text": "a"}]}}), 400, ""),
    ];
    for (body, status, place) in rows {
        let call = gemini(Operation::BatchEmbeddings);
        assert_eq!(refused(&call, Dialect::OpenAI, &body), (status, place.to_owned()), "{body}");
    }
}

#[test]
fn gemini_s_vectors_are_numbers_or_base64_as_the_client_of_openai_wants() {
    let expected = |first: Value, second: Value| {
        let datum = |index: u64, embedding| json!({"object": "embedding", "index": index, "embedding": embedding});
        json!({"object": "list", "data": [datum(0, first), datum(1, second)], "model": "vec",
            "usage": {"prompt_tokens": 0, "total_tokens": 0}})
    };
    let (body, usage) = told(&openai(), false, Dialect::Gemini, &gemini_answer());
    assert_eq!(body, Some(expected(json!([1, -2.5, 0.1]), json!([0.3]))));
    assert_eq!(usage, Usage::default(), "absent is not zero");
    let (body, _) = told(&openai(), true, Dialect::Gemini, &gemini_answer());
    assert_eq!(body, Some(expected(json!(ENCODED), json!("mpmZPg=="))));
}

#[test]
fn usage_is_told_where_it_is_given() {
    let mut answer = gemini_answer();
    answer["usageMetadata"] = json!({"promptTokenCount": 7, "totalTokenCount": 7});
    let (body, usage) = told(&openai(), false, Dialect::Gemini, &answer);
    assert_eq!(body.expect("must be written")["usage"], json!({"prompt_tokens": 7, "total_tokens": 7}));
    assert_eq!(usage.input, Some(7));
}

#[test]
fn base64_output_stays_a_string() {
    let answer = json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": ENCODED}],
        "model": "m-1", "usage": {"prompt_tokens": 3, "total_tokens": 3}});
    for base64 in [true, false] {
        let (body, usage) = told(&openai(), base64, Dialect::OpenAI, &answer);
        assert_eq!((body, usage.input), (None, Some(3)), "it goes as it came");
    }
    let (body, _) = told(&openai(), true, Dialect::Mistral, &answer);
    assert_eq!(body.expect("must be written")["data"][0]["embedding"], ENCODED);
}

#[test]
fn base64_that_nobody_asked_for_becomes_numbers_across_dialects() {
    let answer = json!({"data": [{"index": 0, "embedding": ENCODED}], "model": "m-1"});
    let (body, _) = told(&gemini(Operation::Embeddings), false, Dialect::OpenAI, &answer);
    assert_eq!(body, Some(json!({"embedding": {"values": [1, -2.5, 0.1]}})));
    for none in ["AAAA", "%%%%", "AADAfw=="] {
        let answer = json!({"data": [{"index": 0, "embedding": none}]}).to_string();
        let error = answered(&gemini(Operation::Embeddings), false, Dialect::OpenAI, &answer).expect_err("must fail");
        assert_eq!(error.kind, ErrorKind::ServerError, "{none}");
    }
}

#[test]
fn numbers_of_a_server_that_knows_no_base64_are_encoded_and_all_else_stays() {
    let answer =
        r#"{ "x":1.50,"data":[ {"embedding": [1, -2.5,0.1],"index":1},{"index":0,"embedding":[3e-1] }],"model":"m"} "#;
    let expected = format!(
        r#"{{ "x":1.50,"data":[ {{"embedding": "{ENCODED}","index":1}},{{"index":0,"embedding":"mpmZPg==" }}],"model":"m"}} "#
    );
    let body = answered(&openai(), true, Dialect::OpenAI, answer).expect("must be an answer").body;
    assert_eq!(body.map(|body| String::from_utf8(body).expect("must be UTF-8")), Some(expected));
    let body = answered(&openai(), false, Dialect::OpenAI, answer).expect("must be an answer").body;
    assert_eq!(body, None);
}

#[test]
fn vectors_stand_in_the_order_of_their_inputs() {
    let answer = json!({"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}], "model": "m-1",
        "usage": {"prompt_tokens": 5, "total_tokens": 5}});
    let (body, usage) = told(&gemini(Operation::BatchEmbeddings), false, Dialect::OpenAI, &answer);
    let usage_metadata = json!({"promptTokenCount": 5, "totalTokenCount": 5});
    assert_eq!(body, Some(json!({"embeddings": [{"values": [1]}, {"values": [2]}], "usageMetadata": usage_metadata})));
    assert_eq!(usage.input, Some(5));
}

#[test]
fn an_answer_without_vectors_or_with_an_error_is_a_failure() {
    let rows = [
        (Dialect::OpenAI, r#"{"error":{"message":"slow","type":"rate_limit_error"}}"#, ErrorKind::RateLimit),
        (Dialect::Mistral, r#"{"object":"error","message":"m","type":"invalid","code":500}"#, ErrorKind::ServerError),
        (Dialect::Gemini, r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]"#, ErrorKind::RateLimit),
        (Dialect::Gemini, r#"{"embeddings":[]}"#, ErrorKind::ServerError),
        (Dialect::Ollama, r#"{"model":"vec","embeddings":[]}"#, ErrorKind::ServerError),
        (Dialect::Ollama, r#"{"error":"out of memory"}"#, ErrorKind::ServerError),
        (Dialect::OpenAI, r#"{"data":[]}"#, ErrorKind::ServerError),
        (Dialect::OpenAI, r#"{"data":[{"index":0}]}"#, ErrorKind::ServerError),
        (Dialect::OpenAI, r#"{"data":[{"embedding":[1]}]"#, ErrorKind::ServerError),
        (Dialect::Gemini, "[]", ErrorKind::ServerError),
        (Dialect::Mistral, "<html>", ErrorKind::ServerError),
    ];
    for (upstream, body, kind) in rows {
        let error = answered(&openai(), false, upstream, body).expect_err("must fail");
        assert_eq!(error.kind, kind, "{body}");
    }
}

proptest::proptest! {
    #[test]
    fn any_floats_come_back_from_base64_as_they_were(floats in proptest::collection::vec(-1e30_f32..1e30, 1..40)) {
        let list = serde_json::to_string(&floats).expect("must serialise");
        proptest::prop_assert_eq!(encode(&list).and_then(|text| decode(&text)), Some(floats));
    }

    #[test]
    fn any_bytes_at_all_are_survived(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
        let text = String::from_utf8_lossy(&bytes);
        for upstream in [Dialect::OpenAI, Dialect::Gemini, Dialect::Mistral, Dialect::Ollama] {
            proptest::prop_assert!(answered(&openai(), true, upstream, &text).is_err());
        }
    }
}
