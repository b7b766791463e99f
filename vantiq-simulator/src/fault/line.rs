//! [`Line`]: what one direction of a [`FaultProxy`](crate::FaultProxy) does to the bytes that pass.

use std::ops::RangeInclusive;
use std::time::Duration;

/// One of the two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the one who connects to the proxy.
    ToServer,
    /// From the one whom the proxy connects to.
    ToClient,
}

/// How a direction swallows everything while the TCP connections stay open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlackHole {
    /// Nothing is read, so the sender's buffers fill up. Afterwards all of it arrives, like after an outage
    /// that retransmissions have bridged. An end of the connection on either side is not noticed either.
    Holds,
    /// Everything is read and thrown away, so the sender notices nothing. What comes afterwards begins
    /// where the sender happens to be, which may be inside of a frame.
    Swallows,
}

/// The quality of one direction; the default is as good as the loopback.
///
/// ```
/// use std::time::Duration;
/// use vantiq_simulator::Line;
///
/// let line = Line::clear().latency(Duration::from_millis(40)).jitter(Duration::from_millis(20)).slices(1..=7);
/// # let _ = line;
/// ```
///
/// Time is Tokio's, so a paused clock jumps over it. A line that becomes faster frees what is on its way, too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
    /// Bytes a second, at least 1.
    pub(super) bandwidth: Option<u64>,
    pub(super) slices: Option<RangeInclusive<usize>>,
    pub(super) slow_close: Duration,
    pub(super) black_hole: Option<BlackHole>,
}

impl Line {
    /// Without any fault.
    pub fn clear() -> Self {
        Self::default()
    }

    /// What is read from now on is forwarded this much later.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Adds up to this much to the latency, at random for everything that is read. The order stays.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Forwards so many bytes a second at most; 0 means 1.
    #[must_use]
    pub fn bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.bandwidth = Some(bytes_per_second.max(1));
        self
    }

    /// Forwards in writes of these sizes, chosen at random for each; 0 means 1, an empty range none.
    #[must_use]
    pub fn slices(mut self, bytes: RangeInclusive<usize>) -> Self {
        self.slices = Some(bytes).filter(|bytes| !bytes.is_empty());
        self
    }

    /// Forwards the end of the stream this much later than its last byte.
    #[must_use]
    pub fn slow_close(mut self, delay: Duration) -> Self {
        self.slow_close = delay;
        self
    }

    /// Forwards nothing at all.
    #[must_use]
    pub fn black_hole(mut self, kind: BlackHole) -> Self {
        self.black_hole = Some(kind);
        self
    }
}

/// Both directions.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    pub(super) to_server: Line,
    pub(super) to_client: Line,
}

impl Lines {
    pub(super) fn get(&self, direction: Direction) -> &Line {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    pub(super) fn set(&mut self, direction: Direction, line: Line) {
        match direction {
            Direction::ToServer => self.to_server = line,
            Direction::ToClient => self.to_client = line,
        }
    }
}
