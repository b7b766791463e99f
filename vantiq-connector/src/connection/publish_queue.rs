//! [`PublishQueue`]: the publishes of one source that wait for a handler, in wire order.
//!
//! Each is for the session that had the link when it came, or for one after that: what a session does not get to is
//! there for the next one, as a publish has no second way to come. What comes before the configuration waits for the
//! session that is to come.
//!
//! The queue is bounded, yet it takes whatever is [given](Feed::push) to it and says how [full](Level) it is: with
//! the frame that is one too many the link reads no more, and the back-pressure reaches the server.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use tokio::{sync::Notify, task::coop::consume_budget};

use crate::{budget::Costs, protocol::Payload};

/// The publishes of one source.
pub(super) struct PublishQueue {
    costs: Costs,
    state: Mutex<State>,
    /// Wakes the session that waits for a publish.
    filled: Notify,
    /// Wakes the link that waits for room.
    drained: Notify,
}

#[derive(Default)]
struct State {
    /// The sessions are numbered in the order in which they begin.
    sessions: u64,
    /// Sessions up to this one take what is left for them and then nothing more.
    fed: u64,
    /// The session that took last: those before it take nothing any more.
    taking: u64,
    /// Publishes, and the session that each came for.
    queued: VecDeque<(u64, Payload)>,
    /// What the queued ones cost, and those that are being handled.
    used: usize,
    /// What came before the configuration, and what that costs.
    early: VecDeque<Payload>,
    early_used: usize,
    /// Whether a session waits for a publish, and the link for room.
    is_session_waiting: bool,
    is_link_waiting: bool,
}

/// How full the queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// No publish waits without room.
    Free,
    /// One does, or several, but there would be room for another one in as much again.
    Full,
    /// Nor there.
    Overfull,
}

/// How full the queue may be with a publish that is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    None,
    Full,
    Overfull,
}

/// There is no room for it.
#[derive(Debug)]
pub(super) struct NoRoom;

/// Where the link gives publishes to one session. Dropping it tells the session that no more will come.
pub(super) struct Feed {
    queue: Arc<PublishQueue>,
    session: u64,
}

/// Where one session takes its publishes, and what those before it left.
pub(crate) struct Publishes {
    queue: Arc<PublishQueue>,
    session: u64,
}

/// The room of a publish that was taken. Dropping it gives the room back.
pub(super) struct Occupied<'a> {
    queue: &'a PublishQueue,
    cost: usize,
}

impl PublishQueue {
    pub(super) fn new(costs: Costs) -> Arc<Self> {
        let (state, filled, drained) = (Mutex::default(), Notify::new(), Notify::new());
        Arc::new(Self { costs, state, filled, drained })
    }

    /// A session begins, behind all others.
    pub(super) fn begin(self: &Arc<Self>) -> (Feed, Publishes) {
        let mut state = self.lock();
        state.sessions += 1;
        let session = state.sessions;
        (Feed { queue: Arc::clone(self), session }, Publishes { queue: Arc::clone(self), session })
    }

    /// Takes a publish that came before the configuration, while there is room apart for those.
    pub(super) fn push_early(&self, object: Payload) -> Result<(), NoRoom> {
        let cost = self.costs.of(object.len());
        let mut state = self.lock();
        if state.early_used + cost > self.costs.total() {
            return Err(NoRoom);
        }
        state.early_used += cost;
        state.early.push_back(object);
        Ok(())
    }

    /// Gives up what came before a configuration that did not come. Returns how many those were.
    pub(super) fn drop_early(&self) -> usize {
        let mut state = self.lock();
        state.early_used = 0;
        std::mem::take(&mut state.early).len()
    }

    /// Gives up all that waits. Returns how many those were.
    pub(super) fn drop_queued(&self) -> usize {
        let mut state = self.lock();
        let dropped = std::mem::take(&mut state.queued);
        state.used -= dropped.iter().map(|(_, object)| self.costs.of(object.len())).sum::<usize>();
        dropped.len()
    }

