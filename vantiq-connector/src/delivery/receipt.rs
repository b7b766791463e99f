//! [`Receipt`]: what became of one notification.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use super::StoreError;
use crate::protocol::ServerError;

/// What became of one notification, told exactly once.
///
/// Await it to know, or drop it: the notification is sent, and sent again after a lost link, all the same.
///
/// # Cancel safety
/// Cancel safe: poll `&mut receipt` in a `select!` and await it again later.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Outcome>);

/// How well it is known that a notification reached the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The server acknowledged it.
    Acknowledged,
    /// The server answered a WebSocket ping that was sent after this one, so the frame arrived. What the server made
    /// of it is not known: it does not acknowledge notifications, or it could not be told which one of its replies
    /// is meant for this.
    Arrived,
    /// With `sendPings=false` there is no way to ask whether it arrived, and no acknowledgement is certainly its
    /// own: the server acknowledges none, or for a while nothing told which of its acknowledgements are meant for
    /// other messages. It was handed to the network while the link was up. The server may have refused it: that is
    /// logged, and told here only where `ackProfile` or `requestIds` leave no doubt about which one it refused.
    Sent,
}

/// Why a notification was not delivered, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The server refused it.
    #[error("the server refused the notification")]
    Rejected(#[source] ServerError),
    /// The outbox was full and its policy chose this notification.
    #[error("the notification was dropped, for the outbox was full")]
    Dropped,
    /// It was not acknowledged within its time to live, and waited to be sent, or to be sent again.
    #[error("the notification expired before it could be sent")]
    Expired,
    /// It could not be written to the outbox file, and was not sent. Only of
    /// [`try_notify`](crate::Source::try_notify), which does not wait for that.
    #[error("the notification was not stored")]
    NotStored(#[source] StoreError),
    /// The connector stopped before the server acknowledged it: it may have arrived or not. With an outbox
    /// file it is sent after the next start.
    #[error("the connector stopped before the server acknowledged the notification")]
    Unknown,
}

pub(crate) type Outcome = Result<Delivery, DeliveryError>;

/// A receipt, and the end at which it is resolved.
pub(crate) fn receipt() -> (oneshot::Sender<Outcome>, Receipt) {
    let (outcome_tx, outcome_rx) = oneshot::channel();
    (outcome_tx, Receipt(outcome_rx))
}

impl Future for Receipt {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        // The other end goes away unresolved only when the whole source does.
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.unwrap_or(Err(DeliveryError::Unknown)))
    }
}
