//! Whole streams that break, and are finished by another target.

mod bed;

use serde_json::{Value, json};

use super::seam::shown;
use super::seam::tests::{ANSWERS, Target as Does, is_repetitive};
use super::*;
use crate::facts::Provider;
use crate::neutral::Usage;
use bed::{Broken, SPOKEN, Seen, TOOK, Told, UPSTREAMS, broken, finish, is_like_one_that_never_broke};

/// How a target takes what it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Prefill,
    /// A 400, and an instruction then.
    Instruction,
}

const BEHAVIOURS: [(Takes, Does); 5] = [
    (Takes::Prefill, Does::GoesOn),
    (Takes::Instruction, Does::GoesOn),
    (Takes::Prefill, Does::StartsOver),
    (Takes::Instruction, Does::StartsOver),
    (Takes::Instruction, Does::Overlaps(20)),
];

/// What the client sees of an answer that broke and was finished.
fn run(broken: &Broken, second: Dialect, whole: &str, how: (Takes, Does)) -> Seen {
    let resume = broken.resume().expect("must be resumable");
    let facts = Facts { prefill: true, ..Facts::of(Provider::OpenAI, "gpt-4o") };
    let mut manner = Manner::first(&facts);
    if how.0 == Takes::Instruction {
        manner = manner.other().expect("must be another");
    }
    finish(broken, &resume, (second, facts), manner, |begun| super::seam::tests::text(how.1, whole, begun))
}

/// Where nobody can tell what a target repeats.
fn undecidable(whole: &str, sent: &str, does: Does) -> bool {
    let (shown, rest) = (shown(sent), &whole[shown(sent).len()..]);
    match does {
        Does::GoesOn => false,
        _ if shown.is_empty() => false,
        Does::StartsOver => is_repetitive(shown, "", rest, true),
        Does::Overlaps(by) if shown.chars().count() <= by => is_repetitive(shown, "", rest, true),
        Does::Overlaps(by) => {
            let from = shown.char_indices().nth_back(by - 1).map_or(0, |(at, _)| at);
            is_repetitive(&shown[from..], shown, rest, false)
        }
    }
}

/// Whatever the next target does, the answer is whole.
fn check((client, first): (Dialect, Dialect), seconds: &[Dialect], whole: &str, sent: &str) {
    let broken = broken(client, first, sent);
    for (second, how) in seconds.iter().flat_map(|second| BEHAVIOURS.map(|how| (*second, how))) {
        if undecidable(whole, sent, how.1) {
            continue;
        }
        let seen = run(&broken, second, whole, how);
        let place = format!("{client:?} {first:?} {second:?} {how:?} after {sent:?}");
        assert_eq!(seen.text, whole, "{place}");
        is_like_one_that_never_broke(client, &seen, &place);
    }
}

/// Where an answer may be cut after its first content.
fn cuts(whole: &str) -> impl Iterator<Item = &str> {
    whole.char_indices().skip(1).map(|(at, _)| &whole[..at]).chain([whole])
}

#[test]
fn an_answer_cut_anywhere_is_finished_byte_for_byte_between_all_dialects() {
    let whole = "Hi 👩‍👩‍👧,\n\n    x  =  1\n    x  =  1\n \"q\\\" é\n";
    for client in SPOKEN {
        for first in UPSTREAMS.into_iter().chain([client]) {
            cuts(whole).for_each(|sent| check((client, first), &UPSTREAMS, whole, sent));
        }
    }
}

#[test]
fn repetitive_answers_cut_anywhere_are_finished_byte_for_byte_in_every_client_s_dialect() {
    for (client, whole) in SPOKEN.into_iter().flat_map(|client| ANSWERS.map(|whole| (client, whole))) {
        cuts(whole).for_each(|sent| check((client, client), &[Dialect::Anthropic], whole, sent));
    }
}

