//! [`Session`]: one configuration and the handler made from it, from `connect` to `close`.
//!
//! A session is a task of its own. The link hands it publishes and queries and never waits for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{Instrument, Span, debug, error, info};

use super::{
    backoff::{Backoff, BackoffRange, Jitter},
    publish_queue::{Feed, Level, Limit, NoRoom, Publishes},
    queries::Queries,
    query_call::{Callee, Query, QueryCall},
};
use crate::{
    QueryError, Source,
    contain::Contained,
    context::{LAST_CALL, Scope, SourceContext},
    erased::{ErasedHandler, ErasedSource, Fault},
    protocol::Payload,
    query::Replies,
    telemetry::SourceState,
};

/// What a query finds when it wants the handler.
#[derive(Clone)]
pub(super) enum Handler {
    /// Its first `connect` is running: wait.
    Connecting,
    Ready(Arc<dyn ErasedHandler>),
    /// There is none at present: this is the answer.
    Missing(QueryError),
}

/// A session that was told to end.
pub(super) type Ending = JoinHandle<()>;

/// One session, as the link sees it.
pub(super) struct Session {
    config: Payload,
    voice: Voice,
    publishes: Feed,
    callee: Arc<Callee>,
    stages: Stages,
    /// Dropping the session ends it, too.
    _ending: DropGuard,
    task: Ending,
}

/// How far a session is on its way to its end.
#[derive(Clone)]
struct Stages {
    /// No new calls; those in flight have their grace.
    ending: CancellationToken,
    /// When the session was told to end, or that was first seen: the grace counts from there, whoever looks.
    ended_at: Arc<OnceLock<Instant>>,
    /// The grace is over.
    abandon: CancellationToken,
    queries: Queries,
}

impl Stages {
    /// Waits until the session was told to end and its calls have had their grace.
    async fn grace_over(&self, grace: Duration) {
        self.ending.cancelled().await;
        sleep_until(*self.ended_at.get_or_init(Instant::now) + grace).await;
    }
}

impl Session {
    pub(super) fn begin(
        context: Arc<SourceContext>,
        handler: Arc<dyn ErasedSource>,
        config: Payload,
        (feed, publishes): (Feed, Publishes),
        previous: Option<Ending>,
    ) -> Self {
        let (handler_tx, handler_rx) = watch::channel(Handler::Connecting);
        let stages = Stages {
            ending: CancellationToken::new(),
            ended_at: Arc::default(),
            abandon: CancellationToken::new(),
            queries: Queries::new(),
        };
        let voice = Voice::new(Arc::clone(&context), stages.ending.clone());
        let run = Run {
            scope: Scope::until(stages.ending.child_token()),
            context: Arc::clone(&context),
            voice: voice.clone(),
            handler,
            config: config.clone(),
            publishes,
            handler_tx,
            stages: stages.clone(),
        };
        let task = tokio::spawn(run.run(previous).instrument(Span::current()));
        let ending = stages.ending.clone().drop_guard();
        let callee = Arc::new(Callee { context, handler_rx, abandon: stages.abandon.clone() });
        Self { config, voice, publishes: feed, callee, stages, _ending: ending, task }
    }

    /// Whether it was made from a configuration equal to `config`.
    pub(super) fn is_of(&self, config: &Payload) -> bool {
        self.config.equals(config)
    }

    /// The link is lost: others tell the source's state now.
    pub(super) fn detach(&self) {
        self.voice.detach();
    }

    /// There is a link again.
    pub(super) fn attach(&self) {
        self.voice.attach();
    }

    /// Whether there is no handler at present, so that nothing makes room.
    pub(super) fn has_no_handler(&self) -> bool {
        let handler_rx = &self.callee.handler_rx;
        // Nor once the session's task is over, whatever it said last.
        matches!(&*handler_rx.borrow(), Handler::Missing(_)) || handler_rx.has_changed().is_err()
    }

    /// Waits until there is none.
    ///
    /// Cancel safe: it only waits.
    pub(super) fn no_handler(&self) -> impl Future<Output = ()> + use<> {
        let mut handler_rx = self.callee.handler_rx.clone();
        async move {
            // The session's task tells it before it ends.
            let _ = handler_rx.wait_for(|handler| matches!(handler, Handler::Missing(_))).await;
        }
    }

