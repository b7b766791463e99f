//! Sessions: from a configuration to its end.
#![forbid(unsafe_code)]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::bail;
use serde_json::{Value, json};
use tokio::time::Instant;
use vantiq_connector::SourceState;
use vantiq_connector::prelude::*;
use vantiq_connector_tests::{Connector, Echo, HandServer, MemoryServer, hasty, until, within};
use vantiq_simulator::{Cut, Simulator};

#[tokio::test]
async fn a_lost_link_is_dialled_again_and_the_session_begins_anew() {
    let simulator = Simulator::builder().source("a", json!({"n": 1})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(ConnectorSet::builder().source::<Echo>(), &simulator, &["a"]);
    for (n, cut) in [Cut::Close, Cut::Abort, Cut::MidFrame].into_iter().enumerate() {
        until(&source, json!({"configured": {"n": 1}})).await;
        source.publish(json!(n)).await.unwrap();
        until(&source, json!({"published": n})).await;
        let sessions = source.sessions();
        source.cut(cut).await.unwrap();
        source.wait_sessions(sessions + 1).await.unwrap();
    }
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
    within(source.wait_detached()).await.unwrap();
}

/// Notifies how often a handler was made, and how often this one was published to.
#[derive(VantiqSource)]
#[vantiq_source("a", persistent)]
struct Persistent {
    source: Source,
    number: u64,
    published: AtomicU64,
}

/// The handlers made so far.
#[derive(Default)]
struct Made(AtomicU64);

impl SourceHandler for Persistent {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        let made = source.shared_or_init(Made::default);
        let number = made.0.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Self { source, number, published: AtomicU64::default() })
    }

    async fn publish(&self, _: Value) -> Result<()> {
        let published = self.published.fetch_add(1, Ordering::Relaxed) + 1;
        self.source.notify(&json!({"handler": self.number, "published": published})).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_persistent_handler_goes_on_over_lost_links_until_its_configuration_changes() {
    let simulator = Simulator::builder().source("a", json!({"n": 1, "m": 2})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Persistent>(), &simulator, &["a"]);
    for published in 1..=3 {
        source.wait_attached().await.unwrap();
        source.publish(json!({})).await.unwrap();
        until(&source, json!({"handler": 1, "published": published})).await;
        let sessions = source.sessions();
        source.cut(Cut::Abort).await.unwrap();
        source.wait_sessions(sessions + 1).await.unwrap();
    }
    let sessions = source.sessions();
    source.configure(json!({"n": 2})).await.unwrap();
    source.wait_sessions(sessions + 1).await.unwrap();
    source.publish(json!({})).await.unwrap();
    until(&source, json!({"handler": 2, "published": 1})).await;
    // Whoever asks for a new session gets one.
    let sessions = source.sessions();
    connector.source("a").reconnect();
    source.wait_sessions(sessions + 1).await.unwrap();
    source.publish(json!({})).await.unwrap();
    until(&source, json!({"handler": 3, "published": 1})).await;
    assert_eq!(connector.source("a").status().counts.sessions, 3);
    connector.stop().await.unwrap();
}

/// It went on as if nobody had asked, for a new session was said to be on its way anyway.
#[tokio::test]
async fn a_persistent_handler_that_asks_for_a_new_session_without_a_link_gets_one() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Persistent>());
    let peer = server.attached().await;
    connector.connected("a").await;
    let source = connector.source("a");
    drop(peer);
    within(source.wait_for(|state| *state != SourceState::Connected)).await;
    source.reconnect();
    let mut peer = server.attached().await;
    peer.send(&json!({"op": "publish", "object": {}})).await;
    assert_eq!(peer.event().await, json!({"handler": 2, "published": 1}));
    server.hang_up(peer, connector).await;
}

/// Asks for another session as soon as it has one, as a handler may that fails each time.
#[derive(VantiqSource)]
#[vantiq_source("a", persistent)]
struct Restless;

impl SourceHandler for Restless {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        source.reconnect();
        Ok(Self)
    }
}

/// It got one as fast as the server could answer.
#[tokio::test(start_paused = true)]
async fn a_handler_that_asks_for_one_session_after_another_gets_four_a_second() {
    const TIMES: u32 = 20;
    let server = MemoryServer::default();
    let connector = server.connector(hasty::<Restless>(), &["a"]);
    let (mut peer, began) = (server.attached().await, Instant::now());
    for _ in 0..TIMES {
        assert_eq!(peer.receive().await["op"], "connectExtension");
        peer.configure(json!({})).await;
    }
    let (took, due) = (began.elapsed(), TIMES * Duration::from_millis(250));
    assert!(took >= due && took < due * 2, "{took:?}");
    drop((peer, server));
    connector.stop().await.unwrap();
}

/// Polls, and fails each second time.
#[derive(VantiqSource)]
#[vantiq_source("a")]
struct Poller;

impl SourceHandler for Poller {
    async fn connect(source: Source, config: Value) -> Result<Self> {
        let mut calls = 0;
        source.every(Duration::from_millis(5), move |source| {
            calls += 1;
            let event = json!({"config": config, "call": calls});
            async move {
                if calls % 2 == 0 {
                    bail!("no answer from the device");
                }
                source.notify(&event).await?;
                Ok(())
            }
        });
        Ok(Self)
    }
}

#[tokio::test]
async fn polling_survives_failures_and_ends_with_its_session() {
    let simulator = Simulator::builder().source("a", json!(1)).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Poller>(), &simulator, &["a"]);
    for call in [1, 3, 5] {
        until(&source, json!({"config": 1, "call": call})).await;
    }
    source.configure(json!(2)).await.unwrap();
    until(&source, json!({"config": 2, "call": 3})).await;
    let events = source.notifications();
    let of_the_second = events.iter().position(|event| event.object["config"] == 2).unwrap();
    assert!(events[of_the_second..].iter().all(|event| event.object["config"] == 2), "the first has ended");
    assert!(connector.source("a").status().counts.polls_failed >= 3);
    connector.stop().await.unwrap();
}
