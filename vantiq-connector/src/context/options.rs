//! [`Options`]: bounds and deadlines of a connector set, and where their defaults come from.

use std::time::Duration;

use super::Chance;
use crate::{
    OverflowPolicy,
    budget::Costs,
    delivery::{Outbox, Window},
    transport::CustomDial,
};

/// How long calls that were told to end may take to do so, after their grace: the time of a few polls.
pub(crate) const LAST_CALL: Duration = Duration::from_secs(2);
/// What deadlines are at least: the resolution of the timer.
const SHORTEST: Duration = Duration::from_millis(1);
/// What durations are at most, so that adding one to now never overflows.
const LONGEST: Duration = Duration::from_hours(365 * 24);
/// What counts are at most.
const MOST: usize = 1 << 24;

/// How much of something may be held: messages, or bytes, whichever is reached first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// Bounds and deadlines. Each is set by the method of the same name of the builder, which documents it.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) max_queries: usize,
    pub(crate) query_deadline: Duration,
    pub(crate) bundle_rows: usize,
    pub(crate) bundle_linger: Duration,
    pub(crate) publish_queue: Bound,
    pub(crate) outbox: Bound,
    pub(crate) overflow: OverflowPolicy,
    pub(crate) window: Window,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) connect_deadline: Duration,
    pub(crate) grace: Duration,
    pub(crate) dial_deadline: Duration,
    pub(crate) step_deadline: Duration,
    pub(crate) ping_interval: Duration,
    pub(crate) dead_after: Duration,
    pub(crate) backoff_first: Duration,
    pub(crate) backoff_longest: Duration,
    pub(crate) max_handshakes: usize,
    pub(crate) custom_dial: Option<CustomDial>,
    pub(crate) chance: Chance,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_queries: 32,
            // The server gives up after 33.75 s without data, in some releases after 30 (section 10).
            query_deadline: Duration::from_secs(25),
            // What Vantiq's JDBC connector found to work.
            bundle_rows: 500,
            bundle_linger: Duration::from_millis(100),
            publish_queue: Bound { messages: 256, bytes: 16 << 20 },
            outbox: Bound { messages: 65_536, bytes: 16 << 20 },
            overflow: OverflowPolicy::Block,
            // At a round trip of 20 ms this is 1.6 million small notifications a second, more than a core can send.
            // Less than the outbox holds, or its doubts would not be seen to be stuck.
            window: Window { messages: 32_768, bytes: 12 << 20 },
            time_to_live: None,
            connect_deadline: Duration::from_mins(1),
            // With the quarter of it that `close` gets and the seconds for good order, about the 30 s that
            // Kubernetes gives a process between SIGTERM and SIGKILL.
            grace: Duration::from_secs(20),
            dial_deadline: Duration::from_secs(15),
            // The Java SDK's figure for each step.
            step_deadline: Duration::from_secs(10),
            // Two pings fit into the patience, so one lost answer is not death.
            ping_interval: Duration::from_secs(9),
            dead_after: Duration::from_secs(20),
            backoff_first: Duration::from_millis(500),
            backoff_longest: Duration::from_secs(30),
            max_handshakes: 32,
            custom_dial: None,
            chance: Chance::default(),
        }
    }
}

impl Options {
    pub(crate) fn publish_costs(&self) -> Costs {
        Costs::new(self.publish_queue.messages, self.publish_queue.bytes)
    }

    pub(crate) fn outbox(&self) -> Outbox {
        Outbox::new(self.overflow, self.outbox.messages, self.outbox.bytes)
    }

    /// How long a handler's `close` may take.
    pub(crate) fn close_deadline(&self) -> Duration {
        self.grace / 4
    }

    /// How long a session may take from being told to end to the end of its handler's `close`.
    pub(crate) fn end_of_session(&self) -> Duration {
        self.grace + LAST_CALL + self.close_deadline()
    }

    /// The same with every bound and deadline where something can work: at least one of each, and no more
    /// than the clock and the semaphores can count.
    pub(crate) fn clamped(mut self) -> Self {
        for duration in [
            &mut self.query_deadline,
            &mut self.connect_deadline,
            &mut self.grace,
            &mut self.dial_deadline,
            &mut self.step_deadline,
            &mut self.ping_interval,
            &mut self.dead_after,
            &mut self.backoff_longest,
        ] {
            *duration = (*duration).clamp(SHORTEST, LONGEST);
        }
        for duration in [&mut self.bundle_linger, &mut self.backoff_first] {
            *duration = (*duration).min(LONGEST);
        }
        let counts = [
            &mut self.max_queries,
            &mut self.max_handshakes,
            &mut self.bundle_rows,
            &mut self.window.messages,
        ];
        for count in counts {
            *count = (*count).clamp(1, MOST);
        }
        self.window.bytes = self.window.bytes.max(1);
        self
    }

    /// `validate` is sent three times within the deadline of the step.
    pub(crate) fn validate_interval(&self) -> Duration {
        self.step_deadline / 3
    }
}
