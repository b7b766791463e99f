//! [`Link`]: one authenticated WebSocket, from its first `validate` to its end.
//!
//! The loop moves frames and does what [`Protocol`] decides. It never waits for user code: publishes and
//! queries go to the session, answers and notifications come through queues.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep_until},
};
use tracing::{debug, info, trace, warn};

use super::{
    backoff::{Backoff, BackoffRange, Jitter},
    heartbeat::{Beat, Heartbeat},
    retry::LinkEnd,
    session::{Session, Sessions},
    state::{Effect, Event, Phase, Protocol},
};
use crate::{
    QueryError,
    budget::{Budget, Room},
    delivery::{Delivery, DeliveryError, Due, Entry, Ledger, Other, Quiet, Settled},
    protocol::{Inbound, Outbound, Payload, ServerError, StatusMessage, excerpt},
    query::{Replies, ReplyTo},
    source::SourceCore,
    telemetry::{SourceState, worth_a_line},
    transport::{Frame, FrameOut, FrameReader, FrameWriter, Socket},
};

/// Answers of queries that wait for the link; a handler that streams faster waits for room.
const REPLIES: usize = 64;
/// Frames that wait for the socket before answers and notifications wait in their own queues.
const WRITE_AHEAD: usize = 64;
/// Frames that wait for the socket before nothing more is read: each frame read may cause one.
const READ_STOP: usize = 1_024;
/// The delays of `connectExtension` after a refusal, on the same link (`docs/PROTOCOL.md`, section 5).
const ATTACH_BACKOFF: BackoffRange =
    BackoffRange { first: Duration::from_millis(250), longest: Duration::from_secs(30) };
/// How long the server may take to answer our close frame.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);
/// A link that was attached this long has proved itself, whatever was said over it.
const PROOF: Duration = Duration::from_secs(10);
/// With `sendPings=false` nothing is sent and nothing expected: a heartbeat in a century.
const NEVER: Duration = Duration::from_hours(100 * 365 * 24);

/// One WebSocket and all that lives exactly as long as it.
pub(super) struct Link<'a> {
    core: &'a Arc<SourceCore>,
    sessions: &'a mut Sessions,
    reader: FrameReader,
    writer: FrameWriter,
    protocol: Protocol,
    /// When the present phase is over.
    phase_over: Option<Instant>,
    attach_backoff: Backoff,
    attached_at: Option<Instant>,
    /// Whether the link was of use: then the next one is dialled without much delay.
    proven: bool,
    /// The place among the handshakes of the process; given back when this one is over.
    handshake: Option<OwnedSemaphorePermit>,
    heartbeat: Heartbeat,
    /// Number of the last ping.
    pings: u64,
    /// Since when the socket has taken nothing, and the count of frames it had taken by then.
    stuck_since: (Instant, u64),
    ledger: Ledger<Entry>,
    quiet: Quiet,
    /// With a server that acknowledges nothing: the ping under way and the last notification before it.
    barrier: Option<(u64, u64)>,
    replies_tx: Replies,
    replies_rx: mpsc::Receiver<Bytes>,
    /// A publish for which the session has no room; nothing is read until it has.
    held: Option<Payload>,
    /// What came after authentication and before the configuration.
    early: VecDeque<Early>,
    early_room: Budget,
    stop: Stop,
}

/// A message that waits for the session it belongs to.
struct Early {
    message: Call,
    _room: Room,
}

enum Call {
    Publish(Payload),
    Query(ReplyTo, Payload),
}

/// How far the link is on its way to a requested end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Not asked for.
    No,
    /// The session is ending; its answers and notifications are still sent, until this instant.
    Ending(Instant),
    /// The session has ended; acknowledgements are awaited, until this instant.
    Flushing(Instant),
    /// Our close frame is sent; the server's is awaited, until this instant.
    Closing(Instant),
}

/// How a link ended.
pub(super) struct Ended {
    pub(super) end: LinkEnd,
    pub(super) proven: bool,
}

