//! [`Unwritten`]: what was to be kept in the outbox file, and is not in it.

use std::collections::BTreeMap;

/// What was to be kept in the outbox file, and is not in it, or may not be, when it is closed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unwritten {
    /// How many notifications of each source.
    by_source: BTreeMap<String, usize>,
    /// How many of each source at most that is not there.
    of_others: usize,
}

impl Unwritten {
    /// Nobody knows: any of them.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) fn any() -> Self {
        Self { of_others: usize::MAX, ..Self::default() }
    }

    /// Counts one of `source`.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) fn add(&mut self, source: &str) {
        *self.by_source.entry(source.to_owned()).or_default() += 1;
    }

    /// How many notifications of `source`, at most.
    pub(crate) fn of(&self, source: &str) -> usize {
        self.by_source.get(source).copied().unwrap_or(self.of_others)
    }

    /// How many in all.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) fn count(&self) -> usize {
        self.by_source.values().sum()
    }
}
