//! The samples of a suite, and how much of everything it does.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::ConformanceCheck;

/// Queries of each kind, as many as the checks are named for.
const QUERIES: usize = 1_000;
/// As many as a connector may be asked at once without being busy.
const AT_ONCE: usize = 32;
/// Three of each kind of cut.
const CUTS: usize = 9;
/// How long anything may take that a connector does at once, or after a delay or two.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a connector may take to stop. Kubernetes kills after as long.
const GRACE: Duration = Duration::from_secs(30);

/// What a connector is to be tried with: samples of its own messages, and how much of everything.
///
/// ```
/// use serde_json::json;
/// use vantiq_simulator::Conformance;
///
/// let thermostat = Conformance::new("thermostat", json!({"unit": "celsius"}))
///     .query(json!({"op": "current"}))
///     .publish(json!({"target": 21}))
///     .invalid_configuration(json!({"unit": 5}))
///     .unknown_query(json!({"op": "weather"}));
/// # let _ = thermostat;
/// ```
///
/// A check that lacks its sample is skipped, which the report says. [`ConformanceCheck`] lists what is checked.
#[derive(Clone)]
pub struct Conformance {
    pub(super) source: String,
    pub(super) configuration: Value,
    pub(super) changed_configuration: Option<Value>,
    pub(super) invalid_configuration: Option<Value>,
    pub(super) publish: Option<Value>,
    pub(super) query: Option<Value>,
    pub(super) slow_query: Option<Value>,
    pub(super) large_query: Option<Value>,
    pub(super) unknown_query: Option<Value>,
    pub(super) queries: usize,
    pub(super) at_once: usize,
    pub(super) cuts: usize,
    pub(super) deadline: Duration,
    pub(super) grace: Duration,
    pub(super) left_out: Vec<ConformanceCheck>,
}

impl fmt::Debug for Conformance {
    /// The name of the source alone: a configuration may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Samples.
impl Conformance {
    /// For a connector that serves this source with this configuration document.
    pub fn new(source: impl Into<String>, configuration: impl Into<Value>) -> Self {
        Self {
            source: source.into(),
            configuration: configuration.into(),
            changed_configuration: None,
            invalid_configuration: None,
            publish: None,
            query: None,
            slow_query: None,
            large_query: None,
            unknown_query: None,
            queries: QUERIES,
            at_once: AT_ONCE,
            cuts: CUTS,
            deadline: DEADLINE,
            grace: GRACE,
            left_out: Vec::new(),
        }
    }

    /// A query that the connector answers at once, and not with an error.
    #[must_use]
    pub fn query(mut self, query: impl Into<Value>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// A publish that the connector understands.
    #[must_use]
    pub fn publish(mut self, publish: impl Into<Value>) -> Self {
        self.publish = Some(publish.into());
        self
    }

    /// Another configuration document with which the connector works. Without it, the configuration is sent again
    /// where it is to change.
    #[must_use]
    pub fn changed_configuration(mut self, configuration: impl Into<Value>) -> Self {
        self.changed_configuration = Some(configuration.into());
        self
    }

    /// A configuration document with which the connector cannot work.
    #[must_use]
    pub fn invalid_configuration(mut self, configuration: impl Into<Value>) -> Self {
        self.invalid_configuration = Some(configuration.into());
        self
    }

    /// A query that the connector does not understand.
    #[must_use]
    pub fn unknown_query(mut self, query: impl Into<Value>) -> Self {
        self.unknown_query = Some(query.into());
        self
    }

    /// A query that takes a while, half a second say, so that it is surely in flight when the connector is stopped.
    #[must_use]
    pub fn slow_query(mut self, query: impl Into<Value>) -> Self {
        self.slow_query = Some(query.into());
        self
    }

    /// A query whose answer is larger than a message may be, which is 262,144 bytes.
    #[must_use]
    pub fn large_query(mut self, query: impl Into<Value>) -> Self {
        self.large_query = Some(query.into());
        self
    }
}

/// How much of everything.
impl Conformance {
    /// How many queries are asked one after another, and again at once. Default 1,000.
    #[must_use]
    pub const fn queries(mut self, number: usize) -> Self {
        self.queries = number;
        self
    }

    /// How many queries are in flight at once, at most. Every one of them has to be answered without an error, so
    /// this is no more than the connector takes. Default 32.
    #[must_use]
    pub const fn at_once(mut self, number: usize) -> Self {
        self.at_once = number;
        self
    }

    /// How often the link is cut under load. Default 9.
    #[must_use]
    pub const fn cuts(mut self, number: usize) -> Self {
        self.cuts = number;
        self
    }

    /// How long the connector may take to attach, to attach again and to answer a query. Default 10 s.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long the connector may take to stop. Default 30 s.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Leaves this check out; the report says that it was skipped.
    #[must_use]
    pub fn without(mut self, check: ConformanceCheck) -> Self {
        self.left_out.push(check);
        self
    }
}

impl Conformance {
    /// Why a check is skipped, if it is.
    pub(super) fn lacks(&self, check: ConformanceCheck) -> Option<&'static str> {
        use ConformanceCheck as C;
        if self.left_out.contains(&check) {
            return Some("left out as asked for");
        }
        let query = (&self.query, "no query is given");
        let samples = match check {
            C::OpensAndCloses
            | C::UnderstandsServers
            | C::ReconnectsUnderLoad
            | C::RetriesWhereRefused
            | C::TakesNewConfigurations => vec![],
            C::AnswersOneByOne | C::AnswersAtOnce | C::ShutsDown => vec![query],
            C::AnswersUnknownQueries => vec![query, (&self.unknown_query, "no unknown query is given")],
            C::SplitsLargeAnswers => vec![query, (&self.large_query, "no large query is given")],
            C::CopesWithAcknowledgements => vec![query, (&self.publish, "no publish is given")],
            C::SurvivesInvalidConfigurations => {
                vec![query, (&self.invalid_configuration, "no invalid configuration is given")]
            }
        };
        samples.into_iter().find_map(|(sample, reason)| sample.is_none().then_some(reason))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_check_without_its_sample_is_skipped() {
        let bare = Conformance::new("a", json!({}));
        let lacking = ConformanceCheck::ALL.into_iter().filter(|check| bare.lacks(*check).is_some());
        assert_eq!(lacking.count(), 7);
        let full = bare
            .query(json!({}))
            .publish(json!({}))
            .invalid_configuration(json!(1))
            .unknown_query(json!(2))
            .large_query(json!(3));
        assert!(ConformanceCheck::ALL.iter().all(|check| full.lacks(*check).is_none()));
        let without = full.without(ConformanceCheck::ShutsDown);
        assert_eq!(without.lacks(ConformanceCheck::ShutsDown), Some("left out as asked for"));
    }

    #[test]
    fn the_samples_are_no_part_of_the_debug_output() {
        let secret = Conformance::new("a", json!({"password": "hidden"})).query("hidden");
        assert_eq!(format!("{secret:?}"), r#"Conformance { source: "a", .. }"#);
    }
}
