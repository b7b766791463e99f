//! [`perform`]: does what a recording has, in its order and at its intervals.

use std::collections::HashMap;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::super::answer::Answers;
use super::super::error::ProgramError;
use super::super::remote::Remote;
use super::Speed;
use super::recording::{Recorded, Recording, Request, Step};
use super::report::Report;
use super::verdict::Given;

/// Queries on their way at a time; the next waits for one of them.
const QUERIES: usize = 64;

/// Does all of it.
///
/// # Errors
///
/// When the simulator or the reader of the report goes away. What a connector or the simulator refuses is in the report.
pub(super) fn perform(
    recording: &Recording,
    speed: Speed,
    remote: &Remote,
    report: &Report,
) -> Result<(), ProgramError> {
    let (begin, started) = (recording.begin(), Instant::now());
    thread::scope(|scope| {
        let mut stage = Stage { scope, remote, report, running: HashMap::new() };
        for (number, step) in recording.steps.iter().enumerate() {
            if let Step::Publish(request) | Step::Query(request, _) = step {
                let due = delay(speed, request.at - begin);
                thread::sleep(due.saturating_sub(started.elapsed()));
            }
            stage.take(number, step)?;
        }
        stage.finish()
    })
}

/// When something is due, since the beginning.
fn delay(speed: Speed, ms: f64) -> Duration {
    match speed {
        Speed::Max => Duration::ZERO,
        // Clocks may have been set back; what that comes to is due at once.
        Speed::Times(times) => Duration::try_from_secs_f64(ms / 1_000.0 / times).unwrap_or_default(),
    }
}

/// Where it is done.
struct Stage<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    remote: &'env Remote,
    report: &'env Report,
    /// Queries without an end, by their step.
    running: HashMap<usize, ScopedJoinHandle<'scope, Result<(), ProgramError>>>,
}

impl<'scope, 'env: 'scope> Stage<'scope, 'env> {
    fn take(&mut self, number: usize, step: &'env Step) -> Result<(), ProgramError> {
        match step {
            Step::Publish(request) => publish(self.remote, self.report, request),
            Step::Query(request, recorded) => {
                if self.running.len() >= QUERIES {
                    self.wait_for_oldest()?;
                }
                let (remote, report) = (self.remote, self.report);
                let running = self.scope.spawn(move || query(remote, report, request, recorded));
                self.running.insert(number, running);
                Ok(())
            }
            Step::Await(step) => self.wait_for(*step),
            Step::Unsent(unsent) => Ok(self.report.not_replayed(unsent)?),
        }
    }

    fn finish(&mut self) -> Result<(), ProgramError> {
        while !self.running.is_empty() {
            self.wait_for_oldest()?;
        }
        Ok(())
    }

    fn wait_for_oldest(&mut self) -> Result<(), ProgramError> {
        let oldest = self.running.keys().min().copied();
        oldest.map_or(Ok(()), |oldest| self.wait_for(oldest))
    }

    /// It may have been waited for already.
    fn wait_for(&mut self, step: usize) -> Result<(), ProgramError> {
        let Some(running) = self.running.remove(&step) else { return Ok(()) };
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn publish(remote: &Remote, report: &Report, request: &Request) -> Result<(), ProgramError> {
    match remote.publish(&request.source, &request.object) {
        Ok(()) => Ok(report.published(request)?),
        Err(ProgramError::Refused { code, message }) => {
            Ok(report.failed("publish", request, &code, &message)?)
        }
        Err(error) => Err(error),
    }
}

fn query(
    remote: &Remote,
    report: &Report,
    request: &Request,
    recorded: &Recorded,
) -> Result<(), ProgramError> {
    match remote.query(&request.source, &request.object).and_then(collect) {
        Ok(given) => Ok(report.answered(request, &given, recorded)?),
        Err(ProgramError::Refused { code, message }) => Ok(report.failed("query", request, &code, &message)?),
        Err(error) => Err(error),
    }
}

/// The whole answer, also if the connector says no.
fn collect(mut answers: Answers) -> Result<Given, ProgramError> {
    let mut rows = Vec::new();
    loop {
        let (_, timed) = answers.next()?;
        rows.extend_from_slice(timed.answer.rows());
        if let Some(status) = timed.answer.status()? {
            return Ok(Given { status, rows, ms: timed.ms });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_divided_by_the_speed() {
        assert_eq!(delay(Speed::Times(1.0), 500.0), Duration::from_millis(500));
        assert_eq!(delay(Speed::Times(4.0), 500.0), Duration::from_millis(125));
        assert_eq!(delay(Speed::Times(1.0), -500.0), Duration::ZERO);
        assert_eq!(delay(Speed::Max, 500.0), Duration::ZERO);
    }
}
