//! All scenarios, in the order of the table.

use std::time::Duration;

use anyhow::Result;

use crate::{
    durable, notifications,
    process::Client,
    publishes, queries, sources,
    trial::{Figure, Trial},
};

/// What is measured, and the function that does it once.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Trial) -> Result<Figure>,
    /// Rounds at most: what hardly varies and takes long.
    pub(crate) rounds: usize,
    /// Who takes part. The others are held against the first.
    pub(crate) clients: &'static [Client],
}

impl Scenario {
    /// The same for these clients only.
    const fn of(self, clients: &'static [Client]) -> Self {
        Self { clients, ..self }
    }
}

/// Those who keep notifications on the disk.
const DURABLE: &[Client] = &[Client::Disk, Client::Ours];
const ALL: &[Client] = &[Client::Bare, Client::Ours, Client::Python];

const LATE: Duration = Duration::from_millis(20);
/// So late that every notification is written to the outbox file before it is over.
const AFTER_THE_SYNC: Duration = Duration::from_millis(150);

const fn often(name: &'static str, run: fn(&Trial) -> Result<Figure>) -> Scenario {
    Scenario { name, run, rounds: usize::MAX, clients: ALL }
}

const fn seldom(name: &'static str, run: fn(&Trial) -> Result<Figure>) -> Scenario {
    Scenario { name, run, rounds: 3, clients: ALL }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    often("publishes received, 100 B", |trial| publishes::received(trial, 100)),
    often("publishes received, 1 KiB", |trial| publishes::received(trial, 1 << 10)),
    often("publishes received, 16 KiB", |trial| publishes::received(trial, 16 << 10)),
    often("queries, 1 at once", |trial| queries::answered_at_once(trial, 1)),
    often("queries, 16 at once", |trial| queries::answered_at_once(trial, 16)),
    often("queries, 128 at once", |trial| queries::answered_at_once(trial, 128)),
    seldom("the first 20,000 queries of a process, 16 at once", |trial| queries::first(trial, 20_000, 16)),
    often("rows streamed, 100 in a partial", queries::rows),
    often("notifications sent, 100 B", |trial| notifications::sent(trial, 100, Duration::ZERO)),
    often("notifications sent, 1 KiB", |trial| notifications::sent(trial, 1 << 10, Duration::ZERO)),
    often("notifications sent, 100 B, acknowledged 20 ms late", |trial| {
        notifications::sent(trial, 100, LATE)
    }),
    often("notifications sent, 1 KiB, acknowledged 20 ms late", |trial| {
        notifications::sent(trial, 1 << 10, LATE)
    }),
    often("notifications sent, 100 B, outbox file synced at intervals", |trial| {
        durable::synced_at_intervals(trial, Duration::ZERO)
    })
    .of(DURABLE),
    often("notifications sent, 100 B, acknowledged 150 ms late, outbox file synced at intervals", |trial| {
        durable::synced_at_intervals(trial, AFTER_THE_SYNC)
    })
    .of(DURABLE),
    often("notifications sent, 100 B, 1 at once, outbox file always synced", |trial| {
        durable::always_synced(trial, 1)
    })
    .of(DURABLE),
    often("notifications sent, 100 B, 1,000 at once, outbox file always synced", |trial| {
        durable::always_synced(trial, 1_000)
    })
    .of(DURABLE),
    often("queries, 16 at once, beside one of 2 s", |trial| queries::beside_a_slow_one(trial, 16)),
    often("mixed: 16 queries, 16 publishes that notify, at once", notifications::mixed),
    often("1,000 sources connected, from the start of the process", |trial| sources::connected(trial, 1_000)),
    often("1,000 sources connected again after the loss of all links", |trial| {
        sources::reconnected(trial, 1_000)
    }),
    seldom("memory of a process with one source", |trial| sources::one(trial, false)),
    seldom("memory of a process with one source, TLS", |trial| sources::one(trial, true)),
    seldom("memory of each idle source of 10,000", |trial| sources::each(trial, false, 10_000)),
    seldom("memory of each idle source of 10,000, TLS", |trial| sources::each(trial, true, 10_000)),
];
