//! What can be seen of a source from outside: its state and its counts.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// The state of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceState {
    /// Connecting to the server, or waiting for its configuration.
    Connecting,
    /// Waiting before the next attempt; the text says why the last one failed.
    Waiting(String),
    /// Attached to the source, and the handler's `connect` is running.
    Configuring,
    /// Attached, but the configuration has not the shape that the handler expects; the text says where.
    /// The next configuration may heal it.
    Misconfigured(String),
    /// Attached, but the handler's `connect` failed and will be tried again; the text says why it failed.
    Unavailable(String),
    /// Attached, and the handler is at work.
    Connected,
    /// Closed for good.
    Closed,
}

impl fmt::Display for SourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            Self::Waiting(why) => write!(f, "waiting: {why}"),
            Self::Configuring => f.write_str("configuring"),
            Self::Misconfigured(why) => write!(f, "misconfigured: {why}"),
            Self::Unavailable(why) => write!(f, "unavailable: {why}"),
            Self::Connected => f.write_str("connected"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// What is known of a source at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceStatus {
    /// The source's name.
    pub name: String,
    /// What it is doing.
    pub state: SourceState,
    /// What it has done since the process began.
    pub counts: SourceCounts,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a source has done since the process began. Counts only grow.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct SourceCounts {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The same, while being counted.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> SourceCounts {
                SourceCounts { $($name: self.$name.get(),)* }
            }
        }
    };
}

counts! {
    /// `WebSocket`s opened.
    links,
    /// Sessions begun, that is configurations received.
    sessions,
    /// Publishes received.
    publishes,
    /// Publishes for which the handler returned an error or panicked, or that had an unexpected shape.
    publishes_failed,
    /// Publishes that no handler took: it does not implement `publish`, it could not be connected, or the
    /// connector was stopping.
    publishes_unhandled,
    /// Queries received.
    queries,
    /// Queries answered with an error, those refused as `busy` included.
    queries_failed,
    /// Queries refused because too many were being answered already.
    queries_busy,
    /// Notifications accepted by `notify` and `try_notify`.
    notifications,
    /// Notifications the server acknowledged, or that arrived at a server which acknowledges nothing.
    notifications_delivered,
    /// Notifications the server refused.
    notifications_rejected,
    /// Notifications dropped because the outbox was full.
    notifications_dropped,
    /// Notifications given up at the end, with their outcome unknown.
    notifications_abandoned,
    /// Frames that could not be decoded.
    undecodable,
}

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts one more, and says how many these are now.
    pub(crate) fn add_one(&self) -> u64 {
        self.add(1)
    }

    pub(crate) fn add(&self, more: u64) -> u64 {
        // Counts order nothing else.
        self.0.fetch_add(more, Ordering::Relaxed) + more
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether the `count`th event of a kind that may come in thousands is worth a log line: the first, the
/// second, the fourth, and so on.
pub(crate) const fn worth_a_line(count: u64) -> bool {
    count.is_power_of_two()
}
