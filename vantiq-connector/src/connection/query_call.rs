//! [`QueryCall`]: one query, from its arrival to its one terminal answer.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::session::Handler;
use crate::{
    Answer, QueryError, Rows,
    contain::{Contained, Panicked},
    context::SourceContext,
    erased::{Calling, ErasedHandler, Fault},
    protocol::Payload,
    query::{Last, Owed, Replies, ReplyTo, Streaming},
};

/// Whom the queries of one session call.
pub(super) struct Callee {
    pub(super) context: Arc<SourceContext>,
    pub(super) handler_rx: watch::Receiver<Handler>,
    /// The grace of the session is over.
    pub(super) abandon: CancellationToken,
}

/// A query, as it came.
pub(super) struct Query {
    pub(super) object: Payload,
    pub(super) reply_to: ReplyTo,
    pub(super) received_at: Instant,
    /// The place among the queries that run side by side; held until the terminal answer is on its way.
    pub(super) slot: OwnedSemaphorePermit,
}

/// A query that is to be answered. Whatever happens to the handler, exactly one terminal answer is sent.
pub(super) struct QueryCall {
    pub(super) callee: Arc<Callee>,
    pub(super) query: Query,
    pub(super) replies: Replies,
    /// The terminal answer.
    pub(super) owed: Owed,
}

/// What the handler makes of a query at once.
#[must_use = "the query is not answered before it is"]
pub(super) enum Begun {
    Answered(Answered),
    Running(Running),
}

/// A query whose handler was done at once.
pub(super) struct Answered {
    streaming: Arc<Streaming>,
    last: Last,
    slot: OwnedSemaphorePermit,
}

/// A query whose handler was not done at once.
pub(super) struct Running {
    callee: Arc<Callee>,
    streaming: Arc<Streaming>,
    work: Work,
    /// `None` once it is known that the answer cannot be what was asked for.
    owed: Option<Owed>,
    slot: OwnedSemaphorePermit,
}

/// What is awaited.
enum Work {
    /// The handler, to which this is to be given.
    Handler(Payload),
    /// What the handler makes of it.
    Call(Call),
}

/// A call of the handler's `query`.
type Call = Contained<Calling<Answer>>;

impl QueryCall {
    /// Calls the handler. Whether it is done at once or not, what comes of it is still to be sent.
    pub(super) fn begin(self) -> Begun {
        let Self { callee, query: Query { object, reply_to, received_at, slot }, replies, owed } = self;
        let options = &callee.context.options;
        let (rows, linger) = (options.bundle_rows, options.bundle_linger);
        let streaming = Arc::new(Streaming::new(reply_to, replies, rows, linger, received_at));
        let work = match callee.present_handler() {
            None => Work::Handler(object),
            Some(handler) => {
                let mut call = call(handler, object, &streaming);
                // What waits shall wake a task of its own, which therefore polls it again at once.
                if let Some(result) = (&mut call).now_or_never() {
                    let last = callee.conclude(&streaming, translated(result), Some(owed));
                    return Begun::Answered(Answered { streaming, last, slot });
                }
                Work::Call(call)
            }
        };
        Begun::Running(Running { callee, streaming, work, owed: Some(owed), slot })
    }
}

impl Answered {
    /// Sends the answer.
    pub(super) async fn send(self) {
        let Self { streaming, last, slot } = self;
        streaming.send_last(last).await;
        drop(slot);
    }
}

impl Running {
    /// Answers the query.
    pub(super) async fn answer(self) {
        let Self { callee, streaming, work, mut owed, slot } = self;
        let answer = callee.drive(work, &streaming, &mut owed).await;
        streaming.send_last(callee.conclude(&streaming, answer, owed)).await;
        drop(slot);
    }
}

impl Callee {
    /// Counts and logs a failure. Returns what the caller gets to see of it.
    fn log(&self, failure: Failure) -> QueryError {
        let Failure { answer, cause, is_defect } = failure;
        match self.context.counters.queries_failed.add_for_a_line(1) {
            Some(count) if is_defect => error!(code = answer.code(), error = cause, count, "a query failed"),
            Some(count) => {
                warn!(code = answer.code(), error = cause, count, "a query was answered with an error");
            }
            None => {}
        }
        answer
    }

