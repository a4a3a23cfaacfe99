//! The snapshot that the operator keeps in a Secret, mounted as a folder: what to start from when it is away.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use flate2::read::GzDecoder;
use penstock_config::{
    Snapshot, SnapshotError,
    protocol::{Full, Position},
};
use thiserror::Error;

/// The key in the Secret, so the file's name.
const FILE: &str = "snapshot.json.gz";
/// What a stored snapshot may unpack to; packed it has less than 900 KiB.
const LARGEST: u64 = 256 << 20;

/// A snapshot as it was stored.
pub(crate) struct Stored {
    pub(crate) snapshot: Snapshot,
    pub(crate) position: Position,
    /// When it was stored, as the archive's header says; else when the file appeared.
    pub(crate) at: Option<SystemTime>,
}

impl Stored {
    /// How long ago it was stored.
    pub(crate) fn age(&self) -> Duration {
        self.at.and_then(|at| at.elapsed().ok()).unwrap_or_default()
    }
}

#[derive(Debug, Error)]
pub(crate) enum StoredError {
    #[error("can't read {path}: {error}")]
    File { path: PathBuf, error: io::Error },
    /// Without serde's own words: they may quote a key.
    #[error("{path} is not a snapshot of this version")]
    Document { path: PathBuf },
    #[error("{path}: {error}")]
    Snapshot { path: PathBuf, error: SnapshotError },
}

/// Reads the stored snapshot out of the Secret's folder.
pub(crate) fn read(folder: &Path) -> Result<Stored, StoredError> {
    let path = folder.join(FILE);
    let file_error = |error| StoredError::File { path: path.clone(), error };
    let packed = fs::read(&path).map_err(file_error)?;
    let mut archive = GzDecoder::new(packed.as_slice());
    let mut json = Vec::new();
    archive.by_ref().take(LARGEST).read_to_end(&mut json).map_err(file_error)?;
    let written = archive.header().map_or(0, flate2::GzHeader::mtime);
    let at = match written {
        0 => fs::metadata(&path).and_then(|metadata| metadata.modified()).ok(),
        seconds => Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into())),
    };
    let full = serde_json::from_slice::<Full>(&json).map_err(|_| StoredError::Document { path: path.clone() })?;
    let position = full.position;
    let snapshot = full.into_snapshot().map_err(|error| StoredError::Snapshot { path, error })?;
    Ok(Stored { snapshot, position, at })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder};

    use super::*;

    fn store(folder: &Path, json: &[u8], mtime: u32) {
        let file = fs::File::create(folder.join(FILE)).expect("must create");
        let mut archive = GzBuilder::new().mtime(mtime).write(file, Compression::default());
        archive.write_all(json).and_then(|()| archive.finish().map(drop)).expect("must write");
    }

    fn document() -> Vec<u8> {
        let position = Position { epoch: 3, sequence: 7 };
        serde_json::to_vec(&Full::new(position, &Snapshot::default())).expect("must serialise")
    }

    #[test]
    fn a_stored_snapshot_comes_back_with_its_place_and_its_time() {
        let folder = tempfile::tempdir().expect("must have a folder");
        store(folder.path(), &document(), 1_700_000_000);
        let stored = read(folder.path()).expect("must read");
        assert_eq!(stored.snapshot.hash(), Snapshot::default().hash());
        assert_eq!(stored.position, Position { epoch: 3, sequence: 7 });
        assert_eq!(stored.at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
    }

    #[test]
    fn what_is_not_a_snapshot_is_an_error_that_quotes_nothing() {
        let folder = tempfile::tempdir().expect("must have a folder");
        assert!(matches!(read(folder.path()), Err(StoredError::File { .. })), "an empty Secret");
        store(folder.path(), br#"{"secrets":"sk-secret"}"#, 0);
        let error = read(folder.path()).err().expect("must fail").to_string();
        assert!(!error.contains("sk-secret"), "{error}");
        fs::write(folder.path().join(FILE), b"not gzip").expect("must write");
        assert!(matches!(read(folder.path()), Err(StoredError::File { .. })));
    }
}
