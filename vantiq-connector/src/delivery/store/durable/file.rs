//! [`StoreFile`]: the database in the outbox file, opened, read and written.
//!
//! The database may panic on pages that are damaged. Every call into it is contained, and a panic counts as
//! damage. After most of its errors the database has to be opened anew, which repairs it
//! ([`StoreFile::is_sound`]).

use std::{
    collections::BTreeMap,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError};

use super::{
    OutboxSync, StoreErrorKind,
    backend::{Backend, BoundReached, Length},
    pending::Pending,
    record::Record,
};

/// Number of a notification to its record.
const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("notifications");
/// What of the file is kept in memory. Reading happens once, at the start.
const CACHE_BYTES: usize = 8 << 20;

/// The database in the outbox file.
pub(super) struct StoreFile {
    /// `None` only while it is dropped.
    database: Option<Database>,
    length: Arc<Length>,
    max_bytes: u64,
    is_sound: AtomicBool,
}

/// What went wrong with the file.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: StoreErrorKind,
    pub(super) cause: Option<String>,
}

impl StoreFile {
    /// Opens the database in `file`, or begins one where it is empty. Every page is checked: so a damaged
    /// file is an error here and no panic later.
    pub(super) fn open(
        file: Box<dyn StorageBackend>,
        sync: OutboxSync,
        max_bytes: u64,
    ) -> Result<Self, Fault> {
        let length = Arc::new(Length::unbounded());
        let backend = Backend { file, sync, length: Arc::clone(&length) };
        contain(|| {
            let database = Database::builder()
                .set_cache_size(CACHE_BYTES)
                .set_check_integrity_on_open(true)
                .create_with_backend(backend)?;
            let is_sound = AtomicBool::new(true);
            let file = Self { database: Some(database), length, max_bytes, is_sound };
            file.begin()?;
            Ok(file)
        })
    }

    /// The same with another bound. A file that is longer already may stay so.
    pub(super) fn bounded(self, max_bytes: u64) -> Self {
        let mut file = self;
        file.max_bytes = max_bytes;
        file
    }

    /// Makes the table where it is not there, for those who read.
    fn begin(&self) -> Result<(), redb::Error> {
        match self.database().begin_read()?.open_table(TABLE) {
            Ok(_) => return Ok(()),
            Err(TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let transaction = self.database().begin_write()?;
        transaction.open_table(TABLE)?;
        Ok(transaction.commit()?)
    }

    /// All that is in it, by number.
    pub(super) fn load(&self) -> Result<BTreeMap<u64, Record>, Fault> {
        contain(|| {
            let mut records = BTreeMap::new();
            for pair in self.database().begin_read()?.open_table(TABLE)?.iter()? {
                let (number, value) = pair?;
                let whole =
                    Record::decode(value.value()).filter(|(record, _)| record.number == number.value());
                let (record, _) = whole.ok_or_else(|| redb::Error::Corrupted("a record".into()))?;
                records.insert(record.number, record);
            }
            Ok(records)
        })
    }

    /// Writes all of `pending` or, most likely, nothing of it.
    pub(super) fn commit(&self, pending: &Pending) -> Result<(), Fault> {
        let written = contain(|| {
            let transaction = self.database().begin_write()?;
            {
                let mut table = transaction.open_table(TABLE)?;
                for number in pending.removes() {
                    table.remove(number)?;
                }
                for record in pending.inserts() {
                    table.insert(record.number, record.encode().as_slice())?;
                }
            }
            // What a removal needs is granted: it makes room.
            if pending.has_inserts() {
                // Asked here and not beneath, where a refusal is a broken disk to the database.
                if self.length.now() > self.max_bytes {
                    transaction.abort()?;
                    return Ok(false);
                }
                // What it needs for itself it may not have either, be it then broken.
                self.length.bound(self.max_bytes);
            }
            transaction.commit()?;
            self.length.bound(u64::MAX);
            Ok(true)
        });
        match written {
            Ok(true) => Ok(()),
            Ok(false) => Err(Fault { kind: StoreErrorKind::CapReached, cause: None }),
            Err(fault) => {
                self.is_sound.store(false, Ordering::Relaxed);
                Err(fault)
            }
        }
    }

    /// Whether it can be used after a failed [`commit`](Self::commit). Else it has to be opened anew.
    pub(super) fn is_sound(&self) -> bool {
        self.is_sound.load(Ordering::Relaxed)
    }

    fn database(&self) -> &Database {
        self.database.as_ref().expect("only `drop` takes the database")
    }
}

impl Drop for StoreFile {
    fn drop(&mut self) {
        if let Some(database) = self.database.take() {
            // Closing writes, too; what it cannot write is repaired when it is opened.
            let _ = contain(|| Ok(database.close()?));
        }
    }
}

impl fmt::Debug for StoreFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreFile").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Calls into the database.
fn contain<T>(call: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Fault> {
    // Nothing that a panic leaves half done is used again.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(Fault::from),
        Err(_) => Err(Fault { kind: StoreErrorKind::Damaged, cause: None }),
    }
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        use redb::Error;

        let kind = match error {
            Error::Io(error) => return error.into(),
            Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => StoreErrorKind::InUse,
            Error::Corrupted(_)
            | Error::UpgradeRequired(_)
            | Error::TableTypeMismatch { .. }
            | Error::TableIsMultimap(_)
            | Error::TypeDefinitionChanged { .. } => StoreErrorKind::Damaged,
            _ => StoreErrorKind::Unusable,
        };
        Self { kind, cause: Some(error.to_string()) }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            _ if BoundReached::is(&error) => StoreErrorKind::CapReached,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::DiskFull,
            // What the database says of a file that is none, or is cut.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => StoreErrorKind::Damaged,
            _ => StoreErrorKind::Unusable,
        };
        Self { kind, cause: Some(error.to_string()) }
    }
}
