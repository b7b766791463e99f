//! [`Intake`]: hands publishes and queries to the session, and keeps what it cannot take yet.
//!
//! Publishes wait in the session's bounded queue. When that is full, one is held here and the link reads
//! nothing more: the back-pressure reaches the server. What comes before the configuration is kept for the
//! session that is to come.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tracing::warn;

use super::session::Session;
use crate::{
    QueryError,
    budget::{Budget, Room},
    context::SourceContext,
    protocol::Payload,
    query::{Replies, ReplyTo},
    telemetry::worth_a_line,
};

/// The way of publishes and queries from one link to its sessions.
pub(super) struct Intake {
    context: Arc<SourceContext>,
    replies_tx: Replies,
    /// A publish for which the session has no room.
    held: Option<Payload>,
    /// What came before the configuration.
    early: VecDeque<Early>,
    early_room: Budget,
    /// Whether the connector is stopping: then nothing more is taken.
    closed: bool,
}

/// A message that waits for the session it belongs to.
struct Early {
    call: Call,
    _room: Room,
}

enum Call {
    Publish(Payload),
    Query(ReplyTo, Payload),
}

impl Intake {
    pub(super) fn new(context: Arc<SourceContext>, replies_tx: Replies) -> Self {
        let early_room = context.options.publish_room();
        Self { context, replies_tx, held: None, early: VecDeque::new(), early_room, closed: false }
    }

    /// Whether a publish waits for room, so that nothing more is to be read.
    pub(super) const fn is_blocked(&self) -> bool {
        self.held.is_some()
    }

    /// Takes a publish.
    pub(super) fn publish(&mut self, object: Payload, session: Option<&Session>) {
        self.context.counters.publishes.add_one();
        match session {
            _ if self.closed => self.unhandled("the connector is stopping"),
            Some(session) => self.hand_publish(object, session),
            None => match self.early_room.try_take(object.len()) {
                Ok(room) => self.early.push_back(Early { call: Call::Publish(object), _room: room }),
                Err(_) => self.unhandled("too many came before the configuration"),
            },
        }
    }

    /// Takes a query. Returns the answer where it is refused at once.
    pub(super) fn query(
        &mut self,
        reply_address: Option<String>,
        object: Payload,
        session: Option<&Session>,
    ) -> Option<Bytes> {
        self.context.counters.queries.add_one();
        let Some(address) = reply_address else {
            self.context.counters.queries_failed.add_one();
            warn!("a query without a reply address cannot be answered");
            return None;
        };
        let reply_to = self.context.reply_to(address);
        match session {
            _ if self.closed => {
                let closing = QueryError::new(QueryError::CLOSING, "source {0} is closing");
                Some(self.refuse(&reply_to, &closing.parameter(&self.context.name)))
            }
            Some(session) => self.hand_query(reply_to, object, session),
            None => {
                let Ok(room) = self.early_room.try_take(object.len()) else {
                    let busy = QueryError::new(QueryError::BUSY, "source {0} is not configured yet");
                    return Some(self.refuse(&reply_to, &busy.parameter(&self.context.name)));
                };
                self.early.push_back(Early { call: Call::Query(reply_to, object), _room: room });
                None
            }
        }
    }

    /// A session began: hands it what came early. Returns the answers to queries that are refused at once.
    pub(super) fn session_began(&mut self, session: &Session) -> Vec<Bytes> {
        let early = std::mem::take(&mut self.early);
        let hand = |early: Early| match early.call {
            Call::Publish(object) => {
                self.hand_publish(object, session);
                None
            }
            Call::Query(reply_to, object) => self.hand_query(reply_to, object, session),
        };
        early.into_iter().filter_map(hand).collect()
    }

    /// A session ends: the publish it has no room for is still its own.
    pub(super) fn session_ends(&mut self, session: &Session) {
        if let Some(object) = self.held.take() {
            session.publish(object, None);
        }
    }

    /// Waits until the session has room for the publish that is held; `None` where it will never have any.
    pub(super) fn room(&self, session: Option<&Session>) -> impl Future<Output = Option<Room>> + use<> {
        let room = self.held.as_ref().zip(session).map(|(object, session)| session.room(object.len()));
        async {
            match room {
                Some(room) => room.await,
                None => None,
            }
        }
    }

    /// What [`room`](Self::room) waited for came.
    pub(super) fn release(&mut self, room: Option<Room>, session: Option<&Session>) {
        match (self.held.take(), room, session) {
            (Some(object), Some(room), Some(session)) => session.publish(object, Some(room)),
            (Some(_), _, _) => self.unhandled("there is no handler"),
            (None, _, _) => {}
        }
    }

    /// Takes nothing more.
    pub(super) const fn close(&mut self) {
        self.closed = true;
    }

    fn hand_publish(&mut self, object: Payload, session: &Session) {
        // Behind one that is held there is no room either; several can come at once only when they came
        // early, and those were bounded then.
        match session.try_room(object.len()) {
            Some(room) if !self.is_blocked() => session.publish(object, Some(room)),
            _ if session.has_no_handler() => self.unhandled("there is no handler"),
            _ => {
                if let Some(before) = self.held.replace(object) {
                    session.publish(before, None);
                }
            }
        }
    }

    fn hand_query(&self, reply_to: ReplyTo, object: Payload, session: &Session) -> Option<Bytes> {
        if let Ok(slot) = Arc::clone(&self.context.query_slots).try_acquire_owned() {
            session.query(object, reply_to, self.replies_tx.clone(), slot);
            return None;
        }
        self.context.counters.queries_busy.add_one();
        let busy = QueryError::new(QueryError::BUSY, "source {0} answers {1} queries already")
            .parameter(&self.context.name)
            .parameter(self.context.options.max_queries);
        Some(self.refuse(&reply_to, &busy))
    }

    /// The answer to a query that no handler will see.
    fn refuse(&self, reply_to: &ReplyTo, error: &QueryError) -> Bytes {
        let count = self.context.counters.queries_failed.add_one();
        if worth_a_line(count) {
            warn!(code = error.code(), count, "a query was refused");
        }
        reply_to.error(error)
    }

    fn unhandled(&self, why: &str) {
        let count = self.context.counters.publishes_unhandled.add_one();
        if worth_a_line(count) {
            warn!(count, why, "a publish was dropped");
        }
    }
}

impl Drop for Intake {
    /// The link is lost: the callers of early queries are gone, and no session will take the publishes.
    fn drop(&mut self) {
        for early in std::mem::take(&mut self.early) {
            if let Call::Publish(_) = early.call {
                self.unhandled("the link was lost before the configuration came");
            }
        }
    }
}
