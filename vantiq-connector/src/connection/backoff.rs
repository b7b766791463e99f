//! [`Backoff`]: growing, jittered delays between attempts.

use std::time::Duration;

use crate::context::Options;

/// The first and the longest delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackoffRange {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl BackoffRange {
    /// The range between attempts to connect.
    pub(crate) const fn of(options: &Options) -> Self {
        Self { first: options.backoff_first, longest: options.backoff_longest }
    }
}

/// How a delay is drawn below its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jitter {
    /// Anywhere from nothing to the bound: spreads a thousand sources best.
    Full,
    /// From half the bound to the bound: no two attempts ever follow at once.
    Equal,
}

/// Delays whose bound doubles up to the longest. Never ends.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    range: BackoffRange,
    jitter: Jitter,
    bound: Duration,
}

impl Backoff {
    pub(crate) const fn new(range: BackoffRange, jitter: Jitter) -> Self {
        Self { range, jitter, bound: range.first }
    }

    /// Starts again at the first delay. Called when a session has proved itself, not at the first success:
    /// a server that accepts and drops at once must not be dialled without end.
    pub(crate) const fn reset(&mut self) {
        self.bound = self.range.first;
    }

    /// The next delay; `random` is drawn evenly from 0 to 1.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let bound = self.bound.min(self.range.longest);
        self.bound = (bound * 2).min(self.range.longest);
        match self.jitter {
            Jitter::Full => bound.mul_f64(random),
            Jitter::Equal => bound.mul_f64(random.midpoint(1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: BackoffRange =
        BackoffRange { first: Duration::from_millis(500), longest: Duration::from_secs(30) };

    fn bounds(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.next(1.0).as_millis()).collect()
    }

    #[test]
    fn bounds_double_up_to_the_longest_and_stay_there() {
        let mut backoff = Backoff::new(RANGE, Jitter::Full);
        assert_eq!(bounds(&mut backoff, 9), [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    }

    #[test]
    fn a_reset_starts_again() {
        let mut backoff = Backoff::new(RANGE, Jitter::Full);
        let _ = bounds(&mut backoff, 5);
        backoff.reset();
        assert_eq!(bounds(&mut backoff, 2), [500, 1000]);
    }

    #[test]
    fn full_jitter_starts_at_nothing_and_equal_jitter_at_half() {
        assert_eq!(Backoff::new(RANGE, Jitter::Full).next(0.0), Duration::ZERO);
        assert_eq!(Backoff::new(RANGE, Jitter::Equal).next(0.0), RANGE.first / 2);
    }
}
