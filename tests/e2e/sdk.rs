//! The official Python SDKs as referees.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::process::Command;

/// Runs a script of `tests/sdk` with these arguments; its output is in the error when a check fails.
///
/// The Python that has the SDKs is named by `PENSTOCK_PYTHON`, by default `.venv/bin/python` of this repository.
pub(crate) async fn run(script: &str, arguments: &[(&str, &str)]) -> anyhow::Result<()> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("PENSTOCK_PYTHON").map_or_else(|| tests.join("../.venv/bin/python"), PathBuf::from);
    let mut command = Command::new(&python);
    command.arg("-B").arg(tests.join("sdk").join(script)).kill_on_drop(true);
    for (name, value) in arguments {
        command.arg(format!("--{name}={value}"));
    }
    let output = command.output().await.with_context(|| {
        format!("can't run {}; `make setup` installs it, PENSTOCK_PYTHON names another", python.display())
    })?;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{script} {arguments:?}: {}\n{out}{err}", output.status);
    }
    Ok(())
}
