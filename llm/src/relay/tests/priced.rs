//! What a client of OpenAI's dialect is told of the cost of its stream.

use std::sync::Arc;

use super::*;
use crate::price::{Price, Rates};

const COUNTS: &str = r#""prompt_tokens":3,"completion_tokens":2,"total_tokens":5"#;

/// A stream that ends with this usage, and its end marker.
fn with_usage(usage: &str) -> String {
    let usage = format!("data: {{\"id\":\"c\",\"choices\":[],\"usage\":{usage}}}\n\n");
    [chunk(r#"{"content":"hi"}"#, "null"), chunk("{}", "\"stop\""), usage, "data: [DONE]\n\n".into()].concat()
}

/// What a client gets of a stream at 1 and 2 dollars for a million tokens, after another target took `before`.
fn told(upstream: Dialect, include_usage: bool, before: u64, stream: &str) -> String {
    let rates = Rates { input: Some(1_000_000), output: Some(2_000_000), ..Rates::default() };
    let priced = Priced { price: Arc::new(Price::flat(rates)), before };
    let relay = Relay::new(upstream, &client(include_usage), Names::default()).priced(Some(priced));
    let told = run_with(relay, &[stream.as_bytes()]);
    assert_eq!(told.end, End::Complete, "{}", told.text);
    told.text
}

fn passed(usage: &str) -> String {
    told(Dialect::OpenAI, true, 0, &with_usage(usage))
}

#[test]
fn a_stream_that_passes_gets_its_cost_into_its_usage_and_no_other_byte_changes() {
    let usage = format!("{{ {COUNTS} }}");
    assert_eq!(passed(&usage), with_usage(&format!("{{ {COUNTS} ,\"cost\":0.000007}}")));
    let nested = format!(r#"{{{COUNTS},"prompt_tokens_details":{{"cached_tokens":0}}}}"#);
    let expected = nested.replace("}}", "},\"cost\":0.000007}");
    assert_eq!(passed(&nested), with_usage(&expected));
}

#[test]
fn what_another_target_took_before_is_in_the_cost() {
    let text = told(Dialect::OpenAI, true, 5_000_000, &with_usage(&format!("{{{COUNTS}}}")));
    assert!(text.contains("\"cost\":0.000012}"), "{text}");
}

#[test]
fn a_translated_stream_says_its_cost_in_the_same_place() {
    let text = told(Dialect::Anthropic, true, 0, &message(&[r#"{"type":"text_delta","text":"hi"}"#], "end_turn"));
    let usage = deltas(&text).pop().expect("must be told last");
    let value: serde_json::Value = serde_json::from_str(usage.trim_start_matches("usage ")).expect("must be JSON");
    let [input, output] =
        ["prompt_tokens", "completion_tokens"].map(|name| value[name].as_u64().expect("must be told"));
    assert_eq!(value["cost"].as_f64(), Some((input + 2 * output) as f64 / 1e6), "{text}");
}

#[test]
fn a_cost_of_the_provider_s_own_stays() {
    for usage in [format!(r#"{{{COUNTS},"cost":0.25}}"#), format!(r#"{{"cost":{{"total":1}},{COUNTS}}}"#)] {
        assert_eq!(passed(&usage), with_usage(&usage));
    }
}

#[test]
fn without_a_report_a_price_or_a_question_nothing_is_said() {
    for usage in ["null", "{}", r#"{"prompt_tokens":0,"completion_tokens":0}"#, r#"{"prompt_tokens":3}"#] {
        assert_eq!(passed(usage), with_usage(usage));
    }
    let stream = with_usage(&format!("{{{COUNTS}}}"));
    assert_eq!(openai(&stream).text, stream, "no price is known");
    assert!(!told(Dialect::OpenAI, false, 0, &stream).contains("cost"), "nobody asked");
}

#[test]
fn servers_that_report_with_their_content_say_the_cost_there() {
    let both = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"hi\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{{COUNTS}}}}}\n\n"
    );
    let done = "data: [DONE]\n\n";
    let text = told(Dialect::OpenAI, true, 0, &format!("{both}{done}"));
    assert_eq!(text, both.replace("\"total_tokens\":5", "\"total_tokens\":5,\"cost\":0.000007") + done);
    let unasked = told(Dialect::OpenAI, false, 0, &format!("{both}{done}"));
    assert_eq!(unasked, both + done);
}

#[test]
fn an_event_of_several_lines_passes_as_it_came() {
    let usage = format!("data: {{\"choices\":[],\ndata: \"usage\":{{{COUNTS}}}}}\n\n");
    let stream = [chunk(r#"{"content":"hi"}"#, "\"stop\""), usage, "data: [DONE]\n\n".into()].concat();
    assert_eq!(told(Dialect::OpenAI, true, 0, &stream), stream);
}
