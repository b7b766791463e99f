//! [`Socket`]: an open WebSocket as frames in and frames out, which no longer show the library beneath.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{Sink, StreamExt};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{
            CloseFrame, WebSocketConfig,
            frame::{
                Frame as WsFrame,
                coding::{CloseCode, Data as OpData, OpCode},
            },
        },
    },
};
use tokio_util::{
    either::Either,
    io::{InspectReader, InspectWriter},
};

use super::{TransportError, TransportErrorKind, net::Net};

/// Boxed where it is encrypted: plain ones need not have the room.
type Stream = WebSocketStream<Either<Tcp, Box<TlsStream<Tcp>>>>;

/// A connection that counts its bytes.
pub(super) type Tcp = InspectReader<InspectWriter<Net, Counting>, Counting>;

type Counting = Box<dyn FnMut(&[u8]) + Send>;

/// The bytes of one connection, as they pass between us and the operating system.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    read: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

impl Traffic {
    /// Counts what passes through `net`.
    pub(super) fn count(&self, net: Net) -> Tcp {
        // Counted and looked at by the one task that drives the socket.
        let counting = |count: &Arc<AtomicU64>| -> Counting {
            let count = Arc::clone(count);
            Box::new(move |bytes| {
                count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            })
        };
        InspectReader::new(InspectWriter::new(net, counting(&self.written)), counting(&self.read))
    }
}

/// The library's 128 KiB for each connection would cost a gateway of 1,000 sources 128 MiB.
const READ_BUFFER: usize = 4 * 1024;
/// Frames are gathered up to this size before they are written without being asked to.
const WRITE_BUFFER: usize = 16 * 1024;
/// Unwritten bytes at most, beyond the frame being written; `FrameWriter` stops long before.
const MAX_WRITE_BUFFER: usize = 64 << 20;
/// Documents embedded in a publish can be many megabytes (`docs/PROTOCOL.md`, section 7).
const MAX_MESSAGE: usize = 64 << 20;

pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        // A large message may come in one frame or in many.
        .max_frame_size(Some(MAX_MESSAGE))
}

/// An open WebSocket, and a short queue of frames that drains into it.
pub(crate) struct Socket {
    stream: Stream,
    traffic: Traffic,
    frames: VecDeque<Message>,
    /// Whether the stream holds frames that were not flushed.
    dirty: bool,
    /// The bytes that had been written when the operating system took no more.
    full_at: Option<u64>,
    drained: u64,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A whole message, text or binary: real servers send binary, other tools text.
    Message(Bytes),
    /// A sign of life without content.
    Ping,
    /// The answer to the ping with this number.
    Pong(Option<u64>),
}

/// A frame to send.
#[derive(Debug, Clone)]
pub(crate) enum FrameOut {
    Text(Bytes),
    Binary(Bytes),
    Ping(u64),
    Close,
}

/// What [`Socket::next`] waited for.
#[derive(Debug)]
pub(crate) enum SocketEvent {
    /// A frame came.
    Frame(Frame),
    /// All frames were written and flushed.
    Written,
}

impl Socket {
    /// `traffic` counts what passes through `stream`.
    pub(super) fn new(stream: Stream, traffic: Traffic) -> Self {
        Self { stream, traffic, frames: VecDeque::new(), dirty: false, full_at: None, drained: 0 }
    }

    /// Bytes that came in since the socket was opened, be it only parts of a frame.
    pub(crate) fn read(&self) -> u64 {
        self.traffic.read.load(Ordering::Relaxed)
    }

    /// Bytes that the operating system has taken since the socket was opened.
    pub(crate) fn written(&self) -> u64 {
        self.traffic.written.load(Ordering::Relaxed)
    }

    /// How often the operating system took bytes again after it had taken no more. It does so when the peer
    /// has acknowledged some: a sign of life.
    pub(crate) const fn drained(&self) -> u64 {
        self.drained
    }

