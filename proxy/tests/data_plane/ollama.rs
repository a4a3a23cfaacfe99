//! Clients of other dialects before a provider of Ollama's.

use serde_json::{Value, json};

use crate::{
    bed::{Bed, Got, Resources, question, spoken},
    provider::{Act, DONE, Provider, STOP, answer, end, says, stream, text as said},
};

const ANSWER: &str = r#"{"model":"llama3.2","created_at":"2026-11-07T20:22:20.5Z","message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop","total_duration":5191566416,"load_duration":2154458,"prompt_eval_count":5,"prompt_eval_duration":383809000,"eval_count":2,"eval_duration":4799921000}"#;
const NOT_PULLED: &str = r#"{"error":"model 'llama3.2' not found"}"#;

fn ollama() -> Value {
    json!({"type": "Ollama", "models": [{"name": "m", "upstreamName": "llama3.2"}]})
}

async fn bed(acts: Vec<Act>) -> anyhow::Result<(Bed, Provider)> {
    let provider = Provider::always(acts).await?;
    let bed = Bed::start(Resources::new().provider("a", &provider, ollama())?)?;
    Ok((bed, provider))
}

/// Ollama first, then a provider of OpenAI's.
async fn two(acts: Vec<Act>, fallback: Vec<Act>) -> anyhow::Result<(Bed, [Provider; 2])> {
    let (first, second) = (Provider::always(acts).await?, Provider::always(fallback).await?);
    let mut resources = Resources::new();
    resources.provider("a", &first, ollama())?.provider("b", &second, json!({}))?.route(&["a", "b"], json!({}))?;
    Ok((Bed::start(&resources)?, [first, second]))
}

/// A stream of lines, as they are split here, without an end of the body.
fn ndjson(pieces: &[&str]) -> Vec<Act> {
    let mut acts = stream(pieces);
    if let Some(Act::Send(head)) = acts.first_mut() {
        *head = head.replace("text/event-stream", "application/x-ndjson");
    }
    acts
}

fn line(message: &Value) -> String {
    let line = json!({"model": "llama3.2", "created_at": "2026-11-07T20:22:19.18Z", "message": message, "done": false});
    format!("{line}\n")
}

fn says_done() -> String {
    format!("{}\n", ANSWER.replace("hello", ""))
}

