//! [`Queries`]: the queries of one session that are being answered, side by side.
//!
//! A task for each would cost more than most queries do. So a runner takes one after the other and calls the
//! handler; only what is not answered at once gets a task of its own. There are as many runners as the runtime has threads, so
//! a handler that computes for long, or blocks its thread, holds up no other query while any thread is free. They
//! are started, and woken, by whoever brings the queries, who does not block: what a task starts itself may be tied to
//! its thread. One stays until the session ends, for to start it takes a tenth of a query that comes alone; others end
//! when there is nothing to do, or the sources of a large machine would keep more of them than there are queries.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, sync::Notify, task::coop::consume_budget};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use super::query_call::{Begun, QueryCall};

/// The queries in flight of one session.
#[derive(Clone)]
pub(super) struct Queries {
    queue: Arc<Queue>,
    /// Of the runners, and of what is not answered at once.
    tasks: TaskTracker,
    /// Runners at most.
    threads: usize,
}

/// What the runners share.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes idle runners.
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    /// What no runner has taken yet.
    calls: VecDeque<QueryCall>,
    runners: usize,
    /// Runners that wait to be woken.
    idle: usize,
    /// Whether runners end once they find nothing.
    is_closed: bool,
}

impl Queries {
    /// None yet. For the present runtime.
    pub(super) fn new() -> Self {
        let threads = Handle::current().metrics().num_workers();
        Self { queue: Arc::default(), tasks: TaskTracker::new(), threads }
    }

    /// Answers a query, beside all others.
    pub(super) fn answer(&self, call: QueryCall) {
        let mut waiting = self.queue.lock();
        waiting.calls.push_back(call);
        if waiting.idle > 0 {
            waiting.idle -= 1;
            drop(waiting);
            self.queue.arrived.notify_one();
        } else if waiting.runners < self.threads {
            waiting.runners += 1;
            self.tasks.spawn(self.clone().run().instrument(Span::current()));
        }
    }

    /// Whether none is in flight.
    pub(super) fn is_empty(&self) -> bool {
        let waiting = self.queue.lock();
        waiting.calls.is_empty() && self.tasks.len() == waiting.idle
    }

    /// Says that none will be added any more.
    pub(super) fn close(&self) {
        self.tasks.close();
        self.queue.close();
    }

    /// Waits until all are answered that were added before [`close`](Self::close).
    pub(super) async fn wait(&self) {
        self.tasks.wait().await;
    }

    async fn run(self) {
        while let Some(call) = self.queue.next().await {
            match call.begin() {
                Begun::Answered(answered) => answered.send().await,
                Begun::Running(running) => {
                    self.tasks.spawn(running.answer().instrument(Span::current()));
                }
            }
            consume_budget().await;
        }
    }
}

impl Queue {
    /// The next query for a runner, which ends where there will be none, or another one waits for it.
    async fn next(&self) -> Option<QueryCall> {
        loop {
            let mut arrived = pin!(self.arrived.notified());
            {
                let mut waiting = self.lock();
                if let Some(call) = waiting.calls.pop_front() {
                    return Some(call);
                }
                if waiting.is_closed || waiting.idle > 0 {
                    waiting.runners -= 1;
                    return None;
                }
                waiting.idle += 1;
                // Under the lock: whoever counts on an idle runner wakes one.
                arrived.as_mut().enable();
            }
            arrived.await;
        }
    }

    /// Lets the runners end once they find nothing.
    fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.idle = 0;
        self.arrived.notify_waiters();
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

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn queries_one_by_one_and_after_the_close_are_answered() {
        let (_handler_tx, handler_rx) = watch::channel(Handler::Ready(Arc::new(Meeting(Barrier::new(1)))));
        let context = SourceContext::unconnected(Options::default());
        let callee = Arc::new(Callee { context, handler_rx, abandon: CancellationToken::new() });
        for _ in 0..100 {
            let (replies, mut replies_rx) = mpsc::channel(10);
            let queries = Queries::new();
            for _ in 0..10 {
                queries.answer(call(&callee, replies.clone()));
                timeout(Duration::from_secs(30), replies_rx.recv()).await.expect("it is answered");
            }
            assert!(queries.tasks.len() <= 2, "runners are used again");
            queries.answer(call(&callee, replies.clone()));
            queries.close();
            queries.answer(call(&callee, replies));
            timeout(Duration::from_secs(30), queries.wait()).await.expect("no runner stays");
            assert!(queries.is_empty());
            let mut answers = Vec::new();
            assert_eq!(replies_rx.recv_many(&mut answers, 3).await, 2);
        }
    }
}
