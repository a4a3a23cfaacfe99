use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

fn accepts(bytes: &[u8]) -> bool {
    Reader::new(bytes).and_then(|mut r| r.skip().and_then(|()| r.end())).is_ok()
}

#[test]
fn it_takes_and_refuses_what_serde_json_takes_and_refuses() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let cases = [
        "",
        " ",
        "null",
        "nul",
        "nulll",
        "true",
        "tru",
        "-",
        "-0",
        "01",
        "1.",
        "1.5",
        "1e",
        "1e+",
        "1e+5",
        "1E-5",
        ".5",
        "+1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{}",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#""\x""#,
        r#""\u12""#,
        r#""\u12G4""#,
        r#""\ud800""#,
        r#""\ud800\u0041""#,
        r#""\udc00""#,
        r#""\ud83d\ude00""#,
        r#""\u0000""#,
        "\"\u{1}\"",
        "\"\t\"",
        "\"\u{7f}é漢😀\"",
        "\"",
        "\"\\",
        "\"\\u",
        "[",
        "{",
        "{\"a\":1",
        "1 1",
        "[]]",
        "\u{feff}1",
        " \n\t\r1 ",
    ];
    for case in cases.iter().map(|c| (*c).to_owned()).chain([deep(127), deep(128), deep(4000)]) {
        let theirs = serde_json::from_str::<Value>(&case);
        assert_eq!(accepts(case.as_bytes()), theirs.is_ok(), "{:.40} {theirs:?}", case);
    }
    assert!(!accepts(b"\"\xff\""));
}

#[test]
fn escapes_decode_as_serde_json_decodes_them() {
    for text in [r#""\"\\\/\b\f\n\r\t""#, r#""\u00e9\u6f22\ud83d\ude00x""#, r#""plain""#, r#""a\nb""#, r#""""#] {
        let ours = Reader::of(text).string().expect("must be valid");
        assert_eq!(ours, serde_json::from_str::<String>(text).expect("must be valid"));
    }
}

#[test]
fn escapes_in_every_place_of_a_word_are_read_as_serde_json_reads_them() {
    let pieces = [
        r"\\",
        r#"\""#,
        r"\n",
        r"\u0041",
        r"\u00e9",
        r"\u6f22",
        r"\ud83d\ude00",
        "a",
        "bcd",
        "é",
        r"\x",
        r"\u12",
        r"\ud800",
        "\u{1}",
    ];
    let mut rng = 1_u32;
    for length in 0..2000 {
        let mut text = String::from("\"");
        for _ in 0..length % 23 {
            rng = rng.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // The last ones are faults, and few.
            let most = if rng >> 8 & 7 == 0 { pieces.len() } else { 10 };
            text += pieces[(rng >> 16) as usize % most];
        }
        text.push('"');
        let ours = Reader::of(&text).string().ok();
        assert_eq!(ours.as_deref(), serde_json::from_str::<String>(&text).ok().as_deref(), "{text}");
        let literal = Reader::of(&text).literal().ok();
        assert_eq!(literal.map(|it| it.decoded_len), ours.map(|it| it.len()), "{text}");
    }
}

proptest! {
    #[test]
    fn strings_of_any_text_come_back(text in any::<String>()) {
        let json = serde_json::to_string(&text).expect("must serialise");
        let mut reader = Reader::of(&json);
        let literal = reader.literal().expect("must be valid");
        prop_assert_eq!(literal.decoded_len, text.len());
        prop_assert_eq!(literal.decode(), text);
        prop_assert!(reader.end().is_ok());
    }

    #[test]
    fn bytes_near_json_are_judged_as_serde_json_judges_them(
        text in proptest::collection::vec(
            prop_oneof![Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\"a\""), Just("\""), Just("1"),
                Just("-"), Just("."), Just("e"), Just("null"), Just("true"), Just("\\u00e9"), Just("\\"), Just(" "), Just("é")], 0..12)
    ) {
        let text = text.concat();
        // Not `Value`: that refuses numbers which no f64 holds.
        prop_assert_eq!(accepts(text.as_bytes()), serde_json::from_str::<IgnoredAny>(&text).is_ok());
    }

    #[test]
    fn escapes_decode_the_same_wherever_they_stand_in_a_word(
        text in proptest::collection::vec(
            prop_oneof![Just("\\n"), Just("\\\""), Just("\\\\"), Just("\\u0041"), Just("\\ud83d\\ude00"), Just("a"), Just("é"), Just("n"), Just("u")], 0..40)
    ) {
        let json = format!("\"{}\"", text.concat());
        let mut reader = Reader::of(&json);
        let literal = reader.literal().expect("must be valid");
        let theirs: String = serde_json::from_str(&json).expect("must be valid");
        prop_assert_eq!(literal.decoded_len, theirs.len());
        prop_assert_eq!(literal.decode(), theirs);
        prop_assert!(reader.end().is_ok());
    }

    #[test]
    fn any_bytes_at_all_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _: bool = accepts(&bytes);
    }
}
