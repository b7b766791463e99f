//! [`Scenario`]: what a server does and expects of a connector, step by step.
//!
//! A scenario is a list of [steps](step::Step). [`run`] does them against a simulator; what an answer has to be is
//! decided in [`answer`], without I/O.

mod answer;
mod error;
mod run;
mod step;

use serde_json::Value;

use self::answer::ExpectedAnswer;
pub use self::error::{ScenarioError, ScenarioErrorKind};
use self::step::{Step, Test};
use crate::cut::Cut;
use crate::query::QueryReply;
use crate::recording::Notification;
use crate::refusal::Refusal;
use crate::simulator::Simulator;

/// A script for one source, which a test writes down and [runs](Self::run).
///
/// ```no_run
/// use serde_json::json;
/// use vantiq_simulator::{Cut, Scenario};
///
/// # async fn example(simulator: vantiq_simulator::Simulator) -> Result<(), Box<dyn std::error::Error>> {
/// Scenario::of("thermostat")
///     .attached()
///     .publish(json!({"target": 21}))
///     .notification(json!({"accepted": 21}))
///     .query(json!({"op": "current"}))
///     .answers_row(json!({"value": 21.5}))
///     .cut(Cut::Abort)
///     .attached_again()
///     .query(json!({"op": "weather"}))
///     .answers_error("vantiq.connector.query.shape")
///     .run(&simulator)
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// Each step begins when the one before is done; each has the simulator's deadline, and a query the query timeout.
/// For whatever has no step here, end the scenario, write it in code, and begin another one.
#[derive(Debug, Clone)]
#[must_use = "a scenario does nothing until it is run"]
pub struct Scenario {
    source: String,
    steps: Vec<Step>,
}

/// A query of a [`Scenario`] that lacks what is expected as its answer.
#[derive(Debug, Clone)]
#[must_use = "say what the answer has to be"]
pub struct ScenarioQuery {
    scenario: Scenario,
    query: Value,
}

impl Scenario {
    /// A scenario for the source of this name, without any steps.
    pub fn of(source: impl Into<String>) -> Self {
        Self { source: source.into(), steps: Vec::new() }
    }

    /// A connector is attached; waits for it.
    pub fn attached(self) -> Self {
        self.then(Step::Attached)
    }

    /// A connector is attached once more: since the last step that waited for that, or since the beginning. Follows a
    /// [`cut`](Self::cut) or a [`configure`](Self::configure).
    pub fn attached_again(self) -> Self {
        self.then(Step::AttachedAgain)
    }

    /// Sends a publish.
    pub fn publish(self, object: impl Into<Value>) -> Self {
        self.then(Step::Publish(object.into()))
    }

    /// Sends a query, of which what follows says how it has to be answered.
    pub fn query(self, object: impl Into<Value>) -> ScenarioQuery {
        ScenarioQuery { scenario: self, query: object.into() }
    }

    /// The next notification is this one; waits for it. Notifications count that were not handed out before, also
    /// those that came before the scenario began.
    pub fn notification(self, object: impl Into<Value>) -> Self {
        self.then(Step::Notification(object.into()))
    }

    /// A notification comes for which the test says yes; waits for it and skips those before. `words` say which, in
    /// the error.
    pub fn notification_where(
        self,
        words: impl Into<String>,
        is_expected: impl Fn(&Notification) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.then(Step::NotificationWhere(words.into(), Test::new(is_expected)))
    }

    /// Changes the configuration document, so that the connector has to attach again.
    pub fn configure(self, configuration: impl Into<Value>) -> Self {
        self.then(Step::Configure(configuration.into()))
    }

    /// Ends the link.
    pub fn cut(self, cut: Cut) -> Self {
        self.then(Step::Cut(cut))
    }

    /// From here on, refuses the next `connectExtension`s, so many of them.
    pub fn refuse(self, times: usize, refusal: Refusal) -> Self {
        self.then(Step::Refuse(times, refusal))
    }

    /// Does the steps one after another, and then looks whether the connector did anything that the protocol
    /// forbids, up to then: what it does after the last step is among the
    /// [`violations`](Simulator::violations) when it has been stopped. A scenario may be run more than once.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] with the step that failed, what was expected and what came instead.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: it cannot be gone on with.
    pub async fn run(&self, simulator: &Simulator) -> Result<(), ScenarioError> {
        run::run(self, simulator).await
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl ScenarioQuery {
    /// The answer has these rows, in this order, in however many messages.
    pub fn answers_rows<R: Into<Value>>(self, rows: impl IntoIterator<Item = R>) -> Scenario {
        let rows = rows.into_iter().map(Into::into).collect();
        self.answers(ExpectedAnswer::Rows(rows))
    }

    /// The answer has this one row.
    pub fn answers_row(self, row: impl Into<Value>) -> Scenario {
        self.answers_rows([row.into()])
    }

    /// The answer is an error with this `messageCode`.
    pub fn answers_error(self, code: impl Into<String>) -> Scenario {
        self.answers(ExpectedAnswer::Error(code.into()))
    }

    /// The answer, error or not, is one for which the test says yes. `words` say which, in the error.
    pub fn answers_where(
        self,
        words: impl Into<String>,
        is_expected: impl Fn(&QueryReply) -> bool + Send + Sync + 'static,
    ) -> Scenario {
        self.answers(ExpectedAnswer::Where(words.into(), Test::new(is_expected)))
    }

    fn answers(self, expected: ExpectedAnswer) -> Scenario {
        self.scenario.then(Step::Query(self.query, expected))
    }
}