    /// Frames that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.frames.len()
    }

    /// Whether anything waits to be written or flushed.
    pub(crate) fn has_work(&self) -> bool {
        self.dirty || !self.frames.is_empty()
    }

    /// Appends a frame; the caller looks at [`waiting`](Self::waiting) first.
    pub(crate) fn push(&mut self, frame: FrameOut) {
        self.frames.push_back(match frame {
            // As a frame, for the library would look once more whether it is UTF-8, as JSON always is.
            FrameOut::Text(text) => Message::Frame(WsFrame::message(text, OpCode::Data(OpData::Text), true)),
            FrameOut::Binary(bytes) => Message::Binary(bytes),
            FrameOut::Ping(number) => Message::Ping(Bytes::copy_from_slice(&number.to_be_bytes())),
            FrameOut::Close => Message::Close(Some(CloseFrame {
                code: CloseCode::Normal,
                reason: Utf8Bytes::from_static(""),
            })),
        });
    }

    /// Writes what waits, and waits for a frame where `reads` says so; whichever is done first. Where
    /// [`ready`](Self::ready) found none since the task was polled last, `read_all` saves another look.
    ///
    /// Cancel safe: it only polls, and a frame leaves the queue in the same poll in which the stream takes it.
    pub(crate) async fn next(
        &mut self,
        reads: bool,
        mut read_all: bool,
    ) -> Result<SocketEvent, TransportError> {
        poll_fn(|cx| {
            let read_all = std::mem::take(&mut read_all);
            if self.has_work()
                && let Poll::Ready(written) = self.poll_written(cx)
            {
                return Poll::Ready(written.map(|()| SocketEvent::Written));
            }
            if !reads || read_all {
                return Poll::Pending;
            }
            self.poll_frame(cx).map_ok(SocketEvent::Frame)
        })
        .await
    }

    /// The next frame, where it is there already. Pings are answered by the library beneath.
    pub(crate) async fn ready(&mut self) -> Option<Result<Frame, TransportError>> {
        poll_fn(|cx| {
            Poll::Ready(match self.poll_frame(cx) {
                Poll::Ready(frame) => Some(frame),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// Writes what the operating system takes at once. `None` where that is not all.
    pub(crate) async fn write_ready(&mut self) -> Option<Result<(), TransportError>> {
        poll_fn(|cx| {
            Poll::Ready(match self.poll_written(cx) {
                Poll::Ready(written) => Some(written),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// Writes what waits and flushes. One flush for all that is there: flushing after each message costs
    /// twenty times as much.
    ///
    /// Cancel safe: a frame leaves the queue in the same poll in which the stream takes it.
    pub(crate) async fn write(&mut self) -> Result<(), TransportError> {
        poll_fn(|cx| self.poll_written(cx)).await
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, TransportError>> {
        loop {
            return Poll::Ready(match ready!(self.stream.poll_next_unpin(cx)) {
                Some(Ok(Message::Binary(bytes))) => Ok(Frame::Message(bytes)),
                Some(Ok(Message::Text(text))) => Ok(Frame::Message(text.into())),
                Some(Ok(Message::Ping(_))) => Ok(Frame::Ping),
                Some(Ok(Message::Pong(payload))) => {
                    Ok(Frame::Pong(<[u8; 8]>::try_from(payload.as_ref()).ok().map(u64::from_be_bytes)))
                }
                Some(Ok(Message::Close(frame))) => {
                    Err(TransportErrorKind::Closed { code: frame.map(|frame| frame.code.into()) }.into())
                }
                Some(Ok(Message::Frame(_))) => continue, // never read, says the library
                Some(Err(error)) => Err(lost(error)),
                None => Err(TransportErrorKind::Closed { code: None }.into()),
            });
        }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let drained = self.poll_drained(cx);
        let written = self.written();
        if self.full_at.is_some_and(|full_at| full_at < written) {
            self.drained += 1;
        }
        self.full_at = drained.is_pending().then_some(written);
        drained.map_err(lost)
    }

    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        let mut stream = Pin::new(&mut self.stream);
        while !self.frames.is_empty() {
            ready!(stream.as_mut().poll_ready(cx))?;
            if let Some(frame) = self.frames.pop_front() {
                self.dirty = true;
                stream.as_mut().start_send(frame)?;
            }
        }
        ready!(stream.poll_flush(cx))?;
        self.dirty = false;
        Poll::Ready(Ok(()))
    }
}

fn lost(error: tungstenite::Error) -> TransportError {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            TransportErrorKind::Closed { code: None }.into()
        }
        // Its own text repeats that of its cause.
        tungstenite::Error::Io(error) => TransportError::new(TransportErrorKind::Lost, error),
        tungstenite::Error::Capacity(error) => TransportError::new(TransportErrorKind::TooLarge, error),
        other => TransportError::new(TransportErrorKind::Lost, other),
    }
}
