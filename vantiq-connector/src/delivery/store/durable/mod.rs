//! [`Store`]: the handle of the outbox file, whose [`Writer`] is a thread of its own.

mod backend;
mod file;
mod inbox;
mod late;
mod live;
mod pending;
mod place;
mod record;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "internals"))]
pub mod trials;
mod writer;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::oneshot, time::timeout};
use tracing::{error, info};

use self::{
    file::StoreFile,
    inbox::Inbox,
    late::Late,
    live::Live,
    pending::Pending,
    place::{Place, Rescued},
    record::Record,
    writer::{Insert, Key, Op, Writer},
};
use super::{OutboxOnError, OutboxSync, StoreError, StoreErrorKind, StoreSettings, Unwritten};
use crate::delivery::outbox::{Draft, Entry, Outbox, Stored, Storing};

/// How long closing the file may take. A healthy disk needs milliseconds; whoever stopped the connector has waited for
/// up to 29 s already, and kills it at some time.
const CLOSE_DEADLINE: Duration = Duration::from_secs(3);

/// Notifications of the run before, by source, in order.
type Left = BTreeMap<String, Vec<Record>>;

/// The outbox file of a connector set.
#[derive(Debug)]
pub(crate) struct Store {
    inbox: Arc<Inbox>,
    path: PathBuf,
    sync: OutboxSync,
    /// Tells when the writer has ended.
    ended_rx: Mutex<mpsc::Receiver<Infallible>>,
    /// Whether the disk did not answer when the file was to be closed.
    hangs: AtomicBool,
    left: Mutex<Left>,
    first_request_id: u64,
}

/// The part of the file that is one source's.
#[derive(Debug, Clone)]
pub(crate) struct Drawer {
    source: Arc<str>,
    inbox: Arc<Inbox>,
}

/// A notification in the file. It stays there unless it is [released](Self::release).
#[derive(Debug)]
pub(crate) struct Kept {
    key: Key,
    inbox: Arc<Inbox>,
}

impl Store {
    /// Opens the outbox file and reads what the run before left in it.
    pub(crate) fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        Self::at(Place::new(settings.clone()))
    }

    fn at(place: Place) -> Result<Self, StoreError> {
        let (file, records) = open(&place)?;
        let since = now_as_number();
        // Where the clock went back, or where what is in the file could not be read.
        let next = records.last_key_value().map_or(since, |(last, _)| since.max(last + 1));
        let last_id = records.values().filter_map(|record| record.request_id).max();
        let mut live = Live::default();
        for record in records.values() {
            live.add(&record.source.as_str().into(), record.number);
        }
        let (ops_tx, ops_rx) = mpsc::channel();
        let inbox = Arc::new(Inbox::new(ops_tx, next));
        let (ended_tx, ended_rx) = mpsc::channel();
        let builder = thread::Builder::new().name("vantiq-outbox".into());
        let (path, sync) = (place.settings.file.clone(), place.settings.sync);
        if file.is_ok() {
            let (file, found) = (path.display(), records.len());
            info!(%file, found, "notifications are kept in the outbox file");
        }
        let late = file.is_err().then(Late::default);
        let writer = Writer::new(place, file, live, late, Arc::clone(&inbox), ops_rx);
        builder
            .spawn(move || {
                writer.run();
                drop(ended_tx);
            })
            .map_err(|error| StoreError::new(&path, StoreErrorKind::Unusable, Some(&error)))?;
        let left = by_source(records);
        let first_request_id = last_id.map_or(since, |last| since.max(last));
        let (ended_rx, hangs, left) = (Mutex::new(ended_rx), AtomicBool::new(false), Mutex::new(left));
        Ok(Self { inbox, path, sync, ended_rx, hangs, left, first_request_id })
    }

    /// The same `outbox`, of `source`, with its entries kept in the file, and with those that the run before
    /// left there, be it as soon as the file can be read.
    pub(crate) fn keep(&self, outbox: Outbox, source: &str) -> Arc<Outbox> {
        let drawer = Drawer { source: source.into(), inbox: Arc::clone(&self.inbox) };
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
        let kept = |record: Record| (record.draft(), drawer.kept(record.number));
        let left: Vec<_> = left.unwrap_or_default().into_iter().map(kept).collect();
        let source = Arc::clone(&drawer.source);
        let outbox = Arc::new(outbox.kept_in(drawer));
        outbox.restore(left.into_iter());
        self.inbox.send(Op::Serve(source, Arc::downgrade(&outbox)));
        outbox
    }

    /// Every source has its drawer; what is left belongs to none of them.
    pub(crate) fn all_drawers_taken(&self) {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for (source, records) in left {
            info!(
                source,
                count = records.len(),
                "notifications of a source that is not configured stay in the outbox file"
            );
        }
    }

    /// A number below all `requestId`s of this run, and above those of earlier runs.
    pub(crate) const fn first_request_id(&self) -> u64 {
        self.first_request_id
    }

    /// Writes what is left and closes the file, sooner or later.
    fn begin_close(&self) -> oneshot::Receiver<Unwritten> {
        let (closed_tx, closed_rx) = oneshot::channel();
        // Where nobody takes it, the file is closed.
        self.inbox.send(Op::Close(closed_tx));
        closed_rx
    }

    /// Writes what is left and closes the file. Unless the disk hangs it is closed when this returns, and what
    /// could not be written is not in it.
    pub(crate) async fn close(&self) -> Unwritten {
        if let Ok(unwritten) = timeout(CLOSE_DEADLINE, self.begin_close()).await {
            // Where nobody tells, it was closed before.
            return unwritten.unwrap_or_default();
        }
        self.hangs.store(true, Ordering::Relaxed);
        let (file, deadline) = (self.path.display(), CLOSE_DEADLINE);
        error!(%file, ?deadline, "the outbox file could not be closed in time: its disk does not answer");
        match self.sync {
            OutboxSync::Always | OutboxSync::Never => Unwritten::default(),
            OutboxSync::Interval => Unwritten::any(),
        }
    }

    /// The same for those who cannot await it: waits here for the writer, a moment unless the disk hangs.
    pub(crate) fn close_now(&self) {
        drop(self.begin_close());
        if !self.hangs.load(Ordering::Relaxed) {
            let ended_rx = self.ended_rx.lock().unwrap_or_else(PoisonError::into_inner);
            // It says nothing: its end is what is waited for.
            let hangs = ended_rx.recv_timeout(CLOSE_DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout);
            self.hangs.store(hangs, Ordering::Relaxed);
        }
    }
}

