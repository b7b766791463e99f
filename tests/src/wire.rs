//! [`Wire`]: the server's end of a connection in memory, which can fail in one direction.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use vantiq_simulator::Direction;

/// What a TCP connection carries without an acknowledgement, while its window is as small as that of a link
/// with little to do.
const TCP_WINDOW: usize = 64 * 1024;

/// What the connections of a [`MemoryServer`](crate::MemoryServer) suffer. Both ends stay open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The network loses whatever is sent in this direction, TCP's acknowledgements of the other direction
    /// included: that one carries one window more, and no further byte.
    Loses(Direction),
    /// Something on the way takes whatever is sent in this direction and throws it away; the other direction
    /// goes on.
    Swallows(Direction),
}

/// The [`Fault`] that all connections of a server have in common.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Fault>);

impl Faults {
    /// From now on.
    pub fn set(&self, fault: Fault) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn get(&self) -> Fault {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of bytes in this direction.
    fn fate(&self, direction: Direction) -> Fate {
        match self.get() {
            Fault::Loses(lost) if lost == direction => Fate::Lost,
            Fault::Loses(_) => Fate::PassesUnacknowledged,
            Fault::Swallows(lost) if lost == direction => Fate::Swallowed,
            Fault::None | Fault::Swallows(_) => Fate::Passes,
        }
    }
}

enum Fate {
    Passes,
    PassesUnacknowledged,
    Lost,
    Swallowed,
}

/// The server's end of a connection in memory.
#[derive(Debug)]
pub struct Wire {
    stream: DuplexStream,
    faults: Arc<Faults>,
    /// How many bytes may still pass unacknowledged.
    window: usize,
}

impl Wire {
    pub(crate) const fn new(stream: DuplexStream, faults: Arc<Faults>) -> Self {
        Self { stream, faults, window: TCP_WINDOW }
    }

    /// Counts `bytes` that pass without an acknowledgement.
    const fn passed(&mut self, bytes: usize) {
        self.window = self.window.saturating_sub(bytes);
    }

    const fn is_window_full(&self) -> bool {
        self.window == 0
    }
}

impl AsyncRead for Wire {
    /// What cannot be read never will be: a fault lasts as long as the connection, so nobody is woken.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match self.faults.fate(Direction::ToServer) {
            Fate::Lost => Poll::Pending,
            Fate::PassesUnacknowledged if self.is_window_full() => Poll::Pending,
            Fate::Passes => Pin::new(&mut self.stream).poll_read(cx, buf),
            Fate::PassesUnacknowledged => {
                ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
                self.passed(buf.filled().len() - before);
                Poll::Ready(Ok(()))
            }
            Fate::Swallowed => loop {
                ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
                if buf.filled().len() == before {
                    return Poll::Ready(Ok(()));
                }
                buf.set_filled(before);
            },
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.faults.fate(Direction::ToClient) {
            Fate::Passes => Pin::new(&mut self.stream).poll_write(cx, buf),
            Fate::PassesUnacknowledged if self.is_window_full() => Poll::Pending,
            Fate::PassesUnacknowledged => {
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
                self.passed(written);
                Poll::Ready(Ok(written))
            }
            Fate::Lost | Fate::Swallowed => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
