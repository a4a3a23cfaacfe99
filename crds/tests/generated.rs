//! Files that are made from the types are up to date.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use penstock_crds::{Kind, crd};

#[path = "generated/reference.rs"]
mod reference;

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
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
        up_to_date(file(&format!("crds/{}.yaml", kind.plural())), &crd::yaml(kind))?;
    }
    Ok(())
}

#[test]
fn all_definitions_together_stay_under_100_kb() {
    let size = crd::text_of_all().len();
    assert!(size < 100_000, "{size} bytes");
}

#[test]
fn the_chart_holds_the_same_definitions_and_leaves_them_there_when_it_is_uninstalled() -> anyhow::Result<()> {
    for kind in Kind::ALL {
        let plain = crd::yaml(kind);
        ensure!(!plain.contains("{{"), "{kind} would be read as a template");
        let kept = plain.replacen("metadata:\n", "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n", 1);
        ensure!(kept != plain, "{kind} must have metadata");
        up_to_date(file(&format!("charts/penstock/templates/crds/{}.yaml", kind.plural())), &kept)?;
    }
    Ok(())
}

#[test]
fn the_reference_is_that_of_the_definitions() -> anyhow::Result<()> {
    up_to_date(file("docs/api.md"), &reference::page())
}