#[test]
fn an_answer_that_breaks_twice_is_finished_by_a_third_target_and_no_fourth() {
    let whole = "one two three four five six seven";
    for client in SPOKEN {
        let first = broken(client, client, &whole[..8]);
        let facts = Facts { prefill: true, ..Facts::of(Provider::OpenAI, "gpt-4o") };
        let resume = first.resume().expect("must be resumable");
        let second = first.goes_on(&resume, (Dialect::Gemini, facts), &whole[8..14]);
        let resume = second.resume().expect("must be resumable again");
        let third = second.goes_on(&resume, (Dialect::Anthropic, facts), &whole[14..20]);
        assert_eq!(third.resume().err(), Some(NotResumable::TooOften));
        let seen = finish(&second, &resume, (Dialect::OpenAI, facts), Manner::Prefill, |begun| {
            whole[begun.len()..].to_owned()
        });
        assert_eq!(seen.text, whole);
        is_like_one_that_never_broke(client, &seen, "twice");
    }
}

#[test]
fn usage_is_the_first_prompt_and_all_that_the_client_saw_and_each_part_has_its_own() {
    let whole = "one two three four five six seven";
    let facts = Facts { prefill: true, ..Facts::of(Provider::OpenAI, "gpt-4o") };
    for client in SPOKEN {
        let broken = broken(client, Dialect::Anthropic, &whole[..16]);
        let resume = broken.resume().expect("must be resumable");
        let target = (Dialect::OpenAI, facts);
        let goes_on = finish(&broken, &resume, target, Manner::Prefill, |begun| whole[begun.len()..].to_owned());
        assert_eq!((goes_on.told.input, goes_on.told.output), (Some(11), Some(4 + 9)));
        assert_eq!((goes_on.usage.input, goes_on.usage.output), (Some(5), Some(9)), "its own part");
        let over = finish(&broken, &resume, target, Manner::Prefill, |_| whole.to_owned());
        assert_eq!(over.told.output, Some(4 + 9 - 4), "what it repeated was not seen");
    }
}

#[test]
fn a_part_whose_provider_reports_nothing_is_estimated() {
    let whole = "one two three four five six seven";
    let broken = broken(Dialect::OpenAI, Dialect::OpenAI, &whole[..16]);
    let resume = broken.resume().expect("must be resumable");
    let facts = Facts::of(Provider::OpenAI, "gpt-4o");
    let second = broken.goes_on(&resume, (Dialect::OpenAI, facts), &whole[16..32]);
    assert_eq!(second.relay.together(), Some(Usage { output: Some(4 + 4), ..TOOK }));
    assert_eq!((*second.relay.usage(), second.relay.seen().said), (Usage::default(), 16));
}

fn asked(broken: &Broken, manner: Manner, provider: Provider, model: &str) -> Value {
    let resume = broken.resume().expect("must be resumable");
    let dialect = match provider {
        Provider::Anthropic => Dialect::Anthropic,
        Provider::Gemini => Dialect::Gemini,
        Provider::Mistral => Dialect::Mistral,
        _ => Dialect::OpenAI,
    };
    let target = Target { dialect, model, facts: Facts::of(provider, model), ask_for_usage: true };
    let emitted = resume.request(&broken.call, &broken.body, &target, manner).expect("must be asked");
    serde_json::from_slice(&emitted.body).expect("must be JSON")
}

