//! [`Quiet`]: finds the moments at which a link is quiet, so that the ledger can settle its doubts.
//!
//! Quiet means: for a while no message was sent and no reply came; then a ping was sent and answered; and
//! after the pong again no reply came for a while. What the server had to say by then it has said.

use std::time::Duration;

use tokio::time::Instant;

/// How long nothing must happen, before the ping and again after the pong.
const CALM: Duration = Duration::from_millis(500);
/// How long missing replies are waited for, from the last message or reply.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a ping and say so with [`Quiet::ping_sent`].
    Ping,
    /// Settle the ledger; `patience_over` goes with it.
    Settle { patience_over: bool },
}

/// Watches one link.
#[derive(Debug)]
pub(crate) struct Quiet {
    last_activity: Instant,
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
    pub(crate) fn new(now: Instant) -> Self {
        Self { last_activity: now, phase: Phase::Calming(now + CALM) }
    }

    /// A message was sent, or a reply came: begin anew.
    pub(crate) fn activity(&mut self, now: Instant) {
        *self = Self::new(now);
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
        match self.phase {
            Phase::Calming(at) if at <= now => Some(Due::Ping),
            Phase::Proven(at) if at <= now => {
                self.phase = Phase::Calming(now + CALM);
                Some(Due::Settle { patience_over: now - self.last_activity >= PATIENCE })
            }
            _ => None,
        }
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
        let mut quiet = Quiet::new(start);
        assert_eq!(quiet.due(start), None);
        let calm = quiet.due_at().unwrap();
        assert_eq!(quiet.due(calm), Some(Due::Ping));
        quiet.ping_sent(7);
        assert_eq!(quiet.due_at(), None);
        quiet.pong(6, calm);
        assert_eq!(quiet.due_at(), None, "the pong of an earlier ping proves nothing");
        quiet.pong(7, calm);
        let proven = quiet.due_at().unwrap();
        assert_eq!(quiet.due(proven), Some(Due::Settle { patience_over: false }));
    }

    #[test]
    fn activity_begins_anew() {
        let start = Instant::now();
        let mut quiet = Quiet::new(start);
        quiet.ping_sent(1);
        quiet.activity(start);
        quiet.pong(1, start);
        assert_eq!(quiet.due(start + CALM), Some(Due::Ping));
    }

    #[test]
    fn patience_ends() {
        let start = Instant::now();
        let mut quiet = Quiet::new(start);
        quiet.ping_sent(1);
        quiet.pong(1, start + PATIENCE);
        let due = quiet.due(start + PATIENCE + CALM);
        assert_eq!(due, Some(Due::Settle { patience_over: true }));
    }
}
