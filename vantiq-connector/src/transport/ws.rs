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
use futures_util::{
    Sink, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio_util::{
    either::Either,
    io::{InspectReader, InspectWriter},
};

use super::{TransportError, TransportErrorKind, net::Net};

type Stream = WebSocketStream<Either<Tcp, TlsStream<Tcp>>>;

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

/// An open WebSocket.
pub(crate) struct Socket {
    stream: Stream,
    traffic: Traffic,
}

impl Socket {
    /// `traffic` counts what passes through `stream`.
    pub(super) fn new(stream: Stream, traffic: Traffic) -> Self {
        Self { stream, traffic }
    }

    /// The two directions, to be used by one task.
    pub(crate) fn split(self) -> (FrameReader, FrameWriter) {
        let (sink, stream) = self.stream.split();
        let writer = FrameWriter {
            sink,
            frames: VecDeque::new(),
            dirty: false,
            written: self.traffic.written,
            full_at: None,
            drained: 0,
        };
        (FrameReader { stream, read: self.traffic.read }, writer)
    }
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

/// The inbound half of a [`Socket`].
pub(crate) struct FrameReader {
    stream: SplitStream<Stream>,
    read: Arc<AtomicU64>,
}

impl FrameReader {
    /// Bytes that came in since the socket was opened, be it only parts of a frame.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The next frame. Pings are answered by the library beneath.
    ///
    /// Cancel safe: it only polls a stream.
    pub(crate) async fn next(&mut self) -> Result<Frame, TransportError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next frame, where it is there already.
    pub(crate) async fn ready(&mut self) -> Option<Result<Frame, TransportError>> {
        poll_fn(|cx| {
            Poll::Ready(match self.poll_next(cx) {
                Poll::Ready(frame) => Some(frame),
                Poll::Pending => None,
            })
        })
        .await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, TransportError>> {
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
}

/// A frame to send.
#[derive(Debug, Clone)]
pub(crate) enum FrameOut {
    Text(Bytes),
    Binary(Bytes),
    Ping(u64),
    Close,
}

/// The outbound half of a [`Socket`]: a short queue, and the sink it drains into.
pub(crate) struct FrameWriter {
    sink: SplitSink<Stream, Message>,
    frames: VecDeque<Message>,
    /// Whether the sink holds frames that were not flushed.
    dirty: bool,
    written: Arc<AtomicU64>,
    /// The bytes that had been written when the operating system took no more.
    full_at: Option<u64>,
    drained: u64,
}

impl FrameWriter {
    /// Frames that wait for the socket.
    pub(crate) fn waiting(&self) -> usize {
        self.frames.len()
    }

    /// Bytes that the operating system has taken since the socket was opened.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// How often the operating system took bytes again after it had taken no more. It does so when the peer
    /// has acknowledged some: a sign of life.
    pub(crate) const fn drained(&self) -> u64 {
        self.drained
    }

    /// Whether [`drive`](Self::drive) has anything to do.
    pub(crate) fn has_work(&self) -> bool {
        self.dirty || !self.frames.is_empty()
    }

    /// Appends a frame; the caller looks at [`waiting`](Self::waiting) first.
    pub(crate) fn push(&mut self, frame: FrameOut) {
        match frame {
            FrameOut::Text(text) => self.frames.push_back(match Utf8Bytes::try_from(text.clone()) {
                Ok(text) => Message::Text(text),
                // JSON text is UTF-8, always; were it not, a binary frame carries it as well.
                Err(_) => Message::Binary(text),
            }),
            FrameOut::Binary(bytes) => self.frames.push_back(Message::Binary(bytes)),
            FrameOut::Ping(number) => {
                self.frames.push_back(Message::Ping(Bytes::copy_from_slice(&number.to_be_bytes())));
            }
            FrameOut::Close => self.frames.push_back(Message::Close(Some(CloseFrame {
                code: CloseCode::Normal,
                reason: Utf8Bytes::from_static(""),
            }))),
        }
    }

    /// Writes what waits and flushes. One flush for all that is there: flushing after each message costs
    /// twenty times as much.
    ///
    /// Cancel safe: a frame leaves the queue in the same poll in which the sink takes it.
    pub(crate) async fn drive(&mut self) -> Result<(), TransportError> {
        poll_fn(|cx| {
            let driven = self.poll_drive(cx);
            let written = self.written();
            if self.full_at.is_some_and(|full_at| full_at < written) {
                self.drained += 1;
            }
            self.full_at = driven.is_pending().then_some(written);
            driven
        })
        .await
        .map_err(lost)
    }

    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        let mut sink = Pin::new(&mut self.sink);
        while !self.frames.is_empty() {
            ready!(sink.as_mut().poll_ready(cx))?;
            if let Some(frame) = self.frames.pop_front() {
                self.dirty = true;
                sink.as_mut().start_send(frame)?;
            }
        }
        ready!(sink.poll_flush(cx))?;
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