    /// Takes what is left of the answer.
    fn conclude(&self, streaming: &Streaming, answer: Result<Answer, Failure>, owed: Option<Owed>) -> Last {
        streaming.conclude(answer.map_err(|failure| self.log(failure)), owed)
    }

    /// Waits for the answer, and sends rows meanwhile; no longer than there may be no data, nor than the session's
    /// grace.
    async fn drive(
        &self,
        work: Work,
        streaming: &Arc<Streaming>,
        owed: &mut Option<Owed>,
    ) -> Result<Answer, Failure> {
        let mut work = std::pin::pin!(self.work(work, streaming));
        let deadline = self.context.options.query_deadline;
        loop {
            let deadline_at = streaming.sent_at() + deadline;
            let flush_at = streaming.due_at().unwrap_or(deadline_at);
            // Cancel safety: `work` is polled by reference and lives on; all others only wait.
            tokio::select! {
                biased;
                answer = &mut work => return answer,
                () = self.abandon.cancelled() => {
                    *owed = None;
                    let closing = QueryError::new(QueryError::CLOSING, "source {0} is closing");
                    let closing = closing.parameter(&self.context.name);
                    return Err(Failure::expected(closing, "the grace of the session is over"));
                }
                () = streaming.begun() => {}
                () = sleep_until(flush_at.min(deadline_at)) => {
                    let now = Instant::now();
                    if streaming.sent_at() + deadline <= now {
                        let timeout = QueryError::timeout(&self.context.name, deadline);
                        return Err(Failure::expected(timeout, "the handler sent no data"));
                    }
                    if streaming.due_at().is_some_and(|due_at| due_at <= now) {
                        streaming.try_flush(now);
                    }
                }
            }
        }
    }

    async fn work(&self, work: Work, streaming: &Arc<Streaming>) -> Result<Answer, Failure> {
        let call = match work {
            Work::Call(call) => call,
            // Cancel safety: both only wait.
            Work::Handler(object) => tokio::select! {
                biased;
                handler = self.handler() => call(handler?, object, streaming),
                () = streaming.closed() => {
                    let closing = QueryError::new(QueryError::CLOSING, "the link is lost");
                    return Err(Failure::expected(closing, "the link was lost before there was a handler"));
                }
            },
        };
        translated(call.await)
    }

    /// The handler, where there is one.
    fn present_handler(&self) -> Option<Arc<dyn ErasedHandler>> {
        match &*self.handler_rx.borrow() {
            Handler::Ready(handler) => Some(Arc::clone(handler)),
            Handler::Connecting | Handler::Missing(_) => None,
        }
    }

    /// The handler, as soon as there is one.
    async fn handler(&self) -> Result<Arc<dyn ErasedHandler>, Failure> {
        let mut handler_rx = self.handler_rx.clone();
        let known = handler_rx.wait_for(|handler| !matches!(handler, Handler::Connecting)).await;
        match known.as_deref() {
            Ok(Handler::Ready(handler)) => Ok(Arc::clone(handler)),
            Ok(Handler::Missing(error)) => Err(Failure::expected(error.clone(), "there is no handler")),
            // The session's task ended, or can only have ended.
            Ok(Handler::Connecting) | Err(_) => {
                let closing = QueryError::new(QueryError::CLOSING, "the source is closing");
                Err(Failure::expected(closing, "the session has ended"))
            }
        }
    }
}

/// Why a query is answered with an error.
struct Failure {
    /// What the caller gets to see.
    answer: QueryError,
    /// What only the log gets to see.
    cause: String,
    /// Whether the handler is to blame: it panicked, or returned an error that is not meant for the caller.
    is_defect: bool,
}

impl Failure {
    fn expected(answer: QueryError, cause: impl Into<String>) -> Self {
        Self { answer, cause: cause.into(), is_defect: false }
    }

