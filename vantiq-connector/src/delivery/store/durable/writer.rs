//! [`Writer`]: the one thread that touches the file.
//!
//! It takes all that has come meanwhile and writes it with one transaction. Then it hands the notifications to
//! their outboxes itself, in the order in which they came. So nothing is sent that is not written, and the order stays.
//! What need not be written at once waits in the [`Inbox`]: with [`OutboxSync::Interval`] notifications, which are in
//! their outboxes already, and always removals. Each of those that is lost only means that a notification is sent twice.

use std::{
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Instant,
};

use tokio::sync::oneshot;
use tracing::{error, info};

use super::{
    OutboxOnError, OutboxSync, StoreError, StoreErrorKind, Unwritten,
    file::StoreFile,
    inbox::{Came, Entered, Inbox},
    late::Late,
    live::Live,
    pending::Pending,
    place::{Place, Rescued},
    record::Record,
};
use crate::delivery::{
    DeliveryError,
    outbox::{Draft, Entry, Outbox, Storing},
};

/// How much is written with one transaction, that nobody waits too long for others.
const MOST_INSERTS: usize = 4_096;
const MOST_BYTES: usize = 4 << 20;

/// What the writer is to do.
pub(super) enum Op {
    Insert(Insert),
    /// There is something in the inbox.
    Look,
    /// The outbox of a source.
    Serve(Arc<str>, Weak<Outbox>),
    /// Write what is left, close the file, and tell so, and what could not be written.
    Close(oneshot::Sender<Unwritten>),
}

/// A notification in the file.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) source: Arc<str>,
    pub(super) number: u64,
}

/// A notification that is to be written, and then handed to its outbox.
pub(super) struct Insert {
    pub(super) entry: Entry,
    pub(super) storing: Storing,
    pub(super) source: Arc<str>,
    pub(super) stored_tx: oneshot::Sender<Result<(), StoreError>>,
}

/// What came at once.
#[derive(Default)]
struct Batch {
    inserts: Vec<Insert>,
    /// Whether there is something in the inbox.
    looks: bool,
    outboxes: Vec<(Arc<str>, Weak<Outbox>)>,
    close: Option<oneshot::Sender<Unwritten>>,
    /// Whether there will be no other.
    last: bool,
}

/// The one thread that touches the file.
pub(super) struct Writer {
    place: Place,
    ops_rx: Receiver<Op>,
    inbox: Arc<Inbox>,
    /// `None` while it cannot be used.
    file: Option<StoreFile>,
    pending: Pending,
    /// When what is in the inbox or pending is to be written at the latest.
    due: Option<Instant>,
    /// Whether anything was in the inbox last time: then it is looked into again, without being told.
    looks_again: bool,
    trouble: Option<Trouble>,
    live: Live,
    /// Only where the file could not be read at the start.
    late: Option<Late>,
}

/// The file cannot be used, or takes nothing more.
struct Trouble {
    error: StoreError,
    retry_at: Instant,
    /// Notifications that were not written for it.
    missed: u64,
}