impl<'a> Link<'a> {
    pub(super) fn new(
        core: &'a Arc<SourceCore>,
        sessions: &'a mut Sessions,
        socket: Socket,
        handshake: OwnedSemaphorePermit,
    ) -> Self {
        let now = Instant::now();
        let (reader, writer) = socket.split();
        let (replies_tx, replies_rx) = mpsc::channel(REPLIES);
        let options = &core.options;
        let (interval, patience) = if core.set.config.send_pings {
            (options.ping_interval, options.dead_after)
        } else {
            (NEVER, NEVER)
        };
        Self {
            sessions,
            reader,
            writer,
            protocol: Protocol::new(),
            phase_over: None,
            attach_backoff: Backoff::new(ATTACH_BACKOFF, Jitter::Equal),
            attached_at: None,
            proven: false,
            handshake: Some(handshake),
            heartbeat: Heartbeat::new(interval, patience, now),
            pings: 0,
            stuck_since: (now, 0),
            ledger: Ledger::new(options.window, core.set.known()),
            quiet: Quiet::new(now),
            barrier: None,
            replies_tx,
            replies_rx,
            held: None,
            early: VecDeque::new(),
            early_room: options.publish_room(),
            stop: Stop::No,
            core,
        }
    }

    /// Runs the link to its end. What it could not deliver is back in the outbox afterwards.
    pub(super) async fn run(mut self) -> Ended {
        let end = self.turn().await;
        if let (Some(object), Some(session)) = (self.held.take(), self.sessions.current()) {
            session.publish(object, None);
        }
        self.core.set.learn(self.ledger.known());
        self.core.outbox.put_back(self.ledger.into_unacknowledged());
        let stopping = self.stop != Stop::No;
        let proven = self.proven || self.attached_at.is_some_and(|at| at.elapsed() >= PROOF);
        Ended { end: if stopping { LinkEnd::Stopped } else { end }, proven }
    }

