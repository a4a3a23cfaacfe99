//! Resources from a folder of YAML files: the same kinds, the same `compile`, read again whenever a file changes.

mod complaint;
mod read;
pub(super) mod watch;

use std::{
    collections::BTreeSet,
    env, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use penstock_config::{Compiler, Settings};
use tokio::time;

pub(crate) use self::{
    complaint::Complaint,
    read::{Contents, Place, read},
};
use super::{Origin, Sink};

/// How often the live snapshot is noted to be still the folder's.
const CONFIRM: Duration = Duration::from_secs(1);

/// Serves a folder for as long as the process lives. While it can't be listed, what runs goes on.
pub(crate) async fn run(folder: PathBuf, settings: Settings, sink: Sink) {
    let mut watch = watch::Watch::new(&folder);
    let mut confirm = time::interval(CONFIRM);
    let mut source =
        Folder { settings, sink, compiler: Compiler::default(), complaints: BTreeSet::new(), readable: true };
    loop {
        source.reload(&folder).await;
        let changed = watch.changed();
        let mut changed = std::pin::pin!(changed);
        loop {
            tokio::select! {
                () = &mut changed => break,
                _ = confirm.tick() => if source.readable { source.sink.live().confirm() },
            }
        }
    }
}

/// The resource files of a folder, sorted by name. Hidden ones are left out, as in a Kubernetes volume.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if yaml && !hidden && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// `${NAME}` in Secrets stands for this.
pub(crate) fn environment(name: &str) -> Option<String> {
    env::var(name).ok()
}

struct Folder {
    settings: Settings,
    sink: Sink,
    compiler: Compiler,
    /// As they were logged.
    complaints: BTreeSet<Complaint>,
    readable: bool,
}

impl Folder {
    /// Reads everything, compiles, and swaps: a change is seen whole or not at all.
    async fn reload(&mut self, folder: &Path) {
        let (path, settings) = (folder.to_owned(), self.settings.clone());
        let read = tokio::task::spawn_blocking(move || read(&path, settings, environment)).await;
        let contents = match read.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(contents) => contents,
            Err(error) => {
                tracing::warn!("can't read {}, what runs goes on: {error}", folder.display());
                self.readable = false;
                return;
            }
        };
        self.readable = true;
        let (snapshot, verdicts) = self.compiler.compile(&contents.world);
        if self.sink.live().state().hash != Some(snapshot.hash()) {
            self.sink.apply(&snapshot, Origin::Folder);
        }
        self.complain(contents.complaints(&verdicts));
    }

    fn complain(&mut self, complaints: BTreeSet<Complaint>) {
        for complaint in complaints.difference(&self.complaints) {
            complaint.log();
        }
        for over in self.complaints.iter().filter(|old| !complaints.iter().any(|new| new.object == old.object)) {
            tracing::info!(object = %over.object, "nothing more to complain of");
        }
        self.sink.note(|status| {
            status.complaints = complaints.iter().map(ToString::to_string).collect();
            status.ready = true;
        });
        self.complaints = complaints;
    }
}

#[cfg(test)]
mod tests;
