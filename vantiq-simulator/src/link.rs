//! [`Link`]: the task of one WebSocket, which carries out what the registry decides.
//!
//! Messages for the connector wait in a short queue, so that a connector that does not read makes
//! [`Source::publish`](crate::Source::publish) wait. Orders (cut, fall silent) do not wait behind them; what
//! is in the queue is sent first, as far as the connector reads it within two seconds. Answers and
//! acknowledgements are written at once and bounded by what the connector itself sends.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;
use tracing::trace;

use crate::cut::{Cut, Ending};
use crate::recording::FrameKind;
use crate::registry::{Acknowledgement, Effect};
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
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Cut(Cut),
    Pace(Pace),
}

/// What a link does with its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Normal,
    /// Writes, but does not read nor answer pings.
    NotReading,
    /// Does nothing but keep the TCP connection open.
    Silent,
}

/// The two ways to reach a link.
#[derive(Debug, Clone)]
pub(crate) struct LinkHandle {
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
    pub(crate) orders: mpsc::UnboundedSender<Order>,
    pub(crate) events: mpsc::Sender<String>,
}

#[derive(Debug)]
pub(crate) struct Link {
    id: u64,
    shared: Arc<Shared>,
    socket: Socket,
    pace: Pace,
    /// Acknowledgements that are not due yet, in the order of the messages they are for. Only the first
    /// is looked at: one that is due earlier waits for those before it.
    later: VecDeque<(Instant, Acknowledgement)>,
    outgoing_rx: mpsc::Receiver<Outgoing>,
    orders_rx: mpsc::UnboundedReceiver<Order>,
    events_rx: mpsc::Receiver<String>,
}

/// `Break` with how the link ends, or go on.
type Flow = std::ops::ControlFlow<Ending>;

impl Link {
    /// Enters the link into the shared state.
    pub(crate) fn open(shared: Arc<Shared>, socket: Socket) -> Self {
        let (outgoing_tx, outgoing_rx) = mpsc::channel(QUEUE);
        let (orders_tx, orders_rx) = mpsc::unbounded_channel();
        let (events_tx, events_rx) = mpsc::channel(EVENTS);
        let id = shared.open_link(LinkHandle { outgoing: outgoing_tx, orders: orders_tx, events: events_tx });
        Self {
            id,
            shared,
            socket,
            pace: Pace::Normal,
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
        loop {
            let (reads, writes) = self.pace.directions();
            let due = self.later.front().map(|(due, _)| *due);
            // Cancel-safe: the channels keep what was not received, the socket goes on where it was,
            // and the timer is made anew from the queue.
            let flow = tokio::select! {
                () = &mut stopped => Flow::Break(Ending::Stopped),
                Some(order) = self.orders_rx.recv() => self.obey(order).await,
                event = self.socket.event(reads, writes) => self.take(event),
                Some(outgoing) = self.outgoing_rx.recv(), if writes && self.socket.has_room() => self.put(outgoing),
                Some(event) = self.events_rx.recv(), if writes && self.socket.has_room() => sent(self.socket.send(event)),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if writes && due.is_some() => self.acknowledge_due(),
            };
            if let Flow::Break(ending) = flow {
                return ending;
            }
        }
    }

    async fn obey(&mut self, order: Order) -> Flow {
        match order {
            Order::Cut(cut) => return Flow::Break(Ending::Cut(cut)),
            Order::Pace(pace) => {
                self.settle().await;
                self.pace = pace;
            }
        }
        Flow::Continue(())
    }

    /// Sends what was put into the queue before, so that a test finds its steps in the order it took them.
    async fn settle(&mut self) {
        if self.pace == Pace::Silent {
            return;
        }
        while let Ok(outgoing) = self.outgoing_rx.try_recv() {
            if self.put(outgoing).is_break() {
                return; // the next read or write finds the link lost
            }
        }
        self.socket.flush().await;
    }

    fn take(&mut self, event: SocketEvent) -> Flow {
        match event {
            SocketEvent::Frame(Message::Text(text)) => self.receive(FrameKind::Text, text.as_bytes()),
            SocketEvent::Frame(Message::Binary(bytes)) => self.receive(FrameKind::Binary, &bytes),
            SocketEvent::Frame(Message::Close(frame)) => {
                Flow::Break(Ending::ClosedByConnector { code: frame.map(|frame| frame.code.into()) })
            }
            SocketEvent::Frame(Message::Ping(_)) => {
                self.shared.pinged(); // answered by the WebSocket library
                Flow::Continue(())
            }
            SocketEvent::Frame(_) | SocketEvent::Flushed => Flow::Continue(()),
            SocketEvent::Gone => Flow::Break(Ending::Lost),
        }
    }

    fn receive(&mut self, kind: FrameKind, payload: &[u8]) -> Flow {
        trace!(link = self.id, bytes = payload.len(), "received");
        for effect in self.shared.receive(self.id, kind, payload) {
            self.carry_out(effect)?;
        }
        Flow::Continue(())
    }

    fn carry_out(&mut self, effect: Effect) -> Flow {
        match effect {
            Effect::Reply(text) => sent(self.socket.send(text)),
            Effect::Acknowledge(now) if now.delay.is_zero() && self.later.is_empty() => self.acknowledge(now),
            Effect::Acknowledge(later) => {
                self.later.push_back((Instant::now() + later.delay, later));
                Flow::Continue(())
            }
            Effect::Close(link) if link == self.id => Flow::Break(Ending::Cut(Cut::Close)),
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

    fn put(&mut self, outgoing: Outgoing) -> Flow {
        sent(match outgoing {
            Outgoing::Message(text) => self.socket.send(text),
            Outgoing::Fragmented(text) => self.socket.send_fragmented(&text),
            Outgoing::Raw(frame) => self.socket.send_raw(frame),
        })
    }

    fn acknowledge_due(&mut self) -> Flow {
        let now = Instant::now();
        while let Some((_, acknowledgement)) = self.later.pop_front_if(|(due, _)| *due <= now) {
            self.acknowledge(acknowledgement)?;
        }
        Flow::Continue(())
    }

    fn acknowledge(&mut self, acknowledgement: Acknowledgement) -> Flow {
        // Noted first: who has seen the acknowledgement must find it noted.
        self.shared.acknowledged(&acknowledgement.notifications);
        sent(self.socket.send(acknowledgement.text))
    }
}

impl Pace {
    /// Whether to read, and whether to write.
    fn directions(self) -> (bool, bool) {
        (self == Self::Normal, self != Self::Silent)
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
        Ending::Cut(Cut::Close) | Ending::Stopped | Ending::Lost => drop(socket),
    }
}