#[test]
fn a_prefill_is_the_assistant_s_last_turn_without_the_white_space_at_its_end() {
    let broken = broken(Dialect::OpenAI, Dialect::OpenAI, "The answer is \n");
    let body = asked(&broken, Manner::Prefill, Provider::Anthropic, "claude-sonnet-4-5");
    assert_eq!(body["messages"][1]["role"], "assistant");
    assert!(body["messages"][1].to_string().contains(r#""The answer is""#), "{body}");
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(2));
    let body = asked(&broken, Manner::Prefill, Provider::Mistral, "mistral-large-latest");
    assert_eq!(body["messages"][1]["prefix"], true);
}

#[test]
fn an_instruction_is_a_turn_of_the_user_s_behind_what_was_said() {
    let broken = broken(Dialect::Anthropic, Dialect::Anthropic, "The answer is");
    for (provider, model, list) in [
        (Provider::Anthropic, "claude-opus-4-6", "messages"),
        (Provider::OpenAI, "gpt-4o", "messages"),
        (Provider::Gemini, "gemini-2.5-pro", "contents"),
    ] {
        let body = asked(&broken, Manner::first(&Facts::of(provider, model)), provider, model);
        let turns = body[list].as_array().expect("must be a list");
        assert_eq!(turns.len(), 3, "{body}");
        assert!(turns[1].to_string().contains("The answer is") && turns[2].to_string().contains(GO_ON), "{body}");
    }
}

#[test]
fn a_model_is_first_asked_as_its_facts_say_and_a_refused_beginning_the_other_way() {
    assert_eq!(Manner::first(&Facts::of(Provider::Anthropic, "claude-sonnet-4-5")), Manner::Prefill);
    assert_eq!(Manner::first(&Facts::of(Provider::Anthropic, "claude-opus-4-6")), Manner::Instruction);
    assert_eq!(Manner::first(&Facts::of(Provider::OpenAI, "gpt-4o")), Manner::Instruction);
    assert_eq!((Manner::Prefill.other(), Manner::Instruction.other()), (Some(Manner::Instruction), None));
}

#[test]
fn what_the_client_made_the_model_begin_with_stands_before_what_it_said() {
    let mut broken = broken(Dialect::Anthropic, Dialect::Anthropic, " forty-two");
    broken.ask(json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "It is"}]}));
    let body = asked(&broken, Manner::Prefill, Provider::Anthropic, "claude-sonnet-4-5");
    assert_eq!(body["messages"][1]["content"], "It is forty-two");
}

#[test]
fn nothing_sent_but_white_space_is_asked_anew() {
    let broken = broken(Dialect::OpenAI, Dialect::OpenAI, "\n\n");
    for manner in [Manner::Prefill, Manner::Instruction] {
        let body = asked(&broken, manner, Provider::OpenAI, "gpt-4o");
        assert_eq!(body["messages"], json!([{"role": "user", "content": "hi"}]));
    }
}

#[test]
fn the_token_bound_is_less_what_was_sent_and_when_none_is_left_the_answer_ends_for_length() {
    for client in SPOKEN {
        let mut broken = broken(client, client, &"word ".repeat(8));
        let (bound, word): (fn(u64) -> Value, _) = match client {
            Dialect::Gemini => (|most| json!({"generationConfig": {"maxOutputTokens": most}}), "MAX_TOKENS"),
            Dialect::Responses => (|most| json!({"max_output_tokens": most}), "max_output_tokens"),
            Dialect::Anthropic => (|most| json!({"max_tokens": most}), "\"max_tokens\""),
            _ => (|most| json!({"max_tokens": most}), "\"length\""),
        };
        broken.ask(bound(30));
        let body = asked(&broken, Manner::Instruction, Provider::OpenAI, "gpt-4o");
        assert_eq!(body["max_tokens"], 20, "{client:?}");
        broken.ask(bound(10));
        let resume = broken.resume().expect("must be resumable");
        assert!(resume.is_full());
        let mut out = broken.client.clone();
        resume.end(&mut out);
        let seen = Seen::of(client, &out, Usage::default(), Usage::default());
        let seen = Seen { told: seen.usage_told(), ..seen };
        is_like_one_that_never_broke(client, &seen, "full");
        assert!(seen.raw.contains(word), "{client:?}");
    }
}

#[test]
fn a_stop_sequence_over_the_seam_ends_the_stream_with_one_finish() {
    for client in SPOKEN.into_iter().filter(|client| *client != Dialect::Responses) {
        let mut broken = broken(client, client, "one two EN");
        broken.ask(match client {
            Dialect::OpenAI => json!({"stop": ["END"]}),
            Dialect::Anthropic => json!({"stop_sequences": ["END"]}),
            _ => json!({"generationConfig": {"stopSequences": ["END"]}}),
        });
        let resume = broken.resume().expect("must be resumable");
        let facts = Facts { prefill: true, ..Facts::of(Provider::OpenAI, "gpt-4o") };
        let seen = finish(&broken, &resume, (Dialect::OpenAI, facts), Manner::Prefill, |_| "D three".to_owned());
        assert_eq!(seen.text, "one two EN", "{client:?}");
        is_like_one_that_never_broke(client, &seen, "stopped");
    }
}

