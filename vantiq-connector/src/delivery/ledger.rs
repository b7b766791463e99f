//! [`Ledger`]: what was sent over one link and not yet acknowledged.
//!
//! The server answers a notification with a bare status that does not say which message it answers, and
//! nobody knows for certain whether it answers `connectExtension` and query answers too
//! (`docs/PROTOCOL.md`, section 8). The rule is: attribution may be late, never early. So
//!
//! * while it is not known whether a message is acknowledged, those after it are in doubt: a notification
//!   is released only when every reading has its reply come, and gives the same outcome;
//! * at a quiet moment, when all replies that will come have come, their number tells which reading is
//!   right ([`Ledger::settle`]);
//! * a server that never replies is told from one that has not yet replied by a WebSocket ping: its pong
//!   proves that all frames before it arrived. Where pings are not allowed, by patience.
//!
//! Where the operator says what is acknowledged ([`AckProfile`]), or where a reply names its notification
//! ([`Ledger::reply_to`]), there is no doubt.
//!
//! A new link begins with a new ledger, which inherits what was [known](Ledger::known). Entry points:
//! [`sent`](Ledger::sent), [`reply`](Ledger::reply), [`settle`](Ledger::settle).

use std::collections::VecDeque;

use super::AckProfile;

/// How often one `connectExtension` may be acknowledged once something else was sent. Before that it may be
/// as often as the server likes: the Python SDK was made to tolerate ten.
const HANDSHAKE_REPLIES: u64 = 1;
/// Answers in doubt while a notification is open, or replies to them, before a quiet moment is asked for: they cost a
/// place in memory, and the notification its receipt.
const MAX_DOUBT: usize = 10_000;

/// How much may be sent and not yet acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// A message that is no notification and that the server may acknowledge or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Other {
    /// A `validate` that was sent again: the answer to one of the two may come late.
    Validate,
    /// `connectExtension`.
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
    /// Whether only silence says so, which proves nothing.
    assumed: bool,
    /// Whether it was ever seen to acknowledge a notification: then a missing reply is late, not absent.
    notifications: bool,
}

impl Known {
    /// Both together; what `later` knows, it knows better.
    pub(crate) fn or(self, later: Self) -> Self {
        Self {
            answers: later.answers.or(self.answers),
            assumed: if later.answers.is_some() { later.assumed } else { self.assumed },
            notifications: self.notifications || later.notifications,
        }
    }

    /// Forgets about answers.
    pub(crate) const fn forget_answers(&mut self) {
        self.answers = None;
        self.assumed = false;
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

/// A notification and what the server said to it: `None` where it accepted it.
pub(crate) type Replied<T, E> = (T, Option<E>);

/// What a quiet moment showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled<T, E> {
    /// No notification is open any more.
    All {
        /// What the server said to these is known now.
        replied: Vec<Replied<T, E>>,
        /// These arrived, and it will not be known what the server made of them: it does not acknowledge them,
        /// or it refused some message, and for too long nothing told which one.
        arrived: Vec<T>,
    },
    /// Some replies are missing and may yet come, or it cannot be told which message was refused.
    Undecided,
}

impl<T, E> Settled<T, E> {
    const fn arrived(arrived: Vec<T>) -> Self {
        Self::All { replied: Vec::new(), arrived }
    }
}

/// Messages that may have been acknowledged or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Doubt {
    handshakes: u64,
    answers: u64,
    /// Notifications that a pong released: if their replies come after all, they come before later ones.
    released: u64,
}

impl Doubt {
    /// Replies at most.
    const fn most(self) -> u64 {
        self.handshakes * HANDSHAKE_REPLIES + self.answers + self.released
    }

    const fn add(&mut self, kind: Other) {
        match kind {
            Other::Validate | Other::Handshake => self.handshakes += 1,
            Other::Answer => self.answers += 1,
        }
    }

    /// Replies by one reading, but those to handshakes.
    fn certain_by(self, reading: Reading) -> u64 {
        let answers = if reading.answers { self.answers } else { 0 };
        let released = if reading.released { self.released } else { 0 };
        answers + released
    }
}

/// Not all readings agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ambiguous;

/// One explanation of the number of replies.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// How many replies handshakes had.
    handshakes: u64,
    answers: bool,
    released: bool,
}

#[derive(Debug)]
enum Sent<T> {
    Notification {
        entry: T,
        size: usize,
        number: u64,
    },
    /// Another message, to a server that is known to acknowledge such.
    Acknowledged(Other),
    Doubtful(Other),
}

