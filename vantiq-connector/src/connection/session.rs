//! [`Session`]: one configuration and the handler made from it, from `connect` to `close`.
//!
//! A session is a task of its own. The link hands it publishes and queries and never waits for it.
//! [`Sessions`] sees to it that a new session's `connect` begins only after the old one's `close`.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::anyhow;
use futures_util::FutureExt;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::{Instrument, Span, debug, error, info};

use super::{
    backoff::{Backoff, BackoffRange, Jitter},
    publish_call,
    publish_queue::{PublishQueue, Queued},
    query_call,
};
use crate::{
    QueryError, Source,
    budget::{Budget, Room},
    context::{LAST_CALL, Scope, SourceContext},
    erased::{ErasedHandler, ErasedSource, Fault},
    protocol::Payload,
    query::{Replies, ReplyTo},
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

/// The sessions of one source: one at most, and the one before, which may still be ending.
pub(super) struct Sessions {
    context: Arc<SourceContext>,
    handler: Arc<dyn ErasedSource>,
    /// For the publishes that wait for a handler. One for all sessions, as they pass from one to the next.
    room: Budget,
    current: Option<Session>,
    ending: Option<Ending>,
}

/// A session that was told to end. It gives back the publishes it did not get to.
type Ending = JoinHandle<VecDeque<Queued>>;

impl Sessions {
    pub(super) fn new(context: Arc<SourceContext>, handler: Arc<dyn ErasedSource>) -> Self {
        let room = context.options.publish_room();
        Self { context, handler, room, current: None, ending: None }
    }

    pub(super) const fn current(&self) -> Option<&Session> {
        self.current.as_ref()
    }

    /// Ends the present session, if any, and begins one with `config`.
    pub(super) fn begin(&mut self, config: Payload) -> &Session {
        self.end();
        self.context.counters.sessions.add_one();
        let (context, handler) = (Arc::clone(&self.context), Arc::clone(&self.handler));
        let session = Session::begin(context, handler, config, self.room.clone(), self.ending.take());
        self.current.insert(session)
    }

    /// Lets the present session end; its calls get their grace.
    pub(super) fn end(&mut self) {
        if let Some(session) = self.current.take() {
            self.ending = Some(session.end());
        }
    }

    /// Waits until no session is ending any more, with none to follow.
    ///
    /// Cancel safe: the handle is given up only when its task has ended.
    pub(super) async fn ended(&mut self) {
        if let Some(ending) = &mut self.ending {
            // The task catches the panics of handlers; were it to panic itself, it has ended all the same.
            let left = ending.await.unwrap_or_default();
            self.ending = None;
            for _ in left {
                self.context.cut_off(|counters| &counters.publishes_abandoned);
                self.context.publish_unhandled("the connector is stopping");
            }
        }
    }
}

/// One session, as the link sees it.
pub(super) struct Session {
    context: Arc<SourceContext>,
    publishes_tx: mpsc::UnboundedSender<Queued>,
    handler_rx: watch::Receiver<Handler>,
    room: Budget,
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
    /// When `ending` was first seen: the grace counts from there, whoever looks.
    ended_at: Arc<OnceLock<Instant>>,
    /// The grace is over.
    abandon: CancellationToken,
    /// The queries in flight.
    queries: TaskTracker,
}

impl Stages {
    /// Waits until the session was told to end and its calls have had their grace.
    async fn grace_over(&self, grace: Duration) {
        self.ending.cancelled().await;
        sleep_until(*self.ended_at.get_or_init(Instant::now) + grace).await;
    }
}

impl Session {
    fn begin(
        context: Arc<SourceContext>,
        handler: Arc<dyn ErasedSource>,
        config: Payload,
        room: Budget,
        previous: Option<Ending>,
    ) -> Self {
        let (publishes_tx, publishes) = PublishQueue::new();
        let (handler_tx, handler_rx) = watch::channel(Handler::Connecting);
        let stages = Stages {
            ending: CancellationToken::new(),
            ended_at: Arc::default(),
            abandon: CancellationToken::new(),
            queries: TaskTracker::new(),
        };
        let scope = Scope::until(stages.ending.child_token());
        let run = Run {
            source: Source::new(Arc::clone(&context), scope.clone()),
            scope,
            context: Arc::clone(&context),
            handler,
            config,
            publishes,
            handler_tx,
            stages: stages.clone(),
        };
        let task = tokio::spawn(run.run(previous).instrument(Span::current()));
        let ending = stages.ending.clone().drop_guard();
        Self { context, publishes_tx, handler_rx, room, stages, _ending: ending, task }
    }

    /// Room for a publish of `len` bytes, where there is some now.
    pub(super) fn try_room(&self, len: usize) -> Option<Room> {
        self.room.try_take(len).ok()
    }

    /// Waits for room for a publish; `None` where there is no handler that could ever make room.
    ///
    /// Cancel safe: both waits are, and neither takes anything before it is over.
    pub(super) fn room(&self, len: usize) -> impl Future<Output = Option<Room>> + use<> {
        let (room, mut handler_rx) = (self.room.clone(), self.handler_rx.clone());
        async move {
            tokio::select! {
                room = room.take(len) => room,
                _ = handler_rx.wait_for(|handler| matches!(handler, Handler::Missing(_))) => None,
            }
        }
    }

    /// Whether there is no handler at present, so that nothing makes room.
    pub(super) fn has_no_handler(&self) -> bool {
        matches!(&*self.handler_rx.borrow(), Handler::Missing(_))
    }

    /// Queues a publish behind those before it.
    pub(super) fn publish(&self, object: Payload, room: Option<Room>) {
        // The session's task holds the other end until this one is dropped.
        let _ = self.publishes_tx.send((object, room));
    }

    /// Answers a query, beside all others.
    pub(super) fn query(
        &self,
        object: Payload,
        reply_to: ReplyTo,
        replies: Replies,
        received_at: Instant,
        slot: OwnedSemaphorePermit,
    ) {
        let call = query_call::QueryCall {
            context: Arc::clone(&self.context),
            handler_rx: self.handler_rx.clone(),
            abandon: self.stages.abandon.clone(),
            received_at,
            object,
            reply_to,
            replies,
            slot,
        };
        self.stages.queries.spawn(call.answer().instrument(Span::current()));
    }

    /// Lets the session end, which takes at most its grace. The task ends after the handler's `close`.
    fn end(self) -> Ending {
        self.task
    }
}

/// One session, from within.
struct Run {
    context: Arc<SourceContext>,
    handler: Arc<dyn ErasedSource>,
    source: Source,
    scope: Scope,
    config: Payload,
    publishes: PublishQueue,
    handler_tx: watch::Sender<Handler>,
    stages: Stages,
}

impl Run {
    /// Returns the publishes that it did not get to.
    async fn run(mut self, previous: Option<Ending>) -> VecDeque<Queued> {
        self.after(previous).await;
        if self.stages.ending.is_cancelled() {
            // Another configuration came meanwhile: nobody needs a handler made from this one.
            return self.let_go(None).await;
        }
        self.say(SourceState::Configuring);
        let handler = self.connect().await;
        if let Some(handler) = &handler {
            self.handler_tx.send_replace(Handler::Ready(Arc::clone(handler)));
            self.say(SourceState::Connected);
            info!("connected");
            tokio::select! {
                () = serve(&self.context, &mut self.publishes, &**handler, &self.stages.queries) => {}
                () = self.stages.grace_over(self.context.options.grace) => {}
            }
        }
        self.let_go(handler).await
    }

    /// Waits until the session before has let go of what this one will take.
    async fn after(&mut self, previous: Option<Ending>) {
        let Some(previous) = previous else { return };
        let patience = self.context.options.end_of_session() * 2;
        let Ok(left) = timeout(patience, previous).await else {
            error!(
                "a handler of the last session blocks its thread; going on without its `close` and publishes"
            );
            return;
        };
        self.publishes.inherit(left.unwrap_or_default());
    }

    /// Builds the handler; tries again, with growing delays, until that succeeds or the session ends.
    async fn connect(&mut self) -> Option<Arc<dyn ErasedHandler>> {
        let mut backoff = Backoff::new(BackoffRange::of(&self.context.options), Jitter::Full);
        loop {
            let attempt = tokio::select! {
                attempt = self.attempt() => attempt,
                () = self.stages.grace_over(self.context.options.grace) => return None,
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
                Err(Fault::Failed(failed)) => {
                    let delay = backoff.next(rand::random());
                    error!(error = format!("{failed:#}"), ?delay, "the handler could not connect");
                    let answer = QueryError::new(QueryError::UNAVAILABLE, "source {0} is not available: {1}");
                    let answer = answer.parameter(&self.context.name).parameter(&failed);
                    (SourceState::Unavailable(failed.to_string()), answer, Some(delay))
                }
            };
            self.say(state);
            self.handler_tx.send_replace(Handler::Missing(answer));
            if !self.pause(delay).await {
                return None;
            }
        }
    }

    /// One call of the handler's `connect`.
    async fn attempt(&self) -> Result<Arc<dyn ErasedHandler>, Fault> {
        let deadline = self.context.options.connect_deadline;
        let connect = self.handler.connect(self.source.clone(), self.config.clone());
        match timeout(deadline, AssertUnwindSafe(connect).catch_unwind()).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Fault::Failed(anyhow!("the handler panicked in `connect`"))),
            Err(_) => Err(Fault::Failed(anyhow!("`connect` took longer than {deadline:?}"))),
        }
    }

    /// Waits for `delay`, or without one for ever; `false` where the session ended instead. Without a delay
    /// nobody will ever take the publishes, so they are dropped as they come.
    async fn pause(&mut self, delay: Option<Duration>) -> bool {
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
    async fn let_go(self, handler: Option<Arc<dyn ErasedHandler>>) -> VecDeque<Queued> {
        // A session can be over only once it was told to end; then these are no news, or the grace is over.
        self.stages.abandon.cancel();
        self.stages.queries.close();
        let closing =
            QueryError::new(QueryError::CLOSING, "source {0} is closing").parameter(&self.context.name);
        self.handler_tx.send_replace(Handler::Missing(closing));
        let all_ended = async {
            self.stages.queries.wait().await;
            self.scope.ended().await;
        };
        if timeout(LAST_CALL, all_ended).await.is_err() {
            error!("a call blocks its thread and cannot be ended");
        }
        if let Some(handler) = handler
            && !close(handler, self.context.options.close_deadline()).await
        {
            self.context.cut_off(|counters| &counters.handlers_abandoned);
        }
        debug!("session ended");
        self.publishes.into_left()
    }

    /// Tells the source's state, unless the session is ending: then others tell it.
    fn say(&self, state: SourceState) {
        self.context.set_state_unless(&self.stages.ending, state);
    }
}

