//! [`Disk`]: a disk for trials, in memory, that can lose power and be full.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use rand::{Rng, RngExt};
use redb::StorageBackend;

/// What a disk writes at once, whatever happens.
const SECTOR: usize = 512;

/// A disk. Its clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Disk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    unhung: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What is read.
    content: Vec<u8>,
    /// What survives.
    synced: Vec<u8>,
    /// What may survive.
    since: Vec<Change>,
    /// How many more changes there are before the power fails.
    power: Option<usize>,
    /// How long the content may become.
    room: Option<usize>,
    /// Whether it is there at all.
    is_unplugged: bool,
    /// Whether a sync does not come back.
    hangs: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Len(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Len(len) => content.resize(*len, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(data);
            }
        }
    }

    /// The sectors of it that were written when the power failed.
    fn torn(&self, rng: &mut impl Rng) -> Vec<Self> {
        match self {
            Self::Len(_) => vec![self.clone()],
            Self::Write(offset, data) => {
                let sectors = data.chunks(SECTOR).enumerate().filter(|_| rng.random());
                sectors.map(|(n, sector)| Self::Write(offset + n * SECTOR, sector.to_vec())).collect()
            }
        }
    }
}

impl Disk {
    /// One with this content.
    pub(in super::super) fn with(content: Vec<u8>) -> Self {
        let state = State { synced: content.clone(), content, ..State::default() };
        Self(Arc::new(Shared { state: Mutex::new(state), unhung: Condvar::new() }))
    }

    /// The power fails after so many changes.
    pub(in super::super) fn fail_after(&self, changes: usize) {
        self.lock().power = Some(changes);
    }

    /// The disk has room for so many bytes, or for any number.
    #[cfg(test)]
    pub(in super::super) fn limit(&self, room: Option<usize>) {
        self.lock().room = room;
    }

    /// Takes it away, or brings it back.
    #[cfg(test)]
    pub(in super::super) fn unplug(&self, yes: bool) {
        self.lock().is_unplugged = yes;
    }

    /// Lets every sync hang, or go on.
    #[cfg(test)]
    pub(in super::super) fn hang(&self, yes: bool) {
        self.lock().hangs = yes;
        self.0.unhung.notify_all();
    }

    pub(in super::super) fn content(&self) -> Vec<u8> {
        self.lock().content.clone()
    }

    /// What is on it when the power is back: what was synced, and of what was changed since any part.
    pub(in super::super) fn after_power_failure(&self, rng: &mut impl Rng) -> Self {
        let state = self.lock();
        let mut content = state.synced.clone();
        for change in &state.since {
            match rng.random_range(0..3) {
                0 => {}
                1 => change.apply(&mut content),
                _ => change.torn(rng).iter().for_each(|part| part.apply(&mut content)),
            }
        }
        Self::with(content)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no trial goes on after a panic")
    }

    fn plugged(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.is_unplugged { Err(io::ErrorKind::NotFound.into()) } else { Ok(state) }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.plugged()?;
        match &mut state.power {
            Some(0) => return Err(io::Error::other("no power")),
            Some(left) => *left -= 1,
            None => {}
        }
        // A file may be made longer than there is room: only what is written takes some.
        if let Change::Write(offset, data) = &change
            && state.room.is_some_and(|room| offset + data.len() > room)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        change.apply(&mut state.content);
        state.since.push(change);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.plugged()?.content.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.plugged()?;
        let offset = index(offset);
        let from = state.content.get(offset..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Len(index(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        let state = self.plugged()?;
        let unhung = self.0.unhung.wait_while(state, |state| state.hangs);
        let mut state = unhung.expect("no trial goes on after a panic");
        if state.power == Some(0) {
            return Err(io::Error::other("no power"));
        }
        let State { content, synced, since, .. } = &mut *state;
        synced.clone_from(content);
        since.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(index(offset), data.to_vec()))
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("it is in memory")
}
