//! A file in which a proxy that is alone keeps what budgets have spent, so that they outlive it.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{
    Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{period::Span, table::lock};

/// Reading it takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until it is tried again what could not be written.
const PAUSE: Duration = Duration::from_secs(1);
/// The last words may take so long.
const LAST: Duration = Duration::from_secs(2);
/// So many Consumers and users. Any more are kept in memory alone.
const MOST: usize = 131_072;
/// What is kept of a period that is over, in seconds: requests may end after it.
const AFTERWARDS: u64 = 86_400;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS budgets \
    (key TEXT PRIMARY KEY, picodollars INTEGER NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID";

/// The entries, and a thread that writes them.
pub(crate) struct Book {
    entries: Mutex<HashMap<String, Entry>>,
    changed: Notify,
    written: Notify,
}

struct Entry {
    /// In picodollars.
    spent: u64,
    /// Of it the file says so much.
    written: Option<u64>,
    /// Seconds since 1970 after which nobody asks for it.
    until: u64,
}

impl Book {
    /// Reads the file, which is made if there is none.
    ///
    /// # Errors
    /// When it can't be read or made.
    pub(super) fn open(file: PathBuf) -> Result<Arc<Self>, String> {
        let (opened, wait) = mpsc::sync_channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let life = move || {
            runtime.block_on(async move {
                match read(&file).await {
                    Ok((connection, entries)) => {
                        let book = Self { entries: entries.into(), changed: Notify::new(), written: Notify::new() };
                        let book = Arc::new(book);
                        // Nobody waits for it any more if that fails.
                        let _ = opened.send(Ok(book.clone()));
                        book.keep(connection).await;
                    }
                    Err(error) => drop(opened.send(Err(format!("{}: {error}", file.display())))),
                }
            });
        };
        thread::Builder::new().name("budgets".to_owned()).spawn(life).map_err(|error| error.to_string())?;
        wait.recv_timeout(PATIENCE).map_err(|error| error.to_string())?
    }

    /// What was spent of it, in picodollars.
    pub(super) fn spent(&self, key: &str) -> u64 {
        lock(&self.entries).get(key).map_or(0, |entry| entry.spent)
    }

    /// So much more was spent. It is written soon.
    pub(super) fn add(&self, key: &str, picodollars: u64, span: &Span) {
        if picodollars == 0 {
            return;
        }
        let mut entries = lock(&self.entries);
        if let Some(entry) = entries.get_mut(key) {
            entry.spent = entry.spent.saturating_add(picodollars);
        } else if entries.len() < MOST {
            let until = seconds(span.ends()) + AFTERWARDS;
            entries.insert(key.to_owned(), Entry { spent: picodollars, written: None, until });
        }
        self.changed.notify_one();
    }

    /// Waits until all is written, or until that takes too long.
    pub(crate) async fn finish(&self) {
        let all = async {
            loop {
                let written = self.written.notified();
                if self.unwritten().is_empty() {
                    return;
                }
                self.changed.notify_one();
                written.await;
            }
        };
        if timeout(LAST, all).await.is_err() {
            tracing::warn!("what budgets have spent could not be written in time");
        }
    }

    async fn keep(&self, mut connection: SqliteConnection) {
        loop {
            self.changed.notified().await;
            while let Err(error) = self.write(&mut connection).await {
                tracing::warn!("what budgets have spent can't be written, and will be lost with this process: {error}");
                sleep(PAUSE).await;
            }
            self.written.notify_waiters();
        }
    }

    /// In one transaction.
    async fn write(&self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let unwritten = self.unwritten();
        let mut transaction = connection.begin().await?;
        for (key, spent, until) in &unwritten {
            let put =
                "INSERT INTO budgets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET picodollars = excluded.picodollars";
            let put = sqlx::query(put).bind(key).bind(whole(*spent)).bind(whole(*until));
            put.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        let mut entries = lock(&self.entries);
        for (key, spent, _) in unwritten {
            if let Some(entry) = entries.get_mut(&key) {
                entry.written = Some(spent);
            }
        }
        let now = seconds(SystemTime::now());
        entries.retain(|_, entry| entry.until > now);
        Ok(())
    }

    fn unwritten(&self) -> Vec<(String, u64, u64)> {
        let entries = lock(&self.entries);
        let unwritten = entries.iter().filter(|(_, entry)| entry.written != Some(entry.spent));
        unwritten.map(|(key, entry)| (key.clone(), entry.spent, entry.until)).collect()
    }
}

async fn read(file: &Path) -> Result<(SqliteConnection, HashMap<String, Entry>), String> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let rows = async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::query(TABLE).execute(&mut connection).await?;
        let now = whole(seconds(SystemTime::now()));
        sqlx::query("DELETE FROM budgets WHERE until <= ?").bind(now).execute(&mut connection).await?;
        let rows = sqlx::query("SELECT key, picodollars, until FROM budgets").fetch_all(&mut connection).await?;
        sqlx::Result::Ok((connection, rows))
    };
    let (connection, rows) = rows.await.map_err(|error: sqlx::Error| error.to_string())?;
    let entry = |row: sqlx::sqlite::SqliteRow| {
        let number = |column| row.try_get::<i64, _>(column).map(|number| u64::try_from(number).unwrap_or_default());
        let spent = number(1)?;
        sqlx::Result::Ok((row.try_get(0)?, Entry { spent, written: Some(spent), until: number(2)? }))
    };
    let entries: sqlx::Result<_> = rows.into_iter().map(entry).collect();
    Ok((connection, entries.map_err(|error| error.to_string())?))
}

/// As SQLite has numbers: nine million dollars and more are as much as there is.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use penstock_crds::BudgetPeriod;

    use super::*;

    #[tokio::test]
    async fn what_was_spent_is_there_in_the_next_life_and_gone_when_its_period_is() {
        let folder = tempfile::tempdir().expect("must be a folder");
        let file = folder.path().join("state/budgets.db");
        let now = Span::of(BudgetPeriod::Month, SystemTime::now());
        let long_ago = Span::of(BudgetPeriod::Month, UNIX_EPOCH);
        let book = Book::open(file.clone()).expect("must open");
        book.add("a", 3, &now);
        book.add("a", 4, &now);
        book.add("b", u64::MAX, &now);
        book.add("old", 5, &long_ago);
        book.add("nothing", 0, &now);
        book.finish().await;
        let book = Book::open(file).expect("must open again");
        assert_eq!(["a", "old", "nothing"].map(|key| book.spent(key)), [7, 0, 0]);
        assert_eq!(book.spent("b"), i64::MAX as u64, "as much as there is");
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("must be a folder");
        let file = folder.path().join("budgets.db");
        fs::write(&file, "this is no database, and long enough to be seen to be none".repeat(20)).expect("must write");
        let error = Book::open(file.clone()).map(|_| ()).expect_err("must be refused");
        assert!(error.starts_with(&file.display().to_string()), "{error}");
    }
}
