//! [`Query`], [`PendingQuery`] and [`QueryReply`]: a query from the application's side (PROTOCOL sections 8 and
//! 10).

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{Duration, Instant, timeout_at};

use crate::error::{SimulatorError, SimulatorErrorKind};
use crate::excerpt::{excerpt, shortened};
use crate::ledger::{Asking, Progress, TimerRestart};

/// A query that is sent when this is awaited.
///
/// Made by [`Source::query`](crate::Source::query). Awaiting it gives the whole [`QueryReply`], whatever the
/// connector answers; [`rows`](Self::rows) and [`row`](Self::row) are for those who expect rows and no error.
///
/// # Cancel safety
///
/// Dropping it gives up the answers, which the simulator nevertheless checks for violations.
#[must_use = "a query is sent when it is awaited"]
pub struct Query {
    source: String,
    replying: Replying,
}

/// A reply to come.
type Replying = Pin<Box<dyn Future<Output = Result<QueryReply, SimulatorError>> + Send>>;

impl fmt::Debug for Query {
    /// The name of the source alone: the rest is what is still to be done.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Query {
    pub(crate) fn new(
        source: &str,
        replying: impl Future<Output = Result<QueryReply, SimulatorError>> + Send + 'static,
    ) -> Self {
        Self { source: source.to_owned(), replying: Box::pin(replying) }
    }

    /// All rows of the answer, in order.
    ///
    /// # Errors
    ///
    /// As [`Source::query`](crate::Source::query), and [`ErrorAnswer`](SimulatorErrorKind::ErrorAnswer) when the
    /// connector answers with an error.
    pub async fn rows(self) -> Result<Vec<Value>, SimulatorError> {
        let reply = self.replying.await?;
        if reply.is_error() { Err(reply.error_answer(self.source)) } else { Ok(reply.rows()) }
    }

    /// The one row of the answer.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows), and [`NotOneRow`](SimulatorErrorKind::NotOneRow) when there are none or several.
    pub async fn row(self) -> Result<Value, SimulatorError> {
        let source_name = self.source.clone();
        let mut rows = self.rows().await?;
        match (rows.pop(), rows.len()) {
            (Some(row), 0) => Ok(row),
            (row, others) => {
                let count = others + usize::from(row.is_some());
                Err(SimulatorErrorKind::NotOneRow { source_name, count }.into())
            }
        }
    }
}

impl Future for Query {
    type Output = Result<QueryReply, SimulatorError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.replying.as_mut().poll(context)
    }
}

/// A query that has been sent and whose answers come in.
///
/// Made by [`Source::start_query`](crate::Source::start_query). Awaiting it gives the whole
/// [`QueryReply`]; [`next_partial`](Self::next_partial) gives the parts as they come. Dropping it gives
/// up the answers, which the simulator nevertheless checks for violations.
#[derive(Debug)]
pub struct PendingQuery {
    source: String,
    address: String,
    timeout: Duration,
    restart: TimerRestart,
    expires: Instant,
    asking: Asking,
    partials: Vec<Value>,
    terminal: Option<(u16, Box<RawValue>)>,
}

/// Everything a connector answered to one query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryReply {
    /// Bodies of the status-100 messages, in order.
    pub partials: Vec<Value>,
    /// Status of the last message: 200, 204, or an error of 300 and above.
    pub status: u16,
    /// Body of the last message, `null` when it had none.
    pub body: Value,
}

/// The body of an error answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ErrorBody {
    /// `messageCode`
    pub message_code: String,
    /// `messageTemplate`
    pub message_template: String,
    /// `parameters`, empty when absent or `null`.
    pub parameters: Vec<Value>,
}

impl PendingQuery {
    pub(crate) fn new(
        source: &str,
        address: String,
        (timeout, restart): (Duration, TimerRestart),
        asked: Instant,
        asking: Asking,
    ) -> Self {
        Self {
            source: source.to_owned(),
            address,
            timeout,
            restart,
            expires: asked + timeout,
            asking,
            partials: Vec::new(),
            terminal: None,
        }
    }

