//! What a simulator has seen.

use serde_json::Value;
use vantiq_simulator::{Simulator, Source};

use crate::within;

/// Reads events of `source` up to `wanted`. What was not yet known to be acknowledged when a link was lost
/// comes again, so there may be others before it.
///
/// # Panics
/// If `wanted` does not come.
pub async fn until(source: &Source, wanted: Value) {
    let read = async {
        loop {
            let event = source.next_notification().await.expect("the wanted event comes").object;
            if event == wanted {
                return;
            }
        }
    };
    within(read).await;
}

/// How often a message with this `op` was received.
pub fn count(simulator: &Simulator, op: &str) -> usize {
    simulator.received().iter().filter(|message| message.op() == Some(op)).count()
}
