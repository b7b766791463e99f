//! [`Ledger`]: what was sent over one link and not yet acknowledged.
//!
//! The server answers a notification with a bare status that does not say which message it answers, and
//! nobody knows for certain whether it answers `connectExtension` and query answers too
//! (`docs/PROTOCOL.md`, section 8). The rule is: attribution may be late, never early. So
//!
//! * while it is not known whether messages of a kind are acknowledged, a reply counts for whichever
//!   message is the oldest, and so reaches a notification at the latest moment that any reading allows;
//! * at a quiet moment, when all replies that will come have come, their number tells which reading is
//!   right ([`Ledger::settle`]);
//! * a server that never replies is told from one that has not yet replied by a WebSocket ping: its pong
//!   proves that all frames before it arrived. Where pings are not allowed, by patience.
//!
//! A new link begins with a new ledger, which inherits what was [known](Ledger::known). Entry points:
//! [`sent`](Ledger::sent), [`reply`](Ledger::reply), [`settle`](Ledger::settle).

use std::collections::VecDeque;

/// How much may be sent and not yet acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// A message that is no notification and that the server may acknowledge or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Other {
    /// `connectExtension`, or a `validate` that was sent again.
    Handshake,
    /// Rows or the end of a query.
    Answer,
}

/// What is known of the server. Nothing of handshakes: one and the same server acknowledges some and
/// others not (section 5), so each of them is in doubt anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Known {
    /// Whether it acknowledges answers; `None` while in doubt.
    answers: Option<bool>,
}

impl Known {
    /// Both together; what `later` knows, it knows better.
    pub(crate) fn or(self, later: Self) -> Self {
        Self { answers: later.answers.or(self.answers) }
    }
}

/// What makes a moment quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Nothing happened for a while.
    Calm,
    /// Nor after the answer to a ping that was sent behind all messages.
    Pong,
    /// Nor for so long that missing replies are not worth waiting for.
    Patience,
}

/// What a quiet moment showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled<T> {
    /// Every notification was acknowledged: these are those whose replies had counted for others.
    Acknowledged(Vec<T>),
    /// The server does not acknowledge these and will not.
    Unacknowledged(Vec<T>),
    /// Some replies are missing and may yet come.
    Undecided,
}

/// Counts since the last moment at which everything was settled.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    replies: u64,
    notifications: u64,
    handshakes: u64,
    answers: u64,
    /// Those of `notifications` that were released by a pong.
    arrived: u64,
}

#[derive(Debug)]
enum Sent<T> {
    Notification { entry: T, size: usize, number: u64 },
    Other(Other),
}

impl<T> Sent<T> {
    fn into_notification(self) -> Option<T> {
        match self {
            Self::Notification { entry, .. } => Some(entry),
            Self::Other(_) => None,
        }
    }
}

/// What was sent over one link and not yet acknowledged, oldest first.
#[derive(Debug)]
pub(crate) struct Ledger<T> {
    window: Window,
    sent: VecDeque<Sent<T>>,
    /// Notifications in `sent`, and their bytes.
    open: usize,
    open_bytes: usize,
    /// Number of the last notification sent on this link.
    last: u64,
    /// Replies that belong to notifications released by a pong, should they come.
    owed: u64,
    counts: Counts,
    known: Known,
    /// Whether the server was found to acknowledge nothing.
    silent: bool,
}

impl<T> Ledger<T> {
    pub(crate) fn new(window: Window, known: Known) -> Self {
        Self {
            window,
            sent: VecDeque::new(),
            open: 0,
            open_bytes: 0,
            last: 0,
            owed: 0,
            counts: Counts::default(),
            known,
            silent: false,
        }
    }

    /// Whether the window has room for another notification.
    pub(crate) const fn has_room(&self) -> bool {
        self.open < self.window.messages && self.open_bytes < self.window.bytes
    }

    /// Notifications sent and not yet released.
    pub(crate) const fn open(&self) -> usize {
        self.open
    }

    /// Number of the last notification sent, for [`arrived_through`](Self::arrived_through).
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Whether the server was found to acknowledge nothing, so that pongs release notifications.
    pub(crate) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// What is known of the server, for the next link.
    pub(crate) const fn known(&self) -> Known {
        self.known
    }

    /// A notification of `size` bytes was handed to the socket.
    pub(crate) fn sent(&mut self, entry: T, size: usize) {
        self.counts.notifications += 1;
        self.open += 1;
        self.open_bytes += size;
        self.last += 1;
        self.sent.push_back(Sent::Notification { entry, size, number: self.last });
    }

    /// Another message was handed to the socket.
    pub(crate) fn sent_other(&mut self, kind: Other) {
        match kind {
            Other::Answer if self.known.answers == Some(false) => return,
            Other::Answer => self.counts.answers += 1,
            Other::Handshake => self.counts.handshakes += 1,
        }
        self.sent.push_back(Sent::Other(kind));
    }

