//! [`QueryCall`]: one query, from its arrival to its one terminal answer.

use std::{panic::AssertUnwindSafe, sync::Arc};

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
    context::SourceContext,
    erased::{ErasedHandler, Fault},
    protocol::Payload,
    query::{Replies, ReplyTo, Streaming},
};

/// A query that is being answered. Whatever happens to the handler, [`answer`](Self::answer) sends exactly
/// one terminal answer.
pub(super) struct QueryCall {
    pub(super) context: Arc<SourceContext>,
    pub(super) handler_rx: watch::Receiver<Handler>,
    /// The grace of the session is over.
    pub(super) abandon: CancellationToken,
    pub(super) received_at: Instant,
    pub(super) object: Payload,
    pub(super) reply_to: ReplyTo,
    pub(super) replies: Replies,
    /// The place among the queries that run side by side; held until the terminal answer is on its way.
    pub(super) slot: OwnedSemaphorePermit,
}

impl QueryCall {
    pub(super) async fn answer(mut self) {
        let options = &self.context.options;
        let streaming = Arc::new(Streaming::new(
            self.reply_to.clone(),
            self.replies.clone(),
            options.bundle_rows,
            options.bundle_linger,
            self.received_at,
        ));
        let answer = self.run(&streaming).await;
        if let Err(error) = &answer {
            self.context.counters.queries_failed.add_one();
            warn!(code = error.code(), "a query was answered with an error");
        }
        streaming.finish(answer).await;
        drop(self.slot);
    }

    async fn run(&mut self, streaming: &Arc<Streaming>) -> Result<Answer, QueryError> {
        let abandon = self.abandon.clone();
        let deadline = self.context.options.query_deadline;
        let object = std::mem::replace(&mut self.object, Payload::NULL);
        let work = async {
            let handler = handler(&mut self.handler_rx).await?;
            call(&*handler, object, Rows::new(Arc::clone(streaming))).await
        };
        let mut work = std::pin::pin!(work);
        loop {
            let deadline_at = streaming.sent_at() + deadline;
            let flush_at = streaming.due_at().unwrap_or(deadline_at);
            // Cancel safety: `work` is polled by reference and lives on; all others only wait.
            tokio::select! {
                biased;
                answer = &mut work => return answer,
                () = abandon.cancelled() => {
                    return Err(QueryError::new(QueryError::CLOSING, "source {0} is closing").parameter(&self.context.name));
                }
                () = streaming.begun() => {}
                () = sleep_until(flush_at.min(deadline_at)) => {
                    let now = Instant::now();
                    if streaming.sent_at() + deadline <= now {
                        let error = QueryError::new(QueryError::TIMEOUT, "source {0} sent no data for {1} seconds");
                        return Err(error.parameter(&self.context.name).parameter(deadline.as_secs_f64()));
                    }
                    if streaming.due_at().is_some_and(|due_at| due_at <= now) {
                        streaming.try_flush(now);
                    }
                }
            }
        }
    }
}

/// The handler, as soon as there is one.
async fn handler(handler_rx: &mut watch::Receiver<Handler>) -> Result<Arc<dyn ErasedHandler>, QueryError> {
    let known = handler_rx.wait_for(|handler| !matches!(handler, Handler::Connecting)).await;
    match known.as_deref() {
        Ok(Handler::Ready(handler)) => Ok(Arc::clone(handler)),
        Ok(Handler::Missing(error)) => Err(error.clone()),
        // The session's task ended, or can only have ended.
        Ok(Handler::Connecting) | Err(_) => {
            Err(QueryError::new(QueryError::CLOSING, "the source is closing"))
        }
    }
}

/// Calls the handler's `query` and translates what comes of it for the caller.
async fn call(handler: &dyn ErasedHandler, object: Payload, mut rows: Rows) -> Result<Answer, QueryError> {
    let result = AssertUnwindSafe(handler.query(object, &mut rows)).catch_unwind().await;
    match result {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Fault::Failed(failed))) => {
            error!(error = format!("{failed:#}"), "a query failed");
            Err(QueryError::of(&failed))
        }
        Ok(Err(Fault::Shape(shape))) => {
            Err(QueryError::new(QueryError::SHAPE, "the query has not the expected shape: {0}")
                .parameter(shape))
        }
        Err(_) => {
            error!("the handler panicked in `query`");
            Err(QueryError::new(QueryError::PANICKED, "the handler panicked"))
        }
    }
}
