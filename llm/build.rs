//! Makes a sorted static table of `data/model-prices.jsonl`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

fn main() {
    let list = "data/model-prices.jsonl";
    println!("cargo::rerun-if-changed={list}");
    println!("cargo::rerun-if-changed=build.rs");
    let lines = fs::read_to_string(list).expect("the model list must be readable");
    let mut rows = BTreeMap::new();
    for (number, line) in lines.lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{list}:{}: {e}", number + 1));
        let text =
            |key: &str| row[key].as_str().unwrap_or_else(|| panic!("{list}:{}: no {key}", number + 1)).to_owned();
        let count = |key: &str| row[key].as_u64().unwrap_or(0);
        let has =
            |capability: &str| row["capabilities"].as_array().is_some_and(|all| all.iter().any(|c| c == capability));
        let value = format!(
            "context_window: {}, max_output: {}, reasons: {}",
            count("contextWindow"),
            count("maxOutputTokens"),
            has("reasoning")
        );
        assert!(rows.insert((text("provider"), text("model")), value).is_none(), "{list}:{}: twice", number + 1);
    }
    // Sorted by provider, then model, as the lookup searches.
    let mut source = String::from("&[\n");
    for ((provider, model), value) in &rows {
        writeln!(source, "    Row {{ provider: {provider:?}, model: {model:?}, {value} }},").expect("must format");
    }
    source.push_str("]\n");
    let out = env::var_os("OUT_DIR").expect("cargo must set OUT_DIR");
    fs::write(Path::new(&out).join("models.rs"), source).expect("the table must be writable");
}
