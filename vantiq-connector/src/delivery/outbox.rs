//! [`Outbox`]: the notifications that wait to be sent, in order and bounded.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, oneshot},
    task::coop::consume_budget,
    time::Instant,
};

use super::{
    DeliveryError, Outcome, Receipt, StoreError,
    demand::Demand,
    receipt,
    store::{Drawer, Kept},
};
use crate::{
    budget::{Budget, Costs, NoRoom, Room},
    packed::Piece,
};

/// What happens to a notification when the outbox is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// `notify` waits for room. The default: nothing is lost, and the producer slows down.
    #[default]
    Block,
    /// The oldest notification that was not sent yet gives way. Where all were sent, or are still on their way
    /// to the outbox file, the new one is dropped: what is being written cannot be taken back.
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
    /// It could not be written to the outbox file.
    #[error("the notification was not stored")]
    Store(#[source] StoreError),
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
    /// `None` where it was left by the run before, and there is no room.
    room: Option<Room>,
    /// Its place in the outbox file, where it has one.
    kept: Option<Kept>,
}

impl Entry {
    /// The same, now that it is in the outbox file.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) fn kept(self, kept: Kept) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// Whether anybody has its receipt, and may be waiting for it.
    pub(crate) fn has_receipt(&self) -> bool {
        !self.outcome_tx.is_closed()
    }

    fn is_expired(&self, now: Instant) -> bool {
        self.draft.expires_at.is_some_and(|at| at <= now)
    }

    /// Tells the receipt and gives the room back. In the outbox file it stays only where the outcome is not
    /// known.
    pub(crate) fn resolve(self, outcome: Outcome) {
        if let Some(kept) = self.kept
            && outcome != Err(DeliveryError::Unknown)
        {
            kept.release();
        }
        // Nobody may be waiting for it; that is no fault.
        let _ = self.outcome_tx.send(outcome);
    }
}

/// Tells when a notification is in the outbox file. One that need not be is at once.
#[derive(Debug)]
pub(crate) struct Stored(Option<oneshot::Receiver<Result<(), StoreError>>>);

impl Stored {
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) const fn when(stored_rx: oneshot::Receiver<Result<(), StoreError>>) -> Self {
        Self(Some(stored_rx))
    }

    /// Waits for it.
    async fn done(self) -> Result<(), NotifyError> {
        let Some(stored_rx) = self.0 else { return Ok(()) };
        // Nobody tells it any more when the file is closed.
        stored_rx.await.map_or(Err(NotifyError::Closed), |stored| stored.map_err(NotifyError::Store))
    }
}

/// The notifications of one source that wait to be sent. What was sent and not yet acknowledged keeps its
/// room here: the bound is on both together.
#[derive(Debug)]
pub(crate) struct Outbox {
    policy: OverflowPolicy,
    budget: Budget,
    demand: Demand,
    /// Where entries are kept in a file, until their outcome is known.
    drawer: Option<Drawer>,
    waiting: Mutex<Waiting>,
    /// Of this outbox alone, for its notifications may wait for long, and leave in order.
    piece: Mutex<Piece>,
    filled: Notify,
    /// Told when something expires sooner than was known.
    expires_sooner: Notify,
    /// Told when more was found in the outbox file.
    found: Notify,
    /// Told when nothing is on its way to the outbox file any more.
    stored: Notify,
}

/// An entry of this outbox is on its way to the outbox file, until this is dropped.
#[derive(Debug)]
pub(crate) struct Storing(Arc<Outbox>);

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Nothing expires before this; what does so then may be gone by now.
    expiry: Option<Instant>,
    /// Whether what waited was given up.
    abandoned: bool,
    /// How many are on their way to the outbox file, and come back through [`Outbox::append`].
    storing: usize,
    /// What came back when the rest had been given up.
    late: Left,
    /// How many were found in the outbox file and are not yet counted.
    restored: usize,
}

