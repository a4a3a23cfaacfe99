//! Requests and answers in the shapes that providers document, and what becomes of them: in their own dialect nothing is
//! lost, and what is lost through another one is a reviewed line of `llm/fixtures/differences.md`.

mod citations;
mod differences;
mod speak;
mod told;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Dialect;
use speak::SPOKEN;

/// One file of `llm/fixtures`.
struct Fixture {
    dialect: Dialect,
    /// Such as `chat/request-text.json`.
    name: String,
    body: Vec<u8>,
}

impl Fixture {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The fixtures whose names begin like this, of all dialects that clients speak, sorted.
fn all(kind: &str) -> Vec<Fixture> {
    let mut all = Vec::new();
    for dialect in SPOKEN {
        let Some(folder) = speak::folder(dialect) else { continue };
        let files = std::fs::read_dir(root().join(folder)).expect("must be a folder");
        for file in files.map(|file| file.expect("must be readable")) {
            let name = file.file_name().into_string().expect("must be UTF-8");
            if name.starts_with(kind) {
                let body = std::fs::read(file.path()).expect("must be readable");
                all.push(Fixture { dialect, name: format!("{folder}/{name}"), body });
            }
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!all.is_empty(), "no fixture of a {kind}");
    all
}

#[test]
fn a_request_read_and_written_in_its_own_dialect_is_the_same_json() {
    let mut found = Vec::new();
    for fixture in all("request-") {
        let written = speak::request(fixture.dialect, &fixture.body, &fixture.json(), fixture.dialect);
        let written = written.unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        found.extend(differences::between(&fixture.json(), &written).into_iter().map(|it| (fixture.name.clone(), it)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_answer_read_and_written_in_its_own_dialect_is_the_same_json() {
    let mut found = Vec::new();
    for fixture in all("answer-") {
        let written = speak::answer(fixture.dialect, &fixture.body, fixture.dialect);
        let written = serde_json::from_slice(&written).expect("must be JSON");
        found.extend(differences::between(&fixture.json(), &written).into_iter().map(|it| (fixture.name.clone(), it)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_stream_written_in_its_own_dialect_and_read_again_tells_the_same() {
    for fixture in all("stream-") {
        let once = told::stream(fixture.dialect, &[&fixture.body]);
        let written = told::written(fixture.dialect, &fixture.body, fixture.dialect);
        assert_eq!(told::stream(fixture.dialect, &[&written]), once, "{}", fixture.name);
    }
}

#[test]
fn a_stream_split_at_any_byte_tells_the_same() {
    for fixture in all("stream-") {
        let whole = told::stream(fixture.dialect, &[&fixture.body]);
        for at in 0..=fixture.body.len() {
            let (before, after) = fixture.body.split_at(at);
            assert_eq!(told::stream(fixture.dialect, &[before, after]), whole, "{} at {at}", fixture.name);
        }
        let bytes: Vec<&[u8]> = fixture.body.chunks(1).collect();
        assert_eq!(told::stream(fixture.dialect, &bytes), whole, "{} byte by byte", fixture.name);
    }
}

#[test]
fn what_differs_after_another_dialect_and_back_is_a_reviewed_line() {
    let path = root().join("differences.md");
    let page = differences::page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("must be writable");
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        reviewed == page,
        "review the difference of fixtures/differences.md after UPDATE=1 cargo test -p penstock-llm fixtures"
    );
}

#[test]
fn differences_are_found_by_their_path_and_told_apart() {
    let before = serde_json::json!({"a": [{"b": 1, "c": null}, {"b": 2}], "d": "x", "e": {"f": true}});
    let after = serde_json::json!({"a": [{"b": 1, "c": 0}, {"b": 3}], "e": {"f": true, "g": []}, "h": 1});
    let found = differences::between(&before, &after);
    assert_eq!(found, ["a[].b changed", "a[].c changed", "d lost", "e.g added", "h added"]);
    let shorter = serde_json::json!({"a": [{"b": 1, "c": null}], "d": "x", "e": {"f": true}});
    assert_eq!(differences::between(&before, &shorter), ["a[] lost"]);
}
