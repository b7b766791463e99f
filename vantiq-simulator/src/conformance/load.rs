//! The check of what happens when the link is cut at work.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Conformance;
use super::connector::Start;
use super::queries::all_of;
use super::stage::{Failure, Fate, Stage, fate};
use crate::cut::Cut;
use crate::error::{SimulatorError, SimulatorErrorKind};
use crate::source::Source;

/// The kinds of cuts, in turns.
const KINDS: [Cut; 3] = [Cut::Close, Cut::Abort, Cut::MidFrame];
/// Who publish and ask side by side.
const WORKERS: usize = 4;
/// Queries that have to be answered before the next cut.
const BETWEEN_CUTS: u64 = 20;
/// Time between two publishes where nobody waits for an answer in between.
const PACE: Duration = Duration::from_millis(1);

pub(super) async fn reconnects_under_load(suite: &Conformance, start: Start<'_>) -> Result<String, Failure> {
    let body = async |stage: &Stage<'_>| {
        let mut load = Load::begin(stage);
        for cut in KINDS.into_iter().cycle().take(suite.cuts) {
            load.progresses().await?;
            cut_and_return(stage, cut).await?;
        }
        load.progresses().await?;
        let before = stage.source.sessions();
        stage.simulator.restart().await?;
        stage.attached_again(before).await?;
        load.progresses().await?;
        let counts = load.end().await?;
        stage.answers().await?;
        let Counts { answered, lost } = counts;
        Ok(format!("{} cuts, a restart, {answered} queries answered, {lost} lost", suite.cuts))
    };
    suite.on_stage(start, suite.server(), body).await
}

async fn cut_and_return(stage: &Stage<'_>, cut: Cut) -> Result<(), Failure> {
    let before = stage.source.sessions();
    stage.source.cut(cut).await?;
    let returned = stage.attached_again(before).await;
    returned.map_err(|Failure(why)| Failure(format!("after {cut:?}, {why}")))
}

/// What became of the queries so far.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    answered: u64,
    lost: u64,
}

/// Publishes and queries that go on whatever happens to the link.
struct Load {
    stop: CancellationToken,
    workers: JoinSet<Result<(), Failure>>,
    counts: Arc<watch::Sender<Counts>>,
    /// Whether there are answers to count.
    asks: bool,
    deadline: Duration,
}

impl Load {
    fn begin(stage: &Stage<'_>) -> Self {
        let suite = stage.suite;
        let (stop, counts) = (CancellationToken::new(), Arc::new(watch::Sender::new(Counts::default())));
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let worker = Worker {
                source: stage.source.clone(),
                query: suite.query.clone(),
                publish: suite.publish.clone(),
                stop: stop.clone(),
                counts: Arc::clone(&counts),
            };
            workers.spawn(worker.work());
        }
        Self { stop, workers, counts, asks: suite.query.is_some(), deadline: suite.deadline }
    }

    /// Waits until some more queries are answered, so that a cut meets a connector at work.
    ///
    /// Fails with the first worker that does.
    async fn progresses(&mut self) -> Result<(), Failure> {
        if !self.asks {
            return Ok(());
        }
        let mut counts_rx = self.counts.subscribe();
        let enough = counts_rx.borrow_and_update().answered + BETWEEN_CUTS;
        let answered = counts_rx.wait_for(|counts| counts.answered >= enough);
        let answered = tokio::time::timeout(self.deadline, answered);
        // Cancel safety: a worker is given up only when it has ended, and then everything is.
        tokio::select! {
            answered = answered => match answered {
                Ok(_) => Ok(()),
                Err(_) => Err(Failure(format!("no {BETWEEN_CUTS} queries were answered within {:?}", self.deadline))),
            },
            Some(ended) = self.workers.join_next() => ended.expect("a worker does not panic"),
        }
    }

    async fn end(self) -> Result<Counts, Failure> {
        self.stop.cancel();
        all_of(self.workers).await?;
        Ok(*self.counts.borrow())
    }
}

/// One who publishes and asks in turns.
struct Worker {
    source: Source,
    query: Option<Value>,
    publish: Option<Value>,
    stop: CancellationToken,
    counts: Arc<watch::Sender<Counts>>,
}

impl Worker {
    async fn work(self) -> Result<(), Failure> {
        let Self { source, query, publish, .. } = &self;
        while !self.stop.is_cancelled() {
            source.wait_attached().await?;
            if let Some(publish) = publish {
                not_lost(source.publish(publish.clone()).await)?;
            }
            match query {
                Some(query) => self.count(fate(source.query(query.clone()).await)?),
                None => tokio::time::sleep(PACE).await,
            }
        }
        Ok(())
    }

    /// An error is an answer, but no progress: a connector may refuse what comes while it attaches.
    fn count(&self, fate: Fate) {
        self.counts.send_modify(|counts| match fate {
            Fate::Answered => counts.answered += 1,
            Fate::Lost => counts.lost += 1,
            Fate::AnsweredWithError => {}
        });
    }
}

/// A publish may meet a link that has just gone.
fn not_lost(published: Result<(), SimulatorError>) -> Result<(), Failure> {
    match published {
        Err(error) => match error.kind() {
            SimulatorErrorKind::NoSession { .. } | SimulatorErrorKind::LinkLost { .. } => Ok(()),
            _ => Err(error.into()),
        },
        Ok(()) => Ok(()),
    }
}
