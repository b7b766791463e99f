//! A thousand sources in one process.
#![forbid(unsafe_code)]

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use vantiq_connector::prelude::*;
use vantiq_connector_tests::{Connector, within};
use vantiq_simulator::{Cut, Ending, LinkEnd, Simulator, SimulatorBuilder, ValidateReply};

const SOURCES: usize = 1_000;

/// Answers every query with its source's name.
#[derive(VantiqSource)]
#[vantiq_source]
struct Named(Source);

impl SourceHandler for Named {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        Answer::row(&json!({"source": self.0.name(), "query": query}))
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("source-{number}")).collect()
}

/// A simulator that waits as long as the tests do.
fn simulator() -> SimulatorBuilder {
    Simulator::builder().any_source(true).deadline(Duration::from_secs(30))
}

/// Both ends of each connection are in this process, and many systems allow 1,024 files.
fn allow_files() {
    let wanted = 4 * SOURCES as u64;
    let allowed = rlimit::increase_nofile_limit(wanted).unwrap();
    assert!(allowed >= wanted, "the system allows {allowed} open files only");
}

/// How many links were between their first `validate` and their last `connectExtension` at once. The
/// connector counts a handshake from the dial to the configuration, so it can only have been more.
fn handshakes_at_once(simulator: &Simulator) -> usize {
    let mut under_way = HashSet::new();
    let mut most = 0;
    for message in simulator.received() {
        match message.op() {
            Some("validate") => under_way.insert(message.link),
            Some("connectExtension") => under_way.remove(&message.link),
            _ => false,
        };
        most = most.max(under_way.len());
    }
    most
}

/// Queries every source and checks that it was that source that answered.
async fn query_all(simulator: &Simulator, names: &[String]) {
    let queries = names.iter().map(|name| async move {
        let reply = simulator.source(name).query(json!({"ask": name})).await?;
        assert_eq!(reply.body, json!({"source": name, "query": {"ask": name}}));
        Ok::<_, vantiq_simulator::SimulatorError>(())
    });
    stream::iter(queries).buffer_unordered(100).try_collect::<()>().await.unwrap();
}

async fn wait_sessions(simulator: &Simulator, names: &[String], number: u64) {
    for name in names {
        simulator.source(name).wait_sessions(number).await.unwrap();
    }
}

/// A thousand sources in one process connect, answer a query each, survive the loss of every link at once,
/// and stop in good order.
#[tokio::test]
async fn a_thousand_sources_connect_answer_reconnect_and_stop() {
    allow_files();
    let names = names(SOURCES);
    let simulator = simulator().start().await.unwrap();
    let sources: Vec<&str> = names.iter().map(String::as_str).collect();
    let set = ConnectorSet::builder()
        .source::<Named>()
        .backoff(Duration::from_millis(10), Duration::from_millis(500));
    let connector = Connector::start(set, &simulator, &sources);
    wait_sessions(&simulator, &names, 1).await;
    assert_eq!((simulator.links(), simulator.dials()), (SOURCES, SOURCES as u64));
    query_all(&simulator, &names).await;

    simulator.cut_links(Cut::Abort).await.unwrap();
    wait_sessions(&simulator, &names, 2).await;
    query_all(&simulator, &names).await;
    assert!(handshakes_at_once(&simulator) <= 32, "{} handshakes at once", handshakes_at_once(&simulator));

    let ended = simulator.link_ends().len();
    connector.stop().await.unwrap();
    simulator.wait_for("no link", |simulator| simulator.links() == 0).await.unwrap();
    let closed = Ending::ClosedByConnector { code: Some(1000) };
    let ends = simulator.link_ends().split_off(ended);
    assert_eq!(ends.len(), SOURCES);
    assert!(ends.iter().all(|LinkEnd { ending, .. }| *ending == closed));
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// While a server answers nobody, no more than the bound are in a handshake; all connect when it answers.
#[tokio::test]
async fn a_slow_server_is_not_stampeded() {
    let names = names(200);
    let simulator = simulator().start().await.unwrap();
    simulator.on_validate(ValidateReply::NoAnswer);
    let sources: Vec<&str> = names.iter().map(String::as_str).collect();
    // `validate` is sent again after a third of this.
    let set =
        ConnectorSet::builder().source::<Named>().max_handshakes(8).step_deadline(Duration::from_secs(6));
    let connector = Connector::start(set, &simulator, &sources);
    simulator.wait_for("8 links", |simulator| simulator.links() >= 8).await.unwrap();
    let stalled = Instant::now();
    simulator.wait_for("`validate` again", |it| it.received().len() > 8).await.unwrap();
    assert_eq!((simulator.links(), handshakes_at_once(&simulator)), (8, 8), "{:?}", stalled.elapsed());
    simulator.on_validate(ValidateReply::Check);
    wait_sessions(&simulator, &names, 1).await;
    assert_eq!(handshakes_at_once(&simulator), 8);
    connector.stop().await.unwrap();
    within(simulator.stop()).await.unwrap();
}