impl Writer {
    /// A writer to `file`, or where it cannot be used to that at `place` when it can. `live` is in it,
    /// or what is `late`.
    pub(super) fn new(
        place: Place,
        file: Result<StoreFile, StoreError>,
        live: Live,
        late: Option<Late>,
        inbox: Arc<Inbox>,
        ops_rx: Receiver<Op>,
    ) -> Self {
        let retry_at = Instant::now() + place.retry;
        let (file, trouble) = match file {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(Trouble { error, retry_at, missed: 0 })),
        };
        let due = trouble.as_ref().map(|trouble: &Trouble| trouble.retry_at);
        let (pending, looks_again) = (Pending::default(), false);
        Self { place, ops_rx, inbox, file, pending, due, looks_again, trouble, live, late }
    }

    /// Writes until it is told to close.
    pub(super) fn run(mut self) {
        loop {
            self.open_inbox();
            let Batch { inserts, looks, outboxes, close, last } = self.next_batch();
            if let Some(late) = &mut self.late {
                for (source, outbox) in outboxes {
                    late.serve(source, outbox);
                }
            }
            self.read_late(Instant::now());
            self.take(inserts, looks);
            if last {
                let unwritten = self.end();
                if let Some(closed_tx) = close {
                    let _ = closed_tx.send(unwritten);
                }
                return;
            }
        }
    }

    /// Lets notifications enter until it writes next, where they need not be written before they are sent and nothing
    /// says that they cannot be.
    fn open_inbox(&self) {
        if self.place.settings.sync == OutboxSync::Interval && self.trouble.is_none() {
            self.inbox.open();
        }
    }

    /// Waits until there is something to do, and takes all there is.
    fn next_batch(&self) -> Batch {
        let mut batch = Batch::default();
        let first = match self.due {
            None => self.ops_rx.recv().map_err(RecvTimeoutError::from),
            Some(at) => self.ops_rx.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let mut bytes = 0;
        let mut next = match first {
            Ok(op) => Some(op),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Batch { last: true, ..batch },
        };
        while let Some(op) = next {
            match op {
                Op::Insert(insert) => {
                    bytes += insert.entry.draft.frame.len();
                    batch.inserts.push(insert);
                }
                Op::Look => batch.looks = true,
                Op::Serve(source, outbox) => batch.outboxes.push((source, outbox)),
                Op::Close(closed_tx) => return Batch { close: Some(closed_tx), last: true, ..batch },
            }
            let is_full = batch.inserts.len() >= MOST_INSERTS || bytes >= MOST_BYTES;
            next = if is_full { None } else { self.ops_rx.try_recv().ok() };
        }
        batch
    }

    /// Opens and reads the file that could not be read at the start, where it is time to try that again. Before
    /// anything is entered: each record names the oldest that is there.
    fn read_late(&mut self, now: Instant) {
        if !self.is_unread() || self.trouble.as_ref().is_some_and(|trouble| now < trouble.retry_at) {
            return;
        }
        match super::open_late(&self.place) {
            Ok((file, records)) => {
                for record in records.values() {
                    self.live.add(&record.source.as_str().into(), record.number);
                }
                if let Some((last, _)) = records.last_key_value() {
                    self.inbox.skip_to(*last);
                }
                self.file = Some(file);
                self.late.get_or_insert_default().read(records);
            }
            Err(error) => {
                let retry_at = now + self.place.retry;
                self.due = Some(retry_at.max(now + self.place.interval));
                self.failed(error, retry_at);
            }
        }
    }

    fn is_unread(&self) -> bool {
        self.late.as_ref().is_some_and(|late| !late.is_read())
    }

    fn take(&mut self, inserts: Vec<Insert>, looks: bool) {
        match self.place.settings.sync {
            _ if inserts.is_empty() => {}
            // They came while it was writing.
            OutboxSync::Interval if self.trouble.is_none() => {
                for insert in inserts {
                    self.accept_at_once(insert);
                }
            }
            // Only what is written shows that the file takes more.
            OutboxSync::Interval | OutboxSync::Always | OutboxSync::Never => {
                self.look();
                self.accept(inserts);
            }
        }
        let now = Instant::now();
        if self.due.is_some_and(|at| at <= now) {
            self.look();
            // Whoever it concerns was told, or will be when there is something to accept.
            let _ = self.commit(now);
        } else if self.due.is_none() && (looks || !self.pending.is_empty()) {
            self.due = Some(now + self.place.interval);
        }
    }

    /// Takes what is in the inbox, to be written next; before anything else is entered, for each record names the
    /// oldest that is there.
    fn look(&mut self) {
        let came = self.inbox.take();
        self.looks_again = came.is_some();
        self.put(came.unwrap_or_default());
    }

    fn put(&mut self, Came { entered, released }: Came) {
        for Key { source, number } in released {
            self.live.remove(&source, number);
            self.pending.remove(number);
        }
        for (number, Entered { source, draft }) in entered {
            self.enter(number, &source, &draft);
        }
    }

    /// Writes them, then hands them over.
    fn accept(&mut self, inserts: Vec<Insert>) {
        let keys: Vec<_> = inserts.iter().map(|insert| self.number(insert)).collect();
        match self.commit(Instant::now()) {
            Ok(()) => {
                let inbox = &self.inbox;
                inserts.into_iter().zip(keys).for_each(|(insert, key)| insert.accepted(key, inbox));
            }
            Err(error) => {
                for key in keys {
                    self.live.remove(&key.source, key.number);
                    self.pending.remove(key.number);
                }
                for insert in inserts {
                    self.not_written(insert, &error);
                }
            }
        }
    }

    /// Hands it over, and writes it soon.
    fn accept_at_once(&mut self, insert: Insert) {
        let key = self.number(&insert);
        insert.accepted(key, &self.inbox);
    }

    /// Gives it a number, to be written next.
    fn number(&mut self, Insert { source, entry, .. }: &Insert) -> Key {
        let number = self.inbox.number();
        self.enter(number, source, &entry.draft);
        Key { source: Arc::clone(source), number }
    }

    /// Makes a record, to be written next.
    fn enter(&mut self, number: u64, source: &Arc<str>, draft: &Draft) {
        let oldest = self.live.add(source, number);
        self.pending.insert(Record::new(number, oldest, source, draft));
    }

    fn not_written(&mut self, insert: Insert, error: &StoreError) {
        if let Some(trouble) = &mut self.trouble {
            trouble.missed += 1;
        }
        match self.place.settings.on_error {
            OutboxOnError::Refuse => insert.refused(error),
            OutboxOnError::Memory => insert.accepted_in_memory(),
        }
    }

    /// Writes what is pending, where the file can be used or it is time to try that again.
    fn commit(&mut self, now: Instant) -> Result<(), StoreError> {
        if let Some(trouble) = &self.trouble
            && (now < trouble.retry_at || self.is_unread())
        {
            self.due = Some(trouble.retry_at);
            return Err(trouble.error.clone());
        }
        let look_at = self.looks_again.then_some(now + self.place.interval);
        if self.pending.is_empty() && self.trouble.is_none() {
            self.due = look_at;
            return Ok(());
        }
        match self.try_commit() {
            Ok(()) => {
                // A file that is full takes removals all the time.
                if self.pending.has_inserts() {
                    self.healed();
                }
                self.pending.written();
                self.due = look_at;
                Ok(())
            }
            Err(error) => {
                let retry_at = if self.file.is_some() { now } else { now + self.place.retry };
                self.due = Some(retry_at.max(now + self.place.interval));
                self.failed(error.clone(), retry_at);
                Err(error)
            }
        }
    }

    /// Writes what is pending. Keeps the file only where it can be used after that: what the database makes of
    /// itself after an error only opening it anew can tell.
    fn try_commit(&mut self) -> Result<(), StoreError> {
        let file = if let Some(file) = self.file.take() {
            file
        } else {
            let file = self.reopen()?;
            self.commit_removes(&file)?;
            file
        };
        let result = file.commit(&self.pending).map_err(|fault| self.place.error(&fault));
        match &result {
            Ok(()) => {}
            // It was merely too much.
            Err(_) if file.is_sound() => self.commit_removes(&file)?,
            Err(_) => self.pending.not_written(),
        }
        self.file = Some(file).filter(StoreFile::is_sound);
        result
    }

    /// Writes the removals by themselves: it is they that make room.
    fn commit_removes(&mut self, file: &StoreFile) -> Result<(), StoreError> {
        if !self.pending.has_removes() {
            return Ok(());
        }
        let removes = self.pending.only_removes();
        file.commit(&removes).map_err(|fault| {
            self.pending.put_back(removes);
            self.place.error(&fault)
        })
    }

    fn reopen(&self) -> Result<StoreFile, StoreError> {
        match self.place.open() {
            Err(error)
                if error.kind() == StoreErrorKind::Damaged
                    && self.place.settings.on_error == OutboxOnError::Memory =>
            {
                let rescued = self.place.rescue(&self.pending)?;
                rescued.log(&error);
                Ok(rescued.file)
            }
            other => other,
        }
    }

    fn failed(&mut self, error: StoreError, retry_at: Instant) {
        let missed = self.trouble.as_ref().map_or(0, |trouble| trouble.missed);
        if self.trouble.as_ref().is_none_or(|trouble| trouble.error.kind() != error.kind()) {
            let cause = crate::error::chain(&error);
            match self.place.settings.on_error {
                OutboxOnError::Refuse => error!(error = cause, "notifications are refused"),
                OutboxOnError::Memory => {
                    error!(error = cause, "notifications are kept in memory only; a restart loses them");
                }
            }
        }
        self.trouble = Some(Trouble { error, retry_at, missed });
    }

    fn healed(&mut self) {
        if let Some(Trouble { missed, .. }) = self.trouble.take() {
            let file = self.place.settings.file.display();
            info!(%file, missed, "the outbox file can be used again");
        }
    }

    /// Writes what is left and closes the file. Returns what could not be written.
    fn end(&mut self) -> Unwritten {
        if let Some(trouble) = &mut self.trouble {
            trouble.retry_at = Instant::now();
        }
        let last = self.inbox.take_last();
        self.put(last.unwrap_or_default());
        if !self.pending.is_empty() {
            // It was logged.
            let _ = self.commit(Instant::now());
        }
        self.file = None;
        let mut unwritten = Unwritten::default();
        self.pending.inserts().for_each(|record| unwritten.add(&record.source));
        let (file, kept) = (self.place.settings.file.display(), self.live.count() - unwritten.count());
        if kept > 0 {
            info!(%file, kept, "notifications are kept in the outbox file for the next start");
        }
        unwritten
    }
}