    /// Queues a publish behind those before it, unless that makes the queue fuller than `limit`.
    pub(super) fn publish(&self, object: Payload, limit: Limit) -> Result<Level, NoRoom> {
        self.publishes.push(object, limit)
    }

    /// Queues what came before the configuration.
    pub(super) fn publish_early(&self) -> Level {
        self.publishes.push_early()
    }

    /// Answers a query, beside all others.
    pub(super) fn query(&self, query: Query, replies: Replies) {
        let (callee, owed) = (Arc::clone(&self.callee), self.callee.context.owed());
        self.stages.queries.answer(QueryCall { callee, query, replies, owed });
    }

    /// Lets the session end, which takes at most its grace. The task ends after the handler's `close`.
    pub(super) fn end(self) -> Ending {
        // Its task may be waiting for the session before, and see it late.
        self.stages.ended_at.get_or_init(Instant::now);
        self.task
    }
}

/// Tells the source's state on behalf of a session, while that has a link and was not told to end.
#[derive(Clone)]
struct Voice {
    context: Arc<SourceContext>,
    ending: CancellationToken,
    said: Arc<Mutex<Said>>,
}

/// What the session said last, and whether it is to be heard.
struct Said {
    state: SourceState,
    attached: bool,
}

impl Voice {
    fn new(context: Arc<SourceContext>, ending: CancellationToken) -> Self {
        let said = Said { state: SourceState::Configuring, attached: true };
        Self { context, ending, said: Arc::new(Mutex::new(said)) }
    }

    fn say(&self, state: SourceState) {
        let mut said = self.lock();
        said.state = state;
        self.tell(&said);
    }

    fn detach(&self) {
        self.lock().attached = false;
    }

    fn attach(&self) {
        let mut said = self.lock();
        said.attached = true;
        self.tell(&said);
    }

