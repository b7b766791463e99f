//! [`Sessions`]: which session of a source goes on, ends, or begins when.
//!
//! A new session's `connect` begins only after the old one's `close`. A persistent session may outlive its link:
//! it is kept until the next configuration comes, and goes on where that is equal to its own.

use std::sync::Arc;

use tracing::info;

use super::{
    publish_queue::PublishQueue,
    session::{Ending, Session},
};
use crate::{context::SourceContext, erased::ErasedSource, protocol::Payload};

/// The sessions of one source: one at most, and the one before, which may still be ending.
pub(super) struct Sessions {
    context: Arc<SourceContext>,
    handler: Arc<dyn ErasedSource>,
    publishes: Arc<PublishQueue>,
    current: Option<Session>,
    /// A persistent session without a link.
    kept: Option<Session>,
    ending: Option<Ending>,
}

impl Sessions {
    pub(super) fn new(context: Arc<SourceContext>, handler: Arc<dyn ErasedSource>) -> Self {
        let publishes = PublishQueue::new(context.options.publish_costs());
        Self { context, handler, publishes, current: None, kept: None, ending: None }
    }

    pub(super) const fn publishes(&self) -> &Arc<PublishQueue> {
        &self.publishes
    }

    pub(super) const fn current(&self) -> Option<&Session> {
        self.current.as_ref()
    }

    /// Goes on with the session that was kept, where its configuration is equal to `config`; else ends it, and
    /// the present one, if any, and begins one with `config`.
    pub(super) fn begin(&mut self, config: Payload) -> &Session {
        if let Some(kept) = self.kept.take_if(|kept| kept.is_of(&config)) {
            info!("the handler goes on: its configuration is unchanged");
            kept.attach();
            return self.current.insert(kept);
        }
        self.end();
        self.context.counters.sessions.add_one();
        let (context, handler) = (Arc::clone(&self.context), Arc::clone(&self.handler));
        let session = Session::begin(context, handler, config, self.publishes.begin(), self.ending.take());
        self.current.insert(session)
    }

    /// The present session, if any, has no link any more, or will not have it for long. Keeps it, where its
    /// handler is persistent, or lets it end.
    pub(super) fn leave(&mut self) {
        if !self.handler.is_persistent() {
            return self.end();
        }
        if let Some(session) = self.current.take() {
            session.detach();
            self.kept = Some(session);
        }
    }

    /// Lets the present session end, or the one that was kept; its calls get their grace.
    pub(super) fn end(&mut self) {
        if let Some(session) = self.current.take().or_else(|| self.kept.take()) {
            info!("the session ends");
            self.ending = Some(session.end());
        }
    }