impl<T> Sent<T> {
    fn into_notification(self) -> Option<T> {
        match self {
            Self::Notification { entry, .. } => Some(entry),
            Self::Acknowledged(_) | Self::Doubtful(_) => None,
        }
    }

    const fn is_certain(&self) -> bool {
        !matches!(self, Self::Doubtful(_))
    }
}

/// What was sent over one link and not yet acknowledged, oldest first. `T` is a notification, `E` what the
/// server says when it refuses one.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing found out about the server")]
pub(crate) struct Ledger<T, E> {
    window: Window,
    profile: AckProfile,
    sent: VecDeque<Sent<T>>,
    /// The messages in doubt that were sent before the front of `sent`.
    doubt: Doubt,
    /// Answers in doubt, wherever they stand.
    doubtful_answers: usize,
    /// The replies that no certain message before the front of `sent` can have had, oldest first.
    replies: VecDeque<Option<E>>,
    /// Notifications in `sent`, and their bytes.
    open: usize,
    open_bytes: usize,
    /// Number of the last notification sent on this link.
    last: u64,
    known: Known,
    /// Whether the server was found to acknowledge nothing.
    silent: bool,
    /// Whether any reply came since everything was settled last.
    replied: bool,
    /// Whether an answer was sent that counts on not being acknowledged.
    answered: bool,
    /// Whether attribution rests on silence alone.
    assumed: bool,
    /// Whether a reply came that contradicts what was known about answers.
    contradicted: bool,
    /// Whether it is not known any more which replies answer what was sent before.
    clouded: bool,
    /// Whether that cannot be found out any more, either.
    hopeless: bool,
    /// Whether replies to notifications name them, so that bare ones answer something else.
    named: bool,
}

