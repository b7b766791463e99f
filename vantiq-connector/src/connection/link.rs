//! [`Link`]: one authenticated WebSocket, from its first `validate` to its end.
//!
//! The loop moves frames and does what [`Protocol`] decides. It never waits for user code: publishes and
//! queries go to the session through [`Intake`], notifications come from the outbox through [`Deliveries`],
//! answers come through a queue.

use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::OwnedSemaphorePermit,
    task::{coop::has_budget_remaining, yield_now},
    time::{Instant, sleep_until, timeout},
};
use tracing::{info, trace, warn};

use super::{
    answers::Answers,
    backoff::{Backoff, BackoffRange, Jitter},
    deliveries::Deliveries,
    heartbeat::{Beat, Heartbeat, Pace, Traffic},
    intake::Intake,
    refusal,
    retry::LinkEnd,
    sessions::Sessions,
    state::{Effect, Event, Phase, Protocol},
};
use crate::{
    context::SourceContext,
    delivery::Other,
    protocol::{Inbound, Outbound, Payload, excerpt},
    query::{Owed, Reply},
    telemetry::SourceState,
    transport::{Frame, FrameOut, Socket, SocketEvent, TransportError},
};

/// Frames that wait for the socket before answers and notifications wait in their own queues.
const WRITE_AHEAD: usize = 128;
/// Frames that wait for the socket before nothing more is read: each frame read may cause one.
const READ_STOP: usize = 1_024;
/// Frames taken one after the other before all else has its turn.
const READ_AHEAD: usize = 128;
/// Bytes read before whoever handles them has a turn: about what stays in the cache.
const READ_AHEAD_BYTES: u64 = 64 * 1024;
/// Terminal answers that may still be with the socket: more than it ever holds.
const MOST_UNSENT: usize = 2 * READ_STOP;
/// The delays of `connectExtension` after a refusal, on the same link (`docs/PROTOCOL.md`, section 5).
const ATTACH_BACKOFF: BackoffRange =
    BackoffRange { first: Duration::from_millis(250), longest: Duration::from_secs(30) };
/// How long the server may take to answer our close frame, and to take our answer to its own.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);
/// A link that was attached this long has proved itself, whatever was said over it.
const PROOF: Duration = Duration::from_secs(10);
/// Whoever asks for a new session sooner than this after the last one began has to wait as long.
const HURRY: Duration = Duration::from_millis(250);
/// With `sendPings=false` nothing is sent and nothing expected: a heartbeat in a century.
const NEVER: Duration = Duration::from_hours(100 * 365 * 24);

/// One WebSocket and all that lives exactly as long as it.
pub(super) struct Link<'a> {
    context: &'a Arc<SourceContext>,
    sessions: &'a mut Sessions,
    socket: Socket,
    protocol: Protocol,
    /// When the present phase is over.
    phase_over: Option<Instant>,
    attach_backoff: Backoff,
    /// When the first session of the link began, and the present one.
    attached_at: Option<Instant>,
    configured_at: Option<Instant>,
    /// Whether anything came of the link: then the next one is dialled without much delay.
    useful: bool,
    /// The place among the handshakes of the process; given back when this one is over.
    handshake: Option<OwnedSemaphorePermit>,
    heartbeat: Heartbeat,
    /// Number of the last ping.
    pings: u64,
    /// Since when nothing is read although acknowledgements are awaited.
    blocked_since: Option<Instant>,
    /// Whether is read on all the same, at the cost of publishes: the handler may be waiting for an acknowledgement.
    relieved: bool,
    intake: Intake,
    deliveries: Deliveries,
    answers: Answers,
    /// Answers that are being taken; empty between turns.
    replies: Vec<Reply>,
    /// The terminal answers that were given to the socket and may still be there.
    unsent: VecDeque<Owed>,
    stop: Stop,
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

impl Stop {
    const fn at(self) -> Option<Instant> {
        match self {
            Self::No => None,
            Self::Ending(at) | Self::Flushing(at) | Self::Closing(at) => Some(at),
        }
    }
}

/// How a link ended.
pub(super) struct Ended {
    pub(super) end: LinkEnd,
    /// Whether the next link may be dialled without much delay.
    pub(super) proven: bool,
}

