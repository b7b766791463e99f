//! [`Outbox`]: the notifications that wait to be sent, in order and bounded.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{DeliveryError, Outcome, Receipt, receipt};
use crate::budget::{Budget, NoRoom, Room};

/// What happens to a notification when the outbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// `notify` waits for room. The default: nothing is lost, and the producer slows down.
    #[default]
    Block,
    /// The oldest notification that was not sent yet gives way.
    DropOldest,
    /// The new notification is dropped.
    DropNewest,
}

/// Why a notification was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// The event has no JSON form, for example a map whose keys are no texts.
    #[error("the event cannot be written as JSON")]
    Serialize(#[source] serde_json::Error),
    /// The message is larger than the server takes. It was not sent: the server would refuse it.
    #[error("the notification has {size} bytes, more than `maxMessageBytes` ({max}) allows")]
    TooLarge {
        /// Size of the whole message in bytes.
        size: usize,
        /// The limit, `maxMessageBytes` in `server.config`.
        max: usize,
    },
    /// The outbox is full. Only `try_notify` says so, and only under [`OverflowPolicy::Block`].
    #[error("the outbox is full")]
    Full,
    /// The source was closed, or the connector stops.
    #[error("the source is closed")]
    Closed,
}

/// A notification that is to be accepted.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The message as it is sent.
    pub(crate) frame: Bytes,
    /// The `requestId` in it, where it has one.
    pub(crate) request_id: Option<u64>,
    /// When it is of no use any more.
    pub(crate) expires_at: Option<Instant>,
}

/// A notification on its way: the message, the room it takes, and its receipt's other end.
///
/// An entry that is dropped unresolved resolves its receipt as [`DeliveryError::Unknown`].
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) draft: Draft,
    outcome_tx: oneshot::Sender<Outcome>,
    _room: Option<Room>,
}

impl Entry {
    fn is_expired(&self, now: Instant) -> bool {
        self.draft.expires_at.is_some_and(|at| at <= now)
    }

    /// Tells the receipt and gives the room back.
    pub(crate) fn resolve(self, outcome: Outcome) {
        // Nobody may be waiting for it; that is no fault.
        let _ = self.outcome_tx.send(outcome);
    }
}

/// The notifications of one source that wait to be sent. What was sent and not yet acknowledged keeps its
/// room here: the bound is on both together.
#[derive(Debug)]
pub(crate) struct Outbox {
    policy: OverflowPolicy,
    budget: Budget,
    waiting: Mutex<Waiting>,
    filled: Notify,
    /// Told when something expires sooner than was known.
    expires_sooner: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Nothing expires before this; what does so then may be gone by now.
    expiry: Option<Instant>,
    /// Whether what waited was given up.
    abandoned: bool,
}

/// What [`Outbox::offer`] made of a notification.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It waits to be sent.
    Accepted,
    /// It waits to be sent, and this many older ones were dropped for it.
    AcceptedFor(usize),
    /// It was dropped.
    Dropped,
}

impl Outbox {
    pub(crate) fn new(policy: OverflowPolicy, messages: usize, bytes: usize) -> Self {
        Self {
            policy,
            budget: Budget::new(messages, bytes),
            waiting: Mutex::default(),
            filled: Notify::new(),
            expires_sooner: Notify::new(),
        }
    }

    /// Accepts `draft`, waiting for room where the policy is to wait.
    ///
    /// Cancel safe: while it waits nothing is accepted yet.
    pub(crate) async fn push(&self, draft: Draft) -> Result<(Receipt, Offered), NotifyError> {
        match self.policy {
            OverflowPolicy::Block => {
                let room = self.budget.take(draft.frame.len()).await.ok_or(NotifyError::Closed)?;
                Ok((self.accept(draft, room), Offered::Accepted))
            }
            OverflowPolicy::DropOldest | OverflowPolicy::DropNewest => self.offer(draft),
        }
    }

    /// Accepts `draft` at once, or does with it what the policy says.
    pub(crate) fn offer(&self, draft: Draft) -> Result<(Receipt, Offered), NotifyError> {
        let mut dropped = 0;
        loop {
            match (self.budget.try_take(draft.frame.len()), self.policy) {
                (Ok(room), _) => {
                    let receipt = self.accept(draft, room);
                    let offered =
                        if dropped == 0 { Offered::Accepted } else { Offered::AcceptedFor(dropped) };
                    return Ok((receipt, offered));
                }
                (Err(NoRoom::Closed), _) => return Err(NotifyError::Closed),
                (Err(NoRoom::Full), OverflowPolicy::Block) => return Err(NotifyError::Full),
                (Err(NoRoom::Full), OverflowPolicy::DropOldest) if self.drop_oldest() => dropped += 1,
                // Nothing is left to give way: all room is taken by what was sent already.
                (Err(NoRoom::Full), _) => return Ok((dropped_receipt(), Offered::Dropped)),
            }
        }
    }