/// What was given up at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Left {
    /// These are lost, or arrived without an acknowledgement.
    pub(crate) abandoned: usize,
    /// These are in the outbox file, for the next start.
    pub(crate) kept: usize,
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
            budget: Budget::new(Costs::new(messages, bytes)),
            demand: Demand::default(),
            drawer: None,
            waiting: Mutex::default(),
            piece: Mutex::default(),
            filled: Notify::new(),
            expires_sooner: Notify::new(),
            found: Notify::new(),
            stored: Notify::new(),
        }
    }

    /// The same with its entries kept in `drawer`.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) fn kept_in(self, drawer: Drawer) -> Self {
        Self { drawer: Some(drawer), ..self }
    }

    /// Where its entries are kept.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) const fn drawer(&self) -> Option<&Drawer> {
        self.drawer.as_ref()
    }

    /// Puts what the run before left in the outbox file in front of all others, in its order.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) fn restore(&self, left: impl Iterator<Item = (Draft, Kept)>) {
        let entry = |(draft, kept): (Draft, Kept)| {
            // Where there is no room it counts beyond the bound: it is here, whatever the bound.
            let room = self.budget.try_take(draft.frame.len()).ok();
            let (outcome_tx, _) = receipt();
            Entry { draft, outcome_tx, room, kept: Some(kept) }
        };
        let entries: Vec<_> = left.map(entry).collect();
        let mut waiting = self.lock();
        // Nobody sends them any more, but the next start.
        if !waiting.abandoned {
            waiting.restored += entries.len();
            self.to_front(&mut waiting, entries.into_iter());
            self.filled.notify_one();
            self.found.notify_one();
        }
    }

    /// How many were found in the outbox file since this was asked.
    pub(crate) fn take_restored(&self) -> usize {
        std::mem::take(&mut self.lock().restored)
    }

    /// Waits until more is found in the outbox file. Returns how many these are.
    ///
    /// Cancel safe: `Notify` keeps its permit for the next call, and nothing is taken before it is over.
    pub(crate) async fn found(&self) -> usize {
        loop {
            match self.take_restored() {
                0 => self.found.notified().await,
                count => return count,
            }
        }
    }

    /// A copy of `text`, for a draft.
    pub(crate) fn frame(&self, text: &[u8]) -> Bytes {
        // Who would have to wait is better off with an allocation.
        self.piece.try_lock().map_or_else(|_| Bytes::copy_from_slice(text), |mut piece| piece.copy(text))
    }

    /// Accepts `draft`, waiting for room where the policy is to wait, and until it is in the outbox file,
    /// where there is one.
    ///
    /// Cancel safe: while it waits for room nothing is accepted yet. While it waits for the file, it may be.
    pub(crate) async fn push(self: &Arc<Self>, draft: Draft) -> Result<(Receipt, Offered), NotifyError> {
        // Or whoever notifies in a loop would fill the outbox before the link has its turn on this thread.
        consume_budget().await;
        let (receipt, stored, offered) = match self.policy {
            OverflowPolicy::Block => {
                let room = self.room(draft.frame.len()).await?;
                let (receipt, stored) = self.accept(draft, room);
                (receipt, stored, Offered::Accepted)
            }
            OverflowPolicy::DropOldest | OverflowPolicy::DropNewest => self.admit(draft)?,
        };
        stored.done().await?;
        Ok((receipt, offered))
    }

    async fn room(&self, len: usize) -> Result<Room, NotifyError> {
        match self.budget.try_take(len) {
            Ok(room) => Ok(room),
            Err(NoRoom::Closed) => Err(NotifyError::Closed),
            Err(NoRoom::Full) => {
                let _waiting = self.demand.wait().ok_or(NotifyError::Closed)?;
                self.budget.take(len).await.ok_or(NotifyError::Closed)
            }
        }
    }

    /// Accepts `draft` at once, or does with it what the policy says. Where it then cannot be written to the
    /// outbox file its receipt says [`DeliveryError::NotStored`].
    pub(crate) fn offer(self: &Arc<Self>, draft: Draft) -> Result<(Receipt, Offered), NotifyError> {
        self.admit(draft).map(|(receipt, _, offered)| (receipt, offered))
    }

    fn admit(self: &Arc<Self>, draft: Draft) -> Result<(Receipt, Stored, Offered), NotifyError> {
        let mut dropped = 0;
        loop {
            match (self.budget.try_take(draft.frame.len()), self.policy) {
                (Ok(room), _) => {
                    let (receipt, stored) = self.accept(draft, room);
                    let offered =
                        if dropped == 0 { Offered::Accepted } else { Offered::AcceptedFor(dropped) };
                    return Ok((receipt, stored, offered));
                }
                (Err(NoRoom::Closed), _) => return Err(NotifyError::Closed),
                (Err(NoRoom::Full), OverflowPolicy::Block) => {
                    self.demand.refused();
                    return Err(NotifyError::Full);
                }
                (Err(NoRoom::Full), OverflowPolicy::DropOldest) if self.drop_oldest() => dropped += 1,
                // Nothing is left to give way: all room is taken by what was sent already, or is being written.
                (Err(NoRoom::Full), _) => return Ok((dropped_receipt(), Stored(None), Offered::Dropped)),
            }
        }
    }

    /// The next entry to send, whether or not its time is over.
    pub(crate) fn pop(&self) -> Option<Entry> {
        self.lock().entries.pop_front()
    }

    /// The next entry to send whose time is not over by `now`, and how many before it were given up: their
    /// receipts say [`DeliveryError::Expired`].
    pub(crate) fn pop_in_time(&self, now: Instant) -> (Option<Entry>, usize) {
        let mut expired = 0;
        loop {
            match self.pop() {
                Some(entry) if entry.is_expired(now) => {
                    expired += 1;
                    entry.resolve(Err(DeliveryError::Expired));
                }
                entry => return (entry, expired),
            }
        }
    }

    /// Puts entries of a lost link back in front of all others, in their order.
    pub(crate) fn put_back(&self, unacknowledged: impl DoubleEndedIterator<Item = Entry>) {
        self.to_front(&mut self.lock(), unacknowledged);
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

    /// Whether anybody may be waiting for it: for room, be it by trying since this was asked last, or for a receipt.
    pub(crate) fn may_be_awaited(&self) -> bool {
        self.demand.take() || self.lock().entries.iter().any(Entry::has_receipt)
    }

    /// Accepts nothing any more; what waits stays.
    pub(crate) fn close(&self) {
        self.budget.close();
    }

    /// There will be no more room: nobody waits for some, now or later.
    pub(crate) fn stop_waiting(&self) {
        if self.demand.is_vain() {
            self.close();
        }
    }

    /// Gives up what still waits; its receipts say [`DeliveryError::Unknown`].
    pub(crate) fn abandon(&self) -> Left {
        let abandoned = {
            let mut waiting = self.lock();
            waiting.abandoned = true;
            std::mem::take(&mut waiting.entries)
        };
        let mut left = Left::default();
        for entry in &abandoned {
            left.add(entry);
        }
        for entry in abandoned {
            entry.resolve(Err(DeliveryError::Unknown));
        }
        left
    }

    /// What came back from the outbox file when the rest had been given up, or was accepted then. What has not
    /// come back is given up.
    pub(crate) fn take_late(&self) -> Left {
        let mut waiting = self.lock();
        let storing = waiting.storing;
        let Left { abandoned, kept } = std::mem::take(&mut waiting.late);
        Left { abandoned: abandoned + storing, kept }
    }

    /// Whether something is on its way to the outbox file.
    pub(crate) fn is_storing(&self) -> bool {
        self.lock().storing > 0
    }

    /// Waits until nothing is on its way to the outbox file.
    ///
    /// Cancel safe: `Notify` keeps its permit for the next call, and the number is looked at first.
    pub(crate) async fn stored(&self) {
        while self.is_storing() {
            self.stored.notified().await;
        }
    }

    /// Adds an accepted entry behind all others.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) fn append(&self, entry: Entry) {
        self.to_back(self.lock(), entry);
    }

    fn to_back(&self, mut waiting: MutexGuard<'_, Waiting>, entry: Entry) {
        // A producer may have got its room just before the end; dropping the entry resolves its receipt.
        if waiting.abandoned {
            waiting.late.add(&entry);
        } else {
            self.expires(&mut waiting, entry.draft.expires_at);
            let was_empty = waiting.entries.is_empty();
            waiting.entries.push_back(entry);
            drop(waiting);
            // Whoever waits does so only while it is empty.
            if was_empty {
                self.filled.notify_one();
            }
        }
    }

    fn to_front(&self, waiting: &mut Waiting, entries: impl DoubleEndedIterator<Item = Entry>) {
        for entry in entries.rev() {
            self.expires(waiting, entry.draft.expires_at);
            waiting.entries.push_front(entry);
        }
    }

    fn accept(self: &Arc<Self>, draft: Draft, room: Room) -> (Receipt, Stored) {
        let (outcome_tx, receipt) = receipt();
        let mut entry = Entry { draft, outcome_tx, room: Some(room), kept: None };
        let mut waiting = self.lock();
        if let Some(drawer) = &self.drawer {
            // Nothing overtakes what is on its way.
            entry.kept = if waiting.storing == 0 { drawer.enter(&entry.draft) } else { None };
            if entry.kept.is_none() {
                // It comes back through `append`.
                waiting.storing += 1;
                drop(waiting);
                return (receipt, drawer.put(entry, Storing(Arc::clone(self))));
            }
        }
        self.to_back(waiting, entry);
        (receipt, Stored(None))
    }

    fn drop_oldest(&self) -> bool {
        let oldest = {
            let mut waiting = self.lock();
            // Those beyond the bound would make no room.
            let oldest = waiting.entries.iter().position(|entry| entry.room.is_some());
            oldest.and_then(|oldest| waiting.entries.remove(oldest))
        };
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

impl Left {
    fn add(&mut self, entry: &Entry) {
        let count = if entry.kept.is_some() { &mut self.kept } else { &mut self.abandoned };
        *count += 1;
    }
}

impl Storing {
    /// The outbox to which it comes back.
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is without a store"))]
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.0
    }
}

