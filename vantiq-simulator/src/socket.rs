//! [`Socket`]: one accepted WebSocket with its TCP connection in reach.
//!
//! Owning the TCP connection is what makes a reset, half a frame or plain silence possible. Knows frames,
//! not messages.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::recording::FrameKind;

/// Small, because a test may hold a thousand links.
const BUFFER: usize = 4 * 1024;
/// No message is taken from the queue while this much waits to be written.
const HIGH_WATER: usize = 64 * 1024;
/// Hard limit for inbound messages; below it, the registry answers what is too large.
const INBOUND_CEILING: usize = 16 << 20;
/// Patience with the peer when a link ends.
const CLOSING: Duration = Duration::from_secs(2);
/// Pieces of a fragmented message.
const FRAGMENTS: usize = 4;
/// Head of a binary frame of 1,000 bytes and the few of them that are ever sent.
const HALF_A_FRAME: &[u8] = b"\x82\x7e\x03\xe8{\"op\":\"publish\",\"resou";

/// The other end is gone or breaks the WebSocket protocol.
#[derive(Debug)]
pub(crate) struct Gone;

/// What happened on the socket.
#[derive(Debug)]
pub(crate) enum SocketEvent {
    Frame(Message),
    Flushed,
    Gone,
}

/// A frame given to the letter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RawFrame {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Binary(Vec<u8>),
}

impl From<&str> for RawFrame {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for RawFrame {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for RawFrame {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.to_vec())
    }
}

impl From<Vec<u8>> for RawFrame {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl RawFrame {
    pub(crate) fn into_parts(self) -> (FrameKind, Bytes) {
        match self {
            Self::Text(text) => (FrameKind::Text, text.into()),
            Self::Binary(bytes) => (FrameKind::Binary, bytes.into()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    frames: FrameKind,
    /// Bytes handed over since the last complete flush.
    unflushed: usize,
}

impl Socket {
    /// Takes a connection over after the HTTP upgrade; `read` is what came behind it.
    pub(crate) async fn new(stream: TcpStream, read: Vec<u8>, frames: FrameKind) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_message_size(Some(INBOUND_CEILING))
            .max_frame_size(Some(INBOUND_CEILING));
        let stream = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
        Self { stream, frames, unflushed: 0 }
    }

    /// The next thing that happens. Frames come first, so that answers to many are written together.
    ///
    /// Cancel-safe: reading and flushing both go on where they were.
    pub(crate) async fn event(&mut self, reads: bool, writes: bool) -> SocketEvent {
        poll_fn(|context| {
            if reads && let Poll::Ready(event) = self.poll_frame(context) {
                return Poll::Ready(event);
            }
            if writes && self.unflushed > 0 { self.poll_flushed(context) } else { Poll::Pending }
        })
        .await
    }

    /// Whether a message may be taken from the queue.
    pub(crate) fn has_room(&self) -> bool {
        self.unflushed < HIGH_WATER
    }

    /// The kind of frame that this server uses.
    pub(crate) fn kind(&self) -> FrameKind {
        self.frames
    }

    /// Sends a message, which is UTF-8 where the frame is a text.
    pub(crate) fn send(&mut self, kind: FrameKind, payload: Bytes) -> Result<(), Gone> {
        self.feed(match kind {
            FrameKind::Text => Message::Text(payload.try_into().expect("what is sent as a text is one")),
            FrameKind::Binary => Message::Binary(payload),
        })
    }

    /// Sends a ping.
    pub(crate) fn ping(&mut self) -> Result<(), Gone> {
        self.feed(Message::Ping(Bytes::new()))
    }

    /// Sends one message as several continuation frames.
    pub(crate) fn send_fragmented(&mut self, text: &[u8]) -> Result<(), Gone> {
        let pieces: Vec<_> = text.chunks(text.len().div_ceil(FRAGMENTS).max(1)).collect();
        for (index, piece) in pieces.iter().enumerate() {
            let opcode = match (index, self.frames) {
                (0, FrameKind::Text) => Data::Text,
                (0, FrameKind::Binary) => Data::Binary,
                _ => Data::Continue,
            };
            let frame = Frame::message(piece.to_vec(), OpCode::Data(opcode), index + 1 == pieces.len());
            self.feed(Message::Frame(frame))?;
        }
        Ok(())
    }

    /// Writes what waits to be written, with limited patience.
    pub(crate) async fn flush(&mut self) {
        if let Ok(Ok(())) = timeout(CLOSING, self.stream.flush()).await {
            self.unflushed = 0;
        }
    }

    /// Closes with a handshake, or without one when the other end has no time for it.
    pub(crate) async fn close(mut self, code: CloseCode, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = timeout(CLOSING, async {
            if self.stream.close(Some(frame)).await.is_ok() {
                self.drain().await;
            }
        })
        .await;
    }

    /// Completes the closing handshake that the other end has begun.
    pub(crate) async fn complete_close(mut self) {
        let _ = timeout(CLOSING, self.drain()).await;
    }

    /// Ends the connection with a TCP RST.
    pub(crate) fn abort(self) {
        // Without the option, which no loopback socket refuses, the end is a FIN.
        let _ = self.stream.get_ref().set_zero_linger();
    }

    /// Ends the connection in the middle of a frame. Everything else must have been flushed.
    pub(crate) async fn break_off(mut self) {
        let _ = timeout(CLOSING, async {
            let connection = self.stream.get_mut();
            connection.write_all(HALF_A_FRAME).await.map_err(|_| Gone)?;
            connection.shutdown().await.map_err(|_| Gone)
        })
        .await;
    }

    async fn drain(&mut self) {
        while let Some(Ok(_)) = self.stream.next().await {}
    }

    fn feed(&mut self, message: Message) -> Result<(), Gone> {
        self.unflushed += message.len().max(1);
        self.stream.start_send_unpin(message).map_err(|_| Gone)
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<SocketEvent> {
        self.stream.poll_next_unpin(context).map(|frame| match frame {
            Some(Ok(message)) => SocketEvent::Frame(message),
            Some(Err(_)) | None => SocketEvent::Gone,
        })
    }

    fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<SocketEvent> {
        self.stream.poll_flush_unpin(context).map(|flushed| {
            self.unflushed = 0;
            flushed.map_or(SocketEvent::Gone, |()| SocketEvent::Flushed)
        })
    }
}
