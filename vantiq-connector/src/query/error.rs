//! [`QueryError`]: what the caller of a query is told.

use std::fmt;

use crate::protocol::ErrorBody;

/// An error that the caller of a query sees: a code for programs, a text for people.
///
/// It is an ordinary error: return it with `?` or `.into()`, wrap it in context or nest it as a source;
/// the first one in the chain is what the caller gets. Free text belongs into
/// [`parameter`](Self::parameter)s, for the server may read the template as a Java `MessageFormat`, in
/// which apostrophes and braces mean something (`docs/PROTOCOL.md`, section 8).
///
/// ```
/// use vantiq_connector::QueryError;
///
/// let error = QueryError::new("com.example.unknownUnit", "unknown unit {0}").parameter("furlong");
/// assert_eq!(error.to_string(), "unknown unit furlong (com.example.unknownUnit)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError(ErrorBody);

/// What a caller is told of free text at most: an error message, not a document.
const PARAMETER_CHARS: usize = 2_000;

impl QueryError {
    /// The handler returned an error that is no `QueryError`.
    pub const FAILED: &str = "vantiq.connector.query.failed";
    /// The handler panicked.
    pub const PANICKED: &str = "vantiq.connector.query.panicked";
    /// The handler does not answer queries.
    pub const UNHANDLED: &str = "vantiq.connector.query.unhandled";
    /// The query has not the shape the handler expects.
    pub const SHAPE: &str = "vantiq.connector.query.shape";
    /// The handler sent no data for too long.
    pub const TIMEOUT: &str = "vantiq.connector.query.timeout";
    /// Too many queries are being answered already.
    pub const BUSY: &str = "vantiq.connector.busy";
    /// The connector stops, or the source is being reconfigured.
    pub const CLOSING: &str = "vantiq.connector.closing";
    /// The source's configuration has not the shape the handler expects.
    pub const CONFIGURATION: &str = "vantiq.connector.configuration";
    /// The handler's `connect` failed and will be tried again.
    pub const UNAVAILABLE: &str = "vantiq.connector.unavailable";
    /// The answer is larger than a message may be.
    pub const TOO_LARGE: &str = "vantiq.connector.query.tooLarge";

    /// An error with a dotted code, such as `com.example.bad`, and a text with `{0}`, `{1}` for parameters.
    pub fn new(code: impl Into<String>, template: impl Into<String>) -> Self {
        Self(ErrorBody {
            message_code: code.into(),
            message_template: template.into(),
            parameters: Vec::new(),
        })
    }

    /// Appends a parameter: the first fills `{0}` in the template.
    #[must_use]
    pub fn parameter(mut self, value: impl fmt::Display) -> Self {
        self.0.parameters.push(value.to_string().chars().take(PARAMETER_CHARS).collect());
        self
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.0.message_code
    }

    /// The text, without its parameters.
    pub fn template(&self) -> &str {
        &self.0.message_template
    }

    /// What goes into the template.
    pub fn parameters(&self) -> &[String] {
        &self.0.parameters
    }

    /// As it stands on the wire.
    pub const fn body(&self) -> &ErrorBody {
        &self.0
    }

    /// The caller's view of a handler's error: the first `QueryError` in its chain, or else its topmost
    /// message. The rest of the chain may speak of the connector's insides and goes to the log only.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error
            .downcast_ref::<Self>()
            .or_else(|| error.chain().find_map(|cause| cause.downcast_ref::<Self>()))
            .cloned()
            .unwrap_or_else(|| Self::free_text(Self::FAILED, error))
    }

    pub(crate) fn timeout(source: &str, deadline: std::time::Duration) -> Self {
        let error = Self::new(Self::TIMEOUT, "source {0} sent no data for {1} seconds");
        error.parameter(source).parameter(deadline.as_secs_f64())
    }

    pub(crate) fn unhandled() -> Self {
        Self::new(Self::UNHANDLED, "this source does not answer queries")
    }

    /// An error whose whole text is free.
    pub(crate) fn free_text(code: &str, text: impl fmt::Display) -> Self {
        Self::new(code, "{0}").parameter(text)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.template().to_owned();
        for (index, parameter) in self.parameters().iter().enumerate() {
            text = text.replace(&format!("{{{index}}}"), parameter);
        }
        write!(f, "{text} ({})", self.code())
    }
}

impl std::error::Error for QueryError {}

impl From<ErrorBody> for QueryError {
    fn from(body: ErrorBody) -> Self {
        Self(body)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] QueryError);

    #[test]
    fn a_query_error_is_found_wherever_it_is_in_the_chain() {
        let inner = QueryError::new("c", "t");
        let plain = anyhow::Error::from(inner.clone());
        let in_context = Err::<(), _>(inner.clone()).context("more").unwrap_err();
        let nested = anyhow::Error::from(Outer(inner.clone()));
        let both = nested.context("more");
        for error in [plain, in_context, both] {
            assert_eq!(QueryError::of(&error), inner);
        }
    }

    #[test]
    fn of_any_other_error_the_caller_sees_the_topmost_message_as_a_parameter() {
        let error = anyhow!("password is hunter2").context("it's broken {0}");
        let shown = QueryError::of(&error);
        assert_eq!((shown.code(), shown.template()), (QueryError::FAILED, "{0}"));
        assert_eq!(shown.parameters(), ["it's broken {0}"]);
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(
            QueryError::new("c", "t").parameter("x".repeat(10_000)).parameters()[0].len(),
            PARAMETER_CHARS
        );
    }
}
