//! [`Heartbeat`]: when to ping, and when a silent peer counts as dead.
//!
//! Pings are measured from the last ping, so no traffic can starve them. Any inbound frame is life. While
//! we do not read, because a handler is slow, silence is our own doing and counts for nothing.

use std::time::Duration;

use tokio::time::Instant;

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping,
    Dead,
}

/// Watches the life of one link.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    patience: Duration,
    next_ping: Instant,
    /// Since when the peer is silent; `None` while we do not read.
    silent_since: Option<Instant>,
}

impl Heartbeat {
    /// Pings every `interval`; the peer is dead after `patience` without any frame.
    pub(crate) fn new(interval: Duration, patience: Duration, now: Instant) -> Self {
        Self { interval, patience, next_ping: now + interval, silent_since: Some(now) }
    }

    /// A frame came in.
    pub(crate) const fn alive(&mut self, now: Instant) {
        if self.silent_since.is_some() {
            self.silent_since = Some(now);
        }
    }

    /// Says whether we read; the clock of silence stands still while we do not, and starts anew after.
    pub(crate) fn reading(&mut self, reading: bool, now: Instant) {
        match (reading, self.silent_since) {
            (true, None) => self.silent_since = Some(now),
            (false, Some(_)) => self.silent_since = None,
            _ => {}
        }
    }

    /// When [`due`](Self::due) has something to say.
    pub(crate) fn due_at(&self) -> Instant {
        let dead_at = self.silent_since.map(|since| since + self.patience);
        dead_at.map_or(self.next_ping, |dead_at| dead_at.min(self.next_ping))
    }

    /// What is to be done at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Beat> {
        if self.silent_since.is_some_and(|since| now >= since + self.patience) {
            return Some(Beat::Dead);
        }
        if now < self.next_ping {
            return None;
        }
        self.next_ping = now + self.interval;
        Some(Beat::Ping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);
    const PATIENCE: Duration = Duration::from_secs(20);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn heartbeat() -> (Heartbeat, Instant) {
        let start = Instant::now();
        (Heartbeat::new(INTERVAL, PATIENCE, start), start)
    }

    #[test]
    fn pings_follow_each_other_whatever_comes_in() {
        let (mut heartbeat, start) = heartbeat();
        let mut pings = Vec::new();
        for second in 0..40 {
            heartbeat.alive(start + seconds(second));
            if heartbeat.due(start + seconds(second)) == Some(Beat::Ping) {
                pings.push(second);
            }
        }
        assert_eq!(pings, [10, 20, 30]);
    }

    #[test]
    fn silence_for_the_whole_patience_is_death() {
        let (mut heartbeat, start) = heartbeat();
        heartbeat.alive(start + seconds(3));
        assert_ne!(heartbeat.due(start + seconds(22)), Some(Beat::Dead));
        assert_eq!(heartbeat.due(start + seconds(23)), Some(Beat::Dead));
    }

    #[test]
    fn while_we_do_not_read_silence_is_our_own() {
        let (mut heartbeat, start) = heartbeat();
        heartbeat.reading(false, start + seconds(1));
        assert_eq!(heartbeat.due(start + seconds(1_000)), Some(Beat::Ping));
        heartbeat.reading(true, start + seconds(1_000));
        assert_eq!(heartbeat.due(start + seconds(1_019)), Some(Beat::Ping));
        assert_eq!(heartbeat.due(start + seconds(1_020)), Some(Beat::Dead));
    }

    #[test]
    fn it_wakes_for_whatever_is_first() {
        let (mut heartbeat, start) = heartbeat();
        assert_eq!(heartbeat.due_at(), start + INTERVAL);
        assert_eq!(heartbeat.due(start + seconds(19)), Some(Beat::Ping));
        assert_eq!(heartbeat.due_at(), start + PATIENCE);
    }
}
