//! [`ScenarioError`]: the step at which a scenario failed, and why.

use crate::error::SimulatorError;

/// Why a scenario failed, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", place(*step, *steps, words))]
pub struct ScenarioError {
    pub(super) step: usize,
    pub(super) steps: usize,
    pub(super) words: String,
    pub(super) kind: ScenarioErrorKind,
    #[source]
    pub(super) cause: Option<SimulatorError>,
}

/// The kinds of [`ScenarioError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioErrorKind {
    /// Something else came than what was expected, or nothing.
    #[error("expected {expected}, but came {came}")]
    Unexpected {
        /// What was expected, in words; long JSON is cut off.
        expected: String,
        /// What came instead.
        came: String,
    },
    /// The step could not be done or did not come about; the cause is a [`SimulatorError`].
    #[error("it did not come about")]
    Undone,
    /// All steps were done, but the connector did what the protocol forbids.
    #[error("violations of the protocol: {}", .0.join("; "))]
    Violations(Vec<String>),
}

impl ScenarioError {
    /// The step, from 1; one more than there are where the whole was wrong.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The step in words, such as `publish {"target":21}`.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> &ScenarioErrorKind {
        &self.kind
    }
}

fn place(step: usize, steps: usize, words: &str) -> String {
    if step > steps { words.to_owned() } else { format!("step {step} of {steps}, `{words}`") }
}
