//! [`Intake`]: hands publishes and queries to the session, and keeps what it cannot take yet.
//!
//! Publishes wait in the source's bounded queue. When that is full, the link reads nothing more: the back-pressure
//! reaches the server. Only while acknowledgements are awaited does it read on, until as much waits again. What
//! comes before the configuration is kept for the session that is to come.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;
use tracing::warn;

use super::{
    answers::Answers,
    publish_queue::{Level, Limit, NoRoom, PublishQueue},
    query_call::Query,
    session::Session,
};
use crate::{
    QueryError,
    context::SourceContext,
    protocol::{Payload, ReplyAddress},
    query::ReplyTo,
};

/// The way of publishes and queries from one link to its sessions.
pub(super) struct Intake {
    context: Arc<SourceContext>,
    publishes: Arc<PublishQueue>,
    /// How full that was when it was last looked at.
    level: Level,
    /// Queries that came before the configuration.
    early: VecDeque<Query>,
    /// Whether the connector is stopping: then nothing more is taken.
    closed: bool,
}

impl Intake {
    pub(super) fn new(context: Arc<SourceContext>, publishes: Arc<PublishQueue>) -> Self {
        Self { context, publishes, level: Level::Free, early: VecDeque::new(), closed: false }
    }

    /// Whether nothing more is to be read until there is [`room`](Self::room) for publishes. Where no handler will
    /// ever make any, they are dropped instead.
    pub(super) fn is_behind(&self, session: Option<&Session>) -> bool {
        self.level != Level::Free && session.is_some_and(|session| !session.has_no_handler())
    }

    /// Whether another publish could wait all the same.
    pub(super) fn has_spare_room(&self) -> bool {
        self.level != Level::Overfull
    }

    /// Takes a publish. Where it has to give way to what comes behind it, it is dropped if it finds no room.
    pub(super) fn publish(&mut self, object: Payload, session: Option<&Session>, gives_way: bool) {
        self.context.counters.publishes.add_one();
        let (taken, otherwise) = match session {
            _ if self.closed => (Err(NoRoom), "the connector is stopping"),
            None => {
                let taken = self.publishes.push_early(object).map(|()| self.level);
                (taken, "too many came before the configuration")
            }
            Some(session) => {
                let (limit, otherwise) = match self.level {
                    Level::Free => (Limit::None, ""),
                    _ if session.has_no_handler() => (Limit::Full, "there is no handler"),
                    _ if gives_way => {
                        (Limit::Overfull, "too many wait for a handler that awaits an acknowledgement")
                    }
                    _ => (Limit::None, ""),
                };
                (session.publish(object, limit), otherwise)
            }
        };
        match taken {
            Ok(level) => self.level = level,
            Err(NoRoom) => self.context.publish_unhandled(otherwise),
        }
    }

    /// Takes a query. Returns the answer where it is refused at once.
    pub(super) fn query(
        &mut self,
        reply_address: Option<ReplyAddress>,
        object: Payload,
        session: Option<&Session>,
        answers: &mut Answers,
    ) -> Option<Bytes> {
        self.context.counters.queries.add_one();
        let Some(address) = reply_address else {
            if let Some(count) = self.context.counters.queries_failed.add_for_a_line(1) {
                warn!(count, "a query without a reply address cannot be answered");
            }
            return None;
        };
        let reply_to = self.context.reply_to(address);
        if self.closed {
            return Some(self.refuse(&reply_to, &self.closing()));
        }
        let Ok(slot) = Arc::clone(&self.context.query_slots).try_acquire_owned() else {
            self.context.counters.queries_busy.add_one();
            let busy = QueryError::new(QueryError::BUSY, "source {0} answers {1} queries already")
                .parameter(&self.context.name)
                .parameter(self.context.options.max_queries);
            return Some(self.refuse(&reply_to, &busy));
        };
        let query = Query { object, reply_to, received_at: Instant::now(), slot };
        match session {
            Some(session) => session.query(query, answers.way()),
            None => self.early.push_back(query),
        }
        None
    }

    /// A session began: hands it what came early.
    pub(super) fn session_began(&mut self, session: &Session, answers: &mut Answers) {
        self.level = session.publish_early();
        for query in self.early.drain(..) {
            session.query(query, answers.way());
        }
    }

    /// When the first early query has waited long enough.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.early.front().map(|query| query.received_at + self.context.options.query_deadline)
    }

    /// The answers to early queries that have waited too long.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Bytes> {
        let deadline = self.context.options.query_deadline;
        let timeout = QueryError::timeout(&self.context.name, deadline);
        let mut answers = Vec::new();
        while let Some(query) = self.early.pop_front_if(|query| query.received_at + deadline <= now) {
            answers.push(self.refuse(&query.reply_to, &timeout));
        }
        answers
    }

    /// Waits until there is room for publishes, or nobody who could make any.
    ///
    /// Cancel safe: it takes nothing.
    pub(super) fn room(&self, session: Option<&Session>) -> impl Future<Output = ()> + use<> {
        let (publishes, no_handler) = (Arc::clone(&self.publishes), session.map(Session::no_handler));
        async move {
            let Some(no_handler) = no_handler else { return };
            tokio::select! {
                () = publishes.room() => {}
                () = no_handler => {}
            }
        }
    }

    /// What [`room`](Self::room) waited for came.
    pub(super) fn look_for_room(&mut self) {
        self.level = self.publishes.level();
    }

    /// Takes nothing more. Returns the answers to queries that no session will see.
    pub(super) fn close(&mut self) -> Vec<Bytes> {
        self.closed = true;
        let early = std::mem::take(&mut self.early);
        early.iter().map(|query| self.refuse(&query.reply_to, &self.closing())).collect()
    }

    fn closing(&self) -> QueryError {
        QueryError::new(QueryError::CLOSING, "source {0} is closing").parameter(&self.context.name)
    }

    /// The answer to a query that no handler will see.
    fn refuse(&self, reply_to: &ReplyTo, error: &QueryError) -> Bytes {
        if let Some(count) = self.context.counters.queries_failed.add_for_a_line(1) {
            warn!(code = error.code(), count, "a query was refused");
        }
        reply_to.error(error)
    }
}

impl Drop for Intake {
    /// The link is over: the callers of early queries are gone or answered, and no session will take the
    /// publishes.
    fn drop(&mut self) {
        for _ in 0..self.publishes.drop_early() {
            self.context.cut_off(|counters| &counters.publishes_abandoned);
            self.context.publish_unhandled("the link was lost before the configuration came");
        }
    }
}
