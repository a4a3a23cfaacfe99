use proptest::prelude::*;

use super::*;

/// Answers, repetitive ones among them.
pub(in crate::resume) const ANSWERS: [&str; 8] = [
    "Hello there, how are you today? I am well, and so is everybody else here.",
    "ha ha ha ha ha ha ha ha ha ha ha ha",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "def f(x):\n    if x:\n        log(x, 1)\n        log(x, 1)\n        log(x, 1)\n    return 0\n\n\ndef g(x):\n    return f(x)\n",
    "Families 👩‍👩‍👧 and 🇩🇪 flags, é and e\u{301}, 日本語のテキスト, and more of 👩‍👩‍👧.",
    "1. one\n2. two\n3. three\n\n   - item\n   - item\n   - item\n   - item\n   - item\n\n",
    "| a | b |\n|---|---|\n| 1 | 1 |\n| 1 | 1 |\n| 1 | 1 |\n| 1 | 1 |\n| 1 | 1 |\n",
    "   \n\n  leads with white space, has two  spaces, and ends with it \n\n \n",
];

/// What a target does with what it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::resume) enum Target {
    GoesOn,
    StartsOver,
    /// By so many characters.
    Overlaps(usize),
}

/// Its text.
pub(in crate::resume) fn text(target: Target, whole: &str, shown: &str) -> String {
    let rest = whole.strip_prefix(shown).expect("must be the beginning");
    match target {
        Target::GoesOn => rest.to_owned(),
        Target::StartsOver => whole.to_owned(),
        Target::Overlaps(by) => {
            let from = shown.char_indices().nth_back(by.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}{rest}", &shown[from..])
        }
    }
}

/// What is a repetition in itself, or the third of three: nobody can tell then what a target repeats, and nothing is cut.
pub(in crate::resume) fn is_repetitive(repeated: &str, shown: &str, rest: &str, whole_turns: bool) -> bool {
    let (bytes, length) = (repeated.as_bytes(), repeated.len());
    let repeats = |turn: usize| (turn..length).all(|at| bytes[at] == bytes[at - turn]);
    let turns = (1..=length / 2).any(|turn| repeats(turn) && (!whole_turns || length.is_multiple_of(turn)));
    let all = format!("{shown}{repeated}{rest}");
    let (all, seam) = (all.as_bytes(), shown.len());
    let same = |at: &usize| all[*at] == all[*at - length];
    let run = (length..=seam).rev().map(|at| at - 1).filter(|at| *at >= length).take_while(same).count();
    let on = (seam.max(length)..all.len()).take_while(same).count();
    turns || run + on >= 2 * length
}

fn joined(sent: &str, text: &str, pieces: usize) -> String {
    let mut seam = Seam::new(sent, &[]);
    let mut joined = sent.to_owned();
    let mut take = |passed: Passed<'_>| match passed {
        Passed::Text(text) => joined.push_str(&text),
        Passed::Stopped(sequence) => panic!("{sequence}"),
    };
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(pieces).for_each(|piece| take(seam.push(&piece.iter().collect::<String>())));
    take(seam.settle());
    joined
}

/// Every position at which an answer can be cut.
fn cuts(whole: &str) -> impl Iterator<Item = &str> {
    whole.char_indices().map(|(at, _)| &whole[..at]).chain([whole])
}

#[test]
fn a_target_that_goes_on_is_joined_byte_for_byte_wherever_the_answer_was_cut() {
    for whole in ANSWERS {
        for (sent, pieces) in cuts(whole).flat_map(|sent| [1, 3, 1000].map(|pieces| (sent, pieces))) {
            let text = text(Target::GoesOn, whole, shown(sent));
            assert_eq!(joined(sent, &text, pieces), whole, "after {sent:?}");
        }
    }
}

#[test]
fn a_target_that_starts_over_is_cut_byte_for_byte_unless_what_it_repeats_is_a_repetition() {
    for whole in ANSWERS {
        let mut exact = 0;
        for (sent, pieces) in cuts(whole).flat_map(|sent| [1, 3, 1000].map(|pieces| (sent, pieces))) {
            let shown = shown(sent);
            let rest = &whole[shown.len()..];
            let repetitive = !shown.is_empty() && is_repetitive(shown, "", rest, true);
            let expected = if repetitive { format!("{sent}{whole}") } else { whole.to_owned() };
            let text = text(Target::StartsOver, whole, shown);
            assert_eq!(joined(sent, &text, pieces), expected, "after {sent:?}");
            exact += usize::from(!repetitive);
        }
        assert!(exact > 0, "{whole}");
    }
}

#[test]
fn an_overlap_of_sixteen_characters_is_cut_unless_it_is_a_repetition() {
    let mut exact = 0;
    for (whole, by) in ANSWERS.into_iter().flat_map(|whole| [16, 17, 30].map(|by| (whole, by))) {
        for sent in cuts(whole).filter(|sent| shown(sent).chars().count() > by) {
            let text = text(Target::Overlaps(by), whole, shown(sent));
            let rest = &whole[shown(sent).len()..];
            let repeated = &text[..text.len() - rest.len()];
            if !is_repetitive(repeated, shown(sent), rest, false) {
                exact += 1;
                for pieces in [1, 3, 1000] {
                    assert_eq!(joined(sent, &text, pieces), whole, "{by} after {sent:?}");
                }
            }
        }
    }
    assert!(exact > 300, "{exact}");
}

