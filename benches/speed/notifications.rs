//! Notifications, as many as the client can send, each acknowledged at once or late; and all kinds of work together.

use std::{
    io::Write,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use vantiq_connector_tests::{
    dialogue::ACKNOWLEDGEMENT,
    frame::{BINARY, lay},
};

use crate::{
    peer::{Peer, answered, is_notification},
    publishes::{command, done, numbered},
    queries::frame,
    trial::{Figure, Span, Trial, Window},
};

/// Queries under way in the mixed load, and as many publishes.
const MIXED: usize = 16;

/// Writes after a while, in a thread of its own.
struct Late {
    frames_tx: mpsc::Sender<(Instant, Vec<u8>)>,
    by: Duration,
}

impl Late {
    fn new(peer: &Peer, by: Duration) -> Result<Self> {
        let mut stream = peer.stream.try_clone()?;
        let (frames_tx, frames_rx) = mpsc::channel::<(Instant, Vec<u8>)>();
        thread::spawn(move || {
            for (due, frames) in frames_rx {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if stream.write_all(&frames).is_err() {
                    return;
                }
            }
        });
        Ok(Self { frames_tx, by })
    }

    fn send(&self, frames: &mut Vec<u8>) {
        if !frames.is_empty() {
            // The thread ends when the link does; then the next read says so.
            let _ = self.frames_tx.send((Instant::now() + self.by, std::mem::take(frames)));
        }
    }
}

/// Notifications of so many bytes, acknowledged so late, one sent after the other.
pub(crate) fn sent(trial: &Trial, bytes: usize, late: Duration) -> Result<Figure> {
    run(trial, bytes, late, 0, trial.by_time())
}

/// The same, but so many are sent at once.
pub(crate) fn sent_at_once(trial: &Trial, bytes: usize, late: Duration, at_once: u64) -> Result<Figure> {
    run(trial, bytes, late, at_once, trial.by_time())
}

/// Notifications of so many bytes, after the `first` ones of a link.
pub(crate) fn sent_beyond(trial: &Trial, bytes: usize, first: usize) -> Result<Figure> {
    run(trial, bytes, Duration::ZERO, 0, trial.beyond(first))
}

fn run(
    trial: &Trial,
    bytes: usize,
    late: Duration,
    at_once: u64,
    [warm_up, length]: [Span; 2],
) -> Result<Figure> {
    let mut peer = Peer::attach(trial, bytes)?;
    let late = if late.is_zero() { None } else { Some(Late::new(&peer, late)?) };
    peer.outbox.extend(numbered(at_once, "Start"));
    peer.send()?;
    let mut acknowledgement = Vec::new();
    lay(&mut acknowledgement, BINARY, ACKNOWLEDGEMENT);
    let began = Instant::now();
    let (mut window, mut before, mut all, mut figure) = (None::<Window>, 0, 0, None);
    loop {
        peer.receive()?;
        while let Some(message) = peer.message()? {
            if figure.is_some() && message.windows(7).any(|part| part == br#""done":"#) {
                let done = done(message)?;
                ensure!(done == all, "{all} notifications came, {done} were acknowledged");
                return figure.ok_or_else(|| unreachable!("looked at above"));
            }
            all += 1;
            peer.outbox.extend(&acknowledgement);
        }
        match &window {
            None if warm_up.is_over(began.elapsed(), all) => {
                (window, before) = (Some(Window::begin(&peer.process)), all);
            }
            Some(window) if figure.is_none() && length.is_over(window.elapsed(), all - before) => {
                figure = Some(window.end(all - before));
                peer.outbox.extend(command("Stop"));
            }
            _ => {}
        }
        match &late {
            Some(late) => late.send(&mut peer.outbox),
            None => peer.send()?,
        }
    }
}

/// Queries, publishes, and a notification for each of these, all at once.
pub(crate) fn mixed(trial: &Trial) -> Result<Figure> {
    let mut peer = Peer::attach(trial, 100)?;
    peer.rest(trial)?;
    let queries: Vec<_> = (0..MIXED).map(|address| frame(address, "")).collect();
    let publish = command("Notify");
    let mut acknowledged_and_next = Vec::new();
    lay(&mut acknowledged_and_next, BINARY, ACKNOWLEDGEMENT);
    acknowledged_and_next.extend(&publish);
    peer.outbox.extend(queries.concat());
    peer.outbox.extend(publish.repeat(MIXED));
    let began = Instant::now();
    let mut asked = [began; MIXED];
    let (mut window, mut operations, mut latencies) = (None::<Window>, 0, Vec::new());
    loop {
        peer.send()?;
        peer.receive()?;
        let now = Instant::now();
        while let Some(message) = peer.message()? {
            if is_notification(message) {
                operations += 2;
                peer.outbox.extend(&acknowledged_and_next);
            } else {
                let (_, address) = answered(message)?;
                operations += 1;
                latencies.push(now - std::mem::replace(&mut asked[address], now));
                peer.outbox.extend(&queries[address]);
            }
        }
        match &window {
            None if began.elapsed() > trial.warm_up() => {
                window = Some(Window::begin(&peer.process));
                operations = 0;
                latencies.clear();
            }
            Some(window) if window.elapsed() > trial.length => {
                return Ok(window.end(operations).with_latencies(latencies));
            }
            _ => {}
        }
    }
}