    fn tell(&self, said: &Said) {
        if said.attached {
            self.context.set_state_unless(&self.ending, said.state.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        // No code that can panic runs under the lock.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session, from within.
struct Run {
    context: Arc<SourceContext>,
    voice: Voice,
    handler: Arc<dyn ErasedSource>,
    /// Of what the handler spawns, or what the present attempt to make one did.
    scope: Scope,
    config: Payload,
    publishes: Publishes,
    handler_tx: watch::Sender<Handler>,
    stages: Stages,
}

impl Drop for Run {
    /// Were its task to panic, nobody else would let the runners end.
    fn drop(&mut self) {
        self.stages.queries.close();
    }
}

impl Run {
    #[expect(clippy::manual_async_fn, reason = "that would have room for its arguments twice")]
    fn run(mut self, previous: Option<Ending>) -> impl Future<Output = ()> + Send {
        async move {
            self.after(previous).await;
            if self.stages.ending.is_cancelled() && self.stages.queries.is_empty() {
                // Another configuration came meanwhile: nobody needs a handler made from this one. But queries that
                // wait for it do, and have their grace.
                return self.let_go(None).await;
            }
            self.voice.say(SourceState::Configuring);
            let handler = self.connect().await;
            if let Some(handler) = &handler {
                self.handler_tx.send_replace(Handler::Ready(Arc::clone(handler)));
                self.voice.say(SourceState::Connected);
                info!("connected");
                tokio::select! {
                    () = serve(&self.context, &self.publishes, &**handler, &self.stages.queries) => {}
                    () = self.stages.grace_over(self.context.options.grace) => {}
                }
            }
            self.let_go(handler).await;
        }
    }

    /// Waits until the session before has let go of what this one will take.
    async fn after(&self, previous: Option<Ending>) {
        let Some(previous) = previous else { return };
        let patience = self.context.options.end_of_session() * 2;
        if timeout(patience, previous).await.is_err() {
            error!("a handler of the last session blocks its thread; going on without its `close`");
        }
    }

    /// Builds the handler; tries again, with growing delays, until that succeeds or the session ends.
    async fn connect(&mut self) -> Option<Arc<dyn ErasedHandler>> {
        let mut backoff = Backoff::new(BackoffRange::of(&self.context.options), Jitter::Full);
        let (stages, grace) = (self.stages.clone(), self.context.options.grace);
        loop {
            let attempt = tokio::select! {
                attempt = self.attempt() => attempt,
                () = stages.grace_over(grace) => return None,
            };
            let (state, answer, delay) = match attempt {
                Ok(handler) => return Some(handler),
                Err(Fault::Shape(shape)) => {
                    error!(error = %shape, "the configuration has not the expected shape; waiting for another one");
                    let answer = QueryError::new(
                        QueryError::CONFIGURATION,
                        "the configuration of source {0} is invalid: {1}",
                    );
                    let answer = answer.parameter(&self.context.name).parameter(&shape);
                    (SourceState::Misconfigured(shape.to_string()), answer, None)
                }
                Err(Fault::Failed(failure)) => {
                    let delay = backoff.next(self.context.options.chance.draw());
                    error!(error = failure.chain, ?delay, "the handler could not connect");
                    let answer = QueryError::new(QueryError::UNAVAILABLE, "source {0} is not available: {1}");
                    let answer = answer.parameter(&self.context.name).parameter(&failure.text);
                    (SourceState::Unavailable(failure.text), answer, Some(delay))
                }
            };
            self.voice.say(state);
            self.handler_tx.send_replace(Handler::Missing(answer));
            if !self.pause(delay).await {
                return None;
            }
        }
    }

    /// One call of the handler's `connect`. Nothing that it spawned outlives its failure.
    async fn attempt(&mut self) -> Result<Arc<dyn ErasedHandler>, Fault> {
        self.scope = Scope::until(self.stages.ending.child_token());
        let attempt = self.call_connect().await;
        if attempt.is_err() {
            self.scope.end();
            last_call(self.scope.ended()).await;
        }
        attempt
    }

    async fn call_connect(&self) -> Result<Arc<dyn ErasedHandler>, Fault> {
        let deadline = self.context.options.connect_deadline;
        let source = Source::new(Arc::clone(&self.context), self.scope.clone());
        let connect = self.handler.connect(source, self.config.clone());
        match timeout(deadline, Contained::new(connect)).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Fault::failed(anyhow!("the handler panicked in `connect`"))),
            Err(_) => Err(Fault::failed(anyhow!("`connect` took longer than {deadline:?}"))),
        }
    }

    /// Waits for `delay`, or without one for ever; `false` where the session ended instead. Without a delay
    /// nobody will ever take the publishes, so they are dropped as they come.
    async fn pause(&self, delay: Option<Duration>) -> bool {
        let Some(delay) = delay else {
            while let Some((_, room)) = self.publishes.next().await {
                drop(room);
                self.context.publish_unhandled("there is no handler");
            }
            return false;
        };
        tokio::select! {
            () = sleep(delay) => true,
            () = self.stages.ending.cancelled() => false,
        }
    }

    /// Ends what is still running, then closes the handler.
    async fn let_go(&self, handler: Option<Arc<dyn ErasedHandler>>) {
        // A session can be over only once it was told to end; then these are no news, or the grace is over.
        self.stages.abandon.cancel();
        self.stages.queries.close();
        let closing =
            QueryError::new(QueryError::CLOSING, "source {0} is closing").parameter(&self.context.name);
        self.handler_tx.send_replace(Handler::Missing(closing));
        last_call(async {
            self.stages.queries.wait().await;
            self.scope.ended().await;
        })
        .await;
        if let Some(handler) = handler
            && !close(handler, self.context.options.close_deadline()).await
        {
            self.context.cut_off(|counters| &counters.handlers_abandoned);
        }
        debug!("session ended");
    }
}

/// Waits for what was told to end, and does so at its next `.await`.
async fn last_call(ended: impl Future<Output = ()>) {
    if timeout(LAST_CALL, ended).await.is_err() {
        error!("a call blocks its thread and cannot be ended");
    }
}

/// Handles publishes one at a time until no more can come, then waits for the queries.
async fn serve(
    context: &SourceContext,
    publishes: &Publishes,
    handler: &dyn ErasedHandler,
    queries: &Queries,
) {
    handler.serve(context, publishes).await;
    // The session was told to end, or it would still send publishes: no query can be added.
    queries.close();
    queries.wait().await;
}

/// Closes the handler. Returns whether its `close` ended, be it in a panic.
async fn close(handler: Arc<dyn ErasedHandler>, deadline: Duration) -> bool {
    match timeout(deadline, Contained::new(handler.close())).await {
        Ok(Ok(true)) => return true,
        Ok(Ok(false)) => error!("`close` was left out, for a call still holds the handler"),
        Ok(Err(_)) => {
            error!("the handler panicked in `close`");
            return true;
        }
        Err(_) => error!(?deadline, "`close` took too long and was abandoned"),
    }
    false
}
