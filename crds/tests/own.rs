//! The file of users' own prices and facts is read strictly, and what is wrong says line, field and fix.

use anyhow::{Context, Result};
use penstock_crds::own::{OwnSampling, ThinkingType};
use penstock_crds::read::own_models;

const FULL: &str = r#"
models:
- provider: OpenAI
  model: gpt-5
  pricing: {input: "1.00", output: "8", cachedInput: "0.1", flex: {input: "0.5", output: "4"}}
- provider: Gemini
  model: gemini-2.5-pro
  pricing:
    input: "1.25"
    output: "10"
    tiers:
    - {aboveInputTokens: 200000, input: "2.5", output: "15"}
    - {aboveInputTokens: 500000, input: "5", output: "30"}
  contextWindow: 1048576
  maxOutputTokens: 65536
  facts:
    thinking: {type: Tokens, tokens: {least: 128, most: 32768}}
    sampling: Either
    prefill: false
    bytesPerTenTokens: 40
"#;

/// What is wrong with `FULL` once `from` is replaced, a line each.
fn problems(from: &str, to: &str) -> Result<Vec<String>> {
    anyhow::ensure!(FULL.contains(from), "{from} must be in the file");
    let problems = own_models(&FULL.replace(from, to)).err().context("must be refused")?;
    Ok(problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_good_file_is_read_whole() -> Result<()> {
    let models = own_models(FULL).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let [gpt, gemini] = models.as_slice() else { anyhow::bail!("must be two rows") };
    let pricing = gpt.pricing.as_ref().context("must have prices")?;
    assert_eq!(pricing.base.input.as_ref().map(penstock_crds::Usd::micros), Some(1_000_000));
    assert_eq!(pricing.base.cache_write, None);
    assert_eq!(pricing.flex.as_ref().map(|flex| flex.output.micros()), Some(4_000_000));
    let facts = gemini.facts.as_ref().context("must have facts")?;
    assert_eq!(facts.thinking.as_ref().map(|thinking| thinking.type_), Some(ThinkingType::Tokens));
    assert_eq!((facts.sampling, facts.prefill, facts.json_schema), (Some(OwnSampling::Either), Some(false), None));
    assert_eq!(gemini.pricing.as_ref().map(|pricing| pricing.tiers.len()), Some(2));
    assert_eq!(own_models("# nothing yet\n").map(|models| models.len()), Ok(0));
    Ok(())
}

#[test]
fn malformed_overrides_are_refused_with_line_and_field() -> Result<()> {
    let rows = [
        ("provider: OpenAI", "provider: OpenAi", "line 3: models[0].provider: is \"OpenAi\", must be one of"),
        ("  model: gpt-5\n", "", "line 3: models[0].model: is required"),
        ("cachedInput", "cachedInputs", "line 5: models[0].pricing.cachedInputs: is not a known field; did you mean"),
        ("\"1.00\"", "1.00", "line 5: models[0].pricing.input: must be a string (put it in quotes)"),
        ("\"1.00\"", "\"-1\"", "line 5: models[0].pricing.input: is \"-1\", must match"),
        ("input: \"1.00\", ", "", "line 5: models[0].pricing.input: is required with flex"),
        ("500000", "200000", "line 13: models[1].pricing.tiers[1].aboveInputTokens: must be more than"),
        ("65536", "0", "line 15: models[1].maxOutputTokens: must be between 1 and"),
        (
            "type: Tokens, tokens: {least: 128, most: 32768}",
            "type: Tokens",
            "line 17: models[1].facts.thinking.tokens: is required",
        ),
        ("type: Tokens", "type: Effort", "line 17: models[1].facts.thinking.tokens: is only allowed with type: Tokens"),
        ("sampling: Either", "sampling: Some", "line 18: models[1].facts.sampling: is \"Some\", must be one of"),
        (
            "prefill: false",
            "prefil: false",
            "line 19: models[1].facts.prefil: is not a known field; did you mean prefill?",
        ),
        (
            "bytesPerTenTokens: 40",
            "bytesPerTenTokens: 4",
            "line 20: models[1].facts.bytesPerTenTokens: must be between 15",
        ),
        ("models:", "prices:", "line 2: prices: is not a known field"),
        ("models:", "models: [", "is not YAML"),
    ];
    for (from, to, wanted) in rows {
        let found = problems(from, to)?;
        assert!(found.iter().any(|problem| problem.contains(wanted)), "{from} as {to}: {found:?} must say {wanted}");
    }
    Ok(())
}

#[test]
fn a_model_that_stands_twice_is_refused() -> Result<()> {
    let twice = "provider: Gemini\n  model: gemini-2.5-pro\n";
    let found = problems(twice, "provider: OpenAI\n  model: gpt-5\n")?;
    assert!(found[0].starts_with("line 6: models[1]: is the same as item 0"), "{found:?}");
    let found = own_models(&format!("{FULL}---\n{FULL}")).err().context("must be refused")?;
    assert_eq!(found[0].to_string(), "line 23: is a second document; one holds all rows, so that none stands twice");
    Ok(())
}

#[test]
fn the_example_in_the_documentation_is_a_good_file_and_every_field_is_on_its_page() -> Result<()> {
    let page = include_str!("../../docs/prices.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).context("no example")?;
    let models = own_models(example).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    assert_eq!(models.len(), 3);
    // An unknown field is answered with all that are known.
    for (from, to) in
        [("provider: OpenAI", "x: OpenAI"), ("input: \"1.00\"", "zzzzzzzz: 1"), ("sampling: Either", "zzzzzzzz: 1")]
    {
        let known =
            problems(from, to)?.into_iter().find_map(|said| said.split_once("known are ").map(|it| it.1.to_owned()));
        for field in known.context(to)?.split(", ") {
            assert!(page.contains(&format!("`{field}")) || page.contains(&format!("{field}:")), "{field}");
        }
    }
    Ok(())
}
