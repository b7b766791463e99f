//! Processes with an outbox file that are killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use rand::RngExt;
use serde_json::json;
use vantiq_connector_tests::{DurableFolder, until};
use vantiq_simulator::{Acknowledge, Simulator, UpgradeReply};

use crate::run::{Run, block_on};

/// What one process may accept at most, and the distance between the numbers of two of them.
const MOST: u64 = 100_000;

pub(crate) fn lose_nothing_that_was_accepted(run: &Run) -> String {
    block_on(kill(run))
}

/// Kills processes at any moment. Only what was accepted and not known to be acknowledged comes twice.
async fn kill(run: &Run) -> String {
    let (kills, mut random) = (run.count(200), run.random());
    let simulator = Simulator::builder().source("a", json!({})).start().await.expect("there is a port");
    let source = simulator.source("a");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kills");
    let folder = DurableFolder::new(path, env!("CARGO_BIN_EXE_durable-connector"));
    let mut accepted = Vec::new();
    for kill in 0..kills {
        // The server is away, slow, never acknowledges, or all is well.
        let server = random.random_range(0..4);
        simulator.on_upgrade(if server == 0 { UpgradeReply::Status(503) } else { UpgradeReply::Accept });
        source.acknowledge(match server {
            1 => Acknowledge::Delayed(Duration::from_millis(20)),
            2 => Acknowledge::Nothing,
            _ => Acknowledge::NotificationsOnly,
        });
        let running = folder.start(&simulator, kill * MOST, MOST);
        accepted.extend(running.kill_after(random.random_range(0..80)).await);
    }
    simulator.on_upgrade(UpgradeReply::Accept);
    source.acknowledge(Acknowledge::NotificationsOnly);
    let running = folder.start(&simulator, kills * MOST, 1);
    until(&source, json!(kills * MOST)).await;
    assert_eq!(running.stop().await, Some(0));

    let events = source.notifications();
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    let mut first = Vec::new();
    for event in &events {
        let number = event.object.as_u64().expect("a number");
        let times = times.entry(number).or_default();
        *times += 1;
        if *times == 1 {
            first.push(number);
        }
    }
    let lost: BTreeSet<_> = accepted.iter().filter(|number| !times.contains_key(number)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(first.is_sorted(), "something was overtaken");
    let (accepted, again) = (accepted.len(), events.len() - first.len());
    format!("{kills} kills, {accepted} accepted, 0 lost, 0 inversions, {again} came again")
}
