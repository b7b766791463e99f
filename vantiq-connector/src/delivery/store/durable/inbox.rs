//! [`Inbox`]: what the writer need not see at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Sender},
};

use super::writer::{Key, Op};
use crate::delivery::outbox::Draft;

/// What has come since the writer looked last, and need not be written at once.
///
/// To wake the writer for each would cost more than all else that is done for a notification: so it is told of the
/// first only, and looks when that is to be written. Most of what enters is over by then, and is not seen at all.
#[derive(Debug)]
pub(super) struct Inbox {
    content: Mutex<Content>,
    ops_tx: Sender<Op>,
}

#[derive(Debug)]
struct Content {
    came: Came,
    /// Whether the writer will look by itself.
    is_announced: bool,
    /// Whether notifications may enter, to be written soon.
    is_open: bool,
    /// Whether the writer looks no more.
    is_over: bool,
    /// Number of the next notification.
    next: u64,
}

/// What was in the inbox.
#[derive(Debug, Default)]
pub(super) struct Came {
    /// Notifications that are to be written, by their numbers.
    pub(super) entered: BTreeMap<u64, Entered>,
    /// These are to be removed.
    pub(super) released: Vec<Key>,
}

/// A notification that is to be written.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) source: Arc<str>,
    pub(super) draft: Draft,
}

impl Inbox {
    /// An empty one that is closed. The first notification will have the number `next`.
    pub(super) fn new(ops_tx: Sender<Op>, next: u64) -> Self {
        let came = Came::default();
        let content = Content { came, is_announced: false, is_open: false, is_over: false, next };
        Self { content: Mutex::new(content), ops_tx }
    }

    /// Gives the writer something to do at once. Where it has ended, whoever waits for that is told so.
    pub(super) fn send(&self, op: Op) {
        // Dropping `op` tells it.
        let _ = self.ops_tx.send(op);
    }

    /// Takes a notification, where the writer lets any enter.
    pub(super) fn enter(&self, source: &Arc<str>, draft: &Draft) -> Option<Key> {
        let mut content = self.lock();
        if !content.is_open {
            return None;
        }
        let number = content.number();
        let entered = Entered { source: Arc::clone(source), draft: draft.clone() };
        content.came.entered.insert(number, entered);
        self.announce(content);
        Some(Key { source: Arc::clone(source), number })
    }

    /// What has this key is over.
    pub(super) fn release(&self, key: Key) {
        let mut content = self.lock();
        if content.is_over || content.came.entered.remove(&key.number).is_some() {
            return;
        }
        content.came.released.push(key);
        self.announce(content);
    }

    /// The number of the next notification.
    pub(super) fn number(&self) -> u64 {
        self.lock().number()
    }

    /// No number up to this one is given any more.
    pub(super) fn skip_to(&self, last: u64) {
        let mut content = self.lock();
        content.next = content.next.max(last.saturating_add(1));
    }

    /// Lets notifications enter until they are [taken](Self::take).
    pub(super) fn open(&self) {
        self.lock().is_open = true;
    }

    /// What is in it. Nothing enters any more. Where there was nothing, the writer will be told of the next; else it
    /// is to look again by itself.
    pub(super) fn take(&self) -> Option<Came> {
        self.lock().take()
    }

    /// The same for the last time.
    pub(super) fn take_last(&self) -> Option<Came> {
        let mut content = self.lock();
        content.is_over = true;
        content.take()
    }

    fn announce(&self, mut content: MutexGuard<'_, Content>) {
        if !std::mem::replace(&mut content.is_announced, true) {
            drop(content);
            self.send(Op::Look);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // No code that can panic runs under the lock.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn take(&mut self) -> Option<Came> {
        self.is_open = false;
        let came = std::mem::take(&mut self.came);
        self.is_announced = !came.is_empty();
        self.is_announced.then_some(came)
    }

    const fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

impl Came {
    fn is_empty(&self) -> bool {
        self.entered.is_empty() && self.released.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver};

    use super::*;

    fn inbox() -> (Inbox, Receiver<Op>) {
        let (ops_tx, ops_rx) = mpsc::channel();
        (Inbox::new(ops_tx, 7), ops_rx)
    }

    fn enter(inbox: &Inbox) -> Option<Key> {
        inbox.enter(&"a".into(), &Draft { frame: "1".into(), request_id: None, expires_at: None })
    }

    #[test]
    fn what_is_over_before_the_writer_looks_is_not_seen() {
        let (inbox, ops_rx) = inbox();
        inbox.open();
        let [first, second, third] = [(); 3].map(|()| enter(&inbox).expect("it is open"));
        inbox.release(second);
        inbox.release(Key { number: 3, ..first.clone() });
        let came = inbox.take().expect("there is something");
        assert_eq!(came.entered.into_keys().collect::<Vec<_>>(), [first.number, third.number]);
        assert_eq!(came.released.iter().map(|key| key.number).collect::<Vec<_>>(), [3]);
        assert_eq!(ops_rx.try_iter().count(), 1, "the writer was told of the first");
    }

    #[test]
    fn nothing_enters_while_what_came_is_being_written() {
        let (inbox, _ops_rx) = inbox();
        assert!(enter(&inbox).is_none(), "the writer has to open it");
        inbox.open();
        assert!(enter(&inbox).is_some());
        assert!(inbox.take().is_some());
        assert!(enter(&inbox).is_none());
    }

    #[test]
    fn the_writer_is_told_again_once_it_has_found_nothing() {
        let (inbox, ops_rx) = inbox();
        let told = || ops_rx.try_iter().count();
        let release = |number| inbox.release(Key { source: "a".into(), number });
        release(1);
        assert!(told() == 1 && inbox.take().is_some());
        release(2);
        assert!(told() == 0 && inbox.take().is_some(), "it looks again by itself");
        assert!(inbox.take().is_none());
        release(3);
        assert_eq!(told(), 1);
        inbox.take_last();
        release(4);
        assert_eq!((told(), inbox.take().is_none()), (0, true), "nobody looks any more");
    }

    #[test]
    fn no_number_is_given_twice() {
        let (inbox, _ops_rx) = inbox();
        inbox.open();
        let entered = enter(&inbox).map(|key| key.number);
        assert_eq!((entered, inbox.number()), (Some(7), 8));
        inbox.skip_to(3);
        assert_eq!(inbox.number(), 9);
        inbox.skip_to(20);
        assert_eq!(inbox.number(), 21);
    }
}
