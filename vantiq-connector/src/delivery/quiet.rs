//! [`Quiet`]: finds the moments at which a link is quiet, so that the ledger can settle its doubts.
//!
//! Quiet means: for a while no message was sent and no reply came; then a ping was sent and answered; and
//! after the pong again no reply came for a while. What the server had to say by then it has said. Where
//! pings are not allowed (`sendPings=false`) a longer while has to do.

use std::time::Duration;

use tokio::time::Instant;

use super::Evidence;

/// How long nothing must happen, before the ping and again after the pong.
pub(crate) const CALM: Duration = Duration::from_millis(500);
/// How long nothing must happen where no ping can prove anything.
const CALM_WITHOUT_PINGS: Duration = Duration::from_secs(2);
/// How long missing replies are waited for, from the last notification or reply.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a ping and say so with [`Quiet::ping_sent`].
    Ping,
    /// Settle the ledger.
    Settle(Evidence),
}

/// Watches one link.
#[derive(Debug)]
pub(crate) struct Quiet {
    may_ping: bool,
    /// When the last notification was sent or the last reply came.
    last_progress: Instant,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Waiting for calm until this instant.
    Calming(Instant),
    /// Waiting for this pong.
    Probing(u64),
    /// The pong came; settling at this instant.
    Proven(Instant),
}

impl Quiet {
    pub(crate) fn new(may_ping: bool, now: Instant) -> Self {
        let calm = if may_ping { CALM } else { CALM_WITHOUT_PINGS };
        Self { may_ping, last_progress: now, phase: Phase::Calming(now + calm) }
    }

    /// A notification was sent, or a reply came: begin anew.
    pub(crate) fn progress(&mut self, now: Instant) {
        *self = Self::new(self.may_ping, now);
    }

    /// Another message was sent: wait for calm anew, with no more patience than before.
    pub(crate) fn disturbed(&mut self, now: Instant) {
        self.phase = Self::new(self.may_ping, now).phase;
    }

    /// When the last notification was sent or the last reply came.
    pub(crate) const fn last_progress(&self) -> Instant {
        self.last_progress
    }

    /// When [`due`](Self::due) has something to say; `None` while a pong is awaited.
    pub(crate) const fn due_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Calming(at) | Phase::Proven(at) => Some(at),
            Phase::Probing(_) => None,
        }
    }

    /// What is to be done at `now`. After [`Due::Settle`] it begins anew, as the ledger may be undecided.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        let evidence = match self.phase {
            Phase::Calming(at) if at <= now && self.may_ping => return Some(Due::Ping),
            Phase::Calming(at) if at <= now => Evidence::Calm,
            Phase::Proven(at) if at <= now => Evidence::Pong,
            _ => return None,
        };
        let patience_over = now - self.last_progress >= PATIENCE;
        self.phase = Self::new(self.may_ping, now).phase;
        Some(Due::Settle(if patience_over { Evidence::Patience } else { evidence }))
    }

    /// The ping that was due went out with this number.
    pub(crate) const fn ping_sent(&mut self, number: u64) {
        self.phase = Phase::Probing(number);
    }

    /// A pong came, for this ping or a later one.
    pub(crate) fn pong(&mut self, number: u64, now: Instant) {
        if matches!(self.phase, Phase::Probing(awaited) if awaited <= number) {
            self.phase = Phase::Proven(now + CALM);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_ping_pong_calm_settles() {
        let start = Instant::now();
        let mut quiet = Quiet::new(true, start);
        assert_eq!(quiet.due(start), None);
        let calm = quiet.due_at().unwrap();
        assert_eq!(quiet.due(calm), Some(Due::Ping));
        quiet.ping_sent(7);
        assert_eq!(quiet.due_at(), None);
        quiet.pong(6, calm);
        assert_eq!(quiet.due_at(), None, "the pong of an earlier ping proves nothing");
        quiet.pong(7, calm);
        let proven = quiet.due_at().unwrap();
        assert_eq!(quiet.due(proven), Some(Due::Settle(Evidence::Pong)));
    }

    #[test]
    fn activity_begins_anew() {
        let start = Instant::now();
        let mut quiet = Quiet::new(true, start);
        quiet.ping_sent(1);
        quiet.progress(start);
        quiet.pong(1, start);
        assert_eq!(quiet.due(start + CALM), Some(Due::Ping));
    }

    #[test]
    fn patience_ends() {
        let start = Instant::now();
        let mut quiet = Quiet::new(true, start);
        quiet.ping_sent(1);
        quiet.pong(1, start + PATIENCE);
        let due = quiet.due(start + PATIENCE + CALM);
        assert_eq!(due, Some(Due::Settle(Evidence::Patience)));
    }

    #[test]
    fn without_pings_a_longer_calm_has_to_do() {
        let start = Instant::now();
        let mut quiet = Quiet::new(false, start);
        assert_eq!(quiet.due(start + CALM), None);
        assert_eq!(quiet.due(start + CALM_WITHOUT_PINGS), Some(Due::Settle(Evidence::Calm)));
    }
}
