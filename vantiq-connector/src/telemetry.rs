//! What can be seen of a source from outside: its state and its counts.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Of events that may come in thousands, one in this time is worth a log line ...
const LINE_EVERY: Duration = Duration::from_secs(10);
/// ... and so many before it comes to that.
const LINES_AT_ONCE: u32 = 5;

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
        /// What a source has done since the process began. Counts only grow, but for `notifications_kept`.
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
    /// Sessions begun: configurations received, but those with which a persistent handler went on.
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
    /// Refusals by the server after the source was attached. Each is one of a notification, as far as is
    /// known; where that is certain it counts as `notifications_rejected`, too.
    refusals,
    /// Notifications dropped because the outbox was full.
    notifications_dropped,
    /// Notifications that expired before they could be sent.
    notifications_expired,
    /// Notifications given up when the source was closed, with their outcome unknown.
    notifications_abandoned,
    /// Notifications whose outcome was not known when the source was closed, and that stay in the outbox file
    /// for the next start. Those that could not be written to it when it was closed turn into abandoned ones.
    notifications_kept,
    /// Notifications that the run before left in the outbox file, found at the start or as soon as it could be
    /// read. They count in no other count of what was accepted.
    notifications_restored,
    /// Queries that had no more time when the source was closed: their callers got
    /// [`QueryError::CLOSING`](crate::QueryError::CLOSING). And those whose answer could not be sent any more.
    queries_abandoned,
    /// Publishes that were not handled, or not to their end, when the source was closed.
    publishes_abandoned,
    /// Handlers whose `close` did not end in time, or was left out for a call that did not end.
    handlers_abandoned,
    /// Calls of [`Source::every`](crate::Source::every) that failed or panicked.
    polls_failed,
    /// Frames that could not be decoded.
    undecodable,
    /// Messages that were ignored: of an unknown operation, or at a time at which they mean nothing.
    ignored,
}

/// What a stop left undone, over all sources of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Abandoned {
    /// As [`SourceCounts::notifications_abandoned`].
    pub notifications: u64,
    /// As [`SourceCounts::queries_abandoned`].
    pub queries: u64,
    /// As [`SourceCounts::publishes_abandoned`].
    pub publishes: u64,
    /// As [`SourceCounts::handlers_abandoned`].
    pub handlers: u64,
}

impl Abandoned {
    /// The sum over `sources`.
    pub(crate) fn of(sources: impl Iterator<Item = SourceCounts>) -> Self {
        sources.fold(Self::default(), |sum, counts| Self {
            notifications: sum.notifications + counts.notifications_abandoned,
            queries: sum.queries + counts.queries_abandoned,
            publishes: sum.publishes + counts.publishes_abandoned,
            handlers: sum.handlers + counts.handlers_abandoned,
        })
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { notifications, queries, publishes, handlers } = self;
        write!(
            f,
            "{notifications} notifications, {queries} queries, {publishes} publishes, {handlers} handlers"
        )
    }
}

/// One count, and the log lines about it.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    count: AtomicU64,
    lines: Mutex<Lines>,
}

impl Counter {
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: u64) {
        // Counts order nothing else.
        self.count.fetch_add(more, Ordering::Relaxed);
    }

    /// Takes `less` away, or all where it is no more. Returns how many these were.
    pub(crate) fn take(&self, less: u64) -> u64 {
        let taken = self
            .count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count.saturating_sub(less)));
        taken.unwrap_or_else(|count| count).min(less)
    }

    pub(crate) fn get(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts `more` events of a kind that may come in thousands. Where they are worth a log line, returns
    /// the count for it, which tells how many had none.
    pub(crate) fn add_for_a_line(&self, more: u64) -> Option<u64> {
        self.add(more);
        // No code that can panic runs under the lock.
        let worth_it = self.lines.lock().unwrap_or_else(PoisonError::into_inner).next(Instant::now());
        worth_it.then(|| self.get())
    }
}

/// Bounds log lines: a flood of events must not become a flood of lines.
#[derive(Debug, Default)]
struct Lines {
    /// When the allowance would be full again.
    full_at: Option<Instant>,
}

impl Lines {
    /// Whether another line may be written now.
    fn next(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let allowed = full_at + LINE_EVERY <= now + LINE_EVERY * LINES_AT_ONCE;
        if allowed {
            self.full_at = Some(full_at + LINE_EVERY);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_events_gets_a_few_lines_and_then_one_in_ten_seconds() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let at = |lines: &mut Lines, seconds: u64| lines.next(start + Duration::from_secs(seconds));
        let at_once = (0..1_000).filter(|_| at(&mut lines, 0)).count();
        assert_eq!(at_once, LINES_AT_ONCE as usize);
        let seconds: Vec<_> = (1..=30).filter(|second| at(&mut lines, *second)).collect();
        assert_eq!(seconds, [10, 20, 30]);
        let later = (0..1_000).filter(|_| at(&mut lines, 3_600)).count();
        assert_eq!(later, LINES_AT_ONCE as usize, "a quiet hour restores it");
    }
}
