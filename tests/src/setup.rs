//! Where the things are that `make setup` and `cargo build` bring.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ must have a parent")
}

/// The program of `tests/cluster`: what `PENSTOCK_TESTCLUSTER` says, else where `make setup` puts it.
///
/// # Errors
/// When it is not there; the message says what to run.
pub fn testcluster() -> anyhow::Result<PathBuf> {
    installed("PENSTOCK_TESTCLUSTER", "cluster")
}

/// Helm: what `PENSTOCK_HELM` says, else where `make setup` puts it.
///
/// # Errors
/// When it is not there; the message says what to run.
pub fn helm() -> anyhow::Result<PathBuf> {
    installed("PENSTOCK_HELM", "helm")
}

/// A Redis server: what `PENSTOCK_REDIS_SERVER` says, else where `make setup` puts it.
///
/// # Errors
/// When it is not there; the message says what to run.
pub fn redis() -> anyhow::Result<PathBuf> {
    installed("PENSTOCK_REDIS_SERVER", "redis")
}

/// A Python with the providers' SDKs: what `PENSTOCK_PYTHON` says, else where `make setup` puts it.
///
/// # Errors
/// When it is not there; the message says what to run.
pub fn python() -> anyhow::Result<PathBuf> {
    installed("PENSTOCK_PYTHON", "python")
}

/// A Node.js with the providers' SDKs: what `PENSTOCK_NODE` says, else where `make setup` puts it.
///
/// # Errors
/// When it is not there; the message says what to run.
pub fn node() -> anyhow::Result<PathBuf> {
    installed("PENSTOCK_NODE", "node")
}

/// A program of this workspace as `cargo build` left it, next to the running test.
///
/// # Errors
/// When it has not been built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("this program's own path")?;
    let path = test.ancestors().skip(1).map(|folder| folder.join(name)).find(|path| path.is_file());
    path.with_context(|| format!("{name} is not built: run `cargo build --workspace --bins`, or `make test`"))
}

fn installed(variable: &str, what: &str) -> anyhow::Result<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => default_path(what)?,
    };
    ensure!(path.is_file(), "{} is not there: run `make setup`, or set {variable}", path.display());
    Ok(path)
}

/// `tests/setup` names its folders after versions, so it is the one to ask.
fn default_path(what: &str) -> anyhow::Result<PathBuf> {
    let output =
        Command::new(repository().join("tests/setup")).args(["--path", what]).output().context("tests/setup --path")?;
    ensure!(output.status.success(), "tests/setup --path {what}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
}
