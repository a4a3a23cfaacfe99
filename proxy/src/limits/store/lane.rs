//! A data thread's own way to the store: one connection that all of its requests share, and what is to be settled there.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use futures::future::{LocalBoxFuture, join_all, pending};
use redis::{ErrorKind, RedisResult, ServerErrorKind};
use tokio::{
    sync::Notify,
    task::spawn_local,
    time::{Instant, sleep, timeout},
};

use super::{
    super::Amounts,
    Connection, DEADLINE, PATIENCE, Store, reason,
    script::{self, Reply, Settling, Wanted},
};
use crate::{metrics::Miss, pace::Pace};

/// So many answers in a row that come too late, and it is left alone until it answers again.
const MISSES: u32 = 3;
/// Between two looks whether it is back: the first, doubling up to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// What was used and is not settled there yet. What finds no room is not settled: its reservation expires.
const OUTBOX: usize = 8_192;
const BATCH: usize = 64;
/// An answer that nobody waits for any more is still heard for so long, to give back what it took. What the store, or the way
/// to it, has held up for longer takes nothing.
pub(super) const LATE: Duration = Duration::from_secs(10);

pub(crate) struct Lane {
    store: Arc<Store>,
    pace: Pace,
    /// When the store was asked for the time, and what it said, in milliseconds.
    clock: Cell<(Instant, u64)>,
    /// None while it does not answer.
    connection: RefCell<Option<Connection>>,
    misses: Cell<u32>,
    broken: Notify,
    outbox: RefCell<VecDeque<Settling>>,
    /// A part of it is on its way.
    is_settling: Cell<bool>,
    filled: Notify,
    emptied: Notify,
}

type Asking = LocalBoxFuture<'static, RedisResult<Reply>>;

/// Something is asked of the store. It is undone when its answer comes if nobody waits for that: it took too long, or the client left.
struct Call {
    lane: Rc<Lane>,
    /// None once it is answered.
    asking: Option<Asking>,
    wanted: Vec<Wanted>,
    amounts: Amounts<u64>,
}

/// The store did not answer in time.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Down;

impl Lane {
    /// Connects, and keeps trying while the thread lives. Needs a `LocalSet`.
    pub(crate) fn start(store: &Arc<Store>, pace: Pace) -> Rc<Self> {
        store.metrics.lane_begins();
        let lane = Rc::new(Self {
            store: store.clone(),
            pace,
            clock: Cell::new((Instant::now(), 0)),
            connection: RefCell::default(),
            misses: Cell::new(0),
            broken: Notify::new(),
            outbox: RefCell::default(),
            is_settling: Cell::new(false),
            filled: Notify::new(),
            emptied: Notify::new(),
        });
        spawn_local(lane.clone().keep());
        lane
    }

