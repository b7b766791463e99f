//! Files that are damaged: an error, or what can be read, and never a panic.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};

use super::{Disk, Model, load};
use crate::delivery::store::{
    OutboxSync, StoreErrorKind,
    durable::{
        file::StoreFile,
        pending::Pending,
        record::{Record, carve},
    },
};

/// What came of opening a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It could be opened, and so many of its notifications were lost, of so many.
    Opened {
        /// Those that could not be read.
        lost: usize,
        /// Those that were in the file.
        of: usize,
    },
    /// An error says that it is damaged.
    Damaged,
}

/// A file with some history, as the connector leaves it: closed, or killed. And all that ever was in it.
pub(in super::super) fn used(rng: &mut impl Rng) -> (Vec<u8>, Vec<Record>, BTreeMap<u64, Record>) {
    let (disk, mut model, mut ever) = (Disk::default(), Model::default(), BTreeMap::new());
    let file = StoreFile::open(Box::new(disk.clone()), OutboxSync::Always, u64::MAX).unwrap();
    for _ in 0..rng.random_range(1..20) {
        let (pending, held) = model.next(rng);
        file.commit(&pending).unwrap();
        ever.extend(pending.inserts().map(|record| (record.number, record.clone())));
        model.held = held;
    }
    let killed = disk.content();
    drop(file);
    let bytes = if rng.random() { killed } else { disk.content() };
    (bytes, model.held, ever)
}

/// Does some damage to a file.
pub(in super::super) fn damage(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    for _ in 0..rng.random_range(1..4) {
        let len = bytes.len();
        if len == 0 {
            return;
        }
        // Half of it where it hurts most: in the header and the first pages.
        let range = if rng.random() { len } else { len.min(5_000) };
        let at = rng.random_range(0..range);
        let some = at..len.min(at + rng.random_range(1..5_000));
        match rng.random_range(0..5) {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => bytes[some].fill(0),
            3 => bytes[some].fill_with(|| rng.random()),
            _ => bytes.extend((0..rng.random_range(1..5_000)).map(|_| rng.random::<u8>())),
        }
    }
}

/// What [`super::opened`] says.
pub(super) fn open(bytes: Vec<u8>) -> Found {
    for (number, record) in carve(&bytes) {
        assert_eq!(number, record.number);
    }
    let file = StoreFile::open(Box::new(Disk::with(bytes)), OutboxSync::Always, u64::MAX);
    match file.and_then(|file| load(&file).map(|found| (file, found))) {
        Ok((file, found)) => {
            file.commit(&Pending::default()).expect("a file that was opened can be written");
            Found::Opened { lost: 0, of: found.len() }
        }
        Err(fault) => {
            assert_eq!(fault.kind, StoreErrorKind::Damaged, "{fault:?}");
            Found::Damaged
        }
    }
}

/// What [`super::damaged`] says.
pub(super) fn trial(rng: &mut impl Rng) -> Found {
    let (mut bytes, held, ever) = used(rng);
    let carved = carve(&bytes);
    assert!(held.iter().all(|record| carved.get(&record.number) == Some(record)));
    damage(&mut bytes, rng);
    let genuine = |record: &Record| ever.get(&record.number) == Some(record);
    assert!(carve(&bytes).values().all(genuine));
    let file = StoreFile::open(Box::new(Disk::with(bytes)), OutboxSync::Always, u64::MAX);
    match file.and_then(|file| load(&file).map(|found| (file, found))) {
        Ok((file, found)) => {
            assert!(found.iter().all(genuine));
            file.commit(&Pending::default()).expect("a file that was opened can be written");
            let lost = held.iter().filter(|record| !found.contains(record)).count();
            Found::Opened { lost, of: held.len() }
        }
        Err(fault) => {
            assert_eq!(fault.kind, StoreErrorKind::Damaged, "{fault:?}");
            Found::Damaged
        }
    }
}
