//! The official Python and Node SDKs as referees.

use anyhow::{Context, bail};
use penstock_tests::setup;
use tokio::process::Command;

/// Runs a script of `tests/sdk` with these arguments; its output is in the error when a check fails.
pub(crate) async fn run(script: &str, arguments: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut command = interpreter(script)?;
    command.arg(setup::repository().join("tests/sdk").join(script)).kill_on_drop(true);
    for (name, value) in arguments {
        command.arg(format!("--{name}={value}"));
    }
    let output = command.output().await.with_context(|| format!("can't run {script}"))?;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{script} {arguments:?}: {}\n{out}{err}", output.status);
    }
    Ok(())
}

fn interpreter(script: &str) -> anyhow::Result<Command> {
    if script.ends_with(".mjs") {
        return Ok(Command::new(setup::node()?));
    }
    let mut python = Command::new(setup::python()?);
    // No bytecode in the tree.
    python.arg("-B");
    Ok(python)
}
