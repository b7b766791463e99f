//! All scenarios, in the order of the table.

use std::time::Duration;

use anyhow::Result;

use crate::{
    busy, durable, notifications,
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
    /// Whether it is measured only where a word asks for it.
    pub(crate) is_long: bool,
}

impl Scenario {
    /// The same for these clients only.
    const fn of(self, clients: &'static [Client]) -> Self {
        Self { clients, ..self }
    }

    /// The same, only where a word asks for it.
    const fn if_asked(self) -> Self {
        Self { is_long: true, ..self }
    }
}

/// Those who keep notifications on the disk.
const DURABLE: &[Client] = &[Client::Disk, Client::Ours];
/// Those who are to cost the same, however much there is to do.
const STEADY: &[Client] = &[Client::Bare, Client::Ours];
const ALL: &[Client] = &[Client::Bare, Client::Ours, Client::Python];

const LATE: Duration = Duration::from_millis(20);
/// So late that every notification is written to the outbox file before it is over.
const AFTER_THE_SYNC: Duration = Duration::from_millis(150);

const fn often(name: &'static str, run: fn(&Trial) -> Result<Figure>) -> Scenario {
    Scenario { name, run, rounds: usize::MAX, clients: ALL, is_long: false }
}

const fn seldom(name: &'static str, run: fn(&Trial) -> Result<Figure>) -> Scenario {
    Scenario { name, run, rounds: 3, clients: ALL, is_long: false }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    often("publishes received, 100 B", |trial| publishes::received(trial, 100, trial.by_time())),
    often("publishes received, 1 KiB", |trial| publishes::received(trial, 1 << 10, trial.by_time())),
    often("publishes received, 16 KiB", |trial| publishes::received(trial, 16 << 10, trial.by_time())),
    often("queries, 1 at once", |trial| queries::answered_at_once(trial, 1)),
    often("queries, 16 at once", |trial| queries::answered_at_once(trial, 16)),
    often("queries, 128 at once", |trial| queries::answered_at_once(trial, 128)),
    seldom("queries, 10 at once", |trial| queries::answered_at_once(trial, 10)).of(STEADY),
    seldom("queries, 100 at once", |trial| queries::answered_at_once(trial, 100)).of(STEADY),
    seldom("queries, 1,000 at once", |trial| queries::answered_at_once(trial, 1_000)).of(STEADY),
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
    seldom("publishes received, 100 B, over 1 source", |trial| busy::received(trial, 100, 1)).of(STEADY),
    seldom("publishes received, 100 B, over 10 sources", |trial| busy::received(trial, 100, 10)).of(STEADY),
    seldom("publishes received, 100 B, over 100 sources", |trial| busy::received(trial, 100, 100)).of(STEADY),
    seldom("publishes received, 100 B, over 1,000 sources", |trial| busy::received(trial, 100, 1_000))
        .of(STEADY),
    seldom("publishes received, 100 B, beyond the first 1,000", |trial| {
        publishes::received(trial, 100, trial.beyond(1_000))
    })
    .of(STEADY)
    .if_asked(),
    seldom("publishes received, 100 B, beyond the first 10,000", |trial| {
        publishes::received(trial, 100, trial.beyond(10_000))
    })
    .of(STEADY)
    .if_asked(),
    seldom("publishes received, 100 B, beyond the first 100,000", |trial| {
        publishes::received(trial, 100, trial.beyond(100_000))
    })
    .of(STEADY)
    .if_asked(),
    seldom("publishes received, 100 B, beyond the first 1,000,000", |trial| {
        publishes::received(trial, 100, trial.beyond(1_000_000))
    })
    .of(STEADY)
    .if_asked(),
    seldom("publishes received, 100 B, beyond the first 10,000,000", |trial| {
        publishes::received(trial, 100, trial.beyond(10_000_000))
    })
    .of(STEADY)
    .if_asked(),
    seldom("notifications sent, 100 B, beyond the first 1,000", |trial| {
        notifications::sent_beyond(trial, 100, 1_000)
    })
    .of(STEADY)
    .if_asked(),
    seldom("notifications sent, 100 B, beyond the first 10,000", |trial| {
        notifications::sent_beyond(trial, 100, 10_000)
    })
    .of(STEADY)
    .if_asked(),
    seldom("notifications sent, 100 B, beyond the first 100,000", |trial| {
        notifications::sent_beyond(trial, 100, 100_000)
    })
    .of(STEADY)
    .if_asked(),
    seldom("notifications sent, 100 B, beyond the first 1,000,000", |trial| {
        notifications::sent_beyond(trial, 100, 1_000_000)
    })
    .of(STEADY)
    .if_asked(),
    seldom("notifications sent, 100 B, beyond the first 10,000,000", |trial| {
        notifications::sent_beyond(trial, 100, 10_000_000)
    })
    .of(STEADY)
    .if_asked(),
    seldom("memory of a process with one source", |trial| sources::one(trial, false)),
    seldom("memory of a process with one source, TLS", |trial| sources::one(trial, true)),
    seldom("memory of each idle source of 10,000", |trial| sources::each(trial, false, 10_000)),
    seldom("memory of each idle source of 10,000, TLS", |trial| sources::each(trial, true, 10_000)),
];