impl Drop for Store {
    /// Whoever opens the file again at once is to find it closed. A set that was served has closed it; one that
    /// was not closes it here.
    fn drop(&mut self) {
        self.close_now();
    }
}

impl Drawer {
    /// Writes what is drafted soon, where it need not be written before it is sent.
    pub(crate) fn enter(&self, draft: &Draft) -> Option<Kept> {
        let key = self.inbox.enter(&self.source, draft)?;
        Some(Kept { key, inbox: Arc::clone(&self.inbox) })
    }

    /// Writes `entry`, then hands it to its outbox.
    pub(crate) fn put(&self, entry: Entry, storing: Storing) -> Stored {
        let (stored_tx, stored_rx) = oneshot::channel();
        let source = Arc::clone(&self.source);
        self.inbox.send(Op::Insert(Insert { entry, storing, source, stored_tx }));
        Stored::when(stored_rx)
    }

    fn kept(&self, number: u64) -> Kept {
        Kept { key: Key { source: Arc::clone(&self.source), number }, inbox: Arc::clone(&self.inbox) }
    }
}

impl Kept {
    /// Its outcome is known: removes it from the file.
    pub(crate) fn release(self) {
        self.inbox.release(self.key);
    }
}

/// What is in the file, by number.
type Records = BTreeMap<u64, Record>;

/// Opens the file and reads it; does what is to be done about one that cannot be used.
fn open(place: &Place) -> Result<(Result<StoreFile, StoreError>, Records), StoreError> {
    let error = match read(place) {
        Ok((file, records)) => return Ok((Ok(file), records)),
        Err(error) => error,
    };
    // Two that write to one file are a mistake in the settings, whatever is to be done about errors.
    if place.settings.on_error == OutboxOnError::Refuse || error.kind() == StoreErrorKind::InUse {
        return Err(error);
    }
    let error = match rescue_damaged(place, error) {
        Ok(Rescued { file, records, .. }) => return Ok((Ok(file), records)),
        Err(error) => error,
    };
    let cause = crate::error::chain(&error);
    error!(error = cause, "notifications are kept in memory only; a restart loses them");
    Ok((Err(error), Records::new()))
}

fn by_source(records: Records) -> Left {
    let mut left = Left::new();
    for record in records.into_values() {
        left.entry(record.source.clone()).or_default().push(record);
    }
    left
}

fn read(place: &Place) -> Result<(StoreFile, Records), StoreError> {
    let file = place.open()?;
    let records = file.load().map_err(|fault| place.error(&fault))?;
    Ok((file, records))
}

/// Opens the file that could not be opened at the start, and reads it.
fn open_late(place: &Place) -> Result<(StoreFile, Records), StoreError> {
    read(place).or_else(|error| {
        let Rescued { file, records, .. } = rescue_damaged(place, error)?;
        Ok((file, records))
    })
}

fn rescue_damaged(place: &Place, error: StoreError) -> Result<Rescued, StoreError> {
    if error.kind() != StoreErrorKind::Damaged {
        return Err(error);
    }
    let rescued = place.rescue(&Pending::default())?;
    rescued.log(&error);
    Ok(rescued)
}

/// The time in microseconds: no run counts so fast that it reaches the beginning of the next.
fn now_as_number() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
