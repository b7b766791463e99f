//! [`Told`]: what the receipt of one numbered event said, and what all of them together amount to.

use std::ops::Range;

use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use vantiq_connector::{Delivery, DeliveryError, Receipt, Source};
use vantiq_simulator::{Check, ReceiptSays, Simulator};

/// More than an outbox holds, so that no receipt waits to be awaited.
const RECEIPTS_AT_ONCE: usize = 100_000;

/// What the receipt of one event said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) outcome: Result<Delivery, DeliveryError>,
    /// Links that had been opened by then.
    pub(crate) links: u64,
}

/// The event of a number.
pub(crate) fn event(number: u64) -> Value {
    json!({"number": number})
}

/// The number of an [`event`].
pub(crate) fn number(event: &Value) -> Option<u64> {
    event["number"].as_u64()
}

/// Sends the events of these numbers as fast as the outbox takes them, and awaits the receipts of all.
pub(crate) async fn notify_all(source: &Source, simulator: &Simulator, numbers: Range<u64>) -> Vec<Told> {
    let accepted = stream::iter(numbers).then(|number| async move {
        (number, source.notify(&event(number)).await.expect("the source is open"))
    });
    told(accepted, simulator).await
}

/// Awaits the receipts of all these events as they come.
pub(crate) async fn told(accepted: impl Stream<Item = (u64, Receipt)>, simulator: &Simulator) -> Vec<Told> {
    let told = accepted.map(|(number, receipt)| async move {
        let outcome = receipt.await;
        Told { number, outcome, links: simulator.links_opened() }
    });
    told.buffer_unordered(RECEIPTS_AT_ONCE).collect().await
}

/// The facts of a run in which these events were sent in the order of their numbers. To be asked for when all
/// links have ended.
pub(crate) fn check(simulator: &Simulator, source: &str, told: &[Told]) -> Check {
    let mut check = Check::new();
    fill_receipts(&mut check, told);
    check.server(simulator, source, number);
    check
}

/// Of these facts, those that the connector knows.
pub(crate) fn fill_receipts(check: &mut Check, told: &[Told]) {
    let mut numbers: Vec<_> = told.iter().map(|told| told.number).collect();
    numbers.sort_unstable();
    for number in numbers {
        check.sent(number);
    }
    for Told { number, outcome, links } in told {
        check.receipt(*number, says(outcome), *links);
    }
}

fn says(outcome: &Result<Delivery, DeliveryError>) -> ReceiptSays {
    match outcome {
        Ok(_) => ReceiptSays::Delivered,
        Err(DeliveryError::Rejected(_)) => ReceiptSays::Rejected,
        Err(DeliveryError::Dropped) => ReceiptSays::Dropped,
        Err(DeliveryError::Expired) => ReceiptSays::Expired,
        Err(_) => ReceiptSays::Unknown,
    }
}
