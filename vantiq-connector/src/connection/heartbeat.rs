//! [`Heartbeat`]: when to ping, and when a peer counts as dead that says nothing or takes nothing.
//!
//! Pings are measured from the last ping, so no traffic can starve them. Any byte that comes in is life, and
//! so is any that a full socket takes again: on a slow link a pong may wait for a long time behind a large
//! message, in either direction. While we do not read, because a handler is slow, silence is our own doing and
//! counts for nothing.

use std::time::Duration;

use tokio::time::Instant;

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping,
    /// It says nothing.
    Dead,
    /// It takes nothing.
    Stuck,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// From one ping to the next.
    pub(crate) ping: Duration,
    /// Without a sign of life.
    pub(crate) silence: Duration,
    /// Without taking a byte of what waits to be written.
    pub(crate) stall: Duration,
}

/// Watches the life of one link.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    pace: Pace,
    next_ping: Instant,
    /// Since when the peer is silent; `None` while we do not read.
    silent_since: Option<Instant>,
    /// Since when the peer takes nothing; `None` while nothing waits.
    stuck_since: Option<Instant>,
    traffic: Traffic,
}

/// What passed over the link so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traffic {
    /// Bytes read.
    pub(crate) read: u64,
    /// Bytes written.
    pub(crate) written: u64,
    /// How often bytes were taken again by a socket that had been full.
    pub(crate) drained: u64,
}

impl Heartbeat {
    pub(crate) fn new(pace: Pace, now: Instant) -> Self {
        Self {
            pace,
            next_ping: now + pace.ping,
            silent_since: Some(now),
            stuck_since: None,
            traffic: Traffic::default(),
        }
    }

    const fn alive(&mut self, now: Instant) {
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

    /// Says what passed over the link so far, and whether anything waits to be written.
    pub(crate) fn traffic(&mut self, traffic: Traffic, waiting: bool, now: Instant) {
        let before = std::mem::replace(&mut self.traffic, traffic);
        if (traffic.read, traffic.drained) != (before.read, before.drained) {
            self.alive(now);
        }
        self.stuck_since = match self.stuck_since {
            _ if !waiting => None,
            Some(since) if traffic.written == before.written => Some(since),
            _ => Some(now),
        };
    }

    /// When [`due`](Self::due) has something to say.
    pub(crate) fn due_at(&self) -> Instant {
        let dead_at = self.silent_since.map(|since| since + self.pace.silence);
        let stuck_at = self.stuck_since.map(|since| since + self.pace.stall);
        dead_at.into_iter().chain(stuck_at).fold(self.next_ping, Instant::min)
    }

    /// What is to be done at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Beat> {
        if self.silent_since.is_some_and(|since| now >= since + self.pace.silence) {
            return Some(Beat::Dead);
        }
        if self.stuck_since.is_some_and(|since| now >= since + self.pace.stall) {
            return Some(Beat::Stuck);
        }
        if now < self.next_ping {
            return None;
        }
        self.next_ping = now + self.pace.ping;
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
        (Heartbeat::new(Pace { ping: INTERVAL, silence: PATIENCE, stall: PATIENCE }, start), start)
    }

    /// So many bytes in, out, and taken again.
    fn traffic(read: u64, written: u64, drained: u64) -> Traffic {
        Traffic { read, written, drained }
    }

    #[test]
    fn pings_follow_each_other_whatever_comes_in() {
        let (mut heartbeat, start) = heartbeat();
        let mut pings = Vec::new();
        for second in 0..40 {
            heartbeat.traffic(traffic(second, 0, 0), false, start + seconds(second));
            if heartbeat.due(start + seconds(second)) == Some(Beat::Ping) {
                pings.push(second);
            }
        }
        assert_eq!(pings, [10, 20, 30]);
    }

    #[test]
    fn silence_for_the_whole_patience_is_death() {
        let (mut heartbeat, start) = heartbeat();
        heartbeat.traffic(traffic(1, 0, 0), false, start + seconds(3));
        heartbeat.traffic(traffic(1, 7, 0), false, start + seconds(9));
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

    #[test]
    fn a_peer_that_takes_not_a_byte_is_stuck() {
        let (mut heartbeat, start) = heartbeat();
        let at = |second| start + seconds(second);
        heartbeat.traffic(traffic(0, 5, 0), true, at(3));
        for second in 4..23 {
            heartbeat.traffic(traffic(second, 5, 0), true, at(second));
            assert_ne!(heartbeat.due(at(second)), Some(Beat::Stuck), "{second}");
        }
        assert_eq!(heartbeat.due_at(), at(23));
        assert_eq!(heartbeat.due(at(23)), Some(Beat::Stuck));
    }

    #[test]
    fn a_large_message_on_a_slow_link_is_life_in_either_direction() {
        for (read, drained) in [(1, 0), (0, 1)] {
            let (mut heartbeat, start) = heartbeat();
            for second in 0..600 {
                let now = start + seconds(second);
                heartbeat.traffic(traffic(second * read, second * 100, second * drained), true, now);
                let beat = heartbeat.due(now);
                assert!(matches!(beat, None | Some(Beat::Ping)), "{second}: {beat:?}");
            }
        }
    }

    #[test]
    fn what_the_operating_system_takes_at_once_is_no_sign_of_life() {
        let (mut heartbeat, start) = heartbeat();
        for second in 0..20 {
            heartbeat.traffic(traffic(0, second * 100, 0), false, start + seconds(second));
            assert_ne!(heartbeat.due(start + seconds(second)), Some(Beat::Dead));
        }
        assert_eq!(heartbeat.due(start + PATIENCE), Some(Beat::Dead));
    }
}