    /// The reply address that the connector was given.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The body of the next status-100 message, or `None` once the terminal answer has come.
    ///
    /// # Errors
    ///
    /// [`QueryTimeout`](SimulatorErrorKind::QueryTimeout) when the connector is silent for the query
    /// timeout, [`LinkLost`](SimulatorErrorKind::LinkLost) when its link ends first,
    /// [`AnswerTooLarge`](SimulatorErrorKind::AnswerTooLarge) when all parts together are beyond the
    /// [answer limit](crate::SimulatorBuilder::answer_limit).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; a part that was returned also stays in
    /// [`QueryReply::partials`].
    pub async fn next_partial(&mut self) -> Result<Option<Value>, SimulatorError> {
        let partial = self.advance().await?.map(|body| value(&body));
        self.partials.extend(partial.clone());
        Ok(partial)
    }

    /// Like [`next_partial`](Self::next_partial), but the part is not kept.
    pub(crate) async fn take_partial(&mut self) -> Result<Option<Box<RawValue>>, SimulatorError> {
        let Some(body) = self.advance().await? else { return Ok(None) };
        self.asking.held.fetch_sub(body.get().len(), Relaxed);
        Ok(Some(body))
    }

    /// The body of the next part, until the terminal answer has come.
    async fn advance(&mut self) -> Result<Option<Box<RawValue>>, SimulatorError> {
        if self.terminal.is_some() {
            return Ok(None);
        }
        match timeout_at(self.expires, self.asking.progress_rx.recv()).await {
            Ok(Some(Progress::Partial { body, at })) if at <= self.expires => {
                if self.restart.applies(&body) {
                    self.expires = at + self.timeout;
                }
                Ok(Some(body))
            }
            Ok(Some(Progress::Terminal { status, body, at })) if at <= self.expires => {
                self.terminal = Some((status, body));
                Ok(None)
            }
            Ok(Some(Progress::LinkLost)) => Err(SimulatorError::link_lost(&self.source)),
            Ok(Some(Progress::TooLarge)) => {
                Err(SimulatorErrorKind::AnswerTooLarge { source_name: self.source.clone() }.into())
            }
            _ => Err(self.timed_out()),
        }
    }

    /// Waits for the terminal answer and gives everything that was answered.
    ///
    /// # Errors
    ///
    /// As [`next_partial`](Self::next_partial). An error *answer* is a [`QueryReply`].
    pub async fn reply(mut self) -> Result<QueryReply, SimulatorError> {
        while self.next_partial().await?.is_some() {}
        let (status, body) = self.take_terminal();
        Ok(QueryReply { partials: self.partials, status, body: value(&body) })
    }

    /// Status and body of the terminal answer, once there are no more parts.
    pub(crate) fn take_terminal(&mut self) -> (u16, Box<RawValue>) {
        self.terminal.take().expect("there are no more parts only with a terminal answer")
    }

    fn timed_out(&self) -> SimulatorError {
        SimulatorErrorKind::QueryTimeout { source_name: self.source.clone(), after: self.timeout }.into()
    }
}

impl IntoFuture for PendingQuery {
    type Output = Result<QueryReply, SimulatorError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.reply())
    }
}

impl QueryReply {
    /// All rows in order: an array is many rows, anything else one, nothing none.
    ///
    /// As on a real server, a body that comes with 204 is ignored. The body of an error is no row.
    pub fn rows(&self) -> Vec<Value> {
        let last = (self.status == 200).then_some(&self.body);
        self.partials.iter().chain(last).flat_map(rows_of).collect()
    }

    /// Whether the connector answered with an error.
    pub fn is_error(&self) -> bool {
        self.status >= 300
    }

    /// The error, if the answer is one with a body of the usual shape, bare or as a list of one.
    pub fn error(&self) -> Option<ErrorBody> {
        if !self.is_error() {
            return None;
        }
        ErrorBody::read(&self.body)
    }

    /// The answer as an error of whoever expected rows.
    fn error_answer(&self, source_name: String) -> SimulatorError {
        let (code, message) = match self.error() {
            Some(error) => (Some(error.message_code.clone()), error.message()),
            None => (None, excerpt(&self.body)),
        };
        let message = shortened(message);
        SimulatorErrorKind::ErrorAnswer { source_name, status: self.status, code, message }.into()
    }
}

