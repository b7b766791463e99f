//! [`PublishQueue`]: the publishes of one session, in wire order, beginning with those that the session
//! before it did not get to.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::{budget::Room, protocol::Payload};

/// A publish, and the room it takes until it is handled.
pub(super) type Queued = (Payload, Option<Room>);

/// The session's end of its queue. What is left at its end goes to the next session: a publish has no
/// second way to come.
pub(super) struct PublishQueue {
    /// What the session before left.
    inherited: VecDeque<Queued>,
    publishes_rx: mpsc::UnboundedReceiver<Queued>,
}

impl PublishQueue {
    /// A queue, and the end at which the link fills it. It has no bound of its own: each publish brings the
    /// room it takes.
    pub(super) fn new() -> (mpsc::UnboundedSender<Queued>, Self) {
        let (publishes_tx, publishes_rx) = mpsc::unbounded_channel();
        (publishes_tx, Self { inherited: VecDeque::new(), publishes_rx })
    }

    /// Puts what the session before left in front.
    pub(super) fn inherit(&mut self, left: VecDeque<Queued>) {
        self.inherited = left;
    }

    /// The next publish; `None` once the link has let go of the session and nothing is left.
    ///
    /// Cancel safe: a publish is taken only when it is returned.
    pub(super) async fn next(&mut self) -> Option<Queued> {
        match self.inherited.pop_front() {
            Some(queued) => Some(queued),
            None => self.publishes_rx.recv().await,
        }
    }

    /// What is left.
    pub(super) fn into_left(mut self) -> VecDeque<Queued> {
        self.publishes_rx.close();
        self.inherited.extend(std::iter::from_fn(|| self.publishes_rx.try_recv().ok()));
        self.inherited
    }
}
