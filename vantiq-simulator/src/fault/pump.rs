//! [`Pump`]: moves the bytes of one direction as its [`Line`] says.

use std::future::pending;
use std::io;

use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::line::{BlackHole, Direction, Line, Lines};
use super::transit::{Next, Transit};

/// Bytes that are read at once; small enough for a jitter per message.
const BUFFER: usize = 16 * 1024;

/// What came to pass in a step.
enum Event {
    Changed,
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Ended,
    Due,
}

/// The sender has reset its connection, and now is the time to pass that on.
#[derive(Debug)]
pub(super) struct Reset;

#[derive(Debug)]
pub(super) struct Pump {
    direction: Direction,
    lines_rx: watch::Receiver<Lines>,
    transit: Transit,
    buffer: Vec<u8>,
    /// Bytes forwarded so far.
    pub(super) forwarded: u64,
    /// Whether the sender has reset its connection.
    reset: bool,
    /// Whether the receiver takes nothing any more.
    pub(super) is_stuck: bool,
}

impl Pump {
    pub(super) fn new(direction: Direction, lines_rx: watch::Receiver<Lines>, rng: StdRng) -> Self {
        let (transit, buffer) = (Transit::new(rng), vec![0; BUFFER]);
        Self { direction, lines_rx, transit, buffer, forwarded: 0, reset: false, is_stuck: false }
    }

    /// Forwards until the end of the stream was forwarded, too, or nobody takes anything any more.
    ///
    /// Cancel-safe: what was read and not written stays here.
    ///
    /// # Errors
    ///
    /// [`Reset`] when the sender has reset its connection, after everything it sent before.
    pub(super) async fn run(&mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), Reset> {
        loop {
            let line = self.lines_rx.borrow_and_update().get(self.direction).clone();
            match self.step(&line, &mut from, &mut to).await {
                Event::Read(read) => self.read(&line, &read),
                Event::Wrote(Ok(bytes)) => self.wrote(&line, bytes),
                Event::Ended if self.reset => return Err(Reset),
                Event::Ended => break,
                // What the receiver sent before it went away is the other direction's to forward.
                Event::Wrote(Err(_)) => {
                    self.is_stuck = true;
                    break;
                }
                Event::Changed => self.hurry(),
                Event::Due => {}
            }
        }
        let _ = to.shutdown().await; // who is gone does not miss it
        Ok(())
    }

    /// How much is on its way, with what can be read at once.
    pub(super) fn pending(&mut self, from: &TcpStream) -> usize {
        let line = self.line();
        while line.black_hole.is_none() && self.transit.room() > 0 {
            match from.try_read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                read => self.read(&line, &read),
            }
        }
        self.transit.waiting()
    }

    /// Whether nothing more can come of this direction.
    pub(super) fn is_over(&self) -> bool {
        self.transit.has_ended() || self.line().black_hole.is_some()
    }

    /// Forwards what is on its way, as far as the receiver takes it at once and the line lets anything pass.
    pub(super) fn forward_all(&mut self, to: &TcpStream) {
        if self.line().black_hole.is_none() {
            let all = self.transit.take(usize::MAX);
            self.forward(&all, to);
        }
    }

    /// Forwards a random part of what is on its way, but not all of it.
    pub(super) fn forward_part(&mut self, to: &TcpStream) {
        if self.line().black_hole.is_none() {
            let part = self.transit.tear();
            self.forward(&part, to);
        }
    }

    /// Throws the rest away and says how much it was.
    pub(super) fn lose(&mut self) -> u64 {
        self.transit.lose() as u64
    }

    async fn step(&mut self, line: &Line, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> Event {
        let Self { lines_rx, transit, buffer, .. } = self;
        let swallows = line.black_hole == Some(BlackHole::Swallows);
        if swallows {
            transit.lose();
        }
        let room = transit.room().min(buffer.len());
        let reads = room > 0 && line.black_hole != Some(BlackHole::Holds);
        let next = match line.black_hole {
            None => transit.next(line, Instant::now()),
            Some(_) => Next::Nothing,
        };
        // Cancel-safe: reading and writing have either happened or not, the channel keeps its news, and
        // the timer is made anew. What is due goes before what is new.
        tokio::select! {
            biased;
            Ok(()) = lines_rx.changed() => Event::Changed,
            event = act(next, to) => event,
            read = from.read(&mut buffer[..room]), if reads => Event::Read(read),
        }
    }

    fn read(&mut self, line: &Line, read: &io::Result<usize>) {
        let now = Instant::now();
        match read {
            Ok(0) => self.transit.end(line, now),
            Ok(_) if line.black_hole.is_some() => {}
            Ok(bytes) => self.transit.put(line, &self.buffer[..*bytes], now),
            Err(_) => {
                self.reset = true;
                self.transit.end(line, now);
            }
        }
    }

    fn hurry(&mut self) {
        let line = self.line();
        self.transit.hurry(&line, Instant::now());
    }

    fn wrote(&mut self, line: &Line, bytes: usize) {
        self.forwarded += bytes as u64;
        self.transit.wrote(line, bytes, Instant::now());
    }

    fn forward(&mut self, mut bytes: &[u8], to: &TcpStream) {
        while let Ok(written @ 1..) = to.try_write(bytes) {
            self.forwarded += written as u64;
            bytes = &bytes[written..];
        }
    }

    fn line(&self) -> Line {
        self.lines_rx.borrow().get(self.direction).clone()
    }
}

async fn act(next: Next<'_>, to: &mut WriteHalf<'_>) -> Event {
    match next {
        Next::Bytes(bytes) => Event::Wrote(to.write(bytes).await),
        Next::End => Event::Ended,
        Next::NotBefore(due) => {
            sleep_until(due).await;
            Event::Due
        }
        Next::Nothing => pending().await,
    }
}
