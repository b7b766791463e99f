//! [`Deliveries`]: the notifications of one link, from the outbox to their receipts.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::{
    context::SourceContext,
    delivery::{CALM, Delivery, DeliveryError, Due, Entry, Evidence, Ledger, Other, Quiet, Replied, Settled},
    protocol::{ServerError, StatusMessage},
};

/// The notifications of one link. What is not acknowledged when this is dropped goes back into the outbox.
pub(super) struct Deliveries {
    context: Arc<SourceContext>,
    /// `None` only while it is dropped.
    ledger: Option<Ledger<Entry, ServerError>>,
    quiet: Quiet,
    /// With a server that acknowledges nothing: the ping under way and the last notification before it.
    barrier: Option<Barrier>,
    may_ping: bool,
    hold: Hold,
}

/// How long messages are held back at most to make a quiet moment. One that succeeds is enough for good:
/// afterwards it is known whether the server acknowledges answers.
const HOLD: Duration = Duration::from_secs(5);
/// How long to wait before another attempt.
const HOLD_PAUSE: Duration = Duration::from_secs(30);

/// Why there is a ledger.
const PRESENT: &str = "only `drop` takes the ledger";

/// Whether messages are held back to make a quiet moment.
#[derive(Debug, Clone, Copy)]
enum Hold {
    No,
    Until(Instant),
    NotBefore(Instant),
}

#[derive(Debug, Clone, Copy)]
struct Barrier {
    ping: u64,
    last: u64,
}

impl Deliveries {
    pub(super) fn new(context: Arc<SourceContext>, now: Instant) -> Self {
        let may_ping = context.set.config.send_pings;
        let profile = context.set.config.ack_profile;
        let ledger = Some(Ledger::new(context.options.window, context.set.known(), profile));
        Self { ledger, quiet: Quiet::new(may_ping, now), barrier: None, may_ping, hold: Hold::No, context }
    }

    /// Whether the window has room for another notification.
    pub(super) fn has_room(&self) -> bool {
        let held = matches!(self.hold, Hold::Until(_)) && self.ledger().is_confused();
        self.ledger().has_room() && !held
    }

    /// Whether `status` names a notification that is open.
    pub(super) fn is_named(&self, status: &StatusMessage) -> bool {
        let id = status.request_id.as_ref().and_then(|id| id.parse().ok());
        id.is_some() && self.ledger().notifications().any(|entry| entry.draft.request_id == id)
    }

    /// Whether the next status answers something older than the `connectExtension` under way.
    pub(super) fn awaits_reply(&self) -> bool {
        self.ledger().awaits_reply()
    }

    /// The `connectExtension` under way was refused, or a notification before it.
    pub(super) fn handshake_refused(&mut self, now: Instant) {
        self.quiet.progress(now);
        self.ledger_mut().handshake_refused();
    }

    /// The source is configured: what was sent before counts as sent now, for the server was busy with it.
    pub(super) fn configured(&mut self, now: Instant) {
        self.quiet.disturbed(now);
    }

    /// Whether every notification was delivered.
    pub(super) fn is_flushed(&self) -> bool {
        self.context.outbox.is_empty() && self.ledger().open() == 0
    }

    /// Whether anybody may be waiting for a notification to be delivered.
    pub(super) fn may_be_awaited(&self) -> bool {
        self.context.outbox.may_be_awaited() || self.ledger().notifications().any(Entry::has_receipt)
    }

    /// The next notification to send, where there is one.
    pub(super) fn next(&mut self, now: Instant) -> Option<Bytes> {
        let (entry, expired) = self.context.outbox.pop_in_time(now);
        self.context.notifications_expired(expired);
        let entry = entry?;
        let frame = entry.draft.frame.clone();
        self.ledger_mut().sent(entry, frame.len());
        self.quiet.progress(now);
        Some(frame)
    }

    /// Another message was sent that the server may acknowledge.
    pub(super) fn sent_other(&mut self, kind: Other, now: Instant) {
        self.ledger_mut().sent_other(kind);
        self.quiet.disturbed(now);
    }

    /// A status came. Returns whether it was of use: whether it answers a notification.
    pub(super) fn status(&mut self, status: &StatusMessage, now: Instant) -> bool {
        self.quiet.progress(now);
        let error = status.error();
        if let Some(error) = &error
            && let Some(count) = self.context.counters.refusals.add_for_a_line(1)
        {
            warn!(%error, count, "the server refused something, a notification most likely");
        }
        // What acknowledges waits for acknowledgements; a pong under way releases nothing more.
        self.barrier = None;
        let named = status.request_id.as_ref().map(|id| id.parse().ok());
        let ledger = self.ledger.as_mut().expect(PRESENT);
        let mut useful = false;
        if let Some(id) = named {
            let is = |entry: &Entry| id.is_some() && entry.draft.request_id == id;
            let replied = ledger.reply_to(is, error);
            useful = replied.is_some();
            self.replied(replied);
        } else {
            let is_assumed = ledger.is_assumed();
            for replied in ledger.reply(error) {
                useful = true;
                resolve_replied(&self.context, is_assumed, replied);
            }
        }
        useful
    }

