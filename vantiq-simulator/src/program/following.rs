//! [`Following`]: lines as they come, and the signal that ends it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::error::ProgramError;
use super::remote::Lines;
use super::signals::on_signal;

/// Lines that wait to be worked on; the simulator waits behind them.
const EVENTS: usize = 64;

/// What happens while one listens.
#[derive(Debug)]
pub(super) enum Event {
    Line(Vec<u8>),
    /// The answer is at its end.
    End,
    /// Somebody wants it to end.
    Signal,
}

/// Lines are read in a thread of its own, which ends with the process: a pending read cannot be interrupted.
pub(super) struct Following {
    events_rx: Receiver<Result<Event, ProgramError>>,
}

impl Following {
    pub(super) fn start(lines: Lines) -> Result<Self, ProgramError> {
        let (events_tx, events_rx) = sync_channel(EVENTS);
        let signal_tx = events_tx.clone();
        // Nobody listens when it is over already.
        on_signal(move || drop(signal_tx.send(Ok(Event::Signal)))).map_err(ProgramError::Signals)?;
        thread::spawn(move || read(lines, &events_tx));
        Ok(Self { events_rx })
    }

    /// Waits for the next. None is to be awaited after an end.
    pub(super) fn next(&self) -> Result<Event, ProgramError> {
        self.events_rx.recv().expect("the thread of the signal holds a sender")
    }
}

fn read(mut lines: Lines, events_tx: &SyncSender<Result<Event, ProgramError>>) {
    loop {
        let event = lines.next().map(|line| line.map_or(Event::End, Event::Line));
        let is_over = !matches!(event, Ok(Event::Line(_)));
        if events_tx.send(event).is_err() || is_over {
            return;
        }
    }
}
