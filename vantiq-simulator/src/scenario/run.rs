//! Does the steps of a scenario.

use super::Scenario;
use super::answer::Came;
use super::error::{ScenarioError, ScenarioErrorKind};
use super::step::Step;
use crate::error::{SimulatorError, SimulatorErrorKind};
use crate::excerpt::excerpt;
use crate::simulator::Simulator;
use crate::source::Source;

/// Violations that are told.
const VIOLATIONS_SHOWN: usize = 3;

pub(super) async fn run(scenario: &Scenario, simulator: &Simulator) -> Result<(), ScenarioError> {
    let source = simulator.source(&scenario.source);
    let mut run = Run { attached: source.sessions(), source };
    let steps = scenario.steps.len();
    for (step, number) in scenario.steps.iter().zip(1..) {
        let done = run.perform(step).await;
        done.map_err(|Problem { kind, cause }| ScenarioError {
            step: number,
            steps,
            words: step.to_string(),
            kind,
            cause,
        })?;
    }
    let violations: Vec<_> = simulator.violations().into_iter().take(VIOLATIONS_SHOWN).collect();
    if violations.is_empty() {
        return Ok(());
    }
    let (kind, words) = (ScenarioErrorKind::Violations(violations), "after the last step".to_owned());
    Err(ScenarioError { step: steps + 1, steps, words, kind, cause: None })
}

/// A scenario on its way.
struct Run {
    source: Source,
    /// How many sessions there had been when the connector was last found attached.
    attached: u64,
}

/// Why a step failed.
struct Problem {
    kind: ScenarioErrorKind,
    cause: Option<SimulatorError>,
}

impl From<SimulatorError> for Problem {
    fn from(cause: SimulatorError) -> Self {
        Self { kind: ScenarioErrorKind::Undone, cause: Some(cause) }
    }
}

impl Problem {
    fn unexpected(expected: &impl ToString, came: &impl ToString) -> Self {
        let kind = ScenarioErrorKind::Unexpected { expected: expected.to_string(), came: came.to_string() };
        Self { kind, cause: None }
    }
}

impl Run {
    async fn perform(&mut self, step: &Step) -> Result<(), Problem> {
        let source = &self.source;
        match step {
            Step::Attached => {
                source.wait_attached().await?;
                self.attached = source.sessions();
            }
            Step::AttachedAgain => {
                source.wait_sessions(self.attached + 1).await?;
                self.attached = source.sessions();
            }
            Step::Publish(object) => source.publish(object.clone()).await?,
            Step::Query(object, expected) => {
                let reply = source.query(object.clone()).await?;
                if !expected.is(&reply) {
                    return Err(Problem::unexpected(expected, &Came(&reply)));
                }
            }
            Step::Notification(expected) => return self.notification(expected).await,
            Step::NotificationWhere(_, test) => {
                source.expect_notification(|notification| test.says_yes(notification)).await?;
            }
            Step::Configure(configuration) => source.configure(configuration.clone()).await?,
            Step::Cut(cut) => source.cut(*cut).await?,
            Step::Refuse(times, refusal) => source.refuse_times(*times, refusal.clone()),
        }
        Ok(())
    }

    async fn notification(&self, expected: &serde_json::Value) -> Result<(), Problem> {
        let next = match self.source.next_notification().await {
            Ok(next) => next,
            Err(error) => match error.kind() {
                SimulatorErrorKind::Deadline { after, .. } => {
                    return Err(Problem::unexpected(&excerpt(expected), &format!("none within {after:?}")));
                }
                _ => return Err(error.into()),
            },
        };
        if next.object == *expected {
            return Ok(());
        }
        Err(Problem::unexpected(&excerpt(expected), &excerpt(&next.object)))
    }
}
