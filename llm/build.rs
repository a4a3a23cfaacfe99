//! Makes sorted static tables of `data/model-prices.jsonl`: a row for each model, and each set of prices once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

const LIST: &str = "data/model-prices.jsonl";

/// What a row of the table says, and where its figures are.
const FIGURES: [(&str, &str); 9] = [
    ("input", "input"),
    ("output", "output"),
    ("cachedInput", "cached_input"),
    ("cacheWrite", "cache_write"),
    ("cacheWrite1h", "cache_write_1h"),
    ("reasoning", "reasoning"),
    ("audioInput", "audio_input"),
    ("audioOutput", "audio_output"),
    ("outputPerImage", "image"),
];

/// Read elsewhere, or left out: nothing that the gateway serves is counted in seconds or characters.
const OTHERS: [&str; 6] =
    ["tiers", "batchInput", "batchOutput", "inputPerSecond", "outputPerSecond", "inputPerCharacter"];

fn main() {
    println!("cargo::rerun-if-changed={LIST}");
    println!("cargo::rerun-if-changed=build.rs");
    let lines = fs::read_to_string(LIST).expect("the model list must be readable");
    let mut rows = BTreeMap::new();
    let mut prices = BTreeMap::new();
    for (number, line) in (1..).zip(lines.lines()) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{LIST}:{number}: {e}"));
        let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("{LIST}:{number}: no {key}")).to_owned();
        let row = row(&line, &mut prices).unwrap_or_else(|e| panic!("{LIST}:{number}: {e}"));
        assert!(rows.insert((text("provider"), text("model")), row).is_none(), "{LIST}:{number}: twice");
    }
    // Sorted by provider, then model, as the lookup searches.
    let row = |((provider, model), row)| format!("Row {{ provider: {provider:?}, model: {model:?}, {row} }}");
    write("models.rs", rows.into_iter().map(row));
    let mut prices: Vec<(String, usize)> = prices.into_iter().collect();
    prices.sort_by_key(|(_, index)| *index);
    write("prices.rs", prices.into_iter().map(|(price, _)| price));
}

fn write(file: &str, items: impl Iterator<Item = String>) {
    let mut source = String::from("&[\n");
    items.for_each(|item| writeln!(source, "    {item},").expect("must format"));
    source.push_str("]\n");
    let out = env::var_os("OUT_DIR").expect("cargo must set OUT_DIR");
    fs::write(Path::new(&out).join(file), source).expect("the table must be writable");
}

/// A row without its key. Its price is an index: most sets of prices stand for several names.
fn row(line: &Value, prices: &mut BTreeMap<String, usize>) -> Result<String, String> {
    let count = |key: &str| line[key].as_u64().unwrap_or(0);
    let has = |capability: &str| line["capabilities"].as_array().is_some_and(|all| all.iter().any(|c| c == capability));
    let next = prices.len();
    let index = *prices.entry(price(line)?).or_insert(next);
    let (window, output, reasons) = (count("contextWindow"), count("maxOutputTokens"), has("reasoning"));
    Ok(format!("context_window: {window}, max_output: {output}, reasons: {reasons}, price: {index}"))
}

fn price(line: &Value) -> Result<String, String> {
    let listed = &line["usdPerMillion"];
    for key in listed.as_object().ok_or("no usdPerMillion")?.keys() {
        if !FIGURES.iter().any(|(name, _)| name == key) && !OTHERS.contains(&key.as_str()) {
            return Err(format!("{key} is a price that nobody reads"));
        }
    }
    let mut tiers = String::new();
    for tier in listed["tiers"].as_array().into_iter().flatten() {
        let above = tier["aboveInputTokens"].as_u64().ok_or("a tier without aboveInputTokens")?;
        write!(tiers, "Tier {{ above_input: {above}, rates: {} }}, ", rates(tier)?).expect("must format");
    }
    // OpenAI, "Flex processing": tokens cost what they do in a batch.
    let flex = match (line["provider"] == "OpenAI", picos(&listed["batchInput"])?, picos(&listed["batchOutput"])?) {
        (true, Some(input), Some(output)) => format!("Some([{input}, {output}])"),
        _ => "None".to_owned(),
    };
    Ok(format!("Price {{ base: {}, tiers: Cow::Borrowed(&[{tiers}]), flex: {flex} }}", rates(listed)?))
}

fn rates(listed: &Value) -> Result<String, String> {
    let mut source = String::from("Rates { ");
    for (key, field) in FIGURES {
        // A figure is dollars for a million tokens, which is picodollars by a million for one; that of an image is its
        // price itself.
        let unit = if key == "outputPerImage" { 1_000_000 } else { 1 };
        match picos(&listed[key])? {
            Some(figure) => write!(source, "{field}: Some({}), ", figure * unit).expect("must format"),
            None => write!(source, "{field}: None, ").expect("must format"),
        }
    }
    source.push('}');
    Ok(source)
}

/// Millionths of a dollar, exact: the price of a token in picodollars where the figure is that of a million.
fn picos(figure: &Value) -> Result<Option<u64>, String> {
    if figure.is_null() {
        return Ok(None);
    }
    let text = figure.as_str().ok_or_else(|| format!("{figure} must be a decimal string"))?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<6}");
    if fraction.len() > 6 {
        return Err(format!("{text} has more than six digits after the point"));
    }
    digits.parse().map(Some).map_err(|_| format!("{text} is no price"))
}
