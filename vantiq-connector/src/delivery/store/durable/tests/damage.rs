//! Files that are damaged: an error, or what can be read, and never a panic.

use std::{collections::BTreeMap, fs};

use super::*;
use crate::{
    StoreErrorKind,
    delivery::store::durable::{Store, disk::Disk, record::carve},
};

/// A file with some history, as the connector leaves it: closed, or killed. And all that ever was in it.
fn used(rng: &mut impl Rng) -> (Vec<u8>, Vec<Record>, BTreeMap<u64, Record>) {
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

fn damage(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
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

/// Whatever is done to a file, it is opened, or it is an error. What can be carved out of it was in it, and
/// where it is whole that is all there is.
#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let (mut opened, mut refused) = (0, 0);
    cases("damaged files", 300, |rng| {
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
                file.commit(&Pending::default()).unwrap();
                opened += 1;
            }
            Err(fault) => {
                assert_eq!(fault.kind, StoreErrorKind::Damaged, "{fault:?}");
                refused += 1;
            }
        }
    });
    println!("{opened} were opened, {refused} were errors");
}

/// On a real file: `refuse` is an error that names it, `memory` sets it aside and goes on with what can be
/// read.
#[test]
fn a_damaged_file_is_refused_or_set_aside() {
    cases("damaged files on the disk", 20, |rng| {
        let folder = Folder::new();
        let path = folder.file();
        let (mut bytes, ..) = used(rng);
        damage(&mut bytes, rng);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &bytes).unwrap();
        // Opening repairs what can be repaired, so the error comes first or never.
        let refused = Store::open(&settings(&path)).err();
        if let Some(error) = &refused {
            assert_eq!(error.kind(), StoreErrorKind::Damaged);
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
        let aside = path.with_file_name("outbox.damaged-1");
        assert!(!aside.exists());
        if refused.is_some() {
            let (file, found) = super::super::open(&Place::new(StoreSettings {
                on_error: OutboxOnError::Memory,
                ..settings(&path)
            }))
            .unwrap();
            assert_eq!(found, carve(&fs::read(&aside).unwrap()));
            assert_eq!(file.unwrap().load().unwrap(), found);
        }
    });
}
