use proptest::prelude::*;

use super::*;

const ENDS: [End; 5] = [End::Complete, End::Failed, End::Broken, End::ClientLeft, End::Cancelled];

fn used(input: impl Into<Option<u64>>, output: impl Into<Option<u64>>) -> Usage {
    Usage { input: input.into(), output: output.into(), ..Usage::default() }
}

fn told(usage: Usage) -> Told {
    Told { usage, ..Told::default() }
}

/// A prompt of 100, and 40 said.
const COUNT: Count = Count { input: 100, said: Some(40), thought: 0, unseen: 0 };

/// Input and output that are charged, and whether they are estimated.
fn charged(end: End, told: &Told, count: impl Into<Option<Count>>) -> (Option<u64>, Option<u64>, bool) {
    let Settlement { usage, estimated, .. } = settle(end, told, count.into());
    (usage.input, usage.output, estimated)
}

#[test]
fn each_end_is_charged_as_the_table_says() {
    let nothing = || used(None, None);
    let rows = [
        // Reported in full, in part, and not at all.
        (End::Complete, used(90, 50), (90, 50, false)),
        (End::Complete, used(90, 30), (90, 30, false)),
        (End::Complete, used(90, None), (90, 40, true)),
        (End::Complete, used(None, 50), (100, 50, true)),
        (End::Complete, nothing(), (100, 40, true)),
        (End::Failed, used(90, 50), (0, 0, false)),
        (End::Failed, nothing(), (0, 0, false)),
        // The prompt is exact as soon as it is reported, the answer never.
        (End::Broken, used(90, 1), (90, 40, true)),
        (End::Broken, used(90, 50), (90, 50, true)),
        (End::Broken, nothing(), (100, 40, true)),
        (End::ClientLeft, used(90, 1), (90, 40, true)),
        (End::ClientLeft, used(90, 50), (90, 50, true)),
        (End::ClientLeft, nothing(), (100, 40, true)),
    ];
    for (end, usage, (input, output, estimated)) in rows {
        let charged = charged(end, &told(usage), COUNT);
        assert_eq!(charged, (Some(input), Some(output), estimated), "{end:?}, {usage:?}");
    }
}

#[test]
fn who_leaves_before_there_is_an_answer_pays_for_the_prompt_if_a_provider_has_it() {
    let unseen = Count { said: Some(0), ..COUNT };
    assert_eq!(charged(End::Cancelled, &Told::default(), unseen), (Some(100), Some(0), true));
    assert_eq!(charged(End::Cancelled, &told(used(90, 1)), unseen), (Some(90), Some(1), true));
    assert_eq!(charged(End::Cancelled, &Told::default(), None), (Some(0), Some(0), false));
}

#[test]
fn an_answer_that_was_over_and_reported_before_its_client_left_is_exact() {
    for end in [End::Broken, End::ClientLeft] {
        let whole = Told { is_whole: true, ..told(used(90, 30)) };
        assert_eq!(charged(end, &whole, COUNT), (Some(90), Some(30), false), "{end:?}");
        let unreported = Told { is_whole: true, ..Told::default() };
        assert_eq!(charged(end, &unreported, COUNT), (Some(100), Some(40), true), "{end:?}");
    }
}

#[test]
fn thinking_is_what_was_reported_or_seen_and_else_what_must_have_gone_on_unseen() {
    let thinks = |thought, unseen| Count { thought, unseen, ..COUNT };
    let reported = |reasoning| told(Usage { reasoning, ..used(90, 2) });
    let rows = [
        (reported(Some(30)), thinks(0, 500), 70),
        (reported(Some(30)), thinks(35, 500), 75),
        (reported(None), thinks(35, 500), 75),
        (reported(None), thinks(0, 500), 540),
        (reported(Some(0)), thinks(0, 500), 540),
        (reported(None), thinks(0, 0), 40),
    ];
    for (told, count, output) in rows {
        let settlement = settle(End::ClientLeft, &told, Some(count));
        assert_eq!(settlement.usage.output, Some(output), "{told:?}, {count:?}");
        assert_eq!(settlement.usage.reasoning.unwrap_or(0), output - 40, "it is priced as thinking");
    }
    assert_eq!(charged(End::Complete, &Told::default(), thinks(35, 500)), (Some(100), Some(75), true));
}

#[test]
fn vectors_have_a_prompt_and_no_words() {
    let vectors = Count { said: None, ..COUNT };
    assert_eq!(charged(End::Complete, &told(used(90, None)), vectors), (Some(90), None, false));
    assert_eq!(charged(End::Complete, &Told::default(), vectors), (Some(100), None, true));
    assert_eq!(charged(End::Cancelled, &Told::default(), vectors), (Some(100), None, true));
    let price = Price::flat(penstock_llm::price::Rates { input: Some(2), output: Some(10), ..Default::default() });
    let of = |count| settle(End::Complete, &told(used(90, None)), Some(count)).cost(Some(&price));
    assert_eq!([of(vectors), of(COUNT)], [Some(180), Some(580)], "what words would cost does not matter");
}

#[test]
fn zeros_of_a_server_that_does_not_count_are_no_report() {
    assert_eq!(charged(End::Complete, &told(used(0, 0)), COUNT), (Some(100), Some(40), true));
    let silent = Count { said: Some(0), ..COUNT };
    assert_eq!(charged(End::Complete, &told(used(90, 0)), silent), (Some(90), Some(0), false));
}

#[test]
fn what_costs_nothing_costs_0_whatever_the_price_and_what_has_no_price_is_unknown() {
    let price = Price::flat(penstock_llm::price::Rates { input: Some(2), output: Some(10), ..Default::default() });
    let cost = |end, price| settle(end, &told(used(90, 50)), Some(COUNT)).cost(price);
    assert_eq!((cost(End::Failed, None), cost(End::Failed, Some(&price))), (Some(0), Some(0)));
    assert_eq!((cost(End::Complete, None), cost(End::Complete, Some(&price))), (None, Some(680)));
    let cached = told(Usage { cached_input: Some(80), ..used(90, 1) });
    assert_eq!(settle(End::Broken, &cached, Some(COUNT)).usage.cached_input, Some(80), "what is exact stays so");
}

proptest! {
    #[test]
    fn nobody_pays_for_less_than_was_seen_or_reported_and_a_failure_is_free(
        end in prop::sample::select(ENDS.to_vec()), is_whole: bool,
        input in prop::option::of(1..1_000_u64), output in prop::option::of(1..1_000_u64),
        reasoning in prop::option::of(0..1_000_u64), said in 0..1_000_u64, thought in 0..1_000_u64, unseen in 0..1_000_u64,
    ) {
        let told = Told { is_whole, ..told(Usage { reasoning, ..used(input, output) }) };
        let settled = settle(end, &told, Some(Count { input: 100, said: Some(said), thought, unseen }));
        let usage = settled.usage;
        if end == End::Failed {
            prop_assert_eq!(settled, Settlement::nothing());
            return Ok(());
        }
        prop_assert_eq!(usage.input, Some(input.unwrap_or(100)));
        prop_assert!(usage.output >= output);
        let is_last_word = (is_whole || end == End::Complete) && output.is_some();
        prop_assert!(is_last_word || usage.output >= Some(said + thought));
        prop_assert_eq!(settled.estimated, !is_last_word || input.is_none());
    }
}
