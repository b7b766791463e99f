//! A server that is away for an hour while events go on.

use std::{ops::Range, time::Duration};

use serde_json::{Value, json};
use tokio::time::{interval, timeout};
use vantiq_connector::{NotifyError, OverflowPolicy, prelude::*};
use vantiq_connector_tests::{MemoryServer, Quiet};

use crate::{
    caller::Caller,
    resident::resident,
    run::{Run, block_on_paused},
};

/// How many seconds the server is away, in a full run.
const AWAY_SECONDS: u64 = 3_600;
/// 1,000 events a second: so many at once, every so often.
const BATCH: u64 = 20;
const BATCH_PERIOD: Duration = Duration::from_millis(20);
/// Memory is looked at once in so many events: every simulated second.
const LOOKS_AT_MEMORY: u64 = 1_000;
/// Events before the server goes away.
const BEFORE: u64 = 1_000;
/// What the outbox holds by default.
const OUTBOX: u64 = 65_536;
/// What the process may need more while the server is away: twice what the outbox may hold in bytes.
const MOST_GROWTH: u64 = 2 * (16 << 20);
/// Longer than anything here may take.
const FOR_EVER: Duration = Duration::from_hours(2);

pub(crate) fn drops_what_it_counts(run: &Run) -> String {
    let produced = run.count(AWAY_SECONDS) * 1_000;
    let policies = [OverflowPolicy::Block, OverflowPolicy::DropOldest, OverflowPolicy::DropNewest];
    let figures = policies.map(|policy| {
        let Figures { kept, refused, dropped, growth } = block_on_paused(outage(policy, produced));
        format!("{policy:?} {kept} kept, {dropped} dropped, {refused} refused, {} KiB more", growth / 1_024)
    });
    format!("{produced} events: {}", figures.join("; "))
}

/// What became of the events that were produced while the server was away.
struct Figures {
    kept: u64,
    /// `try_notify` said [`NotifyError::Full`].
    refused: u64,
    dropped: u64,
    /// The most bytes of memory that the process needed more.
    growth: u64,
}

/// Produces so many events while the server is away, and sees which of them arrive when it is back.
async fn outage(policy: OverflowPolicy, produced: u64) -> Figures {
    let server = MemoryServer::default();
    let connector = server.connector(ConnectorSet::builder().source::<Quiet>().overflow(policy), &["a"]);
    let (source, caller) = (connector.source("a"), Caller::of(server.attached().await));
    connector.connected("a").await;
    assert_eq!(produce(&source, 0..BEFORE).await.refused, 0, "the server takes them all");
    let delivered = async {
        while source.status().counts.notifications_delivered < BEFORE {
            tokio::time::sleep(BATCH_PERIOD).await;
        }
    };
    timeout(FOR_EVER, delivered).await.expect("the server acknowledges them");
    server.set_away(true);
    drop(caller);

    let (filling, all) = (BEFORE..BEFORE + OUTBOX, BEFORE..BEFORE + produced);
    let mut away = produce(&source, filling.clone()).await;
    assert_eq!(away.refused, 0, "there is room");
    // A producer that waits does so until the server is back, whatever others try meanwhile.
    let waits = policy == OverflowPolicy::Block;
    let patient = source.clone();
    let waiting = waits.then(|| tokio::spawn(async move { patient.notify(&"waited").await.map(drop) }));
    away.add(&produce(&source, filling.end..all.end).await);
    assert!(waiting.as_ref().is_none_or(|waiting| !waiting.is_finished()), "there is no room");
    assert!(away.growth <= MOST_GROWTH, "{policy:?}: {} bytes more", away.growth);

    server.set_away(false);
    let caller = Caller::of(timeout(FOR_EVER, server.attached()).await.expect("it comes back"));
    let kept = if policy == OverflowPolicy::DropOldest { all.end - OUTBOX..all.end } else { filling };
    let waited = waits.then(|| json!("waited"));
    let expected: Vec<_> = kept.clone().map(Value::from).chain(waited).collect();
    timeout(FOR_EVER, caller.notified(expected.len())).await.expect("what was kept comes");
    if let Some(waiting) = waiting {
        waiting.await.expect("it does not panic").expect("it is accepted in the end");
    }
    connector.stop().await.expect("nothing is left undone");
    assert!(caller.events() == expected, "{policy:?}: these were kept, in this order");

    let (kept, counts) = (kept.end - kept.start, source.status().counts);
    let dropped = counts.notifications_dropped;
    assert_eq!(dropped + away.refused, produced - kept, "{policy:?}: what was not kept is known exactly");
    assert!(if waits { dropped == 0 } else { away.refused == 0 }, "{policy:?} decides");
    let delivered = BEFORE + kept + u64::from(waits);
    assert_eq!(
        (counts.notifications_delivered, counts.notifications_abandoned),
        (delivered, 0),
        "{policy:?}"
    );
    Figures { kept, refused: away.refused, dropped, growth: away.growth }
}

/// What came of producing events.
struct Produced {
    refused: u64,
    growth: u64,
}

impl Produced {
    fn add(&mut self, other: &Self) {
        self.refused += other.refused;
        self.growth += other.growth;
    }
}

/// Notifies these numbers, 1,000 a second, without waiting.
async fn produce(source: &Source, numbers: Range<u64>) -> Produced {
    let (before, mut most) = (resident(), 0);
    let mut refused = 0;
    let mut ticks = interval(BATCH_PERIOD);
    for number in numbers {
        if number % BATCH == 0 {
            ticks.tick().await;
        }
        if number % LOOKS_AT_MEMORY == 0 {
            most = most.max(resident());
        }
        match source.try_notify(&number) {
            Ok(_) => {}
            Err(NotifyError::Full) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    Produced { refused, growth: most.max(resident()).saturating_sub(before) }
}