    /// Whether answers to queries are to wait: notifications are stuck behind the doubt whether answers are
    /// acknowledged, and only a quiet moment can tell.
    pub(super) fn holds_answers(&mut self, now: Instant) -> bool {
        let stuck = self.ledger().is_stuck() && self.quiet.last_progress() + CALM <= now;
        // When only another link can tell, nothing comes of it any more.
        let wanted = !self.is_hopeless() && (stuck || self.ledger().is_confused());
        self.hold = match self.hold {
            Hold::No if wanted => Hold::Until(now + HOLD),
            Hold::Until(_) if !wanted => Hold::No,
            Hold::Until(at) if at <= now => Hold::NotBefore(now + HOLD_PAUSE),
            Hold::NotBefore(at) if at <= now => Hold::No,
            hold => hold,
        };
        matches!(self.hold, Hold::Until(_))
    }

    /// The answer to a ping came: all that was sent before the ping has arrived.
    pub(super) fn pong(&mut self, ping: u64, now: Instant) {
        self.quiet.pong(ping, now);
        if let Some(barrier) = self.barrier.take_if(|barrier| barrier.ping <= ping) {
            let arrived = self.ledger_mut().arrived_through(barrier.last);
            self.resolve(arrived, Delivery::Arrived);
        }
    }

    /// When [`due`](Self::due) may have something to do.
    pub(super) fn due_at(&self, now: Instant) -> Option<Instant> {
        if !self.ledger().is_unsettled() {
            return None;
        }
        let quiet = if self.wants_barrier() { Some(now) } else { self.quiet.due_at() };
        let hold = match self.hold {
            Hold::No => self.ledger().is_stuck().then(|| self.quiet.last_progress() + CALM),
            Hold::Until(at) | Hold::NotBefore(at) => Some(at),
        };
        quiet.into_iter().chain(hold.filter(|at| *at > now)).min()
    }

    /// Does what is due. Returns whether a ping is to be sent, with the next number, and told to
    /// [`pinged`](Self::pinged).
    pub(super) fn due(&mut self, now: Instant) -> bool {
        if !self.ledger().is_unsettled() {
            return false;
        }
        if self.wants_barrier() {
            return true;
        }
        match self.quiet.due(now) {
            None => false,
            Some(Due::Ping) => true,
            Some(Due::Settle(evidence)) => {
                self.settle(evidence);
                false
            }
        }
    }

    /// Whether only another link can tell what became of the notifications.
    pub(super) fn is_hopeless(&self) -> bool {
        self.ledger().is_hopeless()
    }

    /// The ping that was wanted went out.
    pub(super) fn pinged(&mut self, ping: u64) {
        if self.wants_barrier() {
            self.barrier = Some(Barrier { ping, last: self.ledger().last() });
        } else {
            self.quiet.ping_sent(ping);
        }
    }

    /// A server that acknowledges nothing is pinged whenever there is something to release and no ping is
    /// under way.
    fn wants_barrier(&self) -> bool {
        let ledger = self.ledger();
        self.may_ping && ledger.is_silent() && ledger.open() > 0 && self.barrier.is_none()
    }

    fn settle(&mut self, evidence: Evidence) {
        // Where no pong proves that the network was not merely held up, silence proves nothing.
        let is_guess = !self.may_ping && !self.ledger().is_complete();
        match self.ledger_mut().settle(evidence) {
            Settled::All { replied, arrived } => {
                if is_guess {
                    self.ledger_mut().assume();
                }
                self.replied(replied);
                if !arrived.is_empty() {
                    debug!(count = arrived.len(), "no longer waiting for acknowledgements");
                }
                let delivery = if self.may_ping { Delivery::Arrived } else { Delivery::Sent };
                self.resolve(arrived, delivery);
            }
            Settled::Undecided => {}
        }
    }

    fn replied(&self, replied: impl IntoIterator<Item = Replied<Entry, ServerError>>) {
        let is_assumed = self.ledger().is_assumed();
        for replied in replied {
            resolve_replied(&self.context, is_assumed, replied);
        }
    }

    fn resolve(&self, entries: Vec<Entry>, delivery: Delivery) {
        for entry in entries {
            resolve(&self.context, entry, delivery);
        }
    }

    fn ledger(&self) -> &Ledger<Entry, ServerError> {
        self.ledger.as_ref().expect(PRESENT)
    }

    fn ledger_mut(&mut self) -> &mut Ledger<Entry, ServerError> {
        self.ledger.as_mut().expect(PRESENT)
    }
}

/// A notification was answered, or `is_assumed` says that this is no more than a guess.
fn resolve_replied(context: &SourceContext, is_assumed: bool, (entry, error): Replied<Entry, ServerError>) {
    match error {
        // A refusal, too, may be that of another one.
        _ if is_assumed => resolve(context, entry, Delivery::Sent),
        None => resolve(context, entry, Delivery::Acknowledged),
        Some(error) => {
            context.counters.notifications_rejected.add_one();
            entry.resolve(Err(DeliveryError::Rejected(error)));
        }
    }
}

fn resolve(context: &SourceContext, entry: Entry, delivery: Delivery) {
    context.counters.notifications_delivered.add_one();
    entry.resolve(Ok(delivery));
}

impl Drop for Deliveries {
    /// The link is over: what is not known to have been delivered is sent again, before all others.
    fn drop(&mut self) {
        if let Some(ledger) = self.ledger.take() {
            self.context.set.learn(ledger.known(), ledger.is_contradicted());
            self.context.outbox.put_back(ledger.into_unacknowledged());
        }
    }
}
