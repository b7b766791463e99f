//! [`Intake`]: hands publishes and queries to the session, and keeps what it cannot take yet.
//!
//! Publishes wait in the session's bounded queue. When that is full, they are held here and the link reads
//! nothing more: the back-pressure reaches the server. Only while acknowledgements are awaited does it read
//! on, until as much is held again. What comes before the configuration is kept for the session that is to
//! come.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;
use tracing::warn;

use super::session::Session;
use crate::{
    QueryError,
    budget::{Budget, Room},
    context::{Options, SourceContext},
    protocol::Payload,
    query::{Replies, ReplyTo},
};

/// The way of publishes and queries from one link to its sessions.
pub(super) struct Intake {
    context: Arc<SourceContext>,
    replies_tx: Replies,
    /// Publishes for which the session has no room, and the room they take here. The first may have none.
    held: VecDeque<(Payload, Option<Room>)>,
    /// What came before the configuration.
    early: VecDeque<Early>,
    spare_room: SpareRoom,
    /// Whether the connector is stopping: then nothing more is taken.
    closed: bool,
}

/// A message that waits for the session it belongs to.
struct Early {
    call: Call,
    received_at: Instant,
    room: Room,
}

enum Call {
    Publish(Payload),
    Query(ReplyTo, Payload),
}

/// Room beside that of the sessions, the same for all links of a source.
#[derive(Clone)]
pub(super) struct SpareRoom {
    held: Budget,
    early: Budget,
}

impl SpareRoom {
    pub(super) fn new(options: &Options) -> Self {
        Self { held: options.publish_room(), early: options.publish_room() }
    }
}

impl Intake {
    pub(super) fn new(context: Arc<SourceContext>, replies_tx: Replies, spare_room: SpareRoom) -> Self {
        let (held, early) = (VecDeque::new(), VecDeque::new());
        Self { context, replies_tx, held, early, spare_room, closed: false }
    }

    /// Whether publishes wait for room.
    pub(super) fn is_behind(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether another publish could be held.
    pub(super) fn has_room(&self) -> bool {
        self.spare_room.held.has_room()
    }

    /// Takes a publish. Where it has to give way to what comes behind it, it is dropped if it finds no room.
    pub(super) fn publish(&mut self, object: Payload, session: Option<&Session>, gives_way: bool) {
        self.context.counters.publishes.add_one();
        match session {
            _ if self.closed => self.context.publish_unhandled("the connector is stopping"),
            Some(_)
                if gives_way && self.is_behind() && self.spare_room.held.try_take(object.len()).is_err() =>
            {
                self.context.publish_unhandled("too many wait for a handler that awaits an acknowledgement");
            }
            Some(session) => self.hand_publish(object, None, session),
            None => match self.spare_room.early.try_take(object.len()) {
                Ok(room) => self.keep(Call::Publish(object), room),
                Err(_) => self.context.publish_unhandled("too many came before the configuration"),
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
            if let Some(count) = self.context.counters.queries_failed.add_for_a_line(1) {
                warn!(count, "a query without a reply address cannot be answered");
            }
            return None;
        };
        let reply_to = self.context.reply_to(address);
        match session {
            _ if self.closed => Some(self.refuse(&reply_to, &self.closing())),
            Some(session) => self.hand_query(reply_to, object, Instant::now(), session),
            None => {
                let Ok(room) = self.spare_room.early.try_take(object.len()) else {
                    let busy = QueryError::new(QueryError::BUSY, "source {0} is not configured yet");
                    return Some(self.refuse(&reply_to, &busy.parameter(&self.context.name)));
                };
                self.keep(Call::Query(reply_to, object), room);
                None
            }
        }
    }

    /// A session began: hands it what came early. Returns the answers to queries that are refused at once.
    pub(super) fn session_began(&mut self, session: &Session) -> Vec<Bytes> {
        let early = std::mem::take(&mut self.early);
        let hand = |early: Early| match early.call {
            Call::Publish(object) => {
                self.hand_publish(object, Some(early.room), session);
                None
            }
            Call::Query(reply_to, object) => self.hand_query(reply_to, object, early.received_at, session),
        };
        early.into_iter().filter_map(hand).collect()
    }

    /// A session ends: the publishes it has no room for are still its own.
    pub(super) fn session_ends(&mut self, session: &Session) {
        for (object, room) in self.held.drain(..) {
            session.publish(object, room);
        }
    }

    /// When the first early query has waited long enough.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let queries = self.early.iter().filter(|early| matches!(early.call, Call::Query(..)));
        queries.map(|early| early.received_at + self.context.options.query_deadline).min()
    }

    /// The answers to early queries that have waited too long.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Bytes> {
        let deadline = self.context.options.query_deadline;
        let timeout = QueryError::timeout(&self.context.name, deadline);
        self.refuse_early(|early| early.received_at + deadline <= now, &timeout)
    }

