//! The official Python SDKs as referees.

use anyhow::{Context, bail};
use penstock_tests::setup;
use tokio::process::Command;

/// Runs a script of `tests/sdk` with these arguments; its output is in the error when a check fails.
pub(crate) async fn run(script: &str, arguments: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut command = Command::new(setup::python()?);
    command.arg("-B").arg(setup::repository().join("tests/sdk").join(script)).kill_on_drop(true);
    for (name, value) in arguments {
        command.arg(format!("--{name}={value}"));
    }
    let output = command.output().await.context("python")?;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{script} {arguments:?}: {}\n{out}{err}", output.status);
    }
    Ok(())
}
