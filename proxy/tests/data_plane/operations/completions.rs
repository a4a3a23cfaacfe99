use super::*;
use crate::provider::USAGE;

const WHOLE: &str = r#"{"id":"cmpl-1","object":"text_completion","created":1,"model":"real-1","choices":[{"text":" there","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const PATH: &str = "/v1/completions";

fn chunk(text: &str, index: u32, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"choices\":[{{\"text\":\"{text}\",\"index\":{index},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn question(stream: bool) -> String {
    format!(r#"{{"model":"m","prompt": "hello", "max_tokens":5,"stream":{stream},"x":1.50}}"#)
}

#[tokio::test]
async fn a_whole_completion_passes_byte_for_byte_but_for_the_model() -> anyhow::Result<()> {
    let mut spec = of("OpenAI");
    // Chat of this model knows its bound by another name, and its sampling is fixed.
    spec["models"][0]["upstreamName"] = json!("gpt-5");
    let (bed, provider) = bed(answer(200, "", WHOLE), spec).await?;
    let asked = question(false).replace("\"x\"", "\"temperature\"");
    let got = post(&bed, PATH, &asked).await?;
    assert_eq!((got.status, got.body.as_str(), got.header("x-penstock-finish")), (200, WHOLE, "stop"));
    assert_eq!(line(&provider, 0), "POST /v1/completions");
    assert_eq!(provider.events().seen[0].body, asked.replace("\"m\"", "\"gpt-5\""));
    Ok(())
}

#[tokio::test]
async fn a_stream_is_asked_for_its_usage_and_passes_to_its_end_marker() -> anyhow::Result<()> {
    let (first, last) = (chunk(" there", 0, "null"), chunk("", 0, "\"stop\""));
    let mut acts = stream(&[&first, &last, USAGE, DONE]);
    acts.push(end());
    let (bed, provider) = bed(acts, of("OpenAI")).await?;
    let got = post(&bed, PATH, &question(true)).await?;
    assert_eq!((got.status, got.body), (200, format!("{first}{last}{DONE}")));
    assert_eq!(sent(&provider, 0)?["stream_options"], json!({"include_usage": true}));
    let tokens = r#"penstock_tokens_total{direction="output",model="real",provider="default/a",route="m"} 2"#;
    assert!(bed.metrics.render().contains(tokens));
    Ok(())
}

#[tokio::test]
async fn a_stream_is_whole_when_every_prompt_has_its_answer() -> anyhow::Result<()> {
    let body = r#"{"model":"m","prompt":["a","b"],"stream":true}"#;
    let (one, other) = (chunk("x", 0, "\"stop\""), chunk("y", 1, "\"stop\""));
    for (events, whole) in [(vec![one.as_str(), &other], true), (vec![one.as_str()], false)] {
        let mut acts = stream(&events);
        acts.push(end());
        let (bed, _provider) = bed(acts, of("OpenAI")).await?;
        let got = post(&bed, PATH, body).await?;
        assert_eq!((got.body.ends_with(DONE), got.body.contains("\"error\"")), (whole, !whole), "{}", got.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_text_goes_to_the_next_target() -> anyhow::Result<()> {
    let empty = chunk("", 0, "null");
    let (first, last) = (chunk(" there", 0, "null"), chunk("", 0, "\"stop\""));
    let mut good = stream(&[&first, &last, DONE]);
    good.push(end());
    let (bed, [broken, _second]) =
        two(([stream(&[&empty]), vec![Act::Close]].concat(), of("OpenAI")), (good, of("OpenAI"))).await?;
    let got = post(&bed, PATH, &question(true)).await?;
    assert_eq!((got.status, got.body, broken.calls()), (200, format!("{first}{last}{DONE}"), 1));

    let (bed, _provider) = super::bed([stream(&[&first]), vec![Act::Close]].concat(), of("OpenAI")).await?;
    let got = post(&bed, PATH, &question(true)).await?;
    assert!(got.body.starts_with(&first) && got.body.contains("\"error\"") && !got.body.contains(DONE), "{}", got.body);
    Ok(())
}

#[tokio::test]
async fn a_target_of_chat_only_is_skipped_and_a_422_if_it_is_the_last() -> anyhow::Result<()> {
    let groq = json!({"type": "OpenAICompatible", "preset": "Groq"});
    for first in [of("Anthropic"), of("Gemini"), of("Mistral"), groq] {
        let (bed, [skipped, _second]) =
            two((vec![Act::Hang], first.clone()), (answer(200, "", WHOLE), of("OpenAI"))).await?;
        let got = post(&bed, PATH, &question(false)).await?;
        assert_eq!((got.status, got.body.as_str(), skipped.calls()), (200, WHOLE, 0), "{first}");
        let (alone, _provider) = super::bed(vec![Act::Hang], first).await?;
        let got = post(&alone, PATH, &question(false)).await?;
        assert_eq!((got.status, got.error()?.1.as_str()), (422, "unsupported_parameter"), "{}", got.body);
        assert!(got.body.contains("no completions of a bare text"), "{}", got.body);
    }
    Ok(())
}