impl<T, E: Clone + PartialEq> Ledger<T, E> {
    pub(crate) fn new(window: Window, known: Known, profile: AckProfile) -> Self {
        Self {
            window,
            profile,
            sent: VecDeque::new(),
            doubt: Doubt::default(),
            doubtful_answers: 0,
            replies: VecDeque::new(),
            open: 0,
            open_bytes: 0,
            last: 0,
            known,
            silent: profile == AckProfile::None,
            replied: false,
            answered: false,
            assumed: known.assumed,
            contradicted: false,
            clouded: false,
            hopeless: false,
            named: false,
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

    /// The notifications sent and not yet released, oldest first.
    pub(crate) fn notifications(&self) -> impl Iterator<Item = &T> {
        self.sent.iter().filter_map(|sent| match sent {
            Sent::Notification { entry, .. } => Some(entry),
            Sent::Acknowledged(_) | Sent::Doubtful(_) => None,
        })
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

    /// Whether what was known about answers proved wrong.
    pub(crate) const fn is_contradicted(&self) -> bool {
        self.contradicted
    }

    /// Whether something older than the `connectExtension` under way has yet to be acknowledged, as the operator
    /// promised: then the next bare status is its reply.
    pub(crate) fn awaits_reply(&self) -> bool {
        match self.profile {
            _ if self.named => false,
            AckProfile::Auto | AckProfile::None => false,
            AckProfile::Notifications => self.open > 0,
            AckProfile::All => {
                !matches!(self.sent.front(), None | Some(Sent::Acknowledged(Other::Handshake)))
            }
        }
    }

    /// Whether replies are missing, and it cannot be told whose: only another link can help.
    pub(crate) const fn is_hopeless(&self) -> bool {
        self.hopeless
    }

    /// Whether every reply came that can come.
    pub(crate) fn is_complete(&self) -> bool {
        self.replies.len() as u64 >= self.certain() + self.all_doubt().most()
    }

    /// Says that the last [`settle`](Self::settle) was no more than a guess: replies may have been on their way.
    pub(crate) const fn assume(&mut self) {
        self.assumed = true;
        self.known.assumed |= self.known.answers.is_some();
    }

    /// Whether what replies are attributed to is no more than a guess.
    pub(crate) const fn is_assumed(&self) -> bool {
        self.assumed && !self.named
    }

    /// Whether there is anything to [settle](Self::settle).
    pub(crate) fn is_unsettled(&self) -> bool {
        self.clouded || !self.sent.is_empty() || self.doubt != Doubt::default() || !self.replies.is_empty()
    }

    /// Whether the window is full while it is in doubt what the replies answer, or whether there will be any.
    pub(crate) const fn is_stuck(&self) -> bool {
        let is_unknown = matches!(self.profile, AckProfile::Auto) && !self.known.notifications;
        // Of a server that is known to be silent pongs make room.
        !self.silent && !self.has_room() && (self.doubtful_answers > 0 || is_unknown)
    }

    /// Whether there are so many doubts, or such, that a quiet moment has to be made. While no notification is open
    /// nobody waits to have them cleared up, nor where pongs release them.
    pub(crate) fn is_confused(&self) -> bool {
        let is_awaited = self.open > 0 && !self.silent && self.doubtful_answers > MAX_DOUBT;
        self.clouded || is_awaited || self.replies.len() > MAX_DOUBT
    }

    /// A notification of `size` bytes was handed to the socket.
    pub(crate) fn sent(&mut self, entry: T, size: usize) {
        self.open += 1;
        self.open_bytes += size;
        self.last += 1;
        self.sent.push_back(Sent::Notification { entry, size, number: self.last });
        self.pass_doubtful();
    }

    /// Another message was handed to the socket.
    pub(crate) fn sent_other(&mut self, kind: Other) {
        if self.named {
            return;
        }
        match (self.profile, kind, self.known.answers) {
            (AckProfile::Notifications | AckProfile::None, ..) | (AckProfile::All, Other::Validate, _) => {}
            (AckProfile::All, ..) | (AckProfile::Auto, Other::Answer, Some(true)) => {
                self.sent.push_back(Sent::Acknowledged(kind));
            }
            (AckProfile::Auto, Other::Answer, Some(false)) => self.answered = true,
            (AckProfile::Auto, kind, _) => {
                self.doubtful_answers += usize::from(kind == Other::Answer);
                self.sent.push_back(Sent::Doubtful(kind));
            }
        }
        self.pass_doubtful();
    }

    /// A bare status came; `error` is what it says where it refuses something. The notifications whose reply is
    /// certain now are released as they are taken from what is returned.
    pub(crate) fn reply(&mut self, error: Option<E>) -> impl Iterator<Item = Replied<T, E>> {
        let counts = self.count(error);
        std::iter::from_fn(move || if counts { self.release_certain() } else { None })
    }

    /// Counts a bare status. Returns whether it may make anything certain.
    fn count(&mut self, error: Option<E>) -> bool {
        if self.named || self.profile == AckProfile::None {
            return false;
        }
        self.silent = false;
        if self.clouded {
            // They are only counted.
            self.replies.push_back(error);
            return false;
        }
        if self.sent.is_empty() && self.doubt.answers + self.doubt.released == 0 {
            // Nothing was sent but handshakes, which may have as many replies as they like. But answers, if they
            // have replies after all, are acknowledged after all.
            if self.answered && self.doubt.handshakes == 0 {
                self.known.forget_answers();
                self.contradicted = true;
            }
            return false;
        }
        self.replied = true;
        self.replies.push_back(error);
        true
    }

    /// A bare status came that refuses the `connectExtension` under way. Where it is certain that this has a reply,
    /// that was it. Where it may refuse a notification before it, nobody can tell which: taken for the wrong one it
    /// would have all later replies taken for the wrong ones, so no reply is believed before everything was
    /// [settled](Self::settle).
    pub(crate) fn handshake_refused(&mut self) {
        self.sent.pop_front_if(|sent| matches!(sent, Sent::Acknowledged(Other::Handshake)));
        if self.profile == AckProfile::Auto && self.open > 0 && !self.named && !self.silent {
            self.clouded = true;
            self.replies.clear();
        }
    }

    /// A status came that names its notification, the one that `is` knows. Returns that one, where it is open.
    pub(crate) fn reply_to(&mut self, is: impl Fn(&T) -> bool, error: Option<E>) -> Option<Replied<T, E>> {
        let named = |sent: &Sent<T>| matches!(sent, Sent::Notification { entry, .. } if is(entry));
        let sent = self.sent.iter().position(named).and_then(|index| self.sent.remove(index))?;
        let Sent::Notification { entry, size, .. } = sent else { return None };
        self.known.notifications = true;
        self.silent = false;
        if !self.named {
            // Now that notifications are named, whatever was in doubt is of no concern.
            self.named = true;
            self.clouded = false;
            self.doubt = Doubt::default();
            self.doubtful_answers = 0;
            self.replies.clear();
            self.sent.retain(|sent| matches!(sent, Sent::Notification { .. }));
        }
        Some((self.close(entry, size), error))
    }

    /// Says which readings fit, now that every reply which will come has come, and releases the notifications
    /// where these agree.
    pub(crate) fn settle(&mut self, evidence: Evidence) -> Settled<T, E> {
        if self.clouded {
            return self.clear_up();
        }
        let fitting = self.fitting();
        let Some(first) = fitting.first() else {
            if self.open == 0 && evidence != Evidence::Calm {
                // No reading explains it, and nobody waits for one: begin anew.
                return Settled::arrived(self.forget());
            }
            if !self.is_enough(evidence) {
                return Settled::Undecided;
            }
            self.silent = !self.replied && self.open > 0;
            return Settled::arrived(self.arrived_through(self.last));
        };
        let outcomes = self.outcomes(&fitting);
        if outcomes.contains(&Err(Ambiguous)) && evidence != Evidence::Patience {
            return Settled::Undecided;
        }
        if self.all_doubt().answers > 0 && fitting.iter().all(|other| other.answers == first.answers) {
            self.known.answers = Some(first.answers);
        }
        self.known.notifications |= self.open > 0;
        let (mut replied, mut arrived) = (Vec::new(), Vec::new());
        for (entry, outcome) in self.forget().into_iter().zip(outcomes) {
            match outcome {
                Ok(error) => replied.push((entry, error)),
                Err(Ambiguous) => arrived.push(entry),
            }
        }
        Settled::All { replied, arrived }
    }

    /// All that will come has come, if it is enough for all that was sent, whatever it answers: then nothing is left
    /// that a later message could be blamed for. A server that was never seen to reply need not have.
    fn clear_up(&mut self) -> Settled<T, E> {
        let none = self.replies.is_empty() && !self.known.notifications;
        if (self.replies.len() as u64) < self.certain() && !none {
            self.hopeless = true;
            return Settled::Undecided;
        }
        self.clouded = false;
        Settled::arrived(self.forget())
    }

    /// Releases the notifications up to `number`: a pong proved that they arrived.
    pub(crate) fn arrived_through(&mut self, number: u64) -> Vec<T> {
        let mut arrived = Vec::new();
        while let Some(sent) = self.sent.pop_front() {
            match sent {
                Sent::Notification { entry, size, number: own } if own <= number => {
                    self.doubt.released += 1;
                    arrived.push(self.close(entry, size));
                }
                Sent::Acknowledged(_) => {
                    self.doubt.answers += 1;
                    self.doubtful_answers += 1;
                }
                Sent::Doubtful(kind) => self.doubt.add(kind),
                later @ Sent::Notification { .. } => {
                    self.sent.push_front(later);
                    break;
                }
            }
        }
        arrived
    }

    /// The link is lost: what has to be sent again, oldest first.
    pub(crate) fn into_unacknowledged(self) -> impl DoubleEndedIterator<Item = T> {
        self.sent.into_iter().filter_map(Sent::into_notification)
    }

    fn pass_doubtful(&mut self) {
        while let Some(Sent::Doubtful(kind)) = self.sent.front() {
            self.doubt.add(*kind);
            self.sent.pop_front();
        }
    }

    /// Releases the first notification where every reading agrees on its reply. The reply to the front message is the
    /// first, or any of as many after it as there are doubts before it.
    fn release_certain(&mut self) -> Option<Replied<T, E>> {
        while !self.replies.is_empty() {
            let front = self.sent.front()?;
            let doubt = usize::try_from(self.doubt.most()).unwrap_or(usize::MAX);
            let agreed = match front {
                Sent::Notification { .. } => {
                    doubt == 0 || self.replies.iter().take(doubt.saturating_add(1)).all(Option::is_none)
                }
                Sent::Acknowledged(_) | Sent::Doubtful(_) => true,
            };
            if self.replies.len() <= doubt || !agreed {
                return None;
            }
            let (sent, error) = (self.sent.pop_front()?, self.replies.pop_front()?);
            self.pass_doubtful();
            if let Sent::Notification { entry, size, .. } = sent {
                self.known.notifications = true;
                return Some((self.close(entry, size), error));
            }
        }
        None
    }

    /// The readings that explain the number of replies, those with the fewest first. Of answers, and of
    /// what a pong released, either all were acknowledged or none; of handshakes any number.
    fn fitting(&self) -> Vec<Reading> {
        let doubt = self.all_doubt();
        let certain = self.certain();
        let replies = self.replies.len() as u64;
        let mut fitting = Vec::new();
        for &answers in options(doubt.answers) {
            for &released in options(doubt.released) {
                let others = Reading { handshakes: 0, answers, released };
                let handshakes = replies.checked_sub(certain + doubt.certain_by(others));
                fitting.extend(
                    handshakes
                        .filter(|handshakes| *handshakes <= doubt.handshakes * HANDSHAKE_REPLIES)
                        .map(|handshakes| Reading { handshakes, ..others }),
                );
            }
        }
        fitting
    }

    /// How many messages that wait for a reply certainly have one.
    fn certain(&self) -> u64 {
        self.sent.iter().filter(|sent| sent.is_certain()).count() as u64
    }

    /// All messages in doubt, wherever they stand.
    fn all_doubt(&self) -> Doubt {
        self.sent.iter().fold(self.doubt, |mut doubt, sent| {
            if let Sent::Doubtful(kind) = sent {
                doubt.add(*kind);
            }
            doubt
        })
    }

    /// Whether replies that are missing need not be waited for. Where there were none at all, a pong tells a
    /// server that does not reply from one that has not yet received anything.
    const fn is_enough(&self, evidence: Evidence) -> bool {
        match evidence {
            Evidence::Calm => self.silent,
            Evidence::Pong => !self.replied && !self.known.notifications,
            Evidence::Patience => true,
        }
    }

    /// What the server said to each open notification, by all these readings.
    fn outcomes(&self, readings: &[Reading]) -> Vec<Result<Option<E>, Ambiguous>> {
        let total = self.all_doubt().handshakes * HANDSHAKE_REPLIES;
        let mut doubt = self.doubt;
        let mut certain = 0;
        let mut outcomes = Vec::with_capacity(self.open);
        for sent in &self.sent {
            match sent {
                Sent::Doubtful(kind) => {
                    doubt.add(*kind);
                    continue;
                }
                Sent::Notification { .. } => {
                    let before = doubt.handshakes * HANDSHAKE_REPLIES;
                    let possible = readings.iter().flat_map(|reading| {
                        // It is not known which of the handshakes had the replies.
                        let least = reading.handshakes.saturating_sub(total - before);
                        let most = reading.handshakes.min(before);
                        let others = certain + doubt.certain_by(*reading);
                        others + least..=others + most
                    });
                    outcomes.push(self.agreed(possible));
                }
                Sent::Acknowledged(_) => {}
            }
            certain += 1;
        }
        outcomes
    }

    /// What all the replies at these places say.
    fn agreed(&self, places: impl Iterator<Item = u64>) -> Result<Option<E>, Ambiguous> {
        let mut replies = places.filter_map(|place| self.replies.get(usize::try_from(place).ok()?));
        let first = replies.next().ok_or(Ambiguous)?;
        if replies.all(|reply| reply == first) { Ok(first.clone()) } else { Err(Ambiguous) }
    }

    /// Begins anew. Returns the notifications that were open.
    fn forget(&mut self) -> Vec<T> {
        self.doubt = Doubt::default();
        self.doubtful_answers = 0;
        self.replies.clear();
        self.replied = false;
        (self.open, self.open_bytes) = (0, 0);
        std::mem::take(&mut self.sent).into_iter().filter_map(Sent::into_notification).collect()
    }

    fn close(&mut self, entry: T, size: usize) -> T {
        self.open -= 1;
        self.open_bytes -= size;
        entry
    }
}

/// Whether messages of a kind were acknowledged, of which there are `count`. Of none no count can tell.
const fn options(count: u64) -> &'static [bool] {
    if count > 0 { &[false, true] } else { &[false] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { messages: 100, bytes: 1000 };

    type TestLedger = Ledger<u32, &'static str>;

    fn ledger() -> TestLedger {
        with(AckProfile::Auto)
    }

    fn with(profile: AckProfile) -> TestLedger {
        Ledger::new(WINDOW, Known::default(), profile)
    }

    fn send(ledger: &mut TestLedger, notifications: impl IntoIterator<Item = u32>) {
        for number in notifications {
            ledger.sent(number, 10);
        }
    }

    fn reply(ledger: &mut TestLedger, error: Option<&'static str>) -> Vec<Replied<u32, &'static str>> {
        ledger.reply(error).collect()
    }

    /// So many replies that accept; returns what they release.
    fn accept(ledger: &mut TestLedger, count: usize) -> Vec<u32> {
        accepted((0..count).flat_map(|_| reply(ledger, None)).collect())
    }

    fn accepted(replied: Vec<Replied<u32, &'static str>>) -> Vec<u32> {
        assert!(replied.iter().all(|(_, error)| error.is_none()), "{replied:?}");
        replied.into_iter().map(|(number, _)| number).collect()
    }

    fn settle(ledger: &mut TestLedger) -> Vec<u32> {
        match ledger.settle(Evidence::Pong) {
            Settled::All { replied, arrived } if arrived.is_empty() => accepted(replied),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn replies_release_in_order() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=3);
        assert_eq!(accept(&mut ledger, 2), [1, 2]);
        assert_eq!(ledger.into_unacknowledged().collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_refusal_goes_to_its_own_notification() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=3);
        assert_eq!(reply(&mut ledger, None), [(1, None)]);
        assert_eq!(reply(&mut ledger, Some("no")), [(2, Some("no"))]);
        assert_eq!(reply(&mut ledger, None), [(3, None)]);
        assert!(!ledger.is_unsettled());
    }

    #[test]
    fn while_in_doubt_a_notification_waits_for_as_many_replies_more() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=1);
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 2..=3);
        assert_eq!(accept(&mut ledger, 1), [1]);
        assert!(accept(&mut ledger, 1).is_empty(), "it may be the answer's");
        assert_eq!(accept(&mut ledger, 1), [2]);
        assert_eq!(accept(&mut ledger, 1), [3]);
    }

    #[test]
    fn a_handshake_may_have_many_replies_before_anything_else_is_sent_and_one_after() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        assert!(accept(&mut ledger, 10).is_empty());
        send(&mut ledger, 1..=1);
        assert!(accept(&mut ledger, 1).is_empty());
        assert_eq!(accept(&mut ledger, 1), [1]);
    }

