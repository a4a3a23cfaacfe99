//! The list of translation rules: each has a test, and the page shows which.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

const HEAD: &str = "<!-- Made of tests/wire.txt: UPDATE=1 cargo test -p penstock-tests --test e2e wire -->

# Wire formats: what Penstock does, and the tests that show it

Two closed sets of things may be unknown to a target. *Hints* (penalties, seed, logit_bias, logprobs, top_k, user, verbosity,
service_tier) follow the route's `onUnsupported`: dropped and named in `x-penstock-dropped-params`, refused, or the target is
skipped. *Meaning* (several answers, modalities, kinds of tools, a schema for the answer, references to state) always skips the
target, and is a 422 that names the field if none is left.
";

/// A rule and the names of its tests.
struct Rule<'a> {
    section: &'a str,
    text: &'a str,
    tests: Vec<&'a str>,
}

#[test]
fn every_rule_has_a_test_and_the_page_shows_it() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    let list = std::fs::read_to_string(root.join("tests/wire.txt"))?;
    let rules = read(&list)?;
    let tests = tests(root)?;
    let page = page(&rules, &tests)?;
    let path = root.join("docs/wire.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page)?;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    ensure!(found == page, "docs/wire.md is out of date: UPDATE=1 cargo test -p penstock-tests --test e2e wire");
    Ok(())
}

fn read(list: &str) -> anyhow::Result<Vec<Rule<'_>>> {
    let (mut section, mut rules) = ("", Vec::<Rule<'_>>::new());
    for line in list.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if let Some(test) = line.strip_prefix("    ") {
            rules.last_mut().with_context(|| format!("{test} stands before any rule"))?.tests.push(test);
        } else if !line.is_empty() && !line.starts_with('#') {
            rules.push(Rule { section, text: line, tests: Vec::new() });
        }
    }
    Ok(rules)
}

/// The files of every test function, by its name.
fn tests(root: &Path) -> anyhow::Result<BTreeMap<String, Vec<PathBuf>>> {
    let mut found = BTreeMap::<String, Vec<PathBuf>>::new();
    let mut folders: Vec<_> =
        ["config/src", "llm/src", "proxy/src", "proxy/tests", "tests/e2e"].map(|it| root.join(it)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let file = path.strip_prefix(root)?.to_owned();
                for name in names(&std::fs::read_to_string(&path)?) {
                    found.entry(name.to_owned()).or_default().push(file.clone());
                }
            }
        }
    }
    found.values_mut().for_each(|files| files.sort_unstable());
    Ok(found)
}

/// The names of the functions below a `test` attribute.
fn names(source: &str) -> impl Iterator<Item = &str> {
    let below = source.split("#[test]").skip(1).chain(source.split("#[tokio::test").skip(1));
    below.filter_map(|text| {
        let name = text.split_once("fn ")?.1;
        name.split_once('(').map(|(name, _)| name)
    })
}

fn page(rules: &[Rule<'_>], tests: &BTreeMap<String, Vec<PathBuf>>) -> anyhow::Result<String> {
    let (mut page, mut section) = (String::from(HEAD), "");
    for rule in rules {
        if rule.section != section {
            section = rule.section;
            write!(page, "\n## {section}\n\n| rule | tests |\n|---|---|\n")?;
        }
        ensure!(!rule.tests.is_empty(), "no test holds this rule: {}", rule.text);
        let mut links = Vec::new();
        for name in &rule.tests {
            let Some(files) = tests.get(*name) else { bail!("{name}, which holds a rule, is no test: {}", rule.text) };
            links.extend(files.iter().map(|file| format!("[{name}](../{})", file.display())));
        }
        writeln!(page, "| {} | {} |", rule.text.replace('|', "\\|"), links.join("<br>"))?;
    }
    Ok(page)
}
