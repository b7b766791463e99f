//! [`Backend`]: the file beneath the database, which tells its length, and may be told never to sync and not to
//! grow.

use std::{
    io,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use redb::{BackendError, StorageBackend};

use super::OutboxSync;

/// The file beneath the database.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) file: Box<dyn StorageBackend>,
    pub(super) sync: OutboxSync,
    pub(super) length: Arc<Length>,
}

/// The length of the file, and its bound.
#[derive(Debug)]
pub(super) struct Length {
    /// What the file was made to be long.
    now: AtomicU64,
    /// Beyond this it does not grow.
    most: AtomicU64,
}

impl Length {
    pub(super) const fn unbounded() -> Self {
        Self { now: AtomicU64::new(0), most: AtomicU64::new(u64::MAX) }
    }

    /// What the file was made to be long.
    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Sets the bound. A file that is longer already may stay so.
    pub(super) fn bound(&self, most: u64) {
        self.most.store(most, Ordering::Relaxed);
    }

    fn allows(&self, len: u64) -> bool {
        len <= self.now().max(self.most.load(Ordering::Relaxed))
    }

    fn is(&self, len: u64) {
        self.now.store(len, Ordering::Relaxed);
    }
}

/// The file may not grow any more.
#[derive(Debug, thiserror::Error)]
#[error("the file has reached its bound")]
pub(super) struct BoundReached;

impl BoundReached {
    /// Whether this is what `error` says.
    pub(super) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.downcast_ref::<Self>().is_some())
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        let len = self.file.len()?;
        self.length.is(len);
        Ok(len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if !self.length.allows(len) {
            return Err(io::Error::other(BoundReached));
        }
        self.file.set_len(len)?;
        self.length.is(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.sync {
            OutboxSync::Always | OutboxSync::Interval => self.file.sync_data(),
            OutboxSync::Never => Ok(()),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
