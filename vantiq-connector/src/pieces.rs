//! Single parts at work, for the benchmark that counts instructions.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    Answer, Rows,
    delivery::{AckProfile, Delivery, Draft, Known, Ledger, Outbox, OverflowPolicy, Window},
    query::{ReplyTo, Streaming},
};

/// Bytes of a message.
const SIZE: usize = 100;
/// Messages that are under way, and rows of a query.
const AT_ONCE: usize = 100;

/// Enters so many messages into a ledger, and acknowledges each.
///
/// # Panics
/// If one is not released.
pub fn ledger(times: usize) {
    let window = Window { messages: AT_ONCE, bytes: AT_ONCE * SIZE };
    let mut ledger = Ledger::<usize, ()>::new(window, Known::default(), AckProfile::Notifications);
    for _ in 0..times.div_ceil(AT_ONCE) {
        for number in 0..AT_ONCE {
            ledger.sent(number, SIZE);
        }
        for _ in 0..AT_ONCE {
            assert_eq!(ledger.reply(None).count(), 1);
        }
    }
}

/// Puts so many messages into an outbox, takes each out and tells its receipt.
///
/// # Panics
/// If one is refused.
pub fn outbox(times: usize) {
    let outbox = Arc::new(Outbox::new(OverflowPolicy::Block, AT_ONCE, AT_ONCE * SIZE));
    let draft = Draft { frame: Bytes::from_static(&[0; SIZE]), request_id: None, expires_at: None };
    let mut receipts = Vec::new();
    for _ in 0..times.div_ceil(AT_ONCE) {
        receipts.extend((0..AT_ONCE).map(|_| outbox.offer(draft.clone()).expect("there is room").0));
        while let Some(entry) = outbox.pop() {
            entry.resolve(Ok(Delivery::Acknowledged));
        }
        for receipt in receipts.drain(..) {
            assert_eq!(receipt.now_or_never(), Some(Ok(Delivery::Acknowledged)));
        }
    }
}

/// Bundles so many rows, of queries that have 100 of them.
///
/// # Panics
/// If one is refused.
pub fn bundle(times: usize, row: &impl Serialize) {
    let (replies, mut replies_rx) = mpsc::channel(1);
    for _ in 0..times.div_ceil(AT_ONCE) {
        let reply_to =
            ReplyTo { address: "address".into(), max_message_bytes: 1 << 20, errors_as_array: false };
        let (replies, linger) = (replies.clone(), Duration::from_mins(1));
        let streaming = Arc::new(Streaming::new(reply_to, replies, AT_ONCE + 1, linger, Instant::now()));
        let mut rows = Rows::new(Arc::clone(&streaming));
        for _ in 0..AT_ONCE {
            rows.send(row).now_or_never().expect("there is room").expect("it fits");
        }
        streaming
            .send_last(streaming.conclude(Ok(Answer::done()), None))
            .now_or_never()
            .expect("there is room");
        assert!(replies_rx.try_recv().is_ok());
    }
}