    /// The key of a bucket.
    pub(in super::super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.store.prefix)
    }

    /// Takes the amounts of all places or of none, in one round trip.
    pub(in super::super) async fn reserve(
        self: &Rc<Self>,
        wanted: Vec<Wanted>,
        amounts: Amounts<u64>,
        expires: Duration,
    ) -> Result<Reply, Down> {
        let Some(mut connection) = self.connection.borrow().clone() else {
            wanted.iter().for_each(Wanted::untell);
            return Err(self.missed(Miss::Down));
        };
        let wait = u64::try_from(expires.as_millis()).unwrap_or(u64::MAX);
        let arguments = script::reserve(&wanted, &amounts, wait, self.latest());
        let asking = Box::pin(async move { script::run(&mut connection, &arguments).await.and_then(Reply::read) });
        let mut call = Call { lane: self.clone(), asking: Some(asking), wanted, amounts };
        let asked = Instant::now();
        let answered = timeout(self.pace.of(DEADLINE), call.answer()).await;
        self.store.metrics.waited(asked.elapsed());
        match answered {
            Ok(Ok(reply)) => {
                self.misses.set(0);
                Ok(reply)
            }
            Ok(Err(error)) => {
                call.wanted.iter().for_each(Wanted::untell);
                self.leave(&reason(&error));
                Err(self.missed(Miss::Error))
            }
            Err(_) => Err(self.missed(Miss::Timeout)),
        }
    }

    /// Settles it there, soon. Nobody waits for that.
    pub(in super::super) fn settle(&self, settling: Settling) {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.len() < OUTBOX {
            outbox.push_back(settling);
            self.filled.notify_one();
        } else {
            self.store.metrics.lost(1);
        }
    }

    /// Waits until all is settled, or until that takes too long.
    pub(crate) async fn finish(&self) {
        let all = async {
            while self.is_settling.get() || !self.outbox.borrow().is_empty() {
                self.emptied.notified().await;
            }
        };
        if timeout(self.pace.of(PATIENCE), all).await.is_err() {
            let left = self.outbox.borrow().len();
            tracing::warn!(left, "the store of limits does not answer: what requests have used is not settled there");
        }
    }

    /// When nobody hears any more what becomes of a call, by the store's clock.
    fn latest(&self) -> u64 {
        let (asked, said) = self.clock.get();
        let since = asked.elapsed() + self.pace.of(LATE);
        said.saturating_add(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn missed(&self, miss: Miss) -> Down {
        self.store.metrics.missed(miss);
        if miss == Miss::Timeout {
            self.misses.set(self.misses.get() + 1);
            if self.misses.get() >= MISSES {
                self.leave("it answers too late");
            }
        }
        Down
    }

    fn leave(&self, why: &str) {
        if self.connection.take().is_some() {
            tracing::warn!("left the store of limits: {why}");
            self.broken.notify_one();
        }
    }

    /// Gives back what was taken for a request that no longer waited.
    async fn undo(self: Rc<Self>, asking: Asking, wanted: Vec<Wanted>, amounts: Amounts<u64>) {
        match timeout(self.pace.of(LATE), asking).await {
            Ok(Ok(Reply { is_taken: true, until, .. })) => {
                let places = wanted.into_iter().map(|wanted| wanted.place).collect();
                self.settle(Settling { places, until, reserved: amounts, used: Amounts::default() });
            }
            Ok(Ok(Reply { is_taken: false, .. })) => {}
            Ok(Err(_)) | Err(_) => wanted.iter().for_each(Wanted::untell),
        }
    }

    /// Connects again and again, and settles what is to be settled.
    async fn keep(self: Rc<Self>) {
        loop {
            let connection = self.connect().await;
            self.misses.set(0);
            *self.connection.borrow_mut() = Some(connection.clone());
            self.store.metrics.lane_is_up(true);
            tracing::info!("the store of limits answers");
            while self.connection.borrow().is_some() {
                self.settle_next(&connection).await;
            }
            self.store.metrics.lane_is_up(false);
        }
    }

    /// A connection that takes writes in time.
    async fn connect(&self) -> Connection {
        let [mut pause, longest] = PAUSES.map(|pause| self.pace.of(pause));
        let mut said = String::new();
        loop {
            match timeout(self.pace.of(PATIENCE), self.probed()).await {
                Ok(Ok(connection)) => return connection,
                failed => {
                    let why = failed.map_or_else(
                        |_| "no answer".to_owned(),
                        |failed| match failed {
                            Err(error) => reason(&error),
                            Ok(_) => String::new(),
                        },
                    );
                    if said != why {
                        tracing::warn!("the store of limits does not answer: {why}");
                        said = why;
                    }
                }
            }
            sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (2 * pause).min(longest);
        }
    }

    async fn probed(&self) -> RedisResult<Connection> {
        let mut connection = self.store.connect().await?;
        let key = format!("{}probe", self.store.prefix);
        script::run(&mut connection, &script::probe(&key)).await?;
        // The first found the script loaded, or brought it; this one is like any other.
        let asked = Instant::now();
        match timeout(self.pace.of(DEADLINE), script::run(&mut connection, &script::probe(&key))).await {
            Ok(answered) => {
                self.clock.set((asked, script::time(answered?)?));
                Ok(connection)
            }
            Err(_) => Err((ErrorKind::Io, "it answers too late").into()),
        }
    }

    /// Settles what there is, or waits for something to settle or for the connection to break.
    async fn settle_next(&self, connection: &Connection) {
        let batch: Vec<_> = {
            let mut outbox = self.outbox.borrow_mut();
            let count = outbox.len().min(BATCH);
            outbox.drain(..count).collect()
        };
        if !batch.is_empty() {
            self.is_settling.set(true);
            self.settle_all(connection, batch).await;
            return self.is_settling.set(false);
        }
        self.emptied.notify_waiters();
        tokio::select! {
            () = self.filled.notified() => {}
            () = self.broken.notified() => {}
        }
    }

    /// In one round trip. What may have been done and was not answered is not done again: it would count twice.
    async fn settle_all(&self, connection: &Connection, batch: Vec<Settling>) {
        let each = batch.iter().map(|settling| {
            let mut connection = connection.clone();
            async move { script::run(&mut connection, &script::settle(settling)).await }
        });
        let answered = timeout(self.pace.of(PATIENCE), join_all(each)).await;
        let Ok(answered) = answered else {
            self.store.metrics.lost(batch.len());
            return self.leave("it does not settle in time");
        };
        for (settling, answered) in batch.into_iter().zip(answered).rev() {
            let Err(error) = answered else { continue };
            self.leave(&reason(&error));
            match error.kind() {
                // It says itself that it did nothing, and that this may change.
                ErrorKind::Server(
                    ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading | ServerErrorKind::ClusterDown,
                )
                | ErrorKind::Extension => self.outbox.borrow_mut().push_front(settling),
                _ => self.store.metrics.lost(1),
            }
        }
    }
}

impl Call {
    async fn answer(&mut self) -> RedisResult<Reply> {
        let Some(asking) = &mut self.asking else { return pending().await };
        let answer = asking.await;
        self.asking = None;
        answer
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(asking) = self.asking.take() {
            let wanted = std::mem::take(&mut self.wanted);
            spawn_local(self.lane.clone().undo(asking, wanted, self.amounts));
        }
    }
}