impl ErrorBody {
    /// Reads the body of an error, if it has the usual shape, bare or as a list of one.
    pub(crate) fn read(body: &Value) -> Option<Self> {
        let body = body.as_array().map_or(Some(body), |list| list.first())?;
        Some(Self {
            message_code: body.get("messageCode")?.as_str()?.to_owned(),
            message_template: body.get("messageTemplate")?.as_str()?.to_owned(),
            parameters: body.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default(),
        })
    }

    /// The template with the parameters in their places, `{0}` and so on. What they bring is not looked at again.
    pub fn message(&self) -> String {
        let mut parts = self.message_template.split('{');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let place =
                part.split_once('}').and_then(|(number, rest)| Some((number.parse::<usize>().ok()?, rest)));
            match place.and_then(|(number, rest)| Some((self.parameters.get(number)?, rest))) {
                Some((parameter, rest)) => text.extend([text_of(parameter).as_str(), rest]),
                None => text.extend(["{", part]),
            }
        }
        text
    }
}

/// What a body says, `null` where that is nothing that can be kept, such as a number beyond all bounds.
fn value(body: &RawValue) -> Value {
    serde_json::from_str(body.get()).unwrap_or_default()
}

/// A text without its quotation marks.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rows_of(body: &Value) -> Vec<Value> {
    match body {
        Value::Null => Vec::new(),
        Value::Array(rows) => rows.clone(),
        row => vec![row.clone()],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_of_all_parts_are_joined() {
        let reply =
            QueryReply { partials: vec![json!([1, 2]), json!({"a": 3})], status: 200, body: json!([4]) };
        assert_eq!(reply.rows(), [json!(1), json!(2), json!({"a": 3}), json!(4)]);
    }

    #[test]
    fn the_body_of_a_204_or_an_error_is_no_row() {
        for status in [204, 400] {
            let reply = QueryReply { partials: vec![json!([1])], status, body: json!({"x": 1}) };
            assert_eq!(reply.rows(), [json!(1)]);
        }
    }

    fn query(status: u16, body: Value) -> Query {
        Query::new("a", async move { Ok(QueryReply { partials: vec![], status, body }) })
    }

    #[tokio::test]
    async fn rows_and_row_are_what_was_answered() {
        assert_eq!(query(200, json!([1, 2])).rows().await.expect("rows"), [1, 2]);
        assert_eq!(query(204, Value::Null).rows().await.expect("no rows"), [] as [Value; 0]);
        assert_eq!(query(200, json!({"b": 1})).row().await.expect("a row"), json!({"b": 1}));
        for (body, count) in [(json!([1, 2]), 2), (json!([]), 0)] {
            let error = query(200, body).row().await.expect_err("not one");
            assert_eq!(*error.kind(), SimulatorErrorKind::NotOneRow { source_name: "a".into(), count });
        }
    }

    #[tokio::test]
    async fn an_error_answer_is_an_error_to_those_who_expect_rows() {
        let usual = json!({"messageCode": "c.d", "messageTemplate": "bad {0}", "parameters": ["x"]});
        let error = query(400, usual.clone()).rows().await.expect_err("it is an error");
        assert_eq!(
            error.to_string(),
            "the query to the source `a` was answered with status 400, `c.d`: bad x"
        );
        assert!(query(400, usual).await.expect("a reply").is_error());
        let error = query(500, json!("strange")).row().await.expect_err("it is an error");
        let kind = SimulatorErrorKind::ErrorAnswer {
            source_name: "a".into(),
            status: 500,
            code: None,
            message: r#""strange""#.into(),
        };
        assert_eq!(*error.kind(), kind);
    }

    #[test]
    fn what_is_no_place_in_a_template_stays() {
        let error = ErrorBody {
            message_code: "c".to_owned(),
            message_template: "{0}{x}{9} {1}{".to_owned(),
            parameters: vec![json!("{1}{0}"), json!(7)],
        };
        assert_eq!(error.message(), "{1}{0}{x}{9} 7{");
    }

    #[test]
    fn an_error_is_read_bare_and_from_a_list() {
        let error = json!({"messageCode": "c", "messageTemplate": "t {0}", "parameters": ["p"]});
        for body in [error.clone(), json!([error])] {
            let reply = QueryReply { partials: vec![], status: 400, body };
            let error = reply.error().expect("the body has the usual shape");
            assert_eq!(error.message(), "t p");
            assert_eq!((error.message_code.as_str(), error.parameters.as_slice()), ("c", &[json!("p")][..]));
        }
    }
}
