//! [`Link`]: the task of one WebSocket, which carries out what the registry decides.
//!
//! Messages for the connector wait in a short queue, so that a connector that does not read makes
//! [`Source::publish`](crate::Source::publish) wait. Orders (cut, fall silent) do not wait behind them; what
//! is in the queue is sent first, as far as the connector reads it within two seconds. Answers and
//! acknowledgements are written at once and bounded by what the connector itself sends.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;
use tracing::trace;

use crate::cut::{Cut, Ending};
use crate::fault::Direction;
use crate::recording::{Frame, FrameKind};
use crate::registry::{Acknowledgement, Effect, Outcome};
use crate::shared::Shared;
use crate::socket::{Gone, RawFrame, Socket, SocketEvent};

/// Messages that wait for a connector that does not read; whoever sends the next one waits too.
const QUEUE: usize = 16;
/// Events that wait for a subscriber that does not read; those behind them are dropped.
const EVENTS: usize = 256;

/// A message for the connector.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(String),
    Fragmented(String),
    Raw(RawFrame),
}

/// What a link is told from outside.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    Cut(Cut),
    Pace(Pace),
    /// Wait with no acknowledgement of this source any more, except behind those of others.
    AcknowledgeNow(Arc<str>),
}

/// What a link does with its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Normal,
    /// Takes one message, to send or received, and then none for so long.
    Slow(Duration),
    /// Writes, but does not read nor answer pings.
    NotReading,
    /// Does nothing but keep the TCP connection open.
    Silent,
}

/// The ways to reach a link.
#[derive(Debug, Clone)]
pub(crate) struct LinkHandle {
    /// What is sent, and the source in whose name.
    pub(crate) outgoing: mpsc::Sender<(Arc<str>, Outgoing)>,
    pub(crate) orders: mpsc::UnboundedSender<Order>,
    pub(crate) events: mpsc::Sender<String>,
    /// What the link was told last.
    pub(crate) pace: Pace,
}

#[derive(Debug)]
pub(crate) struct Link {
    id: u64,
    shared: Arc<Shared>,
    socket: Socket,
    pace: Pace,
    /// When the next ping is sent, if ever.
    ping_due: Option<Instant>,
    /// When the connector has been silent for too long, if ever.
    idle_due: Option<Instant>,
    /// While it is slow, when it takes the next message.
    rested: Instant,
    /// Acknowledgements that are not due yet, in the order of the messages they are for. Only the first
    /// is looked at: one that is due earlier waits for those before it.
    later: VecDeque<Late>,
    outgoing_rx: mpsc::Receiver<(Arc<str>, Outgoing)>,
    orders_rx: mpsc::UnboundedReceiver<Order>,
    events_rx: mpsc::Receiver<String>,
}

/// An acknowledgement that waits.
#[derive(Debug)]
struct Late {
    due: Instant,
    source: Option<Arc<str>>,
    acknowledgement: Acknowledgement,
}

/// `Break` with how the link ends, or go on.
type Flow = std::ops::ControlFlow<Ending>;

impl Link {
    /// Enters the link into the shared state.
    pub(crate) fn open(shared: Arc<Shared>, socket: Socket) -> Self {
        let (outgoing_tx, outgoing_rx) = mpsc::channel(QUEUE);
        let (orders_tx, orders_rx) = mpsc::unbounded_channel();
        let (events_tx, events_rx) = mpsc::channel(EVENTS);
        let (outgoing, orders, events) = (outgoing_tx, orders_tx, events_tx);
        let id = shared.open_link(LinkHandle { outgoing, orders, events, pace: Pace::Normal });
        Self {
            id,
            shared,
            socket,
            pace: Pace::Normal,
            ping_due: None,
            idle_due: None,
            rested: Instant::now(),
            later: VecDeque::new(),
            outgoing_rx,
            orders_rx,
            events_rx,
        }
    }

