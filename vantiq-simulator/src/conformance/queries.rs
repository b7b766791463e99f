//! Checks of answers: each query gets exactly one.
//!
//! A second answer is a violation, which [`Conformance::on_stage`] looks for when the link has ended. By then the
//! simulator has read all that was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Conformance;
use super::connector::Start;
use super::stage::{Failure, Fate, Stage, asked, fate};
use crate::query::PendingQuery;
use crate::settings::INBOUND_LIMIT;

/// How long a connector may think about a query that it does not understand.
const PROMPTLY: Duration = Duration::from_secs(2);

pub(super) async fn answers_one_by_one(suite: &Conformance, start: Start<'_>) -> Result<String, Failure> {
    let body = async |stage: &Stage<'_>| {
        for _ in 0..suite.queries {
            stage.answers().await?;
        }
        Ok(format!("{} queries", suite.queries))
    };
    suite.on_stage(start, suite.server(), body).await
}

pub(super) async fn answers_at_once(suite: &Conformance, start: Start<'_>) -> Result<String, Failure> {
    let body = async |stage: &Stage<'_>| {
        // Each worker has one query in flight.
        let (left, mut workers) = (Arc::new(AtomicUsize::new(suite.queries)), JoinSet::new());
        for _ in 0..suite.at_once.max(1) {
            let (left, source, query) = (Arc::clone(&left), stage.source.clone(), suite.sample());
            workers.spawn(async move {
                while take_one(&left) {
                    asked(&source, query.clone()).await?;
                }
                Ok::<_, Failure>(())
            });
        }
        all_of(workers).await?;
        Ok(format!("{} queries, {} in flight", suite.queries, suite.at_once))
    };
    suite.on_stage(start, suite.server(), body).await
}

pub(super) async fn answers_unknown_queries(
    suite: &Conformance,
    start: Start<'_>,
) -> Result<String, Failure> {
    let body = async |stage: &Stage<'_>| {
        let began = Instant::now();
        let reply = stage.source.query(suite.unknown_query.clone().unwrap_or_default()).await?;
        let took = began.elapsed();
        if !reply.is_error() {
            return Err(Failure(format!("it is answered with status {}, as if it were known", reply.status)));
        }
        let Some(error) = reply.error() else {
            let why = "the error has no `messageCode` and `messageTemplate`";
            return Err(Failure(format!("{why}: {}", reply.body)));
        };
        if took > PROMPTLY {
            return Err(Failure(format!("the error took {took:.1?} and not {PROMPTLY:?} at most")));
        }
        stage.answers().await?;
        stage.same_link()?;
        Ok(format!("status {}, `{}`", reply.status, error.message_code))
    };
    suite.on_stage(start, suite.server(), body).await
}

pub(super) async fn splits_large_answers(suite: &Conformance, start: Start<'_>) -> Result<String, Failure> {
    let body = async |stage: &Stage<'_>| {
        let reply = stage.ask(suite.large_query.clone().unwrap_or_default()).await?;
        let rows = reply.rows();
        let bytes: usize = rows.iter().map(|row| row.to_string().len()).sum();
        if bytes <= INBOUND_LIMIT {
            let why = format!("the rows have {bytes} bytes in all; more than {INBOUND_LIMIT} are to arrive");
            return Err(Failure(why));
        }
        stage.answers().await?;
        stage.same_link()?;
        Ok(format!("{} rows, {bytes} bytes, {} messages", rows.len(), reply.partials.len() + 1))
    };
    suite.on_stage(start, suite.server(), body).await
}

pub(super) async fn shuts_down(suite: &Conformance, start: Start<'_>) -> Result<String, Failure> {
    let stage = suite.stage(suite.server()).await?;
    let mut connector = stage.attached_connector(start).await?;
    // Cancel safety: whatever ends first decides, and the rest is given up.
    let in_flight = tokio::select! {
        biased;
        in_flight = put_in_flight(&stage) => in_flight?,
        end = connector.unasked_end() => return Err(end),
    };
    connector.ask_to_stop();
    let (queries, began) = (in_flight.len(), Instant::now());
    let (stopped, answered) = tokio::join!(connector.stop(suite.grace), all_answered(in_flight));
    let took = began.elapsed();
    let done = async { stopped.and(answered).and(stage.closed_by_connector().await) };
    stage.without_violations(done.await)?;
    Ok(format!("{queries} queries in flight, ended after {:.1} s", took.as_secs_f64()))
}

/// Asks many things at once, and one more whose answer, whatever it is, proves that the connector has read them all.
async fn put_in_flight(stage: &Stage<'_>) -> Result<Vec<PendingQuery>, Failure> {
    let suite = stage.suite;
    let mut in_flight = Vec::new();
    if let Some(query) = &suite.slow_query {
        in_flight.push(stage.source.start_query(query.clone()).await?);
    }
    while in_flight.len() + 1 < suite.at_once {
        in_flight.push(stage.source.start_query(suite.sample()).await?);
    }
    stage.source.query(suite.sample()).await?;
    Ok(in_flight)
}

/// Whatever the answers are.
async fn all_answered(in_flight: Vec<PendingQuery>) -> Result<(), Failure> {
    let mut lost = 0;
    for pending in in_flight {
        lost += usize::from(fate(pending.await)? == Fate::Lost);
    }
    if lost == 0 { Ok(()) } else { Err(Failure(format!("{lost} queries in flight were not answered"))) }
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// The first failure of all these; the others are stopped then.
pub(super) async fn all_of(mut workers: JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    while let Some(ended) = workers.join_next().await {
        ended.expect("a worker does not panic")?;
    }
    Ok(())
}
