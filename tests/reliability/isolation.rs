//! Handlers that panic, and whom that reaches.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};
use vantiq_connector::prelude::*;
use vantiq_connector_tests::{MemoryServer, hasty};

use crate::{
    caller::{Caller, Part},
    planned,
    run::{Run, block_on_paused},
};

/// Longer than anything here may take.
const FOR_EVER: Duration = Duration::from_hours(2);

/// Where a handler can panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Connect,
    Publish,
    Query,
    Close,
    Drop,
    Spawned,
    Every,
    /// When the error of a call is shown.
    PublishError,
    QueryError,
    EveryError,
}

const PLACES: [Place; 10] = [
    Place::Connect,
    Place::Publish,
    Place::Query,
    Place::Close,
    Place::Drop,
    Place::Spawned,
    Place::Every,
    Place::PublishError,
    Place::QueryError,
    Place::EveryError,
];

/// Which place is to panic next, and how often any did.
#[derive(Debug)]
struct Plan {
    next: Mutex<Option<Place>>,
    panics: watch::Sender<u64>,
}

impl Plan {
    fn panic_next(&self, place: Place) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    /// Panics where it is the turn of this place.
    fn at(&self, place: Place) {
        let turn = self.next.lock().unwrap_or_else(PoisonError::into_inner).take_if(|next| *next == place);
        if turn.is_some() {
            self.panics.send_modify(|panics| *panics += 1);
            planned::panic();
        }
    }

    /// Fails where it is the turn of this place, with an error that panics when it is shown.
    fn fail(self: &Arc<Self>, place: Place) -> Result<()> {
        if *self.next.lock().unwrap_or_else(PoisonError::into_inner) == Some(place) {
            return Err(Bomb { plan: Arc::clone(self), place }.into());
        }
        Ok(())
    }

    async fn panicked(&self, times: u64) {
        let mut panics = self.panics.subscribe();
        let panicked = panics.wait_for(|panics| *panics == times);
        timeout(FOR_EVER, panicked).await.expect("it panics at some time").expect("there is a sender");
    }
}

/// An error that cannot be shown.
#[derive(Debug)]
struct Bomb {
    plan: Arc<Plan>,
    place: Place,
}

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.at(self.place);
        Ok(())
    }
}

impl std::error::Error for Bomb {}

/// Panics wherever the plan says so, and answers queries with themselves.
#[derive(VantiqSource)]
#[vantiq_source("a")]
struct Panicky {
    source: Source,
    plan: Arc<Plan>,
}

impl SourceHandler for Panicky {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        let plan = source.shared::<Plan>()?;
        plan.at(Place::Connect);
        let polled = Arc::clone(&plan);
        source.every(Duration::from_millis(10), move |_| {
            let polled = Arc::clone(&polled);
            async move {
                polled.at(Place::Every);
                polled.fail(Place::EveryError)
            }
        });
        Ok(Self { source, plan })
    }

    async fn publish(&self, _: Value) -> Result<()> {
        self.plan.at(Place::Publish);
        let plan = Arc::clone(&self.plan);
        self.source.spawn(async move { plan.at(Place::Spawned) });
        self.plan.fail(Place::PublishError)
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        self.plan.at(Place::Query);
        self.plan.fail(Place::QueryError)?;
        Answer::row(&query)
    }

    async fn close(self) {
        self.plan.at(Place::Close);
    }
}

impl Drop for Panicky {
    fn drop(&mut self) {
        self.plan.at(Place::Drop);
    }
}

/// Notifies what is published, and answers queries with themselves.
#[derive(VantiqSource)]
#[vantiq_source("b")]
struct Steady(Source);

impl SourceHandler for Steady {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn publish(&self, message: Value) -> Result<()> {
        self.0.notify(&message).await?;
        Ok(())
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        Answer::row(&query)
    }
}

pub(crate) fn panics_reach_nobody_else(run: &Run) -> String {
    block_on_paused(panics(run.count(1_000)))
}

async fn panics(times: u64) -> String {
    let server = MemoryServer::default();
    let plan = Arc::new(Plan { next: Mutex::default(), panics: watch::Sender::new(0) });
    let set = hasty::<Panicky>().source::<Steady>().shared_arc(Arc::clone(&plan));
    let connector = server.connector(set, &["a", "b"]);
    let (first, second) = (server.attached().await, server.attached().await);
    let (first, second) = if first.source() == "a" { (first, second) } else { (second, first) };
    assert_eq!((first.source(), second.source()), ("a", "b"));
    let (a, b) = (Caller::of(first), Caller::of(second));

    let mut panics = 0;
    for place in PLACES {
        for _ in 0..times {
            // Without a handler nothing can panic.
            connector.connected("a").await;
            plan.panic_next(place);
            match place {
                Place::Connect | Place::Close | Place::Drop => a.reconnect_required(),
                Place::Publish | Place::Spawned | Place::PublishError => a.publish(&json!(panics)),
                Place::Query | Place::QueryError | Place::Every | Place::EveryError => {}
            }
            a.query(&json!(panics));
            b.publish(&json!(panics));
            b.query(&json!(panics));
            panics += 1;
            plan.panicked(panics).await;
            // Once its answers are held back for a moment, to find out whether they are acknowledged.
            timeout(FOR_EVER, b.answered_but(0)).await.expect("source b answers");
        }
    }
    timeout(FOR_EVER, async { tokio::join!(a.answered_but(0), b.answered_but(0)) })
        .await
        .expect("all are answered");
    let status = |source| connector.source(source).status();
    let (counts_a, counts_b) = (status("a").counts, status("b").counts);
    let failed = (counts_a.publishes_failed, counts_a.polls_failed);
    assert_eq!((counts_a.links, failed), (1, (2 * times, 2 * times)));
    assert_eq!(counts_a.publishes, 3 * times);
    assert_eq!((counts_b.links, counts_b.sessions), (1, 1));
    connector.stop().await.expect("nothing is left undone");

    assert!(b.events().into_iter().eq(0..panics), "source b misses nothing");
    let wrong = |(number, answer): &(usize, Part)| answer.status != 200 || answer.body != *number;
    let wrong: Vec<_> = b.terminals().into_iter().enumerate().filter(wrong).collect();
    assert!(wrong.is_empty(), "source b answers all, but {wrong:?}");
    let answers = a.terminals();
    let panicked = answers.iter().filter(|answer| answer.code() == QueryError::PANICKED).count() as u64;
    assert_eq!((answers.len() as u64, panicked), (panics, 2 * times));
    let refused = answers.iter().filter(|answer| answer.status != 200).count() as u64 - panicked;
    format!(
        "{panics} panics in {} places; b: {panics} of {panics} publishes and queries; a: {panics} queries answered \
         once each, {panicked} with the panic, {refused} while there was no handler",
        PLACES.len()
    )
}
