//! [`Queries`]: the queries of one session that are being answered, side by side.
//!
//! A task for each would cost more than most queries do. So a runner takes one after the other and calls the
//! handler; only what is not answered at once gets a task of its own. There are as many runners as the runtime has threads, so
//! a handler that computes for long, or blocks its thread, holds up no other query while any thread is free. They
//! are started by whoever brings the queries, who does not block: what a task starts itself may be tied to its thread.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, task::coop::consume_budget};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use super::query_call::QueryCall;

/// The queries in flight of one session.
#[derive(Clone)]
pub(super) struct Queries {
    waiting: Arc<Mutex<Waiting>>,
    tasks: TaskTracker,
    /// Runners at most.
    threads: usize,
}

#[derive(Default)]
struct Waiting {
    /// What no runner has taken yet.
    calls: VecDeque<QueryCall>,
    runners: usize,
}

impl Queries {
    /// None yet. For the present runtime.
    pub(super) fn new() -> Self {
        let threads = Handle::current().metrics().num_workers();
        Self { waiting: Arc::default(), tasks: TaskTracker::new(), threads }
    }

    /// Answers a query, beside all others.
    pub(super) fn answer(&self, call: QueryCall) {
        let mut waiting = self.lock();
        waiting.calls.push_back(call);
        if waiting.runners < self.threads {
            waiting.runners += 1;
            self.tasks.spawn(self.clone().run().instrument(Span::current()));
        }
    }

    /// Whether none is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Says that none will be added any more.
    pub(super) fn close(&self) {
        self.tasks.close();
    }

    /// Waits until all are answered that were added before [`close`](Self::close).
    pub(super) async fn wait(&self) {
        self.tasks.wait().await;
    }

    async fn run(self) {
        while let Some(call) = self.next() {
            if let Some(running) = call.begin().await {
                self.tasks.spawn(running.answer().instrument(Span::current()));
            }
            consume_budget().await;
        }
    }

    /// The next query for a runner, which ends where there is none.
    fn next(&self) -> Option<QueryCall> {
        let mut waiting = self.lock();
        let call = waiting.calls.pop_front();
        if call.is_none() {
            waiting.runners -= 1;
        }
        call
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code that can panic runs under the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, time::Duration};

    use async_trait::async_trait;
    use tokio::{
        sync::{Semaphore, mpsc, watch},
        time::{Instant, timeout},
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        Answer, Rows,
        connection::{
            Publishes,
            query_call::{Callee, Query},
            session::Handler,
        },
        context::{Options, SourceContext},
        erased::{ErasedHandler, Fault},
        protocol::Payload,
        query::Reply,
    };

    /// Blocks its thread until as many queries do as there are threads.
    struct Meeting(Barrier);

    #[async_trait]
    impl ErasedHandler for Meeting {
        async fn serve(&self, _: &SourceContext, _: &Publishes) {}

        async fn query(self: Arc<Self>, _: Payload, _: Rows) -> Result<Answer, Fault> {
            self.0.wait();
            Ok(Answer::empty())
        }

        async fn close(self: Arc<Self>) -> bool {
            true
        }
    }

    fn call(callee: &Arc<Callee>, replies: mpsc::Sender<Reply>) -> QueryCall {
        let query = Query {
            object: Payload::NULL,
            reply_to: callee.context.reply_to("address".into()),
            received_at: Instant::now(),
            slot: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
        };
        QueryCall { callee: Arc::clone(callee), query, replies, owed: callee.context.owed() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_handler_that_blocks_its_thread_holds_up_no_other_query() {
        const QUERIES: usize = 100;
        let (_handler_tx, handler_rx) = watch::channel(Handler::Ready(Arc::new(Meeting(Barrier::new(4)))));
        let context = SourceContext::unconnected(Options::default());
        let callee = Arc::new(Callee { context, handler_rx, abandon: CancellationToken::new() });
        let (replies, mut replies_rx) = mpsc::channel(QUERIES);
        let queries = Queries::new();
        let bringing = queries.clone();
        let brought = tokio::spawn(async move {
            for _ in 0..QUERIES {
                bringing.answer(call(&callee, replies.clone()));
            }
            bringing.close();
        });
        brought.await.unwrap();
        timeout(Duration::from_secs(30), queries.wait()).await.expect("any four of them meet");
        let mut answers = Vec::new();
        assert_eq!(replies_rx.recv_many(&mut answers, QUERIES + 1).await, QUERIES);
    }
}
