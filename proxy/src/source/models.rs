//! Users' own prices and facts of models, from a file that is read again whenever it changes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use penstock_crds::read::Problem;
use penstock_proxy::{Live, Models};
use thiserror::Error;
use tokio::task::spawn_blocking;

use super::folder::watch::Watch;

/// Why a file can't be used.
#[derive(Debug, Error)]
pub(crate) enum Unusable {
    #[error("can't be read: {0}")]
    Unreadable(#[from] io::Error),
    /// What is wrong, by line and field.
    #[error("{}", lines(.0))]
    Malformed(Vec<Problem>),
}

/// Reads the file.
pub(crate) fn read(file: &Path) -> Result<Models, Unusable> {
    Models::read(&fs::read_to_string(file)?).map_err(Unusable::Malformed)
}

/// Teaches what the file says whenever that changes. While it can't be used, what was last good goes on.
pub(crate) async fn follow(file: PathBuf, models: Models, live: Live) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut watch = Watch::new(folder);
    let mut last = Last { models, wrong: None };
    loop {
        // Read first: it may have changed before the watch began.
        let path = file.clone();
        let read = spawn_blocking(move || read(&path)).await;
        match last.take(read.unwrap_or_else(|panic| Err(io::Error::other(panic).into()))) {
            Some(Ok(models)) => {
                tracing::info!("{} has changed: its prices and facts count from now on", file.display());
                live.learn(models);
            }
            Some(Err(wrong)) => tracing::warn!("{}, what was read before goes on: {wrong}", file.display()),
            None => {}
        }
        watch.changed().await;
    }
}

/// What was last made of the file.
struct Last {
    models: Models,
    /// As it was logged; none while the file is good.
    wrong: Option<String>,
}

impl Last {
    /// What to teach, or to complain of; none where nothing is new.
    fn take(&mut self, found: Result<Models, Unusable>) -> Option<Result<Models, String>> {
        match found {
            Ok(models) => {
                self.wrong = None;
                let is_new = models != self.models;
                self.models = models;
                is_new.then(|| Ok(self.models.clone()))
            }
            Err(error) => {
                let wrong = Some(error.to_string());
                let is_new = wrong != self.wrong;
                self.wrong = wrong;
                self.wrong.clone().filter(|_| is_new).map(Err)
            }
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, time::Duration};

    use penstock_proxy::Metrics;
    use tokio::time;

    use super::*;

    fn row(model: &str) -> String {
        format!("models: [{{provider: OpenAI, model: {model}, maxOutputTokens: 7}}]")
    }

    async fn until(live: &Live, wanted: &Models) {
        let poll = async {
            while *live.models() != *wanted {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        time::timeout(Duration::from_secs(20), poll).await.expect("must be learned");
    }

    fn own(text: &str) -> Result<Models, Unusable> {
        Models::read(text).map_err(Unusable::Malformed)
    }

    #[test]
    fn a_bad_file_is_complained_of_once_and_keeps_the_last_good() -> anyhow::Result<()> {
        let mut last = Last { models: own(&row("a"))?, wrong: None };
        let bad = "models: [{provider: OpenAI}]";
        let said = "line 1: models[0].model: is required".to_owned();
        assert_eq!(last.take(own(bad)), Some(Err(said.clone())));
        assert_eq!(last.take(own(bad)), None, "not twice");
        assert_eq!(last.take(own(&row("a"))), None, "that is what goes on");
        assert_eq!(last.take(own(bad)), Some(Err(said)), "bad anew");
        assert_eq!(last.take(own(&row("b"))), Some(Ok(own(&row("b"))?)));
        Ok(())
    }

    #[tokio::test]
    async fn a_changed_file_counts_without_a_restart() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("pricing.yaml");
        let live = Live::new(Metrics::new());
        fs::write(&file, row("a"))?;
        tokio::spawn(follow(file.clone(), read(&file)?, live.clone()));
        fs::write(&file, row("b"))?;
        until(&live, &own(&row("b"))?).await;
        fs::write(folder.path().join("new"), row("c"))?;
        fs::rename(folder.path().join("new"), &file)?;
        until(&live, &own(&row("c"))?).await;
        Ok(())
    }

    #[tokio::test]
    async fn a_config_map_that_is_changed_is_read_again() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        for (version, model) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(path(version))?;
            fs::write(path(version).join("pricing.yaml"), row(model))?;
        }
        symlink("..1", path("..data"))?;
        symlink("..data/pricing.yaml", path("pricing.yaml"))?;
        let live = Live::new(Metrics::new());
        let models = read(&path("pricing.yaml"))?;
        tokio::spawn(follow(path("pricing.yaml"), models, live.clone()));
        symlink("..2", path("..data_tmp"))?;
        fs::rename(path("..data_tmp"), path("..data"))?;
        until(&live, &own(&row("b"))?).await;
        Ok(())
    }
}