impl<'a> Link<'a> {
    pub(super) fn new(
        context: &'a Arc<SourceContext>,
        sessions: &'a mut Sessions,
        socket: Socket,
        handshake: OwnedSemaphorePermit,
    ) -> Self {
        let now = Instant::now();
        let dead_after = context.options.dead_after;
        let pace = if context.set.config.send_pings {
            Pace { ping: context.options.ping_interval, silence: dead_after, stall: dead_after }
        } else {
            Pace { ping: NEVER, silence: NEVER, stall: dead_after }
        };
        Self {
            intake: Intake::new(Arc::clone(context), Arc::clone(sessions.publishes())),
            sessions,
            socket,
            protocol: Protocol::new(),
            phase_over: None,
            attach_backoff: Backoff::new(ATTACH_BACKOFF, Jitter::Equal),
            attached_at: None,
            configured_at: None,
            useful: false,
            handshake: Some(handshake),
            heartbeat: Heartbeat::new(pace, now),
            pings: 0,
            blocked_since: None,
            relieved: false,
            deliveries: Deliveries::new(Arc::clone(context), now),
            answers: Answers::default(),
            replies: Vec::new(),
            unsent: VecDeque::new(),
            stop: Stop::No,
            context,
        }
    }

    /// Runs the link to its end, and the session with it. What it could not deliver is back in the outbox
    /// afterwards.
    pub(super) async fn run(&mut self) -> Ended {
        let end = self.turn().await;
        self.sessions.leave();
        // The library has its answer to a close frame ready, and sends it with the next flush. Whoever else
        // ended the link loses nothing by one more.
        let written = timeout(CLOSE_DEADLINE, self.socket.write()).await;
        if matches!(written, Ok(Ok(()))) {
            self.written();
        }
        let proven = self.useful || self.attached_at.is_some_and(|at| at.elapsed() >= PROOF);
        Ended { end: if self.stop == Stop::No { end } else { LinkEnd::Stopped }, proven }
    }