    #[test]
    fn a_refusal_in_doubt_waits_for_a_quiet_moment_and_then_finds_its_notification() {
        for acknowledged in [0, 1] {
            let mut ledger = ledger();
            ledger.sent_other(Other::Handshake);
            send(&mut ledger, 1..=4);
            assert!(accept(&mut ledger, acknowledged).is_empty(), "the handshake's");
            let replies = [None, None, Some("no"), None];
            let certain: Vec<_> = replies.into_iter().flat_map(|error| reply(&mut ledger, error)).collect();
            let mut rest = vec![(1, None), (2, None), (3, Some("no")), (4, None)];
            let expected = rest.split_off(certain.len());
            assert_eq!((certain, expected.len() > 1), (rest, true), "what is in doubt waits");
            assert_eq!(
                ledger.settle(Evidence::Pong),
                Settled::All { replied: expected, arrived: vec![] },
                "{acknowledged}"
            );
        }
    }

    #[test]
    fn a_quiet_moment_tells_that_only_notifications_are_acknowledged() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 1..=2);
        assert_eq!(accept(&mut ledger, 2), [1]);
        assert_eq!(settle(&mut ledger), [2]);
        send(&mut ledger, 3..=3);
        assert_eq!(accept(&mut ledger, 1), [3]);
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 4..=4);
        assert!(accept(&mut ledger, 1).is_empty(), "each handshake is in doubt anew");
    }

    #[test]
    fn a_quiet_moment_tells_that_answers_are_acknowledged() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 1..=1);
        assert_eq!(accept(&mut ledger, 2), [1]);
        assert!(settle(&mut ledger).is_empty());
        assert_eq!(ledger.known().answers, Some(true));
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 2..=2);
        assert!(accept(&mut ledger, 1).is_empty(), "the answer's");
        assert_eq!(accept(&mut ledger, 1), [2]);
    }

    #[test]
    fn a_refusal_finds_its_notification_among_acknowledged_answers() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 1..=1);
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 2..=2);
        for error in [None, None, None] {
            let _ = reply(&mut ledger, error);
        }
        assert_eq!(reply(&mut ledger, Some("no")), []);
        assert_eq!(
            ledger.settle(Evidence::Pong),
            Settled::All { replied: vec![(2, Some("no"))], arrived: vec![] }
        );
    }

    #[test]
    fn what_was_learnt_holds_for_the_next_link() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Answer);
        assert!(settle(&mut ledger).is_empty());
        assert_eq!(ledger.known().answers, Some(false));
        let mut next = TestLedger::new(WINDOW, ledger.known(), AckProfile::Auto);
        next.sent_other(Other::Answer);
        send(&mut next, 1..=1);
        assert_eq!(accept(&mut next, 1), [1]);
    }

    #[test]
    fn an_idle_link_settles_its_handshake() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        assert!(ledger.is_unsettled());
        assert!(settle(&mut ledger).is_empty());
        assert!(!ledger.is_unsettled());
        send(&mut ledger, 1..=1);
        assert_eq!(accept(&mut ledger, 1), [1]);
    }

    #[test]
    fn two_readings_that_disagree_on_a_refusal_release_nothing_while_there_is_patience() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 1..=1);
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 2..=2);
        // Either the answer and both notifications were acknowledged, or the notifications and the handshake.
        for error in [None, Some("no"), None] {
            assert_eq!(reply(&mut ledger, error), []);
        }
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Undecided);
        let settled = Settled::All { replied: vec![(2, None)], arrived: vec![1] };
        assert_eq!(ledger.settle(Evidence::Patience), settled);
        assert!(!ledger.is_unsettled());
    }

    #[test]
    fn two_readings_that_agree_release_and_teach_nothing() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 1..=1);
        assert!(accept(&mut ledger, 2).is_empty());
        assert_eq!(settle(&mut ledger), [1]);
        assert_eq!(ledger.known().answers, None);
    }

    #[test]
    fn missing_replies_are_waited_for_while_there_is_patience() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=3);
        assert_eq!(accept(&mut ledger, 2), [1, 2]);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Undecided);
        assert_eq!(ledger.settle(Evidence::Patience), Settled::arrived(vec![3]));
        assert!(!ledger.is_silent());
        send(&mut ledger, 4..=4);
        assert!(accept(&mut ledger, 1).is_empty(), "it may be that of 3");
        assert_eq!(settle(&mut ledger), [4], "it was not");
    }

    #[test]
    fn a_server_that_never_replies_is_found_silent() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 1..=2);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::arrived(vec![1, 2]));
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
        assert_eq!(ledger.settle(Evidence::Patience), Settled::arrived(vec![1]));
        send(&mut ledger, 2..=2);
        assert_eq!(ledger.settle(Evidence::Calm), Settled::arrived(vec![2]));
    }

    #[test]
    fn late_replies_count_for_what_a_pong_released_before_they_count_for_later_ones() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=2);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::arrived(vec![1, 2]));
        send(&mut ledger, 3..=3);
        assert_eq!(accept(&mut ledger, 3), [3]);
        assert!(!ledger.is_silent());
    }

    #[test]
    fn doubts_that_fill_the_window_ask_for_a_quiet_moment() {
        let mut ledger =
            TestLedger::new(Window { messages: 2, bytes: 1000 }, Known::default(), AckProfile::Auto);
        ledger.sent_other(Other::Answer);
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 1..=2);
        assert!(accept(&mut ledger, 2).is_empty() && ledger.is_stuck());
        assert_eq!(settle(&mut ledger), [1, 2]);
        assert!(!ledger.is_stuck());
    }

    #[test]
    fn a_window_that_no_reply_opens_asks_for_a_quiet_moment_until_the_server_is_known() {
        let window = Window { messages: 2, bytes: 1000 };
        let mut ledger = TestLedger::new(window, Known::default(), AckProfile::Auto);
        send(&mut ledger, 1..=2);
        assert!(ledger.is_stuck(), "it may be one that acknowledges nothing");
        assert_eq!(ledger.settle(Evidence::Pong), Settled::arrived(vec![1, 2]));
        send(&mut ledger, 3..=4);
        assert!(ledger.is_silent() && !ledger.is_stuck(), "pongs make room");
        assert_eq!(accept(&mut ledger, 3), [3], "it does acknowledge");
        send(&mut ledger, 5..=5);
        assert!(!ledger.has_room() && !ledger.is_stuck(), "it is slow, that is all");
        let mut ledger = TestLedger::new(window, Known::default(), AckProfile::Notifications);
        send(&mut ledger, 1..=2);
        assert!(!ledger.is_stuck(), "that it is not was promised");
    }

    #[test]
    fn answers_in_doubt_ask_for_a_quiet_moment_only_where_a_notification_is_open() {
        let mut ledger = ledger();
        (0..=MAX_DOUBT).for_each(|_| ledger.sent_other(Other::Answer));
        assert!(!ledger.is_confused());
        send(&mut ledger, 1..=1);
        assert!(ledger.is_confused());
        assert!(accept(&mut ledger, 1).is_empty());
        assert_eq!(settle(&mut ledger), [1]);
        assert!(!ledger.is_confused());
    }

    #[test]
    fn answers_behind_an_open_notification_are_in_doubt_like_those_before() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=1);
        (0..=MAX_DOUBT).for_each(|_| ledger.sent_other(Other::Answer));
        assert!(ledger.is_confused(), "it may be a server that acknowledges nothing");
        assert_eq!(ledger.settle(Evidence::Pong), Settled::arrived(vec![1]));
        send(&mut ledger, 2..=2);
        assert!(ledger.is_silent() && !ledger.is_confused(), "pongs release it");
    }

    #[test]
    fn replies_that_nothing_explains_are_forgotten_once_nobody_waits() {
        let mut ledger = ledger();
        for _ in 0..=MAX_DOUBT {
            ledger.sent_other(Other::Answer);
            ledger.sent_other(Other::Answer);
            assert!(accept(&mut ledger, 1).is_empty());
        }
        assert!(ledger.is_confused(), "only every second is acknowledged");
        assert!(settle(&mut ledger).is_empty());
        assert!(!ledger.is_confused() && !ledger.is_unsettled());
    }

    #[test]
    fn replies_without_number_ask_for_a_quiet_moment() {
        let mut ledger = ledger();
        for _ in 0..=MAX_DOUBT {
            ledger.sent_other(Other::Answer);
            assert!(accept(&mut ledger, 1).is_empty());
        }
        assert!(ledger.is_confused(), "each is kept until it is known what it answers");
        assert!(settle(&mut ledger).is_empty());
        assert_eq!((ledger.known().answers, ledger.is_confused()), (Some(true), false));
    }

    #[test]
    fn a_server_that_acknowledged_before_is_slow_and_not_silent() {
        let mut ledger = ledger();
        send(&mut ledger, 1..=1);
        assert_eq!(accept(&mut ledger, 1), [1]);
        send(&mut ledger, 2..=2);
        assert_eq!(ledger.settle(Evidence::Pong), Settled::Undecided);
        let mut next = TestLedger::new(WINDOW, ledger.known(), AckProfile::Auto);
        send(&mut next, 2..=2);
        assert_eq!(next.settle(Evidence::Pong), Settled::Undecided, "nor on the next link");
        assert_eq!(accept(&mut next, 1), [2]);
    }

    #[test]
    fn what_was_learnt_wrong_about_answers_is_unlearnt() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Answer);
        assert!(settle(&mut ledger).is_empty());
        ledger.sent_other(Other::Answer);
        assert!(accept(&mut ledger, 1).is_empty());
        assert!(ledger.is_contradicted());
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 1..=1);
        assert!(accept(&mut ledger, 1).is_empty(), "it may be the answer's");
    }

    #[test]
    fn with_the_profile_notifications_nothing_else_is_in_doubt() {
        let mut ledger = with(AckProfile::Notifications);
        for kind in [Other::Validate, Other::Handshake, Other::Answer] {
            ledger.sent_other(kind);
        }
        assert!(accept(&mut ledger, 3).is_empty(), "before the first notification a status means nothing");
        send(&mut ledger, 1..=2);
        ledger.sent_other(Other::Answer);
        assert_eq!(accept(&mut ledger, 1), [1]);
        assert_eq!(reply(&mut ledger, Some("no")), [(2, Some("no"))]);
        assert!(!ledger.is_unsettled());
    }

    #[test]
    fn with_the_profile_all_each_message_takes_its_own_reply() {
        let mut ledger = with(AckProfile::All);
        ledger.sent_other(Other::Validate);
        ledger.sent_other(Other::Handshake);
        send(&mut ledger, 1..=1);
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 2..=2);
        assert!(accept(&mut ledger, 1).is_empty(), "that of the handshake");
        assert_eq!(accept(&mut ledger, 1), [1]);
        assert!(accept(&mut ledger, 1).is_empty(), "that of the answer");
        assert_eq!(accept(&mut ledger, 1), [2]);
    }

    #[test]
    fn with_the_profile_none_only_a_pong_releases() {
        let mut ledger = with(AckProfile::None);
        assert!(ledger.is_silent());
        send(&mut ledger, 1..=2);
        assert!(accept(&mut ledger, 2).is_empty() && ledger.is_silent());
        assert_eq!(ledger.arrived_through(ledger.last()), [1, 2]);
        assert!(accept(&mut ledger, 1).is_empty());
    }

    #[test]
    fn a_reply_that_names_its_notification_releases_it_whatever_is_in_doubt() {
        let mut ledger = ledger();
        ledger.sent_other(Other::Handshake);
        ledger.sent_other(Other::Answer);
        send(&mut ledger, 1..=4);
        assert!(accept(&mut ledger, 2).is_empty());
        assert_eq!(ledger.reply_to(|number| *number == 3, Some("no")), Some((3, Some("no"))));
        assert_eq!(ledger.reply_to(|number| *number == 3, None), None, "once");
        assert!(accept(&mut ledger, 9).is_empty(), "bare ones answer something else");
        ledger.sent_other(Other::Answer);
        assert_eq!(ledger.reply_to(|number| *number == 1, None), Some((1, None)));
        assert_eq!((ledger.open(), ledger.open_bytes), (2, 20));
        assert_eq!(ledger.into_unacknowledged().collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn the_window_is_full_at_either_bound() {
        let mut ledger =
            TestLedger::new(Window { messages: 2, bytes: 100 }, Known::default(), AckProfile::Auto);
        ledger.sent(1, 10);
        assert!(ledger.has_room());
        ledger.sent(2, 10);
        assert!(!ledger.has_room());
        let _ = reply(&mut ledger, None);
        assert!(ledger.has_room());
        ledger.sent(3, 90);
        assert!(!ledger.has_room());
    }
}
