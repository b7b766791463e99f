//! [`Live`]: what is in the file, or about to be, and not yet over.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// The numbers of the notifications of each source that are in the file, or about to be.
#[derive(Debug, Default)]
pub(super) struct Live(HashMap<Arc<str>, BTreeSet<u64>>);

impl Live {
    /// Adds a notification. Returns the oldest of its source.
    pub(super) fn add(&mut self, source: &Arc<str>, number: u64) -> u64 {
        let numbers = self.0.entry(Arc::clone(source)).or_default();
        numbers.insert(number);
        numbers.first().copied().unwrap_or(number)
    }

    pub(super) fn remove(&mut self, source: &str, number: u64) {
        if let Some(numbers) = self.0.get_mut(source) {
            numbers.remove(&number);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }
}
