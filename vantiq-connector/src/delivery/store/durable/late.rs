//! [`Late`]: what the run before left in a file that could not be read at the start.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use tracing::info;

use super::{Left, Records};
use crate::delivery::outbox::Outbox;

/// What the run before left in a file that could not be read at the start: it goes to its outboxes when the
/// file can be read.
#[derive(Debug, Default)]
pub(super) struct Late {
    outboxes: HashMap<Arc<str>, Weak<Outbox>>,
    /// `None` while the file could not be read.
    left: Option<Left>,
}

impl Late {
    pub(super) const fn is_read(&self) -> bool {
        self.left.is_some()
    }

    /// `outbox` is that of `source`.
    pub(super) fn serve(&mut self, source: Arc<str>, outbox: Weak<Outbox>) {
        self.outboxes.insert(source, outbox);
        self.hand_over();
    }

    /// These were in the file.
    pub(super) fn read(&mut self, records: Records) {
        let count = records.len();
        info!(count, "what the run before left in the outbox file could be read at last");
        self.left = Some(super::by_source(records));
        self.hand_over();
    }

    /// A source that nobody serves keeps what it has.
    fn hand_over(&mut self) {
        let Some(left) = &mut self.left else { return };
        for (source, outbox) in &self.outboxes {
            let outbox = outbox.upgrade();
            if let Some((outbox, drawer)) =
                outbox.as_ref().and_then(|outbox| Some((outbox, outbox.drawer()?)))
                && let Some(records) = left.remove(&**source)
            {
                outbox
                    .restore(records.into_iter().map(|record| (record.draft(), drawer.kept(record.number))));
            }
        }
    }
}