    /// Waits until no session is ending any more, with none to follow.
    ///
    /// Cancel safe: the handle is given up only when its task has ended.
    pub(super) async fn ended(&mut self) {
        if let Some(ending) = &mut self.ending {
            // The task catches the panics of handlers; were it to panic itself, it has ended all the same.
            let _ = ending.await;
            self.ending = None;
            for _ in 0..self.publishes.drop_queued() {
                self.context.cut_off(|counters| &counters.publishes_abandoned);
                self.context.publish_unhandled("the connector is stopping");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use anyhow::anyhow;
    use async_trait::async_trait;
    use tokio::{
        sync::mpsc,
        time::{Instant, sleep},
    };

    use super::{
        super::{
            publish_call::serve,
            publish_queue::{Limit, Publishes},
            query_call::Query,
        },
        *,
    };
    use crate::{
        Answer, QueryError, Rows, Source, SourcePattern, SourceState,
        context::Options,
        erased::{ErasedHandler, Fault},
        query::Reply,
    };

    /// A handler whose calls take as long as it says, and note when they began.
    #[derive(Default)]
    struct Script {
        persistent: bool,
        connect: Duration,
        publish: Duration,
        /// Whether it answers queries, or lets them wait for ever.
        answers: bool,
        /// How many of its first calls of `connect` fail, after each has spawned a task.
        failures: usize,
        attempts: AtomicUsize,
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

        fn is_persistent(&self) -> bool {
            self.persistent
        }

        fn type_name(&self) -> &'static str {
            "Script"
        }

        async fn connect(&self, source: Source, config: Payload) -> Result<Arc<dyn ErasedHandler>, Fault> {
            sleep(self.connect).await;
            let spawned = Self::clone(self);
            source.spawn(async move {
                std::future::pending::<()>().await;
                drop(spawned);
            });
            if self.attempts.fetch_add(1, Ordering::Relaxed) < self.failures {
                return Err(Fault::failed(anyhow!("as the script says")));
            }
            Ok(Arc::new(Scripted(Self::clone(self), config.parse().map_err(Fault::Shape)?)))
        }
    }

    #[async_trait]
    impl ErasedHandler for Scripted {
        async fn serve(&self, context: &SourceContext, publishes: &Publishes) {
            let publish = |object: Payload| async move {
                let number: u32 = object.parse().map_err(Fault::Shape)?;
                self.0.note(format!("{}: publish {number}", self.1));
                sleep(self.0.publish).await;
                Ok(())
            };
            serve(context, publishes, publish).await;
        }

        async fn query(self: Arc<Self>, _: Payload, _: Rows) -> Result<Answer, Fault> {
            if self.0.answers { Ok(Answer::empty()) } else { std::future::pending().await }
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
        sessions.current().unwrap().publish(json(number), Limit::None).unwrap();
    }

    /// Asks the session that began last. Returns the way of the answer.
    fn ask(sessions: &Sessions, context: &SourceContext) -> mpsc::Receiver<Reply> {
        let (replies, replies_rx) = mpsc::channel(1);
        let slot = Arc::clone(&context.query_slots).try_acquire_owned().unwrap();
        let reply_to = context.reply_to("address".into());
        let query = Query { object: Payload::NULL, reply_to, received_at: Instant::now(), slot };
        sessions.current().unwrap().query(query, replies);
        replies_rx
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
        let began = Instant::now();
        sessions.begin(json(1));
        let mut replies_rx = ask(&sessions, &context);
        lets_it_begin().await;
        sessions.end();
        let answer = replies_rx.recv().await.unwrap().frame;
        assert_eq!(began.elapsed().as_secs(), context.options.grace.as_secs());
        assert!(answer.windows(QueryError::CLOSING.len()).any(|part| part == QueryError::CLOSING.as_bytes()));
        sessions.ended().await;
        assert!(began.elapsed() < context.options.end_of_session());
    }

    /// Its queries were told that the source is closing as soon as the next configuration came, while it still
    /// waited for the session before it.
    #[tokio::test(start_paused = true)]
    async fn a_session_that_ends_before_its_turn_answers_its_queries_all_the_same() {
        let script = Script { publish: Duration::from_secs(15), answers: true, ..Script::default() };
        let (mut sessions, context, script) = sessions(script);
        sessions.begin(json(1));
        publish(&sessions, 1);
        lets_it_begin().await;
        sessions.begin(json(2));
        let mut replies_rx = ask(&sessions, &context);
        sessions.begin(json(3));
        let answer: serde_json::Value =
            serde_json::from_slice(&replies_rx.recv().await.unwrap().frame).unwrap();
        assert_eq!(answer["status"], 204, "{answer}");
        sessions.end();
        sessions.ended().await;
        assert_eq!(script.noted.lock().unwrap()[..3], ["1: publish 1", "1: close", "2: close"]);
    }

    /// The grace counts from when it was told to end, not from its turn.
    #[tokio::test(start_paused = true)]
    async fn a_session_that_ends_before_its_turn_has_no_more_grace_than_others() {
        let script = Script { publish: Duration::from_secs(15), ..Script::default() };
        let (mut sessions, context, _) = sessions(script);
        sessions.begin(json(1));
        publish(&sessions, 1);
        lets_it_begin().await;
        sessions.begin(json(2));
        let mut replies_rx = ask(&sessions, &context);
        let ended_at = Instant::now();
        sessions.end();
        let answer = replies_rx.recv().await.unwrap().frame;
        assert_eq!(ended_at.elapsed().as_secs(), context.options.grace.as_secs());
        assert!(answer.windows(QueryError::CLOSING.len()).any(|part| part == QueryError::CLOSING.as_bytes()));
        sessions.ended().await;
    }

    /// A poller of each failed attempt went on beside that of the one which succeeded.
    #[tokio::test(start_paused = true)]
    async fn what_a_failed_connect_spawned_ends_with_it() {
        let (mut sessions, context, script) = sessions(Script { failures: 5, ..Script::default() });
        let before = Arc::strong_count(&script);
        sessions.begin(json(1));
        let mut state = context.state.subscribe();
        state.wait_for(|state| *state == SourceState::Connected).await.unwrap();
        assert_eq!(script.attempts.load(Ordering::Relaxed), 6);
        // The handler holds one, and the one task that it spawned.
        assert_eq!(Arc::strong_count(&script), before + 2);
        sessions.end();
        sessions.ended().await;
    }

    /// What the script noted so far, when all that can happen at once has happened.
    async fn noted(script: &Script) -> Vec<String> {
        sleep(Duration::from_millis(1)).await;
        script.noted.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn a_persistent_handler_outlives_its_link_where_the_next_configuration_is_equal() {
        let (mut sessions, context, script) = sessions(Script { persistent: true, ..Script::default() });
        let state = || context.state.borrow().clone();
        sessions.begin(json(1));
        publish(&sessions, 1);
        assert_eq!(noted(&script).await, ["1: publish 1"]);
        assert_eq!(state(), SourceState::Connected);
        sessions.leave();
        assert!(sessions.current().is_none());
        context.set_state(SourceState::Connecting);
        sessions.begin(json(1));
        assert_eq!(state(), SourceState::Connected);
        publish(&sessions, 2);
        assert_eq!(noted(&script).await, ["1: publish 1", "1: publish 2"]);
        sessions.leave();
        sessions.begin(json(2));
        publish(&sessions, 3);
        let all = ["1: publish 1", "1: publish 2", "1: close", "2: publish 3"];
        assert_eq!(noted(&script).await, all, "another configuration is another handler");
        sessions.leave();
        sessions.end();
        sessions.ended().await;
        assert_eq!(noted(&script).await.last().unwrap(), "2: close", "what is kept ends with the source");
        assert_eq!(context.counters.sessions.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_persistent_handler_that_connects_without_a_link_says_so_only_when_there_is_one() {
        let script = Script { persistent: true, connect: Duration::from_secs(5), ..Script::default() };
        let (mut sessions, context, _) = sessions(script);
        let state = || context.state.borrow().clone();
        sessions.begin(json(1));
        lets_it_begin().await;
        sessions.leave();
        context.set_state(SourceState::Waiting("the link is lost".into()));
        sleep(Duration::from_secs(10)).await;
        assert_eq!(state(), SourceState::Waiting("the link is lost".into()));
        sessions.begin(json(1));
        assert_eq!(state(), SourceState::Connected);
    }

    #[tokio::test(start_paused = true)]
    async fn without_persistence_every_session_is_a_new_handler() {
        let (mut sessions, _, script) = sessions(Script::default());
        sessions.begin(json(1));
        lets_it_begin().await;
        sessions.leave();
        sessions.begin(json(1));
        publish(&sessions, 1);
        assert_eq!(noted(&script).await, ["1: close", "1: publish 1"]);
    }
}