    /// The next entry to send.
    pub(crate) fn pop(&self) -> Option<Entry> {
        self.lock().entries.pop_front()
    }

    /// Puts entries of a lost link back in front of all others, in their order.
    pub(crate) fn put_back(&self, unacknowledged: impl DoubleEndedIterator<Item = Entry>) {
        let mut waiting = self.lock();
        for entry in unacknowledged.rev() {
            self.expires(&mut waiting, entry.draft.expires_at);
            waiting.entries.push_front(entry);
        }
    }

    /// When something may expire; `None` where nothing does.
    pub(crate) fn expiry(&self) -> Option<Instant> {
        self.lock().expiry
    }

    /// Waits until something expires sooner than [`expiry`](Self::expiry) said.
    ///
    /// Cancel safe: `Notify` keeps its permit for the next call.
    pub(crate) async fn expires_sooner(&self) {
        self.expires_sooner.notified().await;
    }

    /// Gives up what has expired by `now`; its receipts say [`DeliveryError::Expired`]. Returns how many
    /// these were.
    pub(crate) fn expire(&self, now: Instant) -> usize {
        let expired: VecDeque<_> = {
            let mut waiting = self.lock();
            let entries = std::mem::take(&mut waiting.entries);
            let (expired, kept) = entries.into_iter().partition(|entry| entry.is_expired(now));
            waiting.entries = kept;
            waiting.expiry = waiting.entries.iter().filter_map(|entry| entry.draft.expires_at).min();
            expired
        };
        let count = expired.len();
        for entry in expired {
            entry.resolve(Err(DeliveryError::Expired));
        }
        count
    }

