//! [`poll`]: what most connectors do, asking a device or a service again and again.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::error;

use crate::{contain::Contained, context::SourceContext};

/// The part of the period by which a call may come late, so that a thousand sources which began together do
/// not ask together for ever.
const JITTER: f64 = 0.1;
/// The resolution of the timer.
const SHORTEST: Duration = Duration::from_millis(1);

/// When the calls are due: on a grid that does not drift, each a little late by chance.
#[derive(Debug)]
struct Schedule {
    period: Duration,
    /// The point of the grid that is next; `None` where the clock does not reach so far.
    point: Option<Instant>,
    /// Whether there was none before it.
    is_first: bool,
}

impl Schedule {
    fn new(period: Duration, start: Instant) -> Self {
        Self { period: period.max(SHORTEST), point: Some(start), is_first: true }
    }

    /// When the next call is due; `random` is drawn evenly from 0 to 1. Points of the grid that passed during
    /// the last call are left out, not made up for. `None` where the clock does not reach so far.
    fn next(&mut self, now: Instant, random: f64) -> Option<Instant> {
        let mut point = self.point?;
        if !self.is_first {
            let passed = now.saturating_duration_since(point).div_duration_f64(self.period).ceil();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
            let passed = self.period.checked_mul(passed as u32)?;
            point = point.checked_add(passed)?;
        }
        self.is_first = false;
        self.point = point.checked_add(self.period);
        point.checked_add(self.period.mul_f64(random * JITTER))
    }
}

/// Calls `call` every `period` for as long as it is polled itself. A call that fails or panics is logged and
/// counted, and the next one comes all the same.
pub(crate) async fn poll<F, Fut>(context: &SourceContext, period: Duration, mut call: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let mut schedule = Schedule::new(period, Instant::now());
    while let Some(due) = schedule.next(Instant::now(), context.options.chance.draw()) {
        sleep_until(due).await;
        // An error is read where a panic of its own is contained, too.
        let called = async { call().await.map_err(|failed| format!("{failed:#}")) };
        let why = match Contained::new(Box::pin(called)).await {
            Ok(Ok(())) => continue,
            Ok(Err(failed)) => failed,
            Err(_) => "it panicked".to_owned(),
        };
        if let Some(count) = context.counters.polls_failed.add_for_a_line(1) {
            error!(error = why, count, "a call of `every` failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use anyhow::bail;
    use tokio::time::sleep;

    use super::*;
    use crate::context::Options;

    const PERIOD: Duration = Duration::from_secs(10);

    fn offsets(random: f64, lasting: Duration, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD, start);
        let mut now = start + Duration::from_nanos(1);
        let next = || {
            let due = schedule.next(now, random).unwrap();
            now = due + lasting;
            (due - start).as_millis()
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn calls_are_due_on_a_grid_and_late_by_a_tenth_at_most() {
        assert_eq!(offsets(0.0, Duration::from_secs(3), 3), [0, 10_000, 20_000]);
        assert_eq!(offsets(1.0, Duration::from_secs(3), 3), [1_000, 11_000, 21_000]);
    }

    #[test]
    fn a_long_call_is_never_overlapped_and_what_it_missed_is_left_out() {
        assert_eq!(offsets(0.0, Duration::from_secs(25), 3), [0, 30_000, 60_000]);
    }

    /// The points were counted in 32 bits.
    #[test]
    fn a_short_period_goes_on_for_months() {
        let start = Instant::now();
        let mut schedule = Schedule::new(SHORTEST, start);
        schedule.next(start, 0.0);
        for day in 1..100 {
            let now = start + Duration::from_hours(24 * day);
            assert_eq!(schedule.next(now, 0.0), Some(now));
        }
    }

    #[test]
    fn a_period_that_never_ends_ends_the_schedule() {
        let mut schedule = Schedule::new(Duration::MAX, Instant::now());
        assert!(schedule.next(Instant::now(), 0.0).is_some());
        assert_eq!(schedule.next(Instant::now(), 0.0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_and_panics_are_counted_and_the_next_call_comes() {
        let context = SourceContext::unconnected(Options::default());
        let calls = Arc::new(Mutex::new(0));
        let count = Arc::clone(&calls);
        let call = move || {
            let number = {
                let mut calls = count.lock().unwrap();
                *calls += 1;
                *calls
            };
            async move {
                match number {
                    1 => bail!("no answer"),
                    2 => panic!("as the test says"),
                    _ => Ok(()),
                }
            }
        };
        tokio::select! {
            () = poll(&context, PERIOD, call) => {}
            () = sleep(PERIOD * 4 + PERIOD / 2) => {}
        }
        assert_eq!((*calls.lock().unwrap(), context.counters.polls_failed.get()), (5, 2));
    }
}
