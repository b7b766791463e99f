//! [`SimulatorError`], the one error of this crate, and its kinds.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Why the simulator could not do what a test or a person asked of it.
///
/// What a *connector* does wrong is not an error but a
/// [violation](crate::Simulator::violations): the simulator carries on, as a real server would.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct SimulatorError {
    kind: SimulatorErrorKind,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`SimulatorError`]; decide on these, never on the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorErrorKind {
    /// The address cannot be listened on, usually because the port is taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// Others could reach the address, which was not allowed.
    #[error("others can reach {address}; allow that, or listen at 127.0.0.1")]
    Remote {
        /// The address that was asked for.
        address: IpAddr,
    },
    /// No connector is attached to the source, which is what an application would be told too.
    #[error("no connector is attached to the source `{source_name}`")]
    NoSession {
        /// Name of the source.
        source_name: String,
    },
    /// The link to the connector went away before the work was done.
    #[error("the connector of the source `{source_name}` went away")]
    LinkLost {
        /// Name of the source.
        source_name: String,
    },
    /// The connector left a query without an answer for the whole query timeout
    /// (`io.vantiq.sourcemgr.request.timeout`, PROTOCOL section 10).
    #[error("the query to the source `{source_name}` was not answered within {after:?}")]
    QueryTimeout {
        /// Name of the source.
        source_name: String,
        /// The query timeout in force.
        after: Duration,
    },
    /// A query that should have been answered with rows was answered with an error.
    #[error("the query to the source `{source_name}` was answered with status {status}{}: {message}", written(code.as_deref()))]
    ErrorAnswer {
        /// Name of the source.
        source_name: String,
        /// Status of the answer, 300 or above.
        status: u16,
        /// `messageCode`, if the body has the usual shape.
        code: Option<String>,
        /// `messageTemplate` with its parameters in it, else the beginning of the body.
        message: String,
    },
    /// A query that should have been answered with one row was answered with none or with several.
    #[error("the query to the source `{source_name}` was answered with {count} rows instead of one")]
    NotOneRow {
        /// Name of the source.
        source_name: String,
        /// How many rows there were.
        count: usize,
    },
    /// No notification was as expected before the simulator's deadline.
    #[error("waited {after:?} in vain for a notification of `{source_name}` as expected; {}", came(*skipped, last))]
    NoSuchNotification {
        /// Name of the source.
        source_name: String,
        /// How many notifications came that were not as expected.
        skipped: u64,
        /// The last three of them, oldest first, as JSON that is cut off where it is long.
        last: Vec<String>,
        /// How long.
        after: Duration,
    },
    /// The parts of an answer are larger than the [limit](crate::SimulatorBuilder::answer_limit).
    #[error("the answer of the source `{source_name}` is too large")]
    AnswerTooLarge {
        /// Name of the source.
        source_name: String,
    },
    /// Something awaited did not happen before the simulator's deadline.
    #[error("waited {after:?} in vain for {awaited}")]
    Deadline {
        /// What was awaited.
        awaited: String,
        /// How long.
        after: Duration,
    },
}

impl SimulatorError {
    /// What kind of failure this is.
    pub fn kind(&self) -> &SimulatorErrorKind {
        &self.kind
    }

    pub(crate) fn listen(address: SocketAddr, cause: std::io::Error) -> Self {
        Self { kind: SimulatorErrorKind::Listen { address }, cause: Some(Box::new(cause)) }
    }

    pub(crate) fn no_session(source: &str) -> Self {
        SimulatorErrorKind::NoSession { source_name: source.to_owned() }.into()
    }

    pub(crate) fn link_lost(source: &str) -> Self {
        SimulatorErrorKind::LinkLost { source_name: source.to_owned() }.into()
    }

    pub(crate) fn deadline(awaited: impl Into<String>, after: Duration) -> Self {
        SimulatorErrorKind::Deadline { awaited: awaited.into(), after }.into()
    }
}

fn written(code: Option<&str>) -> String {
    code.map(|code| format!(", `{code}`")).unwrap_or_default()
}

/// What came instead of what was expected.
fn came(skipped: u64, last: &[String]) -> String {
    match (skipped, last.len()) {
        (0, _) => "none came".to_owned(),
        (1, _) => format!("one came instead: {}", last.join(", ")),
        (_, shown) if skipped == shown as u64 => format!("{skipped} came instead: {}", last.join(", ")),
        _ => format!("{skipped} came instead, in the end {}", last.join(", ")),
    }
}

impl From<SimulatorErrorKind> for SimulatorError {
    fn from(kind: SimulatorErrorKind) -> Self {
        Self { kind, cause: None }
    }
}
