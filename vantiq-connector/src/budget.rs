//! [`Costs`] and [`Budget`]: a bound on memory by count and by bytes at once.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// What messages cost of a bound by count and bytes, whichever is reached first: each its size, but at least the
/// bound divided by the number of messages. So one sum keeps both bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    total: u32,
    least: u32,
}

impl Costs {
    /// Of `messages`, at most `bytes` in all.
    pub(crate) fn new(messages: usize, bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
        let messages = u32::try_from(messages).unwrap_or(u32::MAX).max(1);
        let least = bytes / messages;
        // What does not divide is left out, or some messages more than wanted would fit.
        let total = if least == 0 { bytes } else { least * messages };
        Self { total, least: least.max(1) }
    }

    /// What a message of `len` bytes costs. One larger than the whole bound costs all of it, or it could never pass.
    pub(crate) fn of(self, len: usize) -> usize {
        len.clamp(self.least(), self.total())
    }

    /// What the smallest message costs.
    pub(crate) const fn least(self) -> usize {
        self.least as usize
    }

    /// What all messages together may cost.
    pub(crate) const fn total(self) -> usize {
        self.total as usize
    }
}

/// Room for messages, for which many may wait: they get it in the order in which they came.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    semaphore: Arc<Semaphore>,
    costs: Costs,
}

/// The room that one message takes. Dropping it gives the room back.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Full,
    Closed,
}

impl Budget {
    pub(crate) fn new(costs: Costs) -> Self {
        // tokio's semaphores hold fewer than 2^61 permits; a u32 always fits.
        Self { semaphore: Arc::new(Semaphore::new(costs.total())), costs }
    }

    /// Waits for room for `len` bytes; `None` once [`close`](Self::close) was called.
    ///
    /// Cancel safe; who is cancelled loses the place in the queue.
    pub(crate) async fn take(&self, len: usize) -> Option<Room> {
        let permit: Result<_, AcquireError> =
            Arc::clone(&self.semaphore).acquire_many_owned(self.cost(len)).await;
        permit.ok().map(|permit| Room { _permit: permit })
    }

    /// Takes room for `len` bytes where there is some now.
    pub(crate) fn try_take(&self, len: usize) -> Result<Room, NoRoom> {
        match Arc::clone(&self.semaphore).try_acquire_many_owned(self.cost(len)) {
            Ok(permit) => Ok(Room { _permit: permit }),
            Err(TryAcquireError::NoPermits) => Err(NoRoom::Full),
            Err(TryAcquireError::Closed) => Err(NoRoom::Closed),
        }
    }

    /// Ends every wait for room.
    pub(crate) fn close(&self) {
        self.semaphore.close();
    }

    fn cost(&self, len: usize) -> u32 {
        u32::try_from(self.costs.of(len)).expect("no more than all of it, which is a u32")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_at_either_bound() {
        let budget = Budget::new(Costs::new(4, 400));
        let small: Vec<_> = (0..4).map(|_| budget.try_take(1).unwrap()).collect();
        assert_eq!(budget.try_take(1).unwrap_err(), NoRoom::Full);
        drop(small);
        let large = budget.try_take(350).unwrap();
        assert_eq!(budget.try_take(51).unwrap_err(), NoRoom::Full);
        drop(large);
        assert!(budget.try_take(1_000_000).is_ok());
    }

    #[test]
    fn so_many_messages_fit_and_no_more_whatever_the_bytes() {
        let budget = Budget::new(Costs::new(10_000, 16 << 20));
        let rooms: Vec<_> = std::iter::from_fn(|| budget.try_take(100).ok()).collect();
        assert_eq!(rooms.len(), 10_000);
    }

    #[tokio::test]
    async fn closing_ends_every_wait() {
        let budget = Budget::new(Costs::new(1, 1));
        let _all = budget.try_take(1).unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.take(1).await.is_none() }
        });
        budget.close();
        assert!(waiting.await.unwrap());
    }
}