#[tokio::test]
async fn a_unary_answer_is_translated_both_ways() -> anyhow::Result<()> {
    let (bed, provider) = bed(answer(200, "", ANSWER)).await?;
    let mut body = question(false);
    for (key, value) in [("seed", json!(7)), ("max_completion_tokens", json!(5)), ("user", json!("ann"))] {
        body[key] = value;
    }
    let got = bed.ask(body).await?;
    let body: Value = serde_json::from_str(&got.body)?;
    assert_eq!((got.status, got.header("x-penstock-dropped-params")), (200, "user"), "{}", got.body);
    assert_eq!((&body["choices"][0]["message"]["content"], &body["model"]), (&json!("hello"), &json!("llama3.2")));
    assert_eq!(body["usage"]["total_tokens"], 7);
    let seen = &provider.events().seen[0];
    let head = seen.head.to_ascii_lowercase();
    assert!(head.starts_with("post /api/chat http/1.1"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer a-key-0\r\n"), "{head}");
    let expected = json!({"model": "llama3.2", "messages": [{"role": "user", "content": "hi"}], "stream": false,
        "truncate": false, "shift": false, "options": {"seed": 7, "num_predict": 5}});
    assert_eq!(serde_json::from_str::<Value>(&seen.body)?, expected);
    Ok(())
}

#[tokio::test]
async fn no_key_is_needed() -> anyhow::Result<()> {
    let provider = Provider::always(answer(200, "", ANSWER)).await?;
    let mut resources = Resources::new();
    resources.provider_at("a", &format!("http://{}", provider.address), &[], ollama())?;
    assert_eq!(Bed::start(&resources)?.unary().await?.status, 200);
    assert_eq!(provider.headers("authorization"), [None]);
    Ok(())
}

#[tokio::test]
async fn a_stream_of_lines_is_translated_and_ends_with_its_done_line() -> anyhow::Result<()> {
    let all = line(&json!({"role": "assistant", "content": "", "thinking": "hm"}))
        + &line(&json!({"role": "assistant", "content": "héllo"}))
        + &says_done();
    let (first, rest) = all.split_at(all.find("llo").unwrap_or_default());
    // The body stays open: nothing is waited for behind the line that is done.
    let mut acts = ndjson(&[first, rest]);
    acts.push(Act::Hang);
    let (bed, provider) = bed(acts).await?;
    let got = bed.stream().await?;
    assert_eq!((spoken(&got.body, "reasoning_content"), spoken(&got.body, "content")), ("hm".into(), "héllo".into()));
    assert!(got.body.ends_with(DONE) && got.header("content-type").starts_with("text/event-stream"));
    assert_eq!(provider.headers("accept"), [Some("application/x-ndjson".to_owned())]);
    assert_eq!(serde_json::from_str::<Value>(&provider.events().seen[0].body)?["stream"], true);
    let counted = r#"penstock_tokens_total{direction="input",model="llama3.2",provider="default/a",route="m"} 5"#;
    assert!(bed.metrics.render().contains(counted));
    Ok(())
}

#[tokio::test]
async fn calls_in_a_stream_have_ids_indexes_and_arguments_as_text() -> anyhow::Result<()> {
    let call = |arguments: Value| json!({"function": {"name": "weather", "arguments": arguments}});
    let calls =
        json!({"role": "assistant", "content": "", "tool_calls": [call(json!({"city": "Paris"})), call(json!({}))]});
    let (bed, _provider) = bed(ndjson(&[&line(&calls), &says_done()])).await?;
    let got = bed.stream().await?;
    let chunks = got.body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let mut calls = vec![json!(null); 2];
    let mut arguments = vec![String::new(); 2];
    for piece in chunks.map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0].clone()).filter(Value::is_object) {
        let index = usize::try_from(piece["index"].as_u64().unwrap_or(9))?;
        arguments[index].push_str(piece["function"]["arguments"].as_str().unwrap_or_default());
        if piece["id"].is_string() {
            calls[index] = piece["id"].clone();
        }
    }
    assert_eq!(calls, ["call_20261107T20221918Z_0", "call_20261107T20221918Z_1"]);
    assert_eq!(arguments, [r#"{"city":"Paris"}"#, "{}"]);
    assert!(got.body.contains(r#""finish_reason":"tool_calls""#), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn a_model_that_is_not_pulled_goes_to_the_next_target_and_is_a_404_without_one() -> anyhow::Result<()> {
    let (bed_of_two, [first, second]) = two(answer(404, "", NOT_PULLED), says("fallback")).await?;
    let got = bed_of_two.unary().await?;
    assert_eq!((got.status, got.header("x-penstock-provider")), (200, "default/b"), "{}", got.body);
    assert_eq!((first.calls(), second.calls()), (1, 1));
    let (alone, _provider) = bed(answer(404, "", NOT_PULLED)).await?;
    let got = alone.unary().await?;
    assert_eq!(got.status, 404, "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn an_error_line_before_content_falls_back_and_after_it_is_said_in_band() -> anyhow::Result<()> {
    let error = "{\"error\":\"an error was encountered while running the model\"}\n";
    let mut fallback = stream(&[&said("fallback"), STOP, DONE]);
    fallback.push(end());
    let (before, [first, _second]) = two(ndjson(&[error]), fallback).await?;
    let got = before.stream().await?;
    assert_eq!((spoken(&got.body, "content").as_str(), got.header("x-penstock-provider")), ("fallback", "default/b"));
    assert_eq!(first.calls(), 1);
    let text = line(&json!({"role": "assistant", "content": "hel"}));
    let (after, _provider) = bed(ndjson(&[&text, error])).await?;
    let got = after.stream().await?;
    assert_eq!(spoken(&got.body, "content"), "hel");
    assert!(got.body.contains("\"error\":{") && !got.body.contains(DONE), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_cut_before_its_done_line_has_no_end_marker() -> anyhow::Result<()> {
    let mut acts = ndjson(&[&line(&json!({"role": "assistant", "content": "hel"}))]);
    acts.push(end());
    let (bed, _provider) = bed(acts).await?;
    let got = bed.stream().await?;
    assert_eq!(spoken(&got.body, "content"), "hel");
    assert!(got.body.contains("\"error\":{") && !got.body.contains(DONE), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn a_picture_by_its_address_and_a_forced_call_go_to_a_target_that_takes_them() -> anyhow::Result<()> {
    let mut picture = question(false);
    picture["messages"][0]["content"] =
        json!([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]);
    let mut forced = question(false);
    forced["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    forced["tool_choice"] = json!("required");
    for (body, field) in [(picture, "messages[0]"), (forced, "tool_choice")] {
        let (bed_of_two, [first, _second]) = two(answer(200, "", ANSWER), says("fallback")).await?;
        let got = bed_of_two.ask(body.clone()).await?;
        assert_eq!((got.header("x-penstock-provider"), first.calls()), ("default/b", 0), "{}", got.body);
        let (alone, _provider) = bed(answer(200, "", ANSWER)).await?;
        let got = alone.ask(body).await?;
        assert_eq!(got.status, 422);
        assert!(got.body.contains(&format!("\"param\":\"{field}\"")), "{}", got.body);
    }
    Ok(())
}

#[tokio::test]
async fn clients_of_anthropic_s_dialect_are_answered_in_it() -> anyhow::Result<()> {
    let text = line(&json!({"role": "assistant", "content": "hello", "thinking": "hm"}));
    let (bed, provider) = bed(ndjson(&[&text, &says_done()])).await?;
    let body = json!({"model": "m", "max_tokens": 5, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let request = bed.client.post(bed.url("/v1/messages")).header("content-type", "application/json");
    let got = Got::read(request.body(body.to_string())).await?;
    assert!(got.body.contains(r#""thinking":"hm""#) && got.body.contains(r#""text":"hello""#), "{}", got.body);
    assert!(got.body.contains("event: message_stop"), "{}", got.body);
    let sent: Value = serde_json::from_str(&provider.events().seen[0].body)?;
    assert_eq!((&sent["options"], &sent["stream"]), (&json!({"num_predict": 5}), &json!(true)));
    Ok(())
}