    /// Whether there is anything to [settle](Self::settle).
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.sent.is_empty()
    }

    /// A bare status came. Returns the notification that it acknowledges or, with `is_error`, refuses.
    pub(crate) fn reply(&mut self, is_error: bool) -> Option<T> {
        self.counts.replies += 1;
        self.silent = false;
        if self.owed > 0 {
            self.owed -= 1;
            return None;
        }
        loop {
            match self.sent.pop_front()? {
                Sent::Notification { entry, size, .. } => return Some(self.release(entry, size)),
                // A handshake that was refused would not have led to a session: the error is another's, and
                // since replies come in order, the handshake was not acknowledged.
                Sent::Other(Other::Handshake) if is_error => self.counts.handshakes -= 1,
                Sent::Other(_) => return None,
            }
        }
    }

    /// Says which reading fits, now that every reply which will come has come.
    pub(crate) fn settle(&mut self, evidence: Evidence) -> Settled<T> {
        match self.fitting().as_slice() {
            [] if self.is_enough(evidence) => {
                self.silent = self.counts.replies == 0 && self.open > 0;
                Settled::Unacknowledged(self.arrived_through(self.last))
            }
            [] => Settled::Undecided,
            [only] => {
                self.known = *only;
                Settled::Acknowledged(self.begin_anew())
            }
            // Whichever it is, all notifications were acknowledged.
            _ => Settled::Acknowledged(self.begin_anew()),
        }
    }

    /// Whether replies that are missing need not be waited for. Where there were none at all, a pong tells a
    /// server that does not reply from one that has not yet received anything.
    const fn is_enough(&self, evidence: Evidence) -> bool {
        match evidence {
            Evidence::Calm => self.silent,
            Evidence::Pong => self.counts.replies == 0,
            Evidence::Patience => true,
        }
    }

    /// Releases the notifications up to `number`: a pong proved that they arrived.
    pub(crate) fn arrived_through(&mut self, number: u64) -> Vec<T> {
        let mut arrived = Vec::new();
        let mut kept = VecDeque::with_capacity(self.sent.len());
        for sent in std::mem::take(&mut self.sent) {
            match sent {
                Sent::Notification { entry, size, number: own } if own <= number => {
                    arrived.push(self.release(entry, size));
                }
                // The reply to another message, should it come, comes before those of later notifications.
                other => kept.push_back(other),
            }
        }
        self.sent = kept;
        self.owed += arrived.len() as u64;
        self.counts.arrived += arrived.len() as u64;
        arrived
    }

    /// The link is lost: what has to be sent again, oldest first.
    pub(crate) fn into_unacknowledged(self) -> impl DoubleEndedIterator<Item = T> {
        self.sent.into_iter().filter_map(Sent::into_notification)
    }

    /// The readings that explain the number of replies. Of each kind in doubt either all were acknowledged or
    /// none, but for handshakes, of which any number may have been.
    fn fitting(&self) -> Vec<Known> {
        let Counts { replies, notifications, handshakes, answers, arrived } = self.counts;
        let times = |acknowledged: Option<bool>, count| if acknowledged == Some(true) { count } else { 0 };
        let mut fitting = Vec::new();
        for answered in options(self.known.answers, answers) {
            // The replies to what a pong released may have come after all, or not.
            for released in options(None, arrived) {
                let least = notifications - arrived + times(released, arrived) + times(answered, answers);
                if (least..=least + handshakes).contains(&replies) {
                    fitting.push(Known { answers: answered });
                }
            }
        }
        fitting
    }

    /// Releases everything: all replies have come.
    fn begin_anew(&mut self) -> Vec<T> {
        self.counts = Counts::default();
        self.owed = 0;
        self.open = 0;
        self.open_bytes = 0;
        std::mem::take(&mut self.sent).into_iter().filter_map(Sent::into_notification).collect()
    }

    fn release(&mut self, entry: T, size: usize) -> T {
        self.open -= 1;
        self.open_bytes -= size;
        entry
    }
}