    async fn turn(&mut self) -> LinkEnd {
        self.validate();
        let stopped = self.core.stop.clone();
        let wake = sleep_until(Instant::now());
        let mut wake = std::pin::pin!(wake);
        loop {
            self.send_notifications();
            self.advance_stop();
            self.heartbeat.reading(self.may_read(), Instant::now());
            let wake_at = self.wake_at();
            if wake.deadline() != wake_at {
                wake.as_mut().reset(wake_at);
            }
            // Cancel safety: `drive` and `next` keep their state in the socket, `recv` and the two waits
            // for room and for something to send take nothing before they are over, `ended` gives up its
            // handle only when the task has ended.
            let outcome = tokio::select! {
                () = stopped.cancelled(), if self.stop == Stop::No => {
                    self.begin_stop();
                    Ok(())
                }
                () = self.core.reconnect.notified(), if self.stop == Stop::No => self.on(Event::ReconnectAsked),
                () = &mut wake => self.on_time(Instant::now()),
                written = self.writer.drive(), if self.writer.has_work() => written.map_err(LinkEnd::Lost),
                frame = self.reader.next(), if may_read(self.held.as_ref(), &self.writer) => match frame {
                    Ok(frame) => self.on_frame(frame),
                    Err(error) => Err(LinkEnd::Lost(error)),
                },
                Some(reply) = self.replies_rx.recv(), if self.writer.waiting() < WRITE_AHEAD => {
                    self.send_reply(reply);
                    Ok(())
                }
                () = self.core.outbox.filled(), if may_send(&self.protocol, &self.ledger, &self.writer) => Ok(()),
                room = room_for(self.held.as_ref(), self.sessions.current()), if self.held.is_some() => {
                    self.release_held(room);
                    Ok(())
                }
                () = self.sessions.ended(), if matches!(self.stop, Stop::Ending(_)) => {
                    self.session_ended();
                    Ok(())
                }
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    // ---- what comes in ----

    fn on_frame(&mut self, frame: Frame) -> Result<(), LinkEnd> {
        let now = Instant::now();
        self.heartbeat.alive(now);
        match frame {
            Frame::Ping => Ok(()),
            Frame::Pong(number) => {
                self.on_pong(number, now);
                Ok(())
            }
            Frame::Message(frame) => match Inbound::decode(&frame) {
                Ok(message) => {
                    trace!(?message, "received");
                    self.on(Event::Message(message))
                }
                Err(error) => {
                    self.core.counters.undecodable.add_one();
                    warn!(%error, size = frame.len(), excerpt = excerpt(&frame), "dropped a frame that is no message");
                    Ok(())
                }
            },
        }
    }

    fn on(&mut self, event: Event) -> Result<(), LinkEnd> {
        match self.protocol.on(event) {
            Effect::Nothing => {}
            Effect::Validate => {
                // Sent again, so there may be one answer too many.
                self.ledger.sent_other(Other::Handshake);
                self.validate();
            }
            Effect::Attach => self.attach(),
            Effect::Configure(config) => self.configure(config),
            Effect::Publish(object) => self.publish(object),
            Effect::Query { reply_address, object } => self.query(reply_address, object),
            Effect::Reply(status) => self.acknowledged(&status),
            Effect::AttachLater(error) => self.attach_later(&error),
            Effect::Ignore(why) => warn!(why, "ignored a message"),
            Effect::End(end) => return Err(end),
        }
        Ok(())
    }

    fn on_pong(&mut self, number: Option<u64>, now: Instant) {
        let Some(number) = number else { return };
        self.quiet.pong(number, now);
        if let Some((ping, mark)) = self.barrier
            && ping == number
        {
            self.barrier = None;
            let arrived = self.ledger.arrived_through(mark);
            self.delivered(arrived, Delivery::Arrived);
        }
    }

    // ---- handshake ----

    fn validate(&mut self) {
        let token = self.core.set.config.auth_token.expose();
        self.send(Outbound::Validate { token }.encode());
        self.phase_over = Some(Instant::now() + self.core.options.validate_interval());
    }

    fn attach(&mut self) {
        self.core.set.authenticated();
        self.end_session();
        self.core.set_state(SourceState::Connecting);
        let (source, reconnect_secret) = (self.core.name.as_str(), self.core.reconnect_secret.expose());
        self.send(Outbound::ConnectExtension { source, reconnect_secret }.encode());
        self.ledger.sent_other(Other::Handshake);
        self.phase_over = Some(Instant::now() + self.core.options.step_deadline);
    }

    fn attach_later(&mut self, error: &ServerError) {
        let delay = self.attach_backoff.next(rand::random());
        warn!(%error, ?delay, "the server refused the source; trying again");
        self.core.set_state(SourceState::Waiting(format!("the server refused the source: {error}")));
        self.phase_over = Some(Instant::now() + delay);
        // Others need not wait for a source that is held elsewhere.
        self.handshake = None;
    }

    fn configure(&mut self, config: Payload) {
        info!(bytes = config.len(), "configured by the server");
        self.phase_over = None;
        self.handshake = None;
        self.attached_at.get_or_insert_with(Instant::now);
        self.attach_backoff.reset();
        if self.stop != Stop::No {
            return;
        }
        self.give_held();
        self.sessions.begin(config);
        for early in std::mem::take(&mut self.early) {
            match early.message {
                Call::Publish(object) => self.hand_publish(object),
                Call::Query(reply_to, object) => self.hand_query(reply_to, object),
            }
        }
    }

    fn end_session(&mut self) {
        self.give_held();
        self.sessions.end();
    }

    // ---- publishes and queries ----

    fn publish(&mut self, object: Payload) {
        self.core.counters.publishes.add_one();
        self.proven = true;
        if self.stop != Stop::No {
            self.unhandled("the connector is stopping");
        } else if self.sessions.current().is_some() {
            self.hand_publish(object);
        } else {
            self.keep(object.len(), Call::Publish(object));
        }
    }

    fn hand_publish(&mut self, object: Payload) {
        let Some(session) = self.sessions.current() else { return };
        match session.try_room(object.len()) {
            Some(room) if self.held.is_none() => session.publish(object, Some(room)),
            _ if session.has_no_handler() => self.unhandled("there is no handler"),
            _ if self.held.is_none() => self.held = Some(object),
            // Several early ones at once; they were bounded when they came.
            _ => session.publish(object, None),
        }
    }

    /// The session has room for the publish that waited for it, or will never have any.
    fn release_held(&mut self, room: Option<Room>) {
        match (room, self.held.take(), self.sessions.current()) {
            (Some(room), Some(object), Some(session)) => session.publish(object, Some(room)),
            (_, Some(_), _) => self.unhandled("there is no handler"),
            _ => {}
        }
    }

    /// The session ends: what it has no room for is still its own.
    fn give_held(&mut self) {
        if let (Some(object), Some(session)) = (self.held.take(), self.sessions.current()) {
            session.publish(object, None);
        }
    }

    fn unhandled(&self, why: &str) {
        let count = self.core.counters.publishes_unhandled.add_one();
        if worth_a_line(count) {
            warn!(count, why, "a publish was dropped");
        }
    }

    fn query(&mut self, reply_address: Option<String>, object: Payload) {
        self.core.counters.queries.add_one();
        self.proven = true;
        let Some(address) = reply_address else {
            self.core.counters.queries_failed.add_one();
            warn!("a query without a reply address cannot be answered");
            return;
        };
        let reply_to = self.core.reply_to(address);
        if self.stop != Stop::No {
            self.refuse(&reply_to, &self.closing());
        } else if self.sessions.current().is_some() {
            self.hand_query(reply_to, object);
        } else {
            self.keep(object.len(), Call::Query(reply_to, object));
        }
    }

    fn hand_query(&mut self, reply_to: ReplyTo, object: Payload) {
        let slot = Arc::clone(&self.core.query_slots).try_acquire_owned();
        match (slot, self.sessions.current()) {
            (Ok(slot), Some(session)) => session.query(object, reply_to, self.replies_tx.clone(), slot),
            (Err(_), _) => {
                self.core.counters.queries_busy.add_one();
                let busy = QueryError::new(QueryError::BUSY, "source {0} answers {1} queries already");
                let busy = busy.parameter(&self.core.name).parameter(self.core.options.max_queries);
                self.refuse(&reply_to, &busy);
            }
            (_, None) => self.refuse(&reply_to, &self.closing()),
        }
    }

    fn closing(&self) -> QueryError {
        QueryError::new(QueryError::CLOSING, "source {0} is closing").parameter(&self.core.name)
    }

    /// Answers a query that no handler will see.
    fn refuse(&mut self, reply_to: &ReplyTo, error: &QueryError) {
        let count = self.core.counters.queries_failed.add_one();
        if worth_a_line(count) {
            warn!(code = error.code(), count, "a query was refused");
        }
        self.send_reply(reply_to.error(error));
    }

    /// Keeps a message for the session that is to come.
    fn keep(&mut self, len: usize, message: Call) {
        match (self.early_room.try_take(len), message) {
            (Ok(room), message) => self.early.push_back(Early { message, _room: room }),
            (Err(_), Call::Publish(_)) => self.unhandled("too many came before the configuration"),
            (Err(_), Call::Query(reply_to, _)) => {
                let busy = QueryError::new(QueryError::BUSY, "source {0} is not configured yet");
                self.refuse(&reply_to, &busy.parameter(&self.core.name));
            }
        }
    }

    // ---- notifications ----

    fn send_notifications(&mut self) {
        while may_send(&self.protocol, &self.ledger, &self.writer) {
            let Some(entry) = self.core.outbox.pop() else { break };
            self.send(entry.frame.clone());
            let size = entry.frame.len();
            self.ledger.sent(entry, size);
            self.quiet.activity(Instant::now());
        }
        if self.ledger.is_silent() && self.barrier.is_none() && self.ledger.open() > 0 {
            self.barrier = Some((self.ping(), self.ledger.last()));
        }
    }

    fn acknowledged(&mut self, status: &StatusMessage) {
        let now = Instant::now();
        self.quiet.activity(now);
        let error = status.error();
        match (self.ledger.reply(error.is_some()), error) {
            (Some(entry), None) => {
                self.proven = true;
                self.delivered(vec![entry], Delivery::Acknowledged);
            }
            (Some(entry), Some(error)) => {
                self.proven = true;
                self.core.counters.notifications_rejected.add_one();
                warn!(%error, "the server refused a notification");
                entry.resolve(Err(DeliveryError::Rejected(error)));
            }
            (None, Some(error)) => warn!(%error, "the server reported an error"),
            (None, None) => {}
        }
    }

    fn delivered(&self, entries: Vec<Entry>, delivery: Delivery) {
        self.core.counters.notifications_delivered.add(entries.len() as u64);
        for entry in entries {
            entry.resolve(Ok(delivery));
        }
    }

    // ---- what goes out ----

    fn send(&mut self, frame: Bytes) {
        let binary = self.core.set.config.binary_frames;
        self.writer.push(if binary { FrameOut::Binary(frame) } else { FrameOut::Text(frame) });
    }

    fn send_reply(&mut self, reply: Bytes) {
        self.send(reply);
        self.ledger.sent_other(Other::Answer);
        self.quiet.activity(Instant::now());
    }

    fn ping(&mut self) -> u64 {
        self.pings += 1;
        self.writer.push(FrameOut::Ping(self.pings));
        self.pings
    }

    // ---- time ----

    /// The first instant at which something may be due.
    fn wake_at(&mut self) -> Instant {
        let mut wake_at = self.heartbeat.due_at();
        let mut also = |instant: Option<Instant>| wake_at = instant.map_or(wake_at, |at| at.min(wake_at));
        also(self.phase_over);
        also(if self.ledger.is_unsettled() { self.quiet.due_at() } else { None });
        also(match self.stop {
            Stop::No => None,
            Stop::Ending(at) | Stop::Flushing(at) | Stop::Closing(at) => Some(at),
        });
        also(self.stuck_at());
        wake_at
    }

    /// When a socket that takes nothing counts as dead.
    fn stuck_at(&mut self) -> Option<Instant> {
        let taken = self.writer.taken();
        if taken != self.stuck_since.1 || !self.writer.has_work() {
            self.stuck_since = (Instant::now(), taken);
        }
        self.writer.has_work().then(|| self.stuck_since.0 + self.core.options.dead_after)
    }

    fn on_time(&mut self, now: Instant) -> Result<(), LinkEnd> {
        if let Stop::Ending(at) | Stop::Flushing(at) | Stop::Closing(at) = self.stop
            && at <= now
        {
            return Err(LinkEnd::Stopped);
        }
        if self.stuck_at().is_some_and(|at| at <= now) {
            return Err(LinkEnd::Stuck);
        }
        match self.heartbeat.due(now) {
            Some(Beat::Dead) => return Err(LinkEnd::Dead),
            Some(Beat::Ping) => {
                self.ping();
            }
            None => {}
        }
        if self.ledger.is_unsettled() {
            self.on_quiet(now);
        }
        if self.phase_over.is_some_and(|at| at <= now) {
            self.phase_over = None;
            return self.on(Event::TimeOver);
        }
        Ok(())
    }

    fn on_quiet(&mut self, now: Instant) {
        match self.quiet.due(now) {
            None => {}
            Some(Due::Ping) => {
                let number = self.ping();
                self.quiet.ping_sent(number);
            }
            Some(Due::Settle { patience_over }) => match self.ledger.settle(patience_over) {
                Settled::Acknowledged(entries) => self.delivered(entries, Delivery::Acknowledged),
                Settled::Arrived(entries) => {
                    debug!(
                        count = entries.len(),
                        "taking notifications for arrived that were not acknowledged"
                    );
                    self.delivered(entries, Delivery::Arrived);
                }
                Settled::Undecided => {}
            },
        }
    }

    // ---- the end ----

    fn begin_stop(&mut self) {
        self.end_session();
        self.stop = Stop::Ending(Instant::now() + self.core.options.grace + CLOSE_DEADLINE * 2);
    }

    /// The handler is closed: nobody notifies any more.
    fn session_ended(&mut self) {
        self.core.outbox.close();
        if let Stop::Ending(until) = self.stop {
            self.stop = Stop::Flushing(until);
        }
    }

    /// Sends the close frame once everything else is sent and acknowledged.
    fn advance_stop(&mut self) {
        let attached = self.protocol.phase() == Phase::Attached;
        let flushed = self.core.outbox.is_empty() && self.ledger.open() == 0;
        if matches!(self.stop, Stop::Flushing(_)) && self.replies_rx.is_empty() && (flushed || !attached) {
            self.writer.push(FrameOut::Close);
            self.stop = Stop::Closing(Instant::now() + CLOSE_DEADLINE);
        }
    }

    fn may_read(&self) -> bool {
        may_read(self.held.as_ref(), &self.writer)
    }
}

/// Whether the next frame may be read: not while a publish waits for room, or answers for the socket.
fn may_read(held: Option<&Payload>, writer: &FrameWriter) -> bool {
    held.is_none() && writer.waiting() < READ_STOP
}

/// Whether the next notification may be sent.
fn may_send(protocol: &Protocol, ledger: &Ledger<Entry>, writer: &FrameWriter) -> bool {
    protocol.phase() == Phase::Attached && ledger.has_room() && writer.waiting() < WRITE_AHEAD
}

/// Waits for room for the publish that is held.
fn room_for(held: Option<&Payload>, session: Option<&Session>) -> impl Future<Output = Option<Room>> + use<> {
    let room = held.zip(session).map(|(object, session)| session.room(object.len()));
    async {
        match room {
            Some(room) => room.await,
            None => None,
        }
    }
}