impl Drop for Writer {
    /// Nothing enters any more, be it that a panic has ended the writer.
    fn drop(&mut self) {
        drop(self.inbox.take_last());
    }
}

impl Insert {
    fn accepted(self, key: Key, inbox: &Arc<Inbox>) {
        let entry = self.entry.kept(super::Kept { key, inbox: Arc::clone(inbox) });
        self.storing.outbox().append(entry);
        let _ = self.stored_tx.send(Ok(()));
    }

    fn accepted_in_memory(self) {
        self.storing.outbox().append(self.entry);
        let _ = self.stored_tx.send(Ok(()));
    }

    fn refused(self, error: &StoreError) {
        // The room is given back before anyone tries again.
        self.entry.resolve(Err(DeliveryError::NotStored(error.clone())));
        let _ = self.stored_tx.send(Err(error.clone()));
    }
}

impl Rescued {
    /// Says what became of the damaged file.
    pub(super) fn log(&self, error: &StoreError) {
        let (aside, rescued) = (self.aside.display(), self.records.len());
        let error = crate::error::chain(error);
        error!(error, %aside, rescued, "the outbox file was set aside, and a new one begun with what could be read");
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::mpsc};

    use super::*;
    use crate::{
        Delivery, OverflowPolicy,
        delivery::{
            outbox::Draft,
            store::{
                StoreSettings,
                durable::{Drawer, trials::Disk},
            },
        },
    };

