//! Queries whose handlers do all that handlers can do.

use std::{collections::BTreeMap, time::Duration};

use anyhow::bail;
use rand::{RngExt, seq::IndexedRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use vantiq_connector::prelude::*;
use vantiq_connector_tests::{MemoryServer, hasty};

use crate::{
    caller::{Caller, Part},
    planned,
    run::{Run, block_on_paused},
};

/// Longer than anything here may take.
const FOR_EVER: Duration = Duration::from_hours(24);
/// So many queries may run side by side; now and then more are asked, which the connector refuses.
const SIDE_BY_SIDE: usize = 32;
/// One in so many queries waits until most of those before it are answered.
const QUERIES_AT_ONCE: u32 = 6;
/// One in so many queries comes with a new session.
const QUERIES_IN_A_SESSION: u32 = 100;

/// What becomes of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Fate {
    Returns,
    ReturnsNothing,
    Fails,
    FailsForTheCaller,
    Panics,
    TimesOut,
    Streams,
    StreamsAndFails,
    StreamsAndPanics,
    StreamsAndTimesOut,
    /// Needs longer than the grace of its session, which ends before.
    IsCancelled,
}

const FATES: [Fate; 11] = [
    Fate::Returns,
    Fate::ReturnsNothing,
    Fate::Fails,
    Fate::FailsForTheCaller,
    Fate::Panics,
    Fate::TimesOut,
    Fate::Streams,
    Fate::StreamsAndFails,
    Fate::StreamsAndPanics,
    Fate::StreamsAndTimesOut,
    Fate::IsCancelled,
];

/// A query that says what becomes of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Ask {
    fate: Fate,
    /// Rows, where it streams.
    rows: u32,
    /// Before each row, and before the end.
    pause: Duration,
}

/// Does as the query says.
#[derive(VantiqSource)]
#[vantiq_source(query = Ask)]
struct Obedient;

impl SourceHandler for Obedient {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn query(&self, ask: Ask, rows: &mut Rows) -> Result<Answer> {
        use Fate::{
            Fails, FailsForTheCaller, IsCancelled, Panics, Returns, ReturnsNothing, Streams, StreamsAndFails,
            StreamsAndPanics, StreamsAndTimesOut, TimesOut,
        };
        if matches!(ask.fate, Streams | StreamsAndFails | StreamsAndPanics | StreamsAndTimesOut) {
            for row in 0..ask.rows {
                sleep(ask.pause).await;
                rows.send(&row).await?;
            }
        }
        sleep(ask.pause).await;
        match ask.fate {
            Returns => Answer::row(&ask),
            ReturnsNothing => Ok(Answer::empty()),
            Streams => Ok(Answer::done()),
            Fails | StreamsAndFails => bail!("as the query says"),
            FailsForTheCaller => Err(QueryError::new("com.example.asked", "as the query says").into()),
            Panics | StreamsAndPanics => planned::panic(),
            TimesOut | StreamsAndTimesOut | IsCancelled => std::future::pending().await,
        }
    }
}

pub(crate) fn answers_each_query_once(run: &Run) -> String {
    block_on_paused(ask_all(run))
}

async fn ask_all(run: &Run) -> String {
    let (server, mut random) = (MemoryServer::default(), run.random());
    let set = hasty::<Obedient>()
        .max_queries(SIDE_BY_SIDE)
        .grace(Duration::from_secs(1))
        .bundle(3, Duration::from_millis(20));
    let connector = server.connector(set, &["a"]);
    let caller = Caller::of(server.attached().await);
    connector.connected("a").await;
    let queries = run.count(10_000);
    let mut asked = Vec::new();
    for _ in 0..queries {
        let fate = *FATES.choose(&mut random).expect("there are some");
        let ask = Ask {
            fate,
            rows: random.random_range(0..10),
            pause: Duration::from_millis(random.random_range(0..50)),
        };
        caller.query(&json!(ask));
        asked.push(fate);
        if random.random_ratio(1, QUERIES_IN_A_SESSION) {
            caller.reconnect_required();
        }
        if random.random_ratio(1, QUERIES_AT_ONCE) {
            let most = random.random_range(0..SIDE_BY_SIDE);
            timeout(FOR_EVER, caller.answered_but(most)).await.expect("all are answered");
        }
    }
    timeout(FOR_EVER, caller.answered_but(0)).await.expect("all are answered");
    connector.stop().await.expect("nothing is left undone");

    let mut outcomes = BTreeMap::<_, u64>::new();
    for (fate, answer) in asked.into_iter().zip(caller.terminals()) {
        let outcome = outcome(&answer);
        assert!(is_possible(fate, outcome), "{fate:?} ended as {outcome}: {answer:?}");
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
    }
    let outcomes: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    format!("{queries} queries, {queries} terminal answers: {}", outcomes.join(", "))
}

/// A word for the terminal answer of a query.
fn outcome(answer: &Part) -> &str {
    match answer.status {
        200 | 204 => "returned",
        _ => answer.code().rsplit('.').next().unwrap_or_default(),
    }
}

/// Whether a query may end so. Any query may come when there are too many, or be cut off by the end of its
/// session.
fn is_possible(fate: Fate, outcome: &str) -> bool {
    let own = match fate {
        Fate::Returns | Fate::ReturnsNothing | Fate::Streams => "returned",
        Fate::Fails | Fate::StreamsAndFails => "failed",
        Fate::FailsForTheCaller => "asked",
        Fate::Panics | Fate::StreamsAndPanics => "panicked",
        Fate::TimesOut | Fate::StreamsAndTimesOut | Fate::IsCancelled => "timeout",
    };
    [own, "busy", "closing"].contains(&outcome)
}