impl Drop for Storing {
    fn drop(&mut self) {
        self.0.lock().storing -= 1;
        // Whoever waits looks at the number.
        self.0.stored.notify_one();
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

    fn outbox(policy: OverflowPolicy, messages: usize, bytes: usize) -> Arc<Outbox> {
        Arc::new(Outbox::new(policy, messages, bytes))
    }

    fn drained(outbox: &Outbox) -> Vec<Bytes> {
        std::iter::from_fn(|| outbox.pop()).map(|entry| entry.draft.frame.clone()).collect()
    }

    #[tokio::test]
    async fn entries_leave_in_order_and_those_put_back_leave_first() {
        let outbox = outbox(OverflowPolicy::Block, 10, 1000);
        for text in ["1", "2", "3", "4"] {
            drop(outbox.push(draft(text)).await.unwrap());
        }
        let sent: Vec<_> = [outbox.pop(), outbox.pop()].into_iter().flatten().collect();
        outbox.put_back(sent.into_iter());
        assert_eq!(drained(&outbox), ["1", "2", "3", "4"]);
    }

    #[tokio::test]
    async fn under_block_the_producer_waits_until_an_entry_is_resolved() {
        let outbox = outbox(OverflowPolicy::Block, 1, 1000);
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
        let outbox = outbox(OverflowPolicy::DropOldest, 2, 1000);
        let (first, _) = outbox.push(draft("1")).await.unwrap();
        drop(outbox.push(draft("2")).await.unwrap());
        let (_, offered) = outbox.push(draft("3")).await.unwrap();
        assert_eq!(offered, Offered::AcceptedFor(1));
        assert_eq!(first.await, Err(DeliveryError::Dropped));
        assert_eq!(drained(&outbox), ["2", "3"]);
    }

    #[tokio::test]
    async fn under_drop_newest_the_new_one_is_dropped() {
        let outbox = outbox(OverflowPolicy::DropNewest, 1, 1000);
        drop(outbox.push(draft("1")).await.unwrap());
        let (second, offered) = outbox.push(draft("2")).await.unwrap();
        assert_eq!((offered, second.await), (Offered::Dropped, Err(DeliveryError::Dropped)));
        assert_eq!(drained(&outbox), ["1"]);
    }

    #[tokio::test]
    async fn what_has_expired_is_given_up_and_makes_room() {
        let outbox = outbox(OverflowPolicy::Block, 2, 1000);
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

    /// It may have expired before it came: while it waited for room, or for the outbox file.
    #[tokio::test]
    async fn what_has_expired_is_not_sent() {
        let outbox = outbox(OverflowPolicy::Block, 3, 1000);
        let now = Instant::now();
        let (first, _) = outbox.offer(Draft { expires_at: Some(now), ..draft("1") }).unwrap();
        outbox.offer(draft("2")).unwrap();
        let (third, _) = outbox.offer(Draft { expires_at: Some(now), ..draft("3") }).unwrap();
        let popped = || {
            let (entry, expired) = outbox.pop_in_time(now);
            (entry.map(|entry| entry.draft.frame.clone()), expired)
        };
        assert_eq!(popped(), (Some(Bytes::from_static(b"2")), 1));
        assert_eq!(popped(), (None, 1));
        assert_eq!((first.await, third.await), (Err(DeliveryError::Expired), Err(DeliveryError::Expired)));
    }

    #[tokio::test]
    async fn abandoned_entries_resolve_as_unknown_and_a_closed_outbox_accepts_nothing() {
        let outbox = outbox(OverflowPolicy::Block, 2, 1000);
        let (receipt, _) = outbox.push(draft("1")).await.unwrap();
        outbox.close();
        assert!(matches!(outbox.push(draft("2")).await, Err(NotifyError::Closed)));
        assert_eq!(outbox.abandon(), Left { abandoned: 1, kept: 0 });
        assert_eq!(receipt.await, Err(DeliveryError::Unknown));
    }
}