    /// A writer to a file of the least size, without its thread, and the outbox before it.
    fn writer(sync: OutboxSync) -> (Writer, Arc<Outbox>) {
        let on_error = OutboxOnError::Refuse;
        let settings =
            StoreSettings { file: Path::new("outbox").to_owned(), sync, max_bytes: 4 << 20, on_error };
        let disk = Disk::default();
        let place = Place::on(settings, move || Box::new(disk.clone()));
        let file = place.open().unwrap();
        let (ops_tx, ops_rx) = mpsc::channel();
        let outbox = Outbox::new(OverflowPolicy::Block, 100_000, 64 << 20);
        let inbox = Arc::new(Inbox::new(ops_tx, 1));
        let outbox = outbox.kept_in(Drawer { source: "a".into(), inbox: Arc::clone(&inbox) });
        (Writer::new(place, Ok(file), Live::default(), None, inbox, ops_rx), Arc::new(outbox))
    }

    fn offer(outbox: &Arc<Outbox>) {
        let frame = vec![0; 10_000].into();
        drop(outbox.offer(Draft { frame, request_id: None, expires_at: None }).unwrap());
    }

    fn work(writer: &mut Writer) {
        writer.open_inbox();
        let Batch { inserts, looks, .. } = writer.next_batch();
        writer.take(inserts, looks);
    }

    #[test]
    fn a_full_file_is_one_trouble_until_it_takes_more() {
        for sync in [OutboxSync::Always, OutboxSync::Interval] {
            let (mut writer, outbox) = writer(sync);
            while writer.trouble.is_none() {
                offer(&outbox);
                work(&mut writer);
            }
            let error = &writer.trouble.as_ref().expect("it is full").error;
            assert_eq!(error.kind(), StoreErrorKind::CapReached);
            for _ in 0..5 {
                // Nothing comes; what is due is done.
                writer.due = Some(Instant::now());
                work(&mut writer);
                assert!(writer.trouble.is_some(), "{sync:?}: it was written to, but takes no more");
            }
            for entry in std::iter::from_fn(|| outbox.pop()) {
                entry.resolve(Ok(Delivery::Acknowledged));
            }
            // Removals are written when they were waited for, or with the next.
            for _ in 0..10 {
                offer(&outbox);
                work(&mut writer);
            }
            assert!(writer.trouble.is_none(), "{sync:?}");
        }
    }
}