/// The ways in which a kind may be acknowledged. Of a kind of which nothing was sent, no count can tell.
fn options(known: Option<bool>, count: u64) -> Vec<Option<bool>> {
    match known {
        None if count > 0 => vec![Some(true), Some(false)],
        known => vec![known],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { messages: 100, bytes: 1000 };

    fn ledger() -> Ledger<u32> {
        Ledger::new(WINDOW, Known::default())
    }

    fn send(ledger: &mut Ledger<u32>, notifications: impl IntoIterator<Item = u32>) {
        notifications.into_iter().for_each(|number| ledger.sent(number, 10));
    }

    fn replies(ledger: &mut Ledger<u32>, count: usize) -> Vec<u32> {
        (0..count).filter_map(|_| ledger.reply(false)).collect()
    }

    #[test]
    fn replies_release_in_order() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=3);
        assert_eq!(replies(&mut ledger, 2), [1, 2]);
        assert_eq!(ledger.into_unacknowledged().collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_reply_too_many_releases_nothing() {
        let mut ledger = ledger();
        assert_eq!(ledger.reply(false), None);
        send(&mut ledger, 1..=1);
        assert_eq!(ledger.reply(false), Some(1));
        assert_eq!(ledger.reply(true), None);
    }

    #[test]
    fn while_in_doubt_a_reply_counts_for_the_oldest_message() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 1..=2);
        ledger.sent_other(Other::Answer);
        assert_eq!(replies(&mut ledger, 2), [1], "the handshake's reply may be among them");
    }

    #[test]
    fn a_quiet_moment_tells_that_only_notifications_are_acknowledged() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 1..=2);
        assert_eq!(replies(&mut ledger, 2), [1]);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Acknowledged(vec![2]));
        send(&mut ledger, 3..=3);
        assert_eq!(ledger.reply(false), Some(3));
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 4..=4);
        assert_eq!(ledger.reply(false), None, "each handshake is in doubt anew");
    }

    #[test]
    fn a_quiet_moment_tells_that_everything_is_acknowledged() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=1);
        ledger.sent_other(Other::Answer);
        assert_eq!(replies(&mut ledger, 2), [1]);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Acknowledged(vec![]));
        assert_eq!(ledger.known(), Known { answers: Some(true) });
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 2..=2);
        assert_eq!(ledger.reply(false), None, "the answer's");
        assert_eq!(ledger.reply(false), Some(2));
    }

    #[test]
    fn what_was_learnt_holds_for_the_next_link() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Answer);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Acknowledged(vec![]));
        assert_eq!(ledger.known(), Known { answers: Some(false) });
        let mut next = Ledger::new(WINDOW, ledger.known());
        next.sent_other(Other::Answer);
        send(&mut next, 1..=1);
        assert_eq!(next.reply(false), Some(1));
    }

    #[test]
    fn an_idle_link_settles_its_handshake() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        assert!(ledger.is_unsettled());
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Acknowledged(vec![]));
        assert!(!ledger.is_unsettled());
        send(&mut ledger, 1..=1);
        assert_eq!(ledger.reply(false), Some(1));
    }

    #[test]
    fn two_readings_that_agree_release_and_teach_nothing() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 1..=1);
        assert!(replies(&mut ledger, 2).is_empty());
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Acknowledged(vec![1]));
        assert_eq!(ledger.known(), Known::default());
    }

    #[test]
    fn missing_replies_are_waited_for_while_there_is_patience() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=3);
        assert_eq!(replies(&mut ledger, 2), [1, 2]);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Undecided);
        assert_eq!(ledger.settle(Evidence::Patience), Settled::Unacknowledged(vec![3]));
        assert!(!ledger.is_silent());
        send(&mut ledger, 4..=4);
        assert_eq!(ledger.reply(false), None, "it may be that of 3");
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Acknowledged(vec![4]), "it was not");
    }

    #[test]
    fn a_server_that_never_replies_is_found_silent() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 1..=2);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Unacknowledged(vec![1, 2]));
        assert!(ledger.is_silent());
        send(&mut ledger, 3..=4);
        let mark = ledger.last();
        send(&mut ledger, 5..=5);
        assert_eq!(ledger.arrived_through(mark), [3, 4]);
        assert_eq!(ledger.open(), 1);
    }

    #[test]
    fn without_pings_silence_is_found_by_patience() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=1);
        assert_eq!(ledger.settle(Evidence::Calm), Settled::Undecided);
        assert_eq!(ledger.settle(Evidence::Patience), Settled::Unacknowledged(vec![1]));
        send(&mut ledger, 2..=2);
        assert_eq!(ledger.settle(Evidence::Calm), Settled::Unacknowledged(vec![2]));
    }

    #[test]
    fn late_replies_count_for_what_a_pong_released_before_they_count_for_later_ones() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=2);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Unacknowledged(vec![1, 2]));
        send(&mut ledger, 3..=3);
        assert_eq!(replies(&mut ledger, 3), [3]);
        assert!(!ledger.is_silent());
    }

    #[test]
    fn an_error_is_never_that_of_a_handshake() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 1..=2);
        assert_eq!(ledger.reply(true), Some(1));
        assert_eq!(ledger.reply(false), Some(2));
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Acknowledged(vec![]));
    }

    #[test]
    fn the_window_is_full_at_either_bound() {
        let mut ledger = Ledger::new(Window { messages: 2, bytes: 100 }, Known::default());
        ledger.sent(1, 10);
        assert!(ledger.has_room());
        ledger.sent(2, 10);
        assert!(!ledger.has_room());
        let _ = ledger.reply(false);
        assert!(ledger.has_room());
        ledger.sent(3, 90);
        assert!(!ledger.has_room());
    }
}