/// Handles publishes one at a time until no more can come, then waits for the queries.
async fn serve(
    context: &SourceContext,
    publishes: &mut PublishQueue,
    handler: &dyn ErasedHandler,
    queries: &TaskTracker,
) {
    while let Some((object, room)) = publishes.next().await {
        publish_call::publish(context, handler, object).await;
        drop(room);
    }
    // The session was told to end, or it would still send publishes: no query can be added.
    queries.close();
    queries.wait().await;
}

/// Closes the handler. Returns whether its `close` ended, be it in a panic.
async fn close(handler: Arc<dyn ErasedHandler>, deadline: Duration) -> bool {
    match timeout(deadline, AssertUnwindSafe(handler.close()).catch_unwind()).await {
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::{Answer, Rows, SourcePattern, context::Options};

    /// A handler whose calls take as long as it says, and note when they began.
    #[derive(Default)]
    struct Script {
        connect: Duration,
        publish: Duration,
        noted: Mutex<Vec<String>>,
    }

    /// The handler made from the configuration of this number.
    struct Scripted(Arc<Script>, u32);

    impl Script {
        fn note(&self, what: String) {
            self.noted.lock().unwrap().push(what);
        }
    }

    #[async_trait]
    impl ErasedSource for Arc<Script> {
        fn pattern(&self) -> SourcePattern {
            SourcePattern::ANY
        }

        fn type_name(&self) -> &'static str {
            "Script"
        }

        async fn connect(&self, _: Source, config: Payload) -> Result<Arc<dyn ErasedHandler>, Fault> {
            sleep(self.connect).await;
            Ok(Arc::new(Scripted(Self::clone(self), config.parse().map_err(Fault::Shape)?)))
        }
    }

    #[async_trait]
    impl ErasedHandler for Scripted {
        async fn publish(&self, object: Payload) -> Result<(), Fault> {
            let number: u32 = object.parse().map_err(Fault::Shape)?;
            self.0.note(format!("{}: publish {number}", self.1));
            sleep(self.0.publish).await;
            Ok(())
        }

        async fn query(&self, _: Payload, _: &mut Rows) -> Result<Answer, Fault> {
            std::future::pending().await
        }

        async fn close(self: Arc<Self>) -> bool {
            self.0.note(format!("{}: close", self.1));
            true
        }
    }

    /// The sessions of a source with the handler `script`.
    fn sessions(script: Script) -> (Sessions, Arc<SourceContext>, Arc<Script>) {
        let options = Options { grace: Duration::from_secs(20), ..Options::default() };
        let (context, script) = (SourceContext::unconnected(options), Arc::new(script));
        (Sessions::new(Arc::clone(&context), Arc::new(Arc::clone(&script))), context, script)
    }

    fn json(number: u32) -> Payload {
        Payload::from_value(&number).unwrap()
    }

    fn publish(sessions: &Sessions, number: u32) {
        let session = sessions.current().unwrap();
        session.publish(json(number), session.try_room(1));
    }

    /// A session that is told to end before it began calls no `connect`.
    async fn lets_it_begin() {
        tokio::task::yield_now().await;
    }

    #[tokio::test(start_paused = true)]
    async fn publishes_that_a_session_does_not_get_to_go_to_the_next_one_in_order() {
        let script = Script { publish: Duration::from_secs(15), ..Script::default() };
        let (mut sessions, context, script) = sessions(script);
        sessions.begin(json(1));
        (1..=4).for_each(|number| publish(&sessions, number));
        lets_it_begin().await;
        sessions.begin(json(2));
        publish(&sessions, 5);
        sleep(Duration::from_mins(2)).await;
        sessions.end();
        sessions.ended().await;
        let expected = [
            "1: publish 1",
            "1: publish 2",
            "1: close",
            "2: publish 3",
            "2: publish 4",
            "2: publish 5",
            "2: close",
        ];
        assert_eq!(*script.noted.lock().unwrap(), expected);
        assert_eq!(
            context.counters.publishes_failed.get(),
            1,
            "the second was under way when the grace was over"
        );
        assert_eq!(context.counters.publishes_unhandled.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn publishes_that_no_session_will_get_to_are_counted() {
        let script = Script { publish: Duration::from_secs(15), ..Script::default() };
        let (mut sessions, context, _) = sessions(script);
        sessions.begin(json(1));
        (1..=4).for_each(|number| publish(&sessions, number));
        lets_it_begin().await;
        sessions.end();
        sessions.ended().await;
        assert_eq!(context.counters.publishes_failed.get(), 1);
        assert_eq!(context.counters.publishes_unhandled.get(), 2);
    }

    /// The grace counted once for `connect` and again for the calls, so that the link was closed before the
    /// query was answered.
    #[tokio::test(start_paused = true)]
    async fn a_slow_connect_uses_up_the_grace_of_the_query_behind_it() {
        let script = Script { connect: Duration::from_secs(18), ..Script::default() };
        let (mut sessions, context, _) = sessions(script);
        let (replies, mut replies_rx) = mpsc::channel(1);
        let slot = Arc::clone(&context.query_slots).try_acquire_owned().unwrap();
        let began = Instant::now();
        let session = sessions.begin(json(1));
        session.query(Payload::NULL, context.reply_to("address".into()), replies, began, slot);
        lets_it_begin().await;
        sessions.end();
        let answer = replies_rx.recv().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), context.options.grace.as_secs());
        assert!(answer.windows(QueryError::CLOSING.len()).any(|part| part == QueryError::CLOSING.as_bytes()));
        sessions.ended().await;
        assert!(began.elapsed() < context.options.end_of_session());
    }
}