    async fn turn(&mut self) -> LinkEnd {
        self.validate();
        let context = self.context;
        // Made once, for each turn waits for them: to queue up for both anew takes 2 % of a query that comes
        // alone.
        let mut stopped = pin!(context.stop.cancelled());
        let mut reconnect = pin!(context.reconnect.notified());
        let mut wake = pin!(sleep_until(Instant::now()));
        loop {
            let read_all = match self.read_ahead().await {
                Ok(read_all) => read_all,
                Err(end) => return end,
            };
            let now = Instant::now();
            let may_answer = self.take_replies(now);
            self.send_notifications(now);
            if let Err(error) = self.write_ahead().await {
                return LinkEnd::Lost(error);
            }
            self.advance_stop();
            let may_read = self.may_read();
            self.heartbeat.reading(may_read, now);
            self.watch_traffic(now);
            let wake_at = self.wake_at(now);
            // It may go off too early, but never too late: what is due moves with each message.
            if wake_at < wake.deadline() || wake.is_elapsed() {
                wake.as_mut().reset(wake_at);
            }
            // Without budget the futures are polled only when the task is polled again, and there may be more to read then.
            let read_all = read_all && has_budget_remaining();
            // Cancel safety: the socket's `next` keeps its state in it; that of the answers, `filled`, `stored`, `room` and
            // the notifications take nothing before they are over; `ended` gives up its handle only when the
            // task has ended. `stopped`, `reconnect` and `wake` live on.
            let outcome = tokio::select! {
                () = &mut stopped, if self.stop == Stop::No => {
                    self.begin_stop();
                    Ok(())
                }
                () = &mut reconnect, if self.stop == Stop::No => {
                    reconnect.set(context.reconnect.notified());
                    self.on_reconnect_asked()
                }
                () = &mut wake => self.on_time(Instant::now()),
                event = self.socket.next(may_read, read_all), if may_read || self.socket.has_work() => self.on_socket(event),
                reply = self.answers.next(), if may_answer => {
                    self.send_replies([reply], Instant::now());
                    Ok(())
                }
                () = self.context.outbox.filled(), if self.may_notify() => Ok(()),
                () = self.intake.room(self.sessions.current()), if self.intake.is_behind(self.sessions.current()) => {
                    self.intake.look_for_room();
                    Ok(())
                }
                () = self.context.outbox.stored(), if matches!(self.stop, Stop::Flushing(_)) && self.context.outbox.is_storing() => Ok(()),
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

    /// Takes the frames that are there already, so that they share one look at everything else, and the answers
    /// to them one write. Returns whether no other is there: the task is woken for the next.
    async fn read_ahead(&mut self) -> Result<bool, LinkEnd> {
        let enough = self.socket.read() + READ_AHEAD_BYTES;
        for _ in 0..READ_AHEAD {
            if !self.may_read() {
                break;
            }
            let Some(frame) = self.socket.ready().await else { return Ok(true) };
            self.on_frame(frame.map_err(LinkEnd::Lost)?)?;
            if self.socket.read() >= enough {
                // Whoever handles them finds them in the cache now, and can do so on this thread only.
                yield_now().await;
                break;
            }
        }
        Ok(false)
    }

    /// Writes what the operating system takes at once, which mostly is all: then there is nothing to wait for. But
    /// where something waits for room in the socket's queue, this is left to the turn that waits, for it gives that room.
    async fn write_ahead(&mut self) -> Result<(), TransportError> {
        // Without budget the operating system would only seem to take no more.
        if self.socket.has_work()
            && self.socket.waiting() < WRITE_AHEAD
            && has_budget_remaining()
            && let Some(written) = self.socket.write_ready().await
        {
            written?;
            self.written();
        }
        Ok(())
    }

    /// Takes the answers that are there already. Returns whether more may come.
    fn take_replies(&mut self, now: Instant) -> bool {
        // Only there can a quiet moment come of it.
        if self.protocol.phase() == Phase::Attached && self.deliveries.holds_answers(now) {
            return false;
        }
        while let room = WRITE_AHEAD.saturating_sub(self.socket.waiting())
            && room > 0
        {
            let mut replies = std::mem::take(&mut self.replies);
            let taken = self.answers.take(room, &mut replies);
            self.send_replies(replies.drain(..), now);
            self.replies = replies;
            if taken == 0 {
                return true;
            }
        }
        false
    }

    fn on_reconnect_asked(&mut self) -> Result<(), LinkEnd> {
        // A new session is wanted, be the handler persistent or not; without a link it was kept for the next one.
        self.sessions.end();
        // A handler that asks for it whenever it fails would fill the server with sessions.
        self.on(if self.is_hurried() { Event::ReconnectHurried } else { Event::ReconnectAsked })
    }

    fn on_socket(&mut self, event: Result<SocketEvent, TransportError>) -> Result<(), LinkEnd> {
        match event.map_err(LinkEnd::Lost)? {
            SocketEvent::Frame(frame) => self.on_frame(frame),
            SocketEvent::Written => {
                self.written();
                Ok(())
            }
        }
    }

    fn on_frame(&mut self, frame: Frame) -> Result<(), LinkEnd> {
        match frame {
            Frame::Ping | Frame::Pong(None) => Ok(()),
            Frame::Pong(Some(number)) => {
                self.deliveries.pong(number, Instant::now());
                Ok(())
            }
            Frame::Message(frame) => match Inbound::decode(&frame) {
                Ok(message) => {
                    trace!(?message, "received");
                    self.on_message(message)
                }
                Err(error) => {
                    if let Some(count) = self.context.counters.undecodable.add_for_a_line(1) {
                        let (size, excerpt) = (frame.len(), excerpt(&frame));
                        warn!(%error, size, excerpt, count, "dropped a frame that is no message");
                    }
                    Ok(())
                }
            },
        }
    }

    fn on_message(&mut self, message: Inbound) -> Result<(), LinkEnd> {
        match message {
            // Replies come in the order of messages: this one is older than `connectExtension`.
            Inbound::Status(status)
                if self.protocol.phase() == Phase::Attaching
                    && (self.deliveries.awaits_reply() || self.deliveries.is_named(&status)) =>
            {
                self.useful |= self.deliveries.status(&status, Instant::now());
                Ok(())
            }
            Inbound::ReconnectRequired if self.is_hurried() => self.on(Event::ReconnectHurried),
            message => self.on(Event::Message(message)),
        }
    }

    /// Whether the present session is so young that whoever wants another one is to wait.
    fn is_hurried(&self) -> bool {
        self.configured_at.is_some_and(|at| at.elapsed() < HURRY)
    }

    fn on(&mut self, event: Event) -> Result<(), LinkEnd> {
        let effect = self.protocol.on(event);
        if self.stop != Stop::No && effect.is_handshake() {
            // Nobody begins a session any more.
            return Ok(());
        }
        match effect {
            Effect::Nothing => {}
            Effect::Validate => {
                // Sent again, so there may be one answer too many.
                self.deliveries.sent_other(Other::Validate, Instant::now());
                self.validate();
            }
            Effect::Attach => self.attach(),
            Effect::Configure(config) => self.configure(config),
            Effect::Publish(object) => {
                self.useful = true;
                self.intake.publish(object, self.sessions.current(), self.relieved);
            }
            Effect::Query { reply_address, object } => {
                self.useful = true;
                let refusal =
                    self.intake.query(reply_address, object, self.sessions.current(), &mut self.answers);
                if let Some(refusal) = refusal {
                    self.send_replies([refusal], Instant::now());
                }
            }
            Effect::Reply(status) => self.useful |= self.deliveries.status(&status, Instant::now()),
            Effect::AttachLater(error) => {
                if self.configured_at.take().is_some_and(|at| at.elapsed() >= PROOF) {
                    self.attach_backoff.reset();
                }
                let delay = self.attach_backoff.next(self.context.options.chance.draw());
                let advice = refusal::advice(&error);
                self.deliveries.handshake_refused(Instant::now());
                self.attach_later(&format!("the server refused the source: {error}; {advice}"), delay);
                // Others need not wait for a source that is held elsewhere.
                self.handshake = None;
            }
            Effect::AttachDelayed => {
                self.sessions.leave();
                self.attach_later("one session is asked for after another", HURRY);
            }
            Effect::Ignore(why) => {
                if let Some(count) = self.context.counters.ignored.add_for_a_line(1) {
                    warn!(why, count, "ignored a message");
                }
            }
            Effect::End(end) => return Err(end),
        }
        Ok(())
    }

    fn validate(&mut self) {
        let token = self.context.set.config.auth_token.expose();
        self.send(Outbound::Validate { token }.encode());
        self.phase_over = Some(Instant::now() + self.context.options.validate_interval());
    }

    fn attach(&mut self) {
        self.context.set.authenticated();
        self.sessions.leave();
        self.context.set_state(SourceState::Connecting);
        let (source, reconnect_secret) = (self.context.name.as_str(), self.context.reconnect_secret.expose());
        self.send(Outbound::ConnectExtension { source, reconnect_secret }.encode());
        self.deliveries.sent_other(Other::Handshake, Instant::now());
        self.phase_over = Some(Instant::now() + self.context.options.step_deadline);
    }

    fn attach_later(&mut self, why: &str, delay: Duration) {
        warn!(why, ?delay, "not attached; trying again");
        self.context.set_state(SourceState::Waiting(why.to_owned()));
        self.phase_over = Some(Instant::now() + delay);
    }

    fn configure(&mut self, config: Payload) {
        info!(bytes = config.len(), "configured by the server");
        self.phase_over = None;
        self.handshake = None;
        let now = Instant::now();
        self.attached_at.get_or_insert(now);
        self.configured_at = Some(now);
        self.deliveries.configured(now);
        self.sessions.leave();
        if self.stop == Stop::No {
            let session = self.sessions.begin(config);
            self.intake.session_began(session, &mut self.answers);
        }
    }

    fn send(&mut self, frame: Bytes) {
        let binary = self.context.set.config.binary_frames;
        self.socket.push(if binary { FrameOut::Binary(frame) } else { FrameOut::Text(frame) });
    }

    /// The socket has written all that was given to it.
    fn written(&mut self) {
        self.unsent.drain(..).for_each(Owed::paid);
    }

    fn send_replies(&mut self, replies: impl IntoIterator<Item = impl Into<Reply>>, now: Instant) {
        for reply in replies {
            let Reply { frame, owed } = reply.into();
            self.send(frame);
            self.unsent.extend(owed);
            if self.unsent.len() > MOST_UNSENT
                && let Some(owed) = self.unsent.pop_front()
            {
                // So many are behind it that it has left the socket's queue, be that never empty.
                owed.paid();
            }
            self.deliveries.sent_other(Other::Answer, now);
        }
    }

    fn send_notifications(&mut self, now: Instant) {
        while self.may_notify()
            && let Some(frame) = self.deliveries.next(now)
        {
            self.send(frame);
        }
    }

    fn watch_traffic(&mut self, now: Instant) {
        let socket = &self.socket;
        let traffic = Traffic { read: socket.read(), written: socket.written(), drained: socket.drained() };
        self.heartbeat.traffic(traffic, socket.has_work(), now);
    }

    fn ping(&mut self) -> u64 {
        self.pings += 1;
        self.socket.push(FrameOut::Ping(self.pings));
        self.pings
    }

    /// Whether the next frame may be read: not while publishes wait for room, or many answers for the
    /// socket. But while acknowledgements are awaited it is read on for some time, and after that without end: the
    /// handler that makes room may be waiting for them.
    fn may_read(&mut self) -> bool {
        if !self.intake.is_behind(self.sessions.current()) {
            self.relieved = false;
            return self.socket.waiting() < READ_STOP;
        }
        let is_flushed = self.deliveries.is_flushed();
        self.relieved &= !is_flushed;
        let reads_on = self.relieved || (self.intake.has_spare_room() && !is_flushed);
        self.socket.waiting() < READ_STOP && reads_on
    }

    /// Whether the next notification may be sent.
    fn may_notify(&self) -> bool {
        self.protocol.phase() == Phase::Attached
            && self.socket.waiting() < WRITE_AHEAD
            && self.deliveries.has_room()
    }

    /// The first instant at which something may be due.
    fn wake_at(&mut self, now: Instant) -> Instant {
        // While the server is busy with `connectExtension` its silence proves nothing.
        let attached = self.protocol.phase() == Phase::Attached;
        let deliveries = if attached { self.deliveries.due_at(now) } else { None };
        let others =
            [self.phase_over, deliveries, self.intake.due_at(), self.stop.at(), self.blocked_at(now)];
        others.into_iter().flatten().fold(self.heartbeat.due_at(), Instant::min)
    }

    fn on_time(&mut self, now: Instant) -> Result<(), LinkEnd> {
        if self.stop.at().is_some_and(|at| at <= now) {
            return Err(LinkEnd::Stopped);
        }
        // Parts of frames may have passed since the last turn.
        self.watch_traffic(now);
        match self.heartbeat.due(now) {
            Some(Beat::Dead) => return Err(LinkEnd::Dead),
            Some(Beat::Stuck) => return Err(LinkEnd::Stuck),
            Some(Beat::Ping) => {
                self.ping();
            }
            None => {}
        }
        if self.blocked_at(now).is_some_and(|at| at <= now) {
            // Else the handler is merely slow.
            self.relieved = self.deliveries.may_be_awaited();
            self.blocked_since = Some(now);
        }
        let overdue = self.intake.overdue(now);
        self.send_replies(overdue, now);
        if self.protocol.phase() == Phase::Attached && self.deliveries.due(now) {
            let ping = self.ping();
            self.deliveries.pinged(ping);
        }
        if self.deliveries.is_hopeless() {
            // What was held back to find out goes out with the last frames: on another link it would be lost.
            self.take_replies(now);
            return Err(LinkEnd::Ambiguous);
        }
        match self.phase_over.take_if(|at| *at <= now) {
            Some(_) => self.on(Event::TimeOver),
            None => Ok(()),
        }
    }

    /// When nothing was read for too long although acknowledgements are awaited: publishes may be waiting for a handler
    /// that waits for those. What has no room then is dropped; on another link it would be lost as well.
    fn blocked_at(&mut self, now: Instant) -> Option<Instant> {
        if self.may_read() || self.deliveries.is_flushed() {
            self.blocked_since = None;
            return None;
        }
        Some(*self.blocked_since.get_or_insert(now) + self.context.options.dead_after)
    }

    fn begin_stop(&mut self) {
        let closing = self.intake.close();
        self.send_replies(closing, Instant::now());
        self.sessions.end();
        if self.protocol.phase() != Phase::Attaching {
            self.phase_over = None;
        }
        let options = &self.context.options;
        let ended = options.end_of_session() + CLOSE_DEADLINE;
        self.stop = Stop::Ending(Instant::now() + ended);
    }

    /// The handler is closed: nobody notifies any more.
    fn session_ended(&mut self) {
        self.context.outbox.close();
        if let Stop::Ending(until) = self.stop {
            self.stop = Stop::Flushing(until);
        }
    }

    /// Sends the close frame once everything else is sent and acknowledged, or cannot be.
    fn advance_stop(&mut self) {
        // While attaching the configuration may come any moment, and then they can be sent.
        let may_deliver = matches!(self.protocol.phase(), Phase::Attached | Phase::Attaching);
        // First asked what comes back into the outbox, then what is in it.
        let delivered = !self.context.outbox.is_storing() && self.deliveries.is_flushed();
        // Behind the close frame there is little time left.
        let flushed = self.answers.are_complete() && !self.socket.has_work() && (delivered || !may_deliver);
        if matches!(self.stop, Stop::Flushing(_)) && flushed {
            self.socket.push(FrameOut::Close);
            self.stop = Stop::Closing(Instant::now() + CLOSE_DEADLINE);
        }
    }
}