    fn defect(answer: QueryError, cause: impl Into<String>) -> Self {
        Self { answer, cause: cause.into(), is_defect: true }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Failed(failure) => {
                let (answer, cause) = (failure.answer, failure.chain);
                // What the handler meant for the caller is no fault of the connector.
                let is_defect = answer.code() == QueryError::FAILED;
                Self { answer, cause, is_defect }
            }
            Fault::Shape(shape) => {
                let cause = shape.redacted().to_string();
                let answer = QueryError::new(QueryError::SHAPE, "the query has not the expected shape: {0}");
                Self::expected(answer.parameter(shape), cause)
            }
        }
    }
}

fn call(handler: Arc<dyn ErasedHandler>, object: Payload, streaming: &Arc<Streaming>) -> Call {
    Contained::new(handler.query(object, Rows::new(Arc::clone(streaming))))
}

/// What came of a call, for the caller.
fn translated(result: Result<Result<Answer, Fault>, Panicked>) -> Result<Answer, Failure> {
    let Ok(result) = result else {
        let answer = QueryError::new(QueryError::PANICKED, "the handler panicked");
        return Err(Failure::defect(answer, "the handler panicked in `query`"));
    };
    result.map_err(Failure::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use serde_json::{Value, json};
    use tokio::{
        sync::{Semaphore, mpsc},
        time::sleep,
    };

    use super::*;
    use crate::{connection::Publishes, context::Options, query::Reply};

    /// What the handler does with its one query.
    #[derive(Clone, Copy)]
    enum Script {
        Nothing,
        Panic,
        /// So many rows, each after a pause.
        Rows(u32, Duration),
        /// So many rows in the answer, without a pause.
        AtOnce(u32),
    }

    #[async_trait]
    impl ErasedHandler for Script {
        async fn serve(&self, _: &SourceContext, _: &Publishes) {}

        async fn query(self: Arc<Self>, _: Payload, mut rows: Rows) -> Result<Answer, Fault> {
            match *self {
                Self::Nothing => std::future::pending().await,
                Self::Panic => panic!("as the script says"),
                Self::Rows(count, pause) => {
                    for row in 0..count {
                        sleep(pause).await;
                        rows.send(&row).await.map_err(|error| Fault::failed(error.into()))?;
                    }
                    Ok(Answer::done())
                }
                Self::AtOnce(count) => Answer::rows(0..count).map_err(Fault::failed),
            }
        }

        async fn close(self: Arc<Self>) -> bool {
            true
        }
    }

    struct Running {
        replies_rx: mpsc::Receiver<Reply>,
        abandon: CancellationToken,
        handler_tx: watch::Sender<Handler>,
        begun_at: Instant,
        slots: Arc<Semaphore>,
    }

    /// Starts a query with a link that has room for `room` frames.
    fn start(handler: Handler, bundle_rows: usize, room: usize) -> Running {
        let context = SourceContext::unconnected(Options { bundle_rows, ..Options::default() });
        let (replies, replies_rx) = mpsc::channel(room);
        let (handler_tx, handler_rx) = watch::channel(handler);
        let (abandon, begun_at) = (CancellationToken::new(), Instant::now());
        let slots = Arc::new(Semaphore::new(1));
        let query = Query {
            object: Payload::NULL,
            reply_to: context.reply_to("address".into()),
            received_at: begun_at,
            slot: Arc::clone(&slots).try_acquire_owned().unwrap(),
        };
        let owed = context.owed();
        let callee = Arc::new(Callee { context, handler_rx, abandon: abandon.clone() });
        let call = QueryCall { callee, query, replies, owed };
        tokio::spawn(async {
            match call.begin() {
                Begun::Answered(answered) => answered.send().await,
                Begun::Running(running) => running.answer().await,
            }
        });
        Running { replies_rx, abandon, handler_tx, begun_at, slots }
    }

    fn script(script: Script) -> Handler {
        Handler::Ready(Arc::new(script))
    }

    impl Running {
        /// The next answer: when it came, its status, and its body.
        async fn next(&mut self) -> Option<(Duration, u64, Value)> {
            let frame = self.replies_rx.recv().await?.frame;
            let message: Value = serde_json::from_slice(&frame).unwrap();
            Some((self.begun_at.elapsed(), message["status"].as_u64().unwrap(), message["body"].clone()))
        }

        /// The code of the error that is the next and last answer, and when it came.
        async fn error(mut self) -> (Duration, String) {
            let (at, status, body) = self.next().await.unwrap();
            assert_eq!((status, self.next().await), (400, None), "one terminal answer");
            (at, body["messageCode"].as_str().unwrap().to_owned())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_handler_is_answered_for_at_the_deadline() {
        let (at, code) = start(script(Script::Nothing), 500, 1).error().await;
        assert_eq!((at.as_secs(), code.as_str()), (25, QueryError::TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_waits_for_the_handler_no_longer_than_the_deadline() {
        let (at, code) = start(Handler::Connecting, 500, 1).error().await;
        assert_eq!((at.as_secs(), code.as_str()), (25, QueryError::TIMEOUT));
        let mut running = start(Handler::Connecting, 500, 1);
        running.handler_tx.send_replace(script(Script::Rows(0, Duration::ZERO)));
        assert_eq!(running.next().await.unwrap().1, 204);
    }

    /// Or a session would begin for its sake.
    #[tokio::test(start_paused = true)]
    async fn a_query_waits_for_no_handler_when_its_link_is_gone() {
        let Running { replies_rx, handler_tx, begun_at, .. } = start(Handler::Connecting, 500, 1);
        drop(replies_rx);
        handler_tx.closed().await;
        assert_eq!(begun_at.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn data_restarts_the_deadline() {
        let mut running = start(script(Script::Rows(3, Duration::from_secs(20))), 500, 8);
        let mut statuses = Vec::new();
        while let Some((_, status, _)) = running.next().await {
            statuses.push(status);
        }
        assert_eq!(statuses, [100, 100, 200]);
        assert_eq!(running.begun_at.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_goes_out_when_it_has_lingered() {
        let mut running = start(script(Script::Rows(2, Duration::from_secs(1))), 500, 8);
        assert_eq!(running.next().await, Some((Duration::from_millis(1_100), 100, json!([0]))));
        assert_eq!(running.next().await, Some((Duration::from_secs(2), 200, json!([1]))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_takes_nothing_holds_the_handler_back_and_loses_nothing() {
        let mut running = start(script(Script::Rows(5, Duration::ZERO)), 1, 1);
        sleep(Duration::from_secs(20)).await;
        assert_eq!(running.replies_rx.len(), 1);
        let mut rows = Vec::new();
        while let Some((_, _, body)) = running.next().await {
            rows.extend(body.as_array().cloned().unwrap_or_default());
        }
        assert_eq!(rows, [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_at_once_waits_for_the_link_in_order() {
        let mut running = start(script(Script::AtOnce(5)), 2, 1);
        sleep(Duration::from_secs(20)).await;
        assert_eq!((running.replies_rx.len(), running.slots.available_permits()), (1, 0));
        let mut answers = Vec::new();
        while let Some((_, status, body)) = running.next().await {
            answers.push((status, body));
        }
        assert_eq!(answers, [(100, json!([0, 1])), (100, json!([2, 3])), (200, json!([4]))]);
        assert_eq!(running.slots.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_waits_for_a_link_ends_with_it() {
        let running = start(script(Script::AtOnce(5)), 2, 1);
        sleep(Duration::from_secs(20)).await;
        assert_eq!(running.slots.available_permits(), 0);
        drop(running.replies_rx);
        let _slot = running.slots.acquire_owned().await.unwrap();
        assert_eq!(running.begun_at.elapsed().as_secs(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_answered_with_an_error() {
        assert_eq!(start(script(Script::Panic), 500, 1).error().await.1, QueryError::PANICKED);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_abandoned_is_answered_with_an_error() {
        let running = start(script(Script::Nothing), 500, 1);
        running.abandon.cancel();
        assert_eq!(running.error().await.1, QueryError::CLOSING);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_handler_the_caller_is_told_why() {
        let missing = Handler::Missing(QueryError::new(QueryError::CONFIGURATION, "x"));
        assert_eq!(start(missing, 500, 1).error().await, (Duration::ZERO, QueryError::CONFIGURATION.into()));
    }
}