    /// Serves the link until it ends.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let ending = self.serve(shutdown).await;
        if !matches!(ending, Ending::Lost | Ending::Cut(Cut::Abort)) {
            self.settle().await;
        }
        let Self { id, shared, socket, pace, .. } = self;
        finish(socket, pace, &ending).await;
        // After the socket, so that whoever waits for the end of the link finds it ended.
        shared.link_ended(id, ending);
    }

    async fn serve(&mut self, shutdown: CancellationToken) -> Ending {
        let mut stopped = pin!(shutdown.cancelled());
        self.ping_due = self.shared.settings.ping_interval.map(|interval| Instant::now() + interval);
        self.hears();
        loop {
            let (reads, writes) = self.pace.directions();
            let rests = self.rests();
            let reads = reads && !rests;
            let takes = writes && !rests && self.socket.has_room();
            let due = self.later.front().map(|late| late.due);
            // Cancel-safe: the channels keep what was not received, the socket goes on where it was,
            // and the timers are made anew from what they are for.
            let flow = tokio::select! {
                () = &mut stopped => Flow::Break(Ending::Stopped),
                Some(order) = self.orders_rx.recv() => self.obey(order).await,
                event = self.socket.event(reads, writes) => self.take(event),
                Some((source, outgoing)) = self.outgoing_rx.recv(), if takes => self.put(source, outgoing),
                Some(event) = self.events_rx.recv(), if takes => self.send(None, event, Vec::new()),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if writes && due.is_some() => self.acknowledge_due(),
                () = sleep_until(self.rested), if rests => Flow::Continue(()),
                // One that cannot be sent is not due yet.
                () = at(self.ping_due), if takes => self.ping(),
                // A silence that is the simulator's own, by order, is not the connector's.
                () = at(self.idle_due), if reads => self.is_idle(),
            };
            if let Flow::Break(ending) = flow {
                return ending;
            }
        }
    }

    /// The connector has shown that it lives.
    fn hears(&mut self) {
        self.idle_due = self.shared.settings.idle_timeout.map(|timeout| Instant::now() + timeout);
    }

    /// The time for the connector to speak is over. What has come already and was only not read yet counts.
    fn is_idle(&mut self) -> Flow {
        match self.socket.event(true, false).now_or_never() {
            Some(event) => self.take(event),
            None => Flow::Break(Ending::Idle),
        }
    }

    fn ping(&mut self) -> Flow {
        self.ping_due = self.shared.settings.ping_interval.map(|interval| Instant::now() + interval);
        sent(self.socket.ping())
    }

    async fn obey(&mut self, order: Order) -> Flow {
        match order {
            Order::Cut(cut) => return Flow::Break(Ending::Cut(cut)),
            Order::AcknowledgeNow(source) => {
                let now = Instant::now();
                let of_source = self.later.iter_mut().filter(|late| late.source.as_ref() == Some(&source));
                of_source.for_each(|late| late.due = now);
            }
            Order::Pace(pace) => {
                self.settle().await;
                self.pace = pace;
                self.rest();
                self.hears(); // what it said meanwhile has not been read
            }
        }
        Flow::Continue(())
    }

    /// Sends what was put into the queue before, so that a test finds its steps in the order it took them.
    async fn settle(&mut self) {
        if self.pace == Pace::Silent {
            return;
        }
        while let Ok((source, outgoing)) = self.outgoing_rx.try_recv() {
            if self.put(source, outgoing).is_break() {
                return; // the next read or write finds the link lost
            }
        }
        self.socket.flush().await;
    }

    /// Whether it is slow and not ready for the next message.
    fn rests(&self) -> bool {
        matches!(self.pace, Pace::Slow(_)) && self.rested > Instant::now()
    }

    /// Has taken a message; while it is slow, that was enough for a time.
    fn rest(&mut self) {
        if let Pace::Slow(time) = self.pace {
            self.rested = Instant::now() + time;
            // Meanwhile the connector cannot be heard.
            self.idle_due = self.idle_due.map(|due| due + time);
        }
    }

    fn take(&mut self, event: SocketEvent) -> Flow {
        if matches!(event, SocketEvent::Frame(_)) {
            self.hears();
        }
        match event {
            SocketEvent::Frame(Message::Text(text)) => self.receive(FrameKind::Text, text.into()),
            SocketEvent::Frame(Message::Binary(bytes)) => self.receive(FrameKind::Binary, bytes),
            SocketEvent::Frame(Message::Close(frame)) => {
                Flow::Break(Ending::ClosedByConnector { code: frame.map(|frame| frame.code.into()) })
            }
            SocketEvent::Frame(Message::Ping(_)) => {
                self.rest();
                self.shared.pinged(); // answered by the WebSocket library
                Flow::Continue(())
            }
            SocketEvent::Frame(_) | SocketEvent::Flushed => Flow::Continue(()),
            SocketEvent::Gone => Flow::Break(Ending::Lost),
        }
    }

    fn receive(&mut self, kind: FrameKind, payload: Bytes) -> Flow {
        trace!(link = self.id, bytes = payload.len(), "received");
        self.rest();
        let Outcome { effects, source, .. } = self.shared.receive(self.id, kind, payload);
        for effect in effects {
            self.carry_out(effect, source.as_ref())?;
        }
        Flow::Continue(())
    }

    fn carry_out(&mut self, effect: Effect, source: Option<&Arc<str>>) -> Flow {
        match effect {
            Effect::Reply(text) => self.send(source.cloned(), text, Vec::new()),
            Effect::Acknowledge(now) if now.delay.is_zero() && self.later.is_empty() => {
                self.send(source.cloned(), now.text, now.notifications)
            }
            Effect::Acknowledge(acknowledgement) => {
                let due = Instant::now() + acknowledgement.delay;
                self.later.push_back(Late { due, source: source.cloned(), acknowledgement });
                Flow::Continue(())
            }
            Effect::Close(link) if link == self.id => Flow::Break(Ending::Cut(Cut::Close)),
            Effect::Oversized => Flow::Break(Ending::Oversized),
            Effect::Tell(event) => {
                self.shared.tell(event);
                Flow::Continue(())
            }
            Effect::Close(link) => {
                self.shared.order(link, Order::Cut(Cut::Close));
                Flow::Continue(())
            }
        }
    }

    fn put(&mut self, source: Arc<str>, outgoing: Outgoing) -> Flow {
        self.rest();
        match outgoing {
            Outgoing::Message(text) => self.send(Some(source), text, Vec::new()),
            Outgoing::Fragmented(text) => {
                let text = Bytes::from(text);
                self.record(Some(source), self.socket.kind(), &text, Vec::new());
                sent(self.socket.send_fragmented(&text))
            }
            Outgoing::Raw(frame) => {
                let (kind, payload) = frame.into_parts();
                self.record(Some(source), kind, &payload, Vec::new());
                sent(self.socket.send(kind, payload))
            }
        }
    }

    fn acknowledge_due(&mut self) -> Flow {
        let now = Instant::now();
        while let Some(late) = self.later.pop_front_if(|late| late.due <= now) {
            let Acknowledgement { text, notifications, .. } = late.acknowledgement;
            self.send(late.source, text, notifications)?;
        }
        Flow::Continue(())
    }

    /// Sends a message that acknowledges these notifications, which may be none.
    fn send(&mut self, source: Option<Arc<str>>, text: String, acknowledges: Vec<u64>) -> Flow {
        let (kind, payload) = (self.socket.kind(), Bytes::from(text));
        self.record(source, kind, &payload, acknowledges);
        sent(self.socket.send(kind, payload))
    }

    /// Records what is sent next. Before it is sent: who has seen it must find it recorded.
    fn record(&self, source: Option<Arc<str>>, kind: FrameKind, payload: &Bytes, acknowledges: Vec<u64>) {
        self.shared.sending(Frame {
            link: self.id,
            direction: Direction::ToClient,
            kind,
            payload: payload.clone(),
            source,
            is_notification: false,
            acknowledges: acknowledges.into(),
        });
    }
}

impl Pace {
    /// Whether to read, and whether to write.
    fn directions(self) -> (bool, bool) {
        (matches!(self, Self::Normal | Self::Slow(_)), self != Self::Silent)
    }
}

/// Waits for that moment, or for ever.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn sent(result: Result<(), Gone>) -> Flow {
    result.map_or(Flow::Break(Ending::Lost), Flow::Continue)
}

async fn finish(socket: Socket, pace: Pace, ending: &Ending) {
    match ending {
        Ending::ClosedByConnector { .. } => socket.complete_close().await,
        Ending::Cut(Cut::Abort) => socket.abort(),
        Ending::Cut(Cut::MidFrame) => socket.break_off().await,
        Ending::Cut(Cut::Close) if pace != Pace::Silent => socket.close(CloseCode::Normal, "").await,
        Ending::Stopped if pace != Pace::Silent => socket.close(CloseCode::Away, "going away").await,
        Ending::Idle => socket.close(CloseCode::Away, "idle").await,
        Ending::Oversized => socket.close(CloseCode::Size, "too large").await,
        Ending::Cut(Cut::Close) | Ending::Stopped | Ending::Lost => drop(socket),
    }
}
