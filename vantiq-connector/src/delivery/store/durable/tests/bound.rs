//! How large the file may become.

use super::*;
use crate::{
    StoreErrorKind,
    delivery::store::durable::trials::{Disk, Model, load},
};

const MAX_BYTES: u64 = 1 << 20;

fn open(disk: &Disk) -> StoreFile {
    StoreFile::open(Box::new(disk.clone()), OutboxSync::Always, MAX_BYTES).expect("it is whole")
}

/// No transaction that adds something makes the file longer than it may be, and one that is refused changes
/// nothing.
#[test]
fn the_file_never_outgrows_its_bound() {
    let mut unsound = 0;
    cases("bounded files", 10, |seed| {
        let rng = &mut StdRng::seed_from_u64(seed);
        let (disk, mut model) = (Disk::default(), Model::default());
        let mut file = open(&disk);
        let mut refused = 0;
        while refused < 5 {
            let (mut pending, _) = model.next(rng);
            // All comes, nothing goes.
            drop(pending.only_removes());
            let held = model.held.iter().cloned().chain(pending.inserts().cloned()).collect();
            let result = file.commit(&pending);
            assert!(disk.content().len() as u64 <= MAX_BYTES);
            match result {
                Ok(()) => model.held = held,
                Err(fault) => {
                    assert_eq!(fault.kind, StoreErrorKind::CapReached, "{fault:?}");
                    refused += 1;
                    if !file.is_sound() {
                        unsound += 1;
                        drop(file);
                        file = open(&disk);
                    }
                    assert_eq!(load(&file).unwrap(), model.held);
                }
            }
        }
    });
    println!("{unsound} times it was the database itself that needed more");
}