    /// Waits for room: not for one publish only, or the link would be woken for each.
    ///
    /// Cancel safe: it takes nothing.
    pub(super) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            if self.lock().has_room_or_waits(self.low()) {
                return;
            }
            drained.await;
        }
    }

    /// How full it is now.
    pub(super) fn level(&self) -> Level {
        self.level_of(self.lock().used)
    }

    /// What may be used when the link reads again: all but an eighth, in whole publishes.
    fn low(&self) -> usize {
        let least = self.costs.least();
        self.costs.total() - self.costs.total() / 8 / least * least
    }

    fn level_of(&self, used: usize) -> Level {
        match used {
            used if used <= self.most(Limit::Full) => Level::Free,
            used if used + self.costs.least() <= self.most(Limit::Overfull) => Level::Full,
            _ => Level::Overfull,
        }
    }

    const fn most(&self, limit: Limit) -> usize {
        match limit {
            Limit::None => usize::MAX,
            Limit::Full => self.costs.total(),
            Limit::Overfull => self.costs.total().saturating_mul(2),
        }
    }

    fn wake_session(&self, mut state: MutexGuard<'_, State>) {
        if std::mem::take(&mut state.is_session_waiting) {
            drop(state);
            self.filled.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether there is room down to `low`; where there is none, the link is woken when there is.
    fn has_room_or_waits(&mut self, low: usize) -> bool {
        self.is_link_waiting = self.used > low;
        !self.is_link_waiting
    }

    /// The next publish for `session`, or `None` where there will be no more. Whoever is to wait is woken.
    fn next(&mut self, session: u64) -> Poll<Option<Payload>> {
        if session < self.taking {
            return Poll::Ready(None);
        }
        self.taking = session;
        if let Some((_, object)) = self.queued.pop_front_if(|(for_session, _)| *for_session <= session) {
            return Poll::Ready(Some(object));
        }
        if session <= self.fed {
            return Poll::Ready(None);
        }
        self.is_session_waiting = true;
        Poll::Pending
    }
}

impl Feed {
    /// Gives a publish to the session, behind those before it, unless that makes the queue fuller than `limit`.
    pub(super) fn push(&self, object: Payload, limit: Limit) -> Result<Level, NoRoom> {
        let cost = self.queue.costs.of(object.len());
        let mut state = self.queue.lock();
        if state.used + cost > self.queue.most(limit) {
            return Err(NoRoom);
        }
        state.used += cost;
        let level = self.queue.level_of(state.used);
        state.queued.push_back((self.session, object));
        self.queue.wake_session(state);
        Ok(level)
    }

    /// Gives the session what came before its configuration.
    pub(super) fn push_early(&self) -> Level {
        let mut state = self.queue.lock();
        let early = std::mem::take(&mut state.early);
        state.queued.extend(early.into_iter().map(|object| (self.session, object)));
        state.used += std::mem::take(&mut state.early_used);
        let level = self.queue.level_of(state.used);
        self.queue.wake_session(state);
        level
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.fed = state.fed.max(self.session);
        self.queue.wake_session(state);
    }
}

impl Publishes {
    /// The next publish; `None` once the link has let go of the session and nothing is left for it.
    ///
    /// Cancel safe: a publish is taken only when it is returned.
    pub(super) async fn next(&self) -> Option<(Payload, Occupied<'_>)> {
        // Nothing else makes a handler that is always ready give way to other tasks.
        consume_budget().await;
        loop {
            let filled = self.queue.filled.notified();
            // Not in the scrutinee, where the lock would be held to the end.
            let next = self.queue.lock().next(self.session);
            match next {
                Poll::Ready(Some(object)) => {
                    let cost = self.queue.costs.of(object.len());
                    return Some((object, Occupied { queue: &self.queue, cost }));
                }
                Poll::Ready(None) => return None,
                Poll::Pending => filled.await,
            }
        }
    }
}

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.used -= self.cost;
        if state.is_link_waiting && state.used <= self.queue.low() {
            state.is_link_waiting = false;
            drop(state);
            self.queue.drained.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn queue(messages: usize) -> Arc<PublishQueue> {
        PublishQueue::new(Costs::new(messages, 1_000))
    }

    fn number(number: u32) -> Payload {
        Payload::from_value(&number).unwrap()
    }

    /// The numbers that can be taken now, each handled at once.
    fn taken(publishes: &Publishes) -> Vec<u32> {
        let next = || publishes.next().now_or_never().flatten();
        std::iter::from_fn(|| next().map(|(object, _)| object.parse().unwrap())).collect()
    }

    #[test]
    fn what_a_session_does_not_get_to_is_there_for_the_next_one() {
        let queue = queue(4);
        let (feed, first) = queue.begin();
        for n in 1..=2 {
            feed.push(number(n), Limit::None).unwrap();
        }
        drop(feed);
        let (feed, second) = queue.begin();
        feed.push(number(3), Limit::None).unwrap();
        let (object, _) = first.next().now_or_never().unwrap().unwrap();
        assert_eq!(object.parse::<u32>().unwrap(), 1);
        assert_eq!(taken(&second), [2, 3]);
        feed.push(number(4), Limit::None).unwrap();
        assert!(first.next().now_or_never().unwrap().is_none(), "it is over");
        assert_eq!(queue.drop_queued(), 1);
    }

    #[test]
    fn a_session_leaves_what_came_for_the_next_one() {
        let queue = queue(4);
        let (feed, first) = queue.begin();
        feed.push(number(1), Limit::None).unwrap();
        drop(feed);
        let (feed, second) = queue.begin();
        feed.push(number(2), Limit::None).unwrap();
        assert_eq!((taken(&first), taken(&second)), (vec![1], vec![2]));
        assert!(first.next().now_or_never().unwrap().is_none());
        assert!(second.next().now_or_never().is_none(), "more may come");
    }

    #[test]
    fn what_came_early_is_for_whoever_comes() {
        let queue = queue(2);
        for n in 1..=2 {
            queue.push_early(number(n)).unwrap();
        }
        assert!(queue.push_early(number(3)).is_err());
        let (feed, publishes) = queue.begin();
        assert_eq!(feed.push_early(), Level::Free);
        assert_eq!(feed.push(number(3), Limit::None).unwrap(), Level::Full);
        assert_eq!(taken(&publishes), [1, 2, 3]);
        queue.push_early(number(4)).unwrap();
        assert_eq!(queue.drop_early(), 1);
        assert_eq!(feed.push_early(), Level::Free);
    }

    #[test]
    fn it_says_how_full_it_is_and_keeps_to_a_bound() {
        let queue = queue(2);
        let (feed, publishes) = queue.begin();
        assert_eq!(feed.push(number(1), Limit::Full).unwrap(), Level::Free);
        assert_eq!(feed.push(number(2), Limit::Full).unwrap(), Level::Free);
        assert!(feed.push(number(3), Limit::Full).is_err());
        assert_eq!(feed.push(number(3), Limit::Overfull).unwrap(), Level::Full);
        assert_eq!(feed.push(number(4), Limit::Overfull).unwrap(), Level::Overfull);
        assert!(feed.push(number(5), Limit::Overfull).is_err());
        assert_eq!(feed.push(number(5), Limit::None).unwrap(), Level::Overfull);
        assert!(queue.room().now_or_never().is_none());
        assert_eq!(taken(&publishes), [1, 2, 3, 4, 5]);
        assert!(queue.room().now_or_never().is_some());
    }

    #[test]
    fn it_is_full_only_when_a_publish_waits_without_room() {
        let queue = queue(1);
        let (feed, publishes) = queue.begin();
        assert_eq!(feed.push(number(1), Limit::None).unwrap(), Level::Free);
        assert_eq!(feed.push(number(2), Limit::None).unwrap(), Level::Overfull);
        assert!(queue.room().now_or_never().is_none());
        let first = publishes.next().now_or_never().unwrap().unwrap();
        assert!(queue.room().now_or_never().is_none(), "it is being handled");
        drop(first);
        assert!(queue.room().now_or_never().is_some(), "there is room for the second");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_is_woken() {
        let queue = queue(1);
        let (feed, publishes) = queue.begin();
        let handled = tokio::spawn(async move {
            let mut handled = 0;
            while let Some((_, room)) = publishes.next().await {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                drop(room);
                handled += 1;
            }
            handled
        });
        for n in 0..10 {
            queue.room().await;
            let level = feed.push(number(n), Limit::None).unwrap();
            assert_eq!(level, if n == 0 { Level::Free } else { Level::Overfull });
        }
        drop(feed);
        assert_eq!(handled.await.unwrap(), 10);
    }
}
