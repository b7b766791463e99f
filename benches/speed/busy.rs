//! Publishes spread over the links of many busy sources: the same work, however many share it.

use anyhow::{Context as _, Result};

use vantiq_connector_tests::{
    dialogue::ACKNOWLEDGEMENT,
    frame::{BINARY, lay},
};

use crate::{
    peer::Peer,
    publishes::{block, command, done},
    trial::{Figure, Trial, Window},
};

/// How much is written to one source before the next one's turn.
const BLOCK: usize = 16 * 1024;
/// How many blocks are under way, whatever the number of sources: one for each where there are most.
const BLOCKS: usize = 1_000;
/// How many of these one source may have. What is reported of them finds room in its socket, so that neither side
/// ever waits for the other to read.
const MOST_OF_ONE: usize = 100;

/// Publishes whose `object` has so many bytes, to so many sources.
pub(crate) fn received(trial: &Trial, bytes: usize, sources: usize) -> Result<Figure> {
    let sources = trial.count(sources);
    let peers = Peer::attach_all(trial, sources, 0)?;
    let mut busy: Vec<_> = peers.into_iter().map(|peer| Busy { peer, open: 0, handled: 0 }).collect();
    let (mut block, publishes) = block(BLOCK, bytes);
    block.extend(command("Report"));
    let load = Load { block, publishes: publishes + 1, most: (BLOCKS / sources).clamp(1, MOST_OF_ONE) };
    let began = Window::begin(&busy.first().context("a source")?.peer.process);
    while began.elapsed() < trial.warm_up() {
        load.turn(&mut busy)?;
    }
    let (window, before) = (Window::begin(&busy[0].peer.process), handled(&busy));
    while window.elapsed() < trial.length {
        load.turn(&mut busy)?;
    }
    Ok(window.end(handled(&busy) - before))
}

/// How many publishes were handled by all.
fn handled(busy: &[Busy]) -> u64 {
    busy.iter().map(|busy| busy.handled).sum()
}

/// What is written to each source in turn.
struct Load {
    /// Publishes, of which the last one has the client report how many it handled.
    block: Vec<u8>,
    publishes: u64,
    /// How many blocks a source may have under way.
    most: usize,
}

impl Load {
    /// One block for each source.
    fn turn(&self, busy: &mut [Busy]) -> Result<()> {
        busy.iter_mut().try_for_each(|busy| busy.write(self))
    }
}

/// A source, and what is under way to it.
struct Busy {
    peer: Peer,
    /// Publishes that were not reported yet.
    open: u64,
    handled: u64,
}

impl Busy {
    /// Writes a block as soon as there is room for it.
    fn write(&mut self, load: &Load) -> Result<()> {
        while self.open >= load.publishes * load.most as u64 {
            self.read()?;
        }
        self.peer.outbox.extend(&load.block);
        self.open += load.publishes;
        self.peer.send()
    }

    fn read(&mut self) -> Result<()> {
        self.peer.receive()?;
        while let Some(message) = self.peer.message()? {
            let done = done(message)?;
            self.handled += done;
            self.open = self.open.checked_sub(done).context("only what was sent is handled")?;
            lay(&mut self.peer.outbox, BINARY, ACKNOWLEDGEMENT);
        }
        Ok(())
    }
}
