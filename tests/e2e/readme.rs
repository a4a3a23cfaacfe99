//! What the README says, done as it says it.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use penstock_tests::cluster::Cluster;
use penstock_tests::setup;
use tokio::process::Command;

use crate::operator::installation::{Installation, WITHIN};

/// The namespace that the README's objects are in.
const NAMESPACE: &str = "penstock";
/// What a limit for each user adds to them.
const LIMIT: &str = "---
apiVersion: penstock.dev/v1alpha1
kind: RateLimit
metadata: {name: per-user, namespace: penstock}
spec:
  per: [User]
  tokens: {limit: 100000, window: 1m}
";

fn readme() -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(setup::repository().join("README.md"))?)
}

/// The first block of a language after a heading.
fn block(heading: &str, language: &str) -> anyhow::Result<String> {
    let text = readme()?;
    let missing = || format!("README.md must have a block of {language} under {heading}");
    let section = text.split_once(heading).with_context(missing)?.1;
    let block = section.split_once(&format!("```{language}\n")).with_context(missing)?.1;
    Ok(block.split_once("```").with_context(missing)?.0.to_owned())
}

/// What a user applies, in a namespace of one's choice, with the providers at these URLs.
pub(crate) fn objects(namespace: &str, openai: &str, anthropic: &str) -> anyhow::Result<String> {
    let mut objects = block("## What you apply", "yaml")?;
    for (from, to) in [
        (format!("namespace: {NAMESPACE}"), format!("namespace: {namespace}")),
        ("type: OpenAI\n".to_owned(), format!("type: OpenAI\n  baseURL: {openai}\n")),
        ("type: Anthropic\n".to_owned(), format!("type: Anthropic\n  baseURL: {anthropic}\n")),
    ] {
        ensure!(objects.contains(&from), "{from:?} must be in the README's objects");
        objects = objects.replace(&from, &to);
    }
    Ok(objects)
}

#[test]
fn no_page_has_a_gap_that_is_still_to_be_filled() -> anyhow::Result<()> {
    let mut folders = vec![setup::repository().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if name.ends_with(".md") {
                assert!(!std::fs::read_to_string(&path)?.contains("@@"), "{}", path.display());
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_user_applies_is_short_and_accepted_as_it_stands() -> anyhow::Result<()> {
    let objects = block("## What you apply", "yaml")?;
    let lines = (objects.clone() + LIMIT).lines().count();
    assert!(lines < 50, "with a limit for each user it has {lines} lines");
    let folder = std::env::temp_dir().join(format!("penstock-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("gateway.yaml"), objects)?;
    let mut check = Command::new(setup::binary("penstock-proxy")?);
    let output = check.arg("check").arg(&folder).args(["--platform-namespaces", NAMESPACE]).output().await;
    std::fs::remove_dir_all(&folder)?;
    let output = output?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.ends_with("\n4 of 4 accepted\n"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_rotation_prints_what_the_readme_shows() -> anyhow::Result<()> {
    let shown = block("## Rotating a key", "console")?;
    let commands: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let wanted: Vec<&str> = shown.lines().filter(|line| !line.starts_with("$ ")).collect();

    let cluster = Cluster::shared().await?;
    let installation = Installation::new(cluster, "readme").await?;
    let (operator, [proxy]) = installation.serving().await?;
    let script = commands.join("\n").replace(&format!("-n {NAMESPACE} "), &format!("-n {} ", installation.namespace));
    let printed = shell(cluster, &script).await?;
    let printed: Vec<String> = printed.lines().map(without_version).collect();
    let wanted: Vec<String> = wanted.into_iter().map(without_version).collect();
    assert_eq!(printed, wanted);
    installation.answered_by(&proxy).await?;
    let used = installation.fakes.requests_to("openai").pop().and_then(|request| request.credential);
    assert!(used.is_some_and(|key| script.contains(&format!("\"{key}\""))), "the new key must be in use");
    proxy.stop().await?;
    operator.stop().await
}

/// Runs lines as a person with kubectl would.
async fn shell(cluster: &Cluster, lines: &str) -> anyhow::Result<String> {
    let kubeconfig = cluster.kubeconfig(cluster.admin_token())?;
    let kubectl = r#"set -euo pipefail; kubectl() { "$PROGRAM" kubectl --kubeconfig "$CONFIG" --cache-dir "$CONFIG.cache" "$@"; }"#;
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("{kubectl}\n{lines}")]);
    bash.env("PROGRAM", setup::testcluster()?).env("CONFIG", kubeconfig).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(WITHIN, bash.output()).await??;
    ensure!(output.status.success(), "{lines}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// A line without the number that differs from cluster to cluster.
fn without_version(line: &str) -> String {
    let Some((before, after)) = line.split_once("\"resourceVersion\":\"") else { return line.to_owned() };
    format!("{before}\"resourceVersion\":\"{}", after.trim_start_matches(|digit: char| digit.is_ascii_digit()))
}