    /// Waits until the session has room for the publish that is held; `None` where it will never have any.
    pub(super) fn room(&self, session: Option<&Session>) -> impl Future<Output = Option<Room>> + use<> {
        let first = self.held.front().map(|(object, _)| object);
        let room = first.zip(session).map(|(object, session)| session.room(object.len()));
        async {
            match room {
                Some(room) => room.await,
                None => None,
            }
        }
    }

    /// What [`room`](Self::room) waited for came: hands over the first publish that is held, and those behind it
    /// for which there is room by now.
    pub(super) fn release(&mut self, room: Option<Room>, session: Option<&Session>) {
        let (Some(mut room), Some(session)) = (room, session) else {
            if self.held.pop_front().is_some() {
                self.context.publish_unhandled("there is no handler");
            }
            return;
        };
        while let Some((object, _)) = self.held.pop_front() {
            session.publish(object, Some(room));
            let next = self.held.front().and_then(|(object, _)| session.try_room(object.len()));
            let Some(next) = next else { return };
            room = next;
        }
    }

    /// Takes nothing more. Returns the answers to queries that no session will see.
    pub(super) fn close(&mut self) -> Vec<Bytes> {
        self.closed = true;
        let closing = self.closing();
        self.refuse_early(|_| true, &closing)
    }

    fn keep(&mut self, call: Call, room: Room) {
        self.early.push_back(Early { call, received_at: Instant::now(), room });
    }

    /// Answers those early queries that `wanted` says with `error`.
    fn refuse_early(&mut self, wanted: impl Fn(&Early) -> bool, error: &QueryError) -> Vec<Bytes> {
        let (refused, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.early)
            .into_iter()
            .partition(|early| matches!(early.call, Call::Query(..)) && wanted(early));
        self.early = kept;
        let answer = |early: Early| match early.call {
            Call::Query(reply_to, _) => Some(self.refuse(&reply_to, error)),
            Call::Publish(_) => None,
        };
        refused.into_iter().filter_map(answer).collect()
    }

    fn closing(&self) -> QueryError {
        QueryError::new(QueryError::CLOSING, "source {0} is closing").parameter(&self.context.name)
    }

    /// Hands over a publish, which takes `room` where it is early.
    fn hand_publish(&mut self, object: Payload, room: Option<Room>, session: &Session) {
        // Those that are held come first.
        match session.try_room(object.len()) {
            Some(room) if !self.is_behind() => session.publish(object, Some(room)),
            _ if session.has_no_handler() => self.context.publish_unhandled("there is no handler"),
            _ => {
                // Nothing is read without room for it, but for the frame that finds there is none.
                let room = self.spare_room.held.try_take(object.len()).ok().or(room);
                self.held.push_back((object, room));
            }
        }
    }

    fn hand_query(
        &self,
        reply_to: ReplyTo,
        object: Payload,
        received_at: Instant,
        session: &Session,
    ) -> Option<Bytes> {
        if let Ok(slot) = Arc::clone(&self.context.query_slots).try_acquire_owned() {
            session.query(object, reply_to, self.replies_tx.clone(), received_at, slot);
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
        for early in std::mem::take(&mut self.early) {
            if let Call::Publish(_) = early.call {
                self.context.cut_off(|counters| &counters.publishes_abandoned);
                self.context.publish_unhandled("the link was lost before the configuration came");
            }
        }
    }
}
