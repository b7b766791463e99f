//! [`History`]: what both sides of a scene saw, in the order in which it happened.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What the receipt of a notification said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Acknowledged,
    Arrived,
    Sent,
    Rejected,
    /// The connector stopped before it knew.
    Unknown,
}

/// What happened. Links, notifications, publishes, queries and configurations each have numbers of their own;
/// `source` is the index of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The server took the source's `connectExtension`.
    Attached {
        link: u64,
        source: usize,
    },
    /// The server wrote a configuration.
    Configured {
        link: u64,
        source: usize,
        config: u64,
    },
    /// The server wrote a publish.
    Published {
        link: u64,
        source: usize,
        number: u64,
    },
    /// The server wrote a query.
    Asked {
        link: u64,
        source: usize,
        query: u64,
    },
    /// The server read a notification.
    Received {
        link: u64,
        source: usize,
        number: u64,
    },
    /// It kept the notification for good, before it acknowledged it.
    Stored {
        source: usize,
        number: u64,
    },
    /// It refused the notification for good, before it said so.
    Refused {
        source: usize,
        number: u64,
    },
    /// The server read an answer, or a part of one.
    Answered {
        link: u64,
        query: u64,
        terminal: bool,
    },
    /// A handler was made.
    Connected {
        source: usize,
        config: u64,
    },
    /// A handler made from this configuration got a publish.
    Handled {
        source: usize,
        config: u64,
        number: u64,
    },
    /// `notify` returned.
    Accepted {
        source: usize,
        number: u64,
    },
    /// A receipt was resolved.
    Told {
        source: usize,
        number: u64,
        outcome: Outcome,
    },
    /// The network and the server are well again, for good.
    Repaired,
    /// A notification of every source came through since.
    Recovered,
    /// All receipts are resolved, where the scene waits for that.
    Settled,
    Stopping,
    /// The connector ended; whether it says that nothing was left undone.
    Stopped {
        clean: bool,
    },
}

/// An event and when it happened.
pub(super) type Moment = (Duration, Event);

/// What both sides saw. A clone notes into the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Mutex<Vec<Moment>>>);

impl History {
    /// Notes what happens on a host of the simulation.
    pub(super) fn note(&self, event: Event) {
        self.note_at(turmoil::sim_elapsed().unwrap_or_default(), event);
    }

    pub(super) fn note_at(&self, at: Duration, event: Event) {
        self.moments().push((at, event));
    }

    /// Whether this happened.
    pub(super) fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.moments().iter().rev().any(|(_, event)| wanted(event))
    }

    pub(super) fn take(&self) -> Vec<Moment> {
        std::mem::take(&mut *self.moments())
    }

    fn moments(&self) -> MutexGuard<'_, Vec<Moment>> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