#[test]
fn nothing_less_than_sixteen_characters_or_apart_from_the_seam_is_cut() {
    let sent = "It was the best of times, it was the worst of times";
    for text in
        [" worst of times, and so on", "it was the worst of time", "the best of times, it was", "It was the best"]
    {
        assert_eq!(joined(sent, text, 1), format!("{sent}{text}"));
    }
    assert_eq!(joined(sent, "the worst of times, and so on", 1), format!("{sent}, and so on"));
}

#[test]
fn what_is_said_exactly_twice_with_the_seam_between_looks_like_an_overlap() {
    let line = "\n        return None";
    let sent = format!("if x:{line}");
    assert_eq!(joined(&sent, &format!("{line}\ny"), 1), format!("{sent}\ny"));
    assert_eq!(joined(&sent, &format!("{line}{line}\ny"), 1), format!("{sent}{line}{line}\ny"), "three times survive");
}

#[test]
fn white_space_that_was_sent_is_not_doubled_and_all_beyond_it_is_kept() {
    for (sent, text, expected) in [
        ("Hello ", " world", "Hello world"),
        ("Hello ", "world", "Hello world"),
        ("Hello ", "  world", "Hello  world"),
        ("Hello \n", " world", "Hello \nworld"),
        ("x:\n    ", "\n        y", "x:\n        y"),
        ("\n ", "\n Hello", "\n Hello"),
        (" ", "Hello", " Hello"),
        ("Hello", " world", "Hello world"),
    ] {
        for pieces in [1, 2, 100] {
            assert_eq!(joined(sent, text, pieces), expected);
        }
    }
}

#[test]
fn text_is_held_back_only_while_it_could_still_be_cut() {
    let mut seam = Seam::new("Hello there, ", &[]);
    assert_eq!(seam.push("Hello th"), Passed::Text("".into()));
    assert_eq!(seam.push("at"), Passed::Text("Hello that".into()), "it says something else");
    let mut seam = Seam::new("Hello there, ", &[]);
    assert_eq!(seam.push("my"), Passed::Text("my".into()));
    assert!(seam.is_open());
    let more = " friend".to_owned();
    assert!(matches!(seam.push(&more), Passed::Text(Cow::Borrowed(" friend"))), "nothing is copied any more");
    let mut seam = Seam::new("Hello there, ", &[]);
    assert_eq!(seam.push("Hello there,"), Passed::Text("".into()));
    assert_eq!(seam.push(" m"), Passed::Text("m".into()), "it starts over");
    assert_eq!(seam.cut(), 13);
}

fn stopped(sent: &str, stop: &[&str], pieces: &[&str]) -> (String, Option<String>) {
    let stop: Vec<String> = stop.iter().map(ToString::to_string).collect();
    let mut seam = Seam::new(sent, &stop);
    let mut joined = sent.to_owned();
    for piece in pieces {
        match seam.push(piece) {
            Passed::Text(text) => joined.push_str(&text),
            Passed::Stopped(sequence) => return (joined, Some(sequence)),
        }
    }
    match seam.settle() {
        Passed::Text(text) => (joined + &text, None),
        Passed::Stopped(sequence) => (joined, Some(sequence)),
    }
}

#[test]
fn a_stop_sequence_over_the_seam_ends_the_answer_at_it() {
    let ends = |sent: &str, stop: &[&str], pieces: &[&str]| {
        let (joined, sequence) = stopped(sent, stop, pieces);
        assert_eq!(joined, sent, "nothing of the sequence follows");
        sequence.expect("must stop")
    };
    assert_eq!(ends("a EN", &["END"], &["D b"]), "END");
    assert_eq!(ends("a E", &["END"], &["N", "D", " b"]), "END");
    assert_eq!(ends("a\n", &["\n\n"], &["\n\nb"]), "\n\n", "white space that was sent begins one too");
    assert_eq!(ends("ab", &["bcd", "abc"], &["cd"]), "abc", "the one that is complete first");
    let text = |sent: &str, stop: &[&str], pieces: &[&str]| {
        let (joined, sequence) = stopped(sent, stop, pieces);
        assert_eq!(sequence, None);
        joined
    };
    assert_eq!(text("a E", &["END"], &["N", "T", "END"]), "a ENTEND", "those in the target's text are its own to find");
    assert_eq!(text("a E", &["END"], &["N"]), "a EN");
    assert_eq!(text("a", &["END"], &["ND"]), "aND");
}

proptest! {
    #[test]
    fn any_text_that_goes_on_elsewhere_passes_whole_and_in_any_pieces(
        sent in "[ab \n👩]{0,60}", text in "[ab \n👩]{0,60}", one in 1..9_usize, other in 1..9_usize,
    ) {
        let joined_once = joined(&sent, &text, one);
        prop_assert_eq!(&joined_once, &joined(&sent, &text, other), "pieces do not matter");
        prop_assert!(joined_once.starts_with(&sent));
        prop_assert!(text.ends_with(&joined_once[sent.len()..]), "only the beginning is cut");
    }
}
