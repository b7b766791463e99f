//! [`Pacer`]: how many handshakes may begin in a second, the key `connectRate`.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Spreads what all sources begin, evenly and in the order in which they ask.
#[derive(Debug)]
pub(crate) struct Pacer {
    interval: Duration,
    /// When the next one may begin; `None` before the first.
    next: Mutex<Option<Instant>>,
}

impl Pacer {
    /// Without a rate nobody waits.
    pub(crate) fn new(per_second: Option<f64>) -> Self {
        let interval = per_second.map_or(Duration::ZERO, |rate| {
            // A rate so small that its interval is no duration means hardly ever.
            Duration::try_from_secs_f64(rate.recip()).unwrap_or(Duration::from_hours(24))
        });
        Self { interval: interval.min(Duration::from_hours(24)), next: Mutex::default() }
    }

    /// Waits for its turn.
    ///
    /// Cancel safe: whoever gives up leaves a gap, and nobody waits longer for it.
    pub(crate) async fn turn(&self) {
        if self.interval > Duration::ZERO {
            sleep_until(self.reserve(Instant::now())).await;
        }
    }

    fn reserve(&self, now: Instant) -> Instant {
        // No code that can panic runs under the lock.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn at_a_rate_turns_come_evenly_and_what_was_not_used_is_not_saved_up() {
        let (pacer, start) = (Pacer::new(Some(50.0)), Instant::now());
        let mut turns = Vec::new();
        for _ in 0..3 {
            pacer.turn().await;
            turns.push(start.elapsed().as_millis());
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        for _ in 0..2 {
            pacer.turn().await;
            turns.push(start.elapsed().as_millis());
        }
        assert_eq!(turns, [0, 20, 40, 10_040, 10_060]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let (pacer, start) = (Pacer::new(None), Instant::now());
        for _ in 0..1_000 {
            pacer.turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
