//! The outbox file: what was accepted survives the process, if it is stopped in good order. That it survives `kill`
//! is a property of `reliability`.
#![forbid(unsafe_code)]
#![cfg(unix)]

use std::path::Path;

use serde_json::json;
use vantiq_connector_tests::DurableFolder;
use vantiq_simulator::{Simulator, Source, UpgradeReply};

fn folder(test: &str) -> DurableFolder {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("durable").join(test);
    DurableFolder::new(path, env!("CARGO_BIN_EXE_durable-connector"))
}

fn numbers(source: &Source) -> Vec<u64> {
    let events = source.notifications();
    events.iter().map(|event| event.object.as_u64().expect("a number")).collect()
}

/// Stopped in good order while the server is away: the events stay, and nothing counts as abandoned.
#[tokio::test]
async fn a_stop_keeps_what_the_server_did_not_take() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let (source, folder) = (simulator.source("a"), folder("stop"));
    simulator.on_upgrade(UpgradeReply::Status(503));
    let mut running = folder.start(&simulator, 0, 100);
    while running.next().await != Some(99) {}
    assert_eq!(running.stop().await, Some(0));
    assert_eq!(source.notification_count(), 0);
    simulator.on_upgrade(UpgradeReply::Accept);
    let running = folder.start(&simulator, 100, 1);
    source.wait_notifications(101).await.unwrap();
    assert_eq!(running.stop().await, Some(0));
    assert_eq!(numbers(&source), (0..=100).collect::<Vec<_>>());
    // All was acknowledged, so nothing is left.
    let running = folder.start(&simulator, 200, 1);
    source.wait_notifications(102).await.unwrap();
    assert_eq!(running.stop().await, Some(0));
    assert_eq!(numbers(&source).last(), Some(&200));
}

/// A second process on the same file ends with code 74 and a clear error.
#[tokio::test]
async fn a_second_process_is_told_so() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let folder = folder("second");
    let mut first = folder.start(&simulator, 0, 1);
    assert_eq!(first.next().await, Some(0));
    let mut second = folder.start(&simulator, 100, 1);
    assert_eq!(second.next().await, None);
    assert_eq!(second.ended().await, Some(74));
    assert_eq!(first.stop().await, Some(0));
}