fn why_not(client: Dialect, upstream: Dialect, said: &[Event<'_>], members: Value) -> Option<NotResumable> {
    let mut broken = bed::broken_after(client, upstream, said);
    broken.ask(members);
    broken.resume().err()
}

#[test]
fn what_cannot_be_continued_says_so() {
    let text = || Event::Text("Hello".into());
    let call = || Event::ToolStart { index: 0, id: "call_1".into(), name: "f".into() };
    let thought = || Event::Reasoning("so".into());
    let proof = || Event::Signature("c2ln".into());
    let schema = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}});
    for client in SPOKEN {
        for upstream in UPSTREAMS {
            let why = |said: &[Event<'_>]| why_not(client, upstream, said, json!({}));
            assert_eq!(why(&[text()]), None, "{client:?} {upstream:?}");
            if upstream == Dialect::Anthropic {
                assert_eq!(why(&[thought(), proof(), text()]), Some(NotResumable::Signed));
                assert_eq!(why(&[thought(), text()]), None, "thinking without proof is only read");
            }
            if upstream != Dialect::Gemini {
                assert_eq!(why(&[text(), call()]), Some(NotResumable::Tools), "{client:?} {upstream:?}");
            }
            assert_eq!(why(&[text(), Event::Finish(Finish::Stop), Event::End]), Some(NotResumable::Finished));
            assert_eq!(why(&[Event::Text("a".repeat(300 << 10).into())]), Some(NotResumable::TooLong));
        }
    }
    let openai = |said: &[Event<'_>], members| why_not(Dialect::OpenAI, Dialect::OpenAI, said, members);
    assert_eq!(openai(&[Event::Refusal("no".into())], json!({})), Some(NotResumable::Refused));
    assert_eq!(openai(&[text()], json!({"n": 2})), Some(NotResumable::Choices));
    assert_eq!(openai(&[text()], json!({"response_format": schema})), Some(NotResumable::Schema));
    assert_eq!(openai(&[text()], json!({"response_format": {"type": "json_object"}})), Some(NotResumable::Schema));
    assert_eq!(openai(&[text()], json!({"messages": 1})), Some(NotResumable::NoChat));
    let unheard = Relay::new(Dialect::OpenAI, &bed::client(Dialect::OpenAI), Names::default());
    let call = Call::chat(Dialect::OpenAI);
    assert_eq!(unheard.resume(&call, b"{}", &TOOK).err(), Some(NotResumable::Forgotten));
}

#[test]
fn what_nobody_could_read_bars_a_stream_that_passed_as_it_came() {
    let openai = r#"data: {"id":"c","choices":[{"index":0,"delta":{"audio":{"data":"AAAA"}}}]}"#;
    let halves = r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"a\ud83d"}}]}"#;
    let anthropic = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\",\
        \"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}";
    let gemini =
        r#"data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}"#;
    let responses = "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\
        \"web_search_call\",\"id\":\"ws\"}}";
    for (dialect, event) in [
        (Dialect::OpenAI, openai),
        (Dialect::OpenAI, halves),
        (Dialect::Anthropic, anthropic),
        (Dialect::Gemini, gemini),
        (Dialect::Responses, responses),
    ] {
        let broken = bed::broken_by(dialect, dialect, format!("{event}\n\n").as_bytes());
        assert_eq!(broken.resume().err(), Some(NotResumable::Other), "{event}");
    }
}

#[test]
fn thinking_of_the_next_target_is_not_told_again() {
    let facts = Facts::of(Provider::Anthropic, "claude-opus-4-6");
    for client in SPOKEN {
        let broken = broken(client, client, "one");
        let resume = broken.resume().expect("must be resumable");
        let mut told = Told::new(&resume, (Dialect::Anthropic, facts), broken.client.clone());
        let said = [
            Event::Reasoning("hm".into()),
            Event::Signature("c2ln".into()),
            Event::Text(" two".into()),
            Event::Finish(Finish::Stop),
            Event::End,
        ];
        told.hear(&bed::stream(Dialect::Anthropic, "second", &said));
        let seen = told.seen(client);
        assert_eq!(seen.text, "one two");
        is_like_one_that_never_broke(client, &seen, "thinking");
        assert!(!seen.raw.contains("hm") && !seen.raw.contains("c2ln"));
    }
}