    /// Waits until there is something to send.
    ///
    /// Cancel safe: `Notify` keeps its permit for the next call, and the queue is looked at first.
    pub(crate) async fn filled(&self) {
        while self.is_empty() {
            self.filled.notified().await;
        }
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    /// Accepts nothing any more; what waits stays.
    pub(crate) fn close(&self) {
        self.budget.close();
    }

    /// Gives up what still waits; its receipts say [`DeliveryError::Unknown`]. Returns how many these were.
    pub(crate) fn abandon(&self) -> usize {
        let abandoned = {
            let mut waiting = self.lock();
            waiting.abandoned = true;
            std::mem::take(&mut waiting.entries)
        };
        let count = abandoned.len();
        for entry in abandoned {
            entry.resolve(Err(DeliveryError::Unknown));
        }
        count
    }

    fn accept(&self, draft: Draft, room: Room) -> Receipt {
        let (outcome_tx, receipt) = receipt();
        let mut waiting = self.lock();
        // A producer may have got its room just before the end; dropping the entry resolves its receipt.
        if !waiting.abandoned {
            self.expires(&mut waiting, draft.expires_at);
            waiting.entries.push_back(Entry { draft, outcome_tx, _room: Some(room) });
            self.filled.notify_one();
        }
        drop(waiting);
        receipt
    }

    fn drop_oldest(&self) -> bool {
        let oldest = self.lock().entries.pop_front();
        oldest.map(|entry| entry.resolve(Err(DeliveryError::Dropped))).is_some()
    }

    /// Something expires at `at`.
    fn expires(&self, waiting: &mut Waiting, at: Option<Instant>) {
        if let Some(at) = at
            && waiting.expiry.is_none_or(|expiry| at < expiry)
        {
            waiting.expiry = Some(at);
            self.expires_sooner.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code that can panic runs under the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dropped_receipt() -> Receipt {
    let (outcome_tx, receipt) = receipt();
    let _ = outcome_tx.send(Err(DeliveryError::Dropped));
    receipt
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Delivery;

    fn draft(text: &'static str) -> Draft {
        Draft { frame: Bytes::from_static(text.as_bytes()), request_id: None, expires_at: None }
    }

    fn drained(outbox: &Outbox) -> Vec<Bytes> {
        std::iter::from_fn(|| outbox.pop()).map(|entry| entry.draft.frame.clone()).collect()
    }

    #[tokio::test]
    async fn entries_leave_in_order_and_those_put_back_leave_first() {
        let outbox = Outbox::new(OverflowPolicy::Block, 10, 1000);
        for text in ["1", "2", "3", "4"] {
            drop(outbox.push(draft(text)).await.unwrap());
        }
        let sent: Vec<_> = [outbox.pop(), outbox.pop()].into_iter().flatten().collect();
        outbox.put_back(sent.into_iter());
        assert_eq!(drained(&outbox), ["1", "2", "3", "4"]);
    }

    #[tokio::test]
    async fn under_block_the_producer_waits_until_an_entry_is_resolved() {
        let outbox = Outbox::new(OverflowPolicy::Block, 1, 1000);
        let (first, _) = outbox.push(draft("1")).await.unwrap();
        assert!(matches!(outbox.offer(draft("2")), Err(NotifyError::Full)));
        let sent = outbox.pop().unwrap();
        assert!(matches!(outbox.offer(draft("2")), Err(NotifyError::Full)), "sent is not yet resolved");
        let mut second = std::pin::pin!(outbox.push(draft("2")));
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        sent.resolve(Ok(Delivery::Acknowledged));
        drop(second.await.unwrap());
        assert_eq!(first.await, Ok(Delivery::Acknowledged));
    }

    #[tokio::test]
    async fn under_drop_oldest_the_oldest_unsent_gives_way() {
        let outbox = Outbox::new(OverflowPolicy::DropOldest, 2, 1000);
        let (first, _) = outbox.push(draft("1")).await.unwrap();
        drop(outbox.push(draft("2")).await.unwrap());
        let (_, offered) = outbox.push(draft("3")).await.unwrap();
        assert_eq!(offered, Offered::AcceptedFor(1));
        assert_eq!(first.await, Err(DeliveryError::Dropped));
        assert_eq!(drained(&outbox), ["2", "3"]);
    }

    #[tokio::test]
    async fn under_drop_newest_the_new_one_is_dropped() {
        let outbox = Outbox::new(OverflowPolicy::DropNewest, 1, 1000);
        drop(outbox.push(draft("1")).await.unwrap());
        let (second, offered) = outbox.push(draft("2")).await.unwrap();
        assert_eq!((offered, second.await), (Offered::Dropped, Err(DeliveryError::Dropped)));
        assert_eq!(drained(&outbox), ["1"]);
    }

    #[tokio::test]
    async fn what_has_expired_is_given_up_and_makes_room() {
        let outbox = Outbox::new(OverflowPolicy::Block, 2, 1000);
        let now = Instant::now();
        let after = |seconds| now + std::time::Duration::from_secs(seconds);
        let expiring = |text, seconds| {
            outbox.offer(Draft { expires_at: Some(after(seconds)), ..draft(text) }).unwrap().0
        };
        let (first, mut second) = (expiring("1", 20), expiring("2", 10));
        assert_eq!(outbox.expiry(), Some(after(10)));
        // It is told once, though twice it was sooner.
        outbox.expires_sooner().await;
        assert_eq!(outbox.expire(after(10)), 1);
        assert_eq!((&mut second).await, Err(DeliveryError::Expired));
        assert_eq!(outbox.expiry(), Some(after(20)));
        let sent = outbox.pop().unwrap();
        assert_eq!(outbox.expire(after(30)), 0, "it was sent");
        outbox.put_back(std::iter::once(sent));
        assert_eq!(outbox.expiry(), Some(after(20)), "until it is to be sent again");
        assert_eq!(outbox.expire(after(30)), 1);
        assert_eq!(first.await, Err(DeliveryError::Expired));
        assert!(outbox.offer(draft("3")).is_ok() && outbox.offer(draft("4")).is_ok());
    }

    #[tokio::test]
    async fn abandoned_entries_resolve_as_unknown_and_a_closed_outbox_accepts_nothing() {
        let outbox = Outbox::new(OverflowPolicy::Block, 2, 1000);
        let (receipt, _) = outbox.push(draft("1")).await.unwrap();
        outbox.close();
        assert!(matches!(outbox.push(draft("2")).await, Err(NotifyError::Closed)));
        assert_eq!(outbox.abandon(), 1);
        assert_eq!(receipt.await, Err(DeliveryError::Unknown));
    }
}
