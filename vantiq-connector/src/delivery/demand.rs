//! [`Demand`]: who wants room in an outbox and finds none.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Who wants room in an outbox and finds none.
#[derive(Debug, Default)]
pub(super) struct Demand {
    waiting: AtomicUsize,
    refused: AtomicBool,
    vain: AtomicBool,
}

impl Demand {
    /// Somebody waits for room until what is returned is dropped; `None` where that would be in vain.
    pub(super) fn wait(&self) -> Option<Waiting<'_>> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(self);
        // After the count, so that one of the two sees the other.
        (!self.vain.load(Ordering::SeqCst)).then_some(waiting)
    }

    /// Somebody found no room, and may try again and again.
    pub(super) fn refused(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether there was any since this was asked last, or is now.
    pub(super) fn take(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed) || self.waiting.load(Ordering::SeqCst) > 0
    }

    /// There will be no more room. Returns whether anybody waits for it.
    pub(super) fn is_vain(&self) -> bool {
        self.vain.store(true, Ordering::SeqCst);
        self.waiting.load(Ordering::SeqCst) > 0
    }
}

/// Somebody who waits.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a Demand);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
