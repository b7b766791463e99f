//! The outbox file: what was accepted survives the process, if it is stopped in good order. That it survives `kill`
//! is a property of `reliability`.
#![forbid(unsafe_code)]
#![cfg(unix)]

use std::path::Path;

use serde_json::json;
use vantiq_connector::{ConnectorError, OutboxSync};
use vantiq_connector_tests::{Connector, DurableFolder, Quiet, config, hasty, within};
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

/// Stopped in good order while the file takes no more: what is not in it counts as abandoned, and the program
/// says so.
#[tokio::test]
async fn a_stop_tells_what_could_not_be_kept() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    simulator.on_upgrade(UpgradeReply::Status(503));
    let folder = folder("unwritten");
    let connector = || {
        let settings = config(&simulator, &["a"]).outbox_file(folder.path().join("outbox"));
        let settings = settings.outbox_sync(OutboxSync::Interval).outbox_max_bytes(4 << 20);
        // There is always room in memory.
        Connector::start_with(hasty::<Quiet>().outbox(1_000_000, 1 << 31), settings)
    };
    let running = connector();
    let source = running.source("a");
    let event = "x".repeat(200_000);
    // They are accepted until it is known that they cannot be written.
    while within(source.notify(&event)).await.is_ok() {}
    let stopped = running.stop().await;
    let counts = source.status().counts;
    let Err(error @ ConnectorError::Abandoned(abandoned)) = stopped else {
        panic!("{stopped:?}, {counts:?}")
    };
    assert_eq!(error.exit_code(), 75);
    assert_eq!(abandoned.notifications, counts.notifications_abandoned);
    assert_eq!(counts.notifications, counts.notifications_abandoned + counts.notifications_kept);
    let running = connector();
    assert_eq!(running.source("a").status().counts.notifications_restored, counts.notifications_kept);
    running.stop().await.unwrap();
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
