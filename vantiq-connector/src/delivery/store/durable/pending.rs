//! [`Pending`]: what is to be written with the next transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Record;

/// What is to be written with the next transaction. A notification whose outcome is known before it was
/// written never is.
#[derive(Debug, Default)]
pub(super) struct Pending {
    inserts: BTreeMap<u64, Record>,
    removes: BTreeSet<u64>,
    /// What has no higher number may have been written: a transaction that fails may have become durable.
    uncertain: Option<u64>,
}

impl Pending {
    pub(super) fn insert(&mut self, record: Record) {
        self.inserts.insert(record.number, record);
    }

    pub(super) fn remove(&mut self, number: u64) {
        if self.inserts.remove(&number).is_none() || self.uncertain >= Some(number) {
            self.removes.insert(number);
        }
    }

    pub(super) fn inserts(&self) -> impl Iterator<Item = &Record> {
        self.inserts.values()
    }

    pub(super) fn removes(&self) -> impl Iterator<Item = u64> {
        self.removes.iter().copied()
    }

    pub(super) fn has_inserts(&self) -> bool {
        !self.inserts.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inserts.is_empty() && self.removes.is_empty()
    }

    pub(super) fn has_removes(&self) -> bool {
        !self.removes.is_empty()
    }

    /// The removals by themselves, where the rest cannot be written now.
    pub(super) fn only_removes(&mut self) -> Self {
        Self { inserts: BTreeMap::new(), removes: std::mem::take(&mut self.removes), uncertain: None }
    }

    /// They could not be written, either.
    pub(super) fn put_back(&mut self, removes: Self) {
        self.removes.extend(removes.removes);
    }

    pub(super) fn written(&mut self) {
        *self = Self::default();
    }

    /// A transaction with all of it failed.
    pub(super) fn not_written(&mut self) {
        self.uncertain = self.uncertain.max(self.inserts.last_key_value().map(|(last, _)| *last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64) -> Record {
        let (source, frame) = (String::new(), "".into());
        Record { number, oldest: number, source, frame, request_id: None, expires_at: None }
    }

    #[test]
    fn what_is_over_before_it_was_written_is_not_written() {
        let mut pending = Pending::default();
        pending.insert(record(1));
        pending.insert(record(2));
        pending.remove(1);
        pending.remove(0);
        assert_eq!(pending.inserts().map(|record| record.number).collect::<Vec<_>>(), [2]);
        assert_eq!(pending.removes().collect::<Vec<_>>(), [0]);
        pending.written();
        assert!(pending.is_empty());
    }

    #[test]
    fn what_may_have_been_written_is_removed() {
        let mut pending = Pending::default();
        pending.insert(record(1));
        pending.not_written();
        pending.remove(1);
        // It came after that.
        pending.insert(record(2));
        pending.remove(2);
        assert!(!pending.has_inserts());
        assert_eq!(pending.removes().collect::<Vec<_>>(), [1]);
    }
}
