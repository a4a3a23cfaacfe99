//! The wall as tables: of what was measured, and for users of what has to come of each fault.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::ensure;
use penstock_tests::setup;

use super::fault::{Case, Client, Fault};
use super::run::Ended;
use super::verdict::Verdict;

/// A case that is over, as it is judged and as it is shown.
pub(crate) struct Row {
    case: Case,
    verdict: Verdict,
    /// The longest of its requests, in seconds at real pace.
    took: f64,
    /// When each target was asked, as text.
    calls: String,
    /// Tokens and picodollars, as text.
    settled: String,
}

impl Row {
    pub(crate) fn of(ended: &Ended, pace: f64) -> Self {
        let case = ended.case;
        let ms = ended.answers.iter().map(|answer| answer.ms).max().unwrap_or_default();
        let settled = ended.settlements.first().map(|settled| {
            let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
            let [input, output] = [settled.input_tokens, settled.output_tokens].map(number);
            format!("{input} + {output}: {}", number(settled.cost_picodollars))
        });
        Self {
            case,
            verdict: Verdict::of(ended),
            took: ms as f64 / 1000.0 / pace,
            calls: ["first", "second"].iter().zip(&ended.calls).map(|(name, at)| moments(name, at, pace)).collect(),
            settled: settled.unwrap_or_default(),
        }
    }

    /// What is wrong with it, if something is.
    pub(crate) fn problem(&self, pace: f64, late: Duration) -> Option<String> {
        let Self { case, verdict, took, .. } = self;
        let expected = Verdict::expected(*case);
        if *verdict != expected {
            return Some(format!("{}: {verdict:?} where {expected:?} is due", case.name()));
        }
        let waits = Verdict::waits(*case);
        // A millisecond for the rounding of what was measured.
        let (least, most) = (waits.start() - 0.001 / pace, waits.end() + late.as_secs_f64() / pace);
        (!(least..=most).contains(took)).then(|| format!("{}: {took} s where {waits:?} are due", case.name()))
    }
}

/// At real pace, in milliseconds; of many only how many.
fn moments(name: &str, calls: &[Duration], pace: f64) -> String {
    match calls.len() {
        0 => String::new(),
        1..6 => {
            let moments: Vec<_> = calls.iter().map(|at| format!("{:.0}", at.as_secs_f64() * 1000.0 / pace)).collect();
            format!("{name}: {} ", moments.join(", "))
        }
        many => format!("{name}: {many} times "),
    }
}

/// What was measured, a row for each case.
pub(crate) fn measured(rows: &[Row]) -> String {
    let mut table = String::from(
        "| fault | client | mode | calls at, ms | took, ms | the SDK saw | tokens: picodollars |\n|---|---|---|---|---|---|---|\n",
    );
    for Row { case, verdict, took, calls, settled } in rows {
        let way = if case.stream { "stream" } else { "unary" };
        let cells = [
            case.fault.words(),
            case.client.name(),
            way,
            calls.trim(),
            &format!("{:.0}", took * 1000.0),
            &verdict.saw,
            settled,
        ];
        table += &format!("| {} |\n", cells.join(" | "));
    }
    table
}

/// Compares the page with what it must hold, or writes it when `UPDATE` is set.
pub(crate) fn compare() -> anyhow::Result<()> {
    let wanted = include_str!("head.md").replace("WALL\n", &promised()?);
    let path = setup::repository().join("docs/failure.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted)?;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        found == wanted,
        "docs/failure.md is out of date: UPDATE=1 cargo test -p penstock-tests --test failure wall"
    );
    Ok(())
}

/// What has to come of each fault, a row for unary answers and one for streams.
fn promised() -> anyhow::Result<String> {
    let mut table =
        String::from("| fault | mode | calls | wait | the client sees | it is charged |\n|---|---|---|---|---|---|\n");
    for fault in Fault::ALL {
        for stream in [false, true] {
            let of = |client| Verdict::expected(Case { fault, client, stream });
            let all = Client::ALL.map(of);
            let way = if stream { "stream" } else { "unary" };
            let calls = &all[0].calls;
            let waits = Verdict::waits(Case { fault, client: Client::OpenAI, stream });
            let wait = if waits.start() == waits.end() {
                format!("{} s", waits.start())
            } else {
                format!("{} to {} s", waits.start(), waits.end())
            };
            let each = |word: fn(&Verdict) -> &str| {
                let words = all.each_ref().map(word);
                if words.iter().all(|word| *word == words[0]) {
                    return words[0].to_owned();
                }
                let names = Client::ALL.map(Client::name);
                names.iter().zip(words).map(|(name, word)| format!("{name}: {word}")).collect::<Vec<_>>().join("<br>")
            };
            let (saw, charged) = (each(|verdict| &verdict.saw), each(|verdict| &verdict.charged));
            writeln!(table, "| {} | {way} | {calls} | {wait} | {saw} | {charged} |", fault.words())?;
        }
    }
    Ok(table)
}
