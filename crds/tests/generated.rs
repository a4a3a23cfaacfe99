//! Files that are made from the types are up to date.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use penstock_crds::{Kind, crd};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with what it must hold, or writes it when `UPDATE` is set.
fn up_to_date(path: PathBuf, wanted: &str) -> anyhow::Result<()> {
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, wanted).with_context(|| path.display().to_string());
    }
    let found = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    ensure!(found == wanted, "{} is out of date: run UPDATE=1 cargo test -p penstock-crds", path.display());
    Ok(())
}

#[test]
fn the_definitions_in_the_folder_are_those_of_the_types() -> anyhow::Result<()> {
    for kind in Kind::ALL {
        up_to_date(root().join(format!("{}.yaml", kind.plural())), &crd::yaml(kind))?;
    }
    Ok(())
}

#[test]
fn all_definitions_together_stay_under_100_kb() {
    let size = crd::yaml_all().len();
    assert!(size < 100_000, "{size} bytes");
}
