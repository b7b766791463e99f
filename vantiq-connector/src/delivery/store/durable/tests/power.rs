//! What a failure of power leaves: everything that was written, and nothing half.

use redb::StorageBackend;

use super::*;
use crate::delivery::store::durable::disk::Disk;

fn open(disk: &Disk) -> Result<StoreFile, Fault> {
    StoreFile::open(Box::new(disk.clone()), OutboxSync::Always, u64::MAX)
}

/// The power fails at any moment, also while the file is repaired: what was synced is there, of what
/// was changed since any part may be. Nothing that was written is lost, and nothing is half there. (A file that
/// is only begun does not have its name yet.)
#[test]
fn a_failure_of_power_loses_nothing_that_was_written() {
    cases("power failures", 300, |rng| {
        let (mut disk, mut model) = (Disk::default(), Model::default());
        drop(open(&disk).unwrap());
        disk.sync_data().unwrap();
        for _ in 0..rng.random_range(1..4) {
            disk.fail_after(rng.random_range(0..150));
            let after = run(&disk, &mut model, rng);
            disk = disk.after_power_failure(rng);
            let file = open(&disk).expect("it is repaired");
            let found = load(&file).expect("it is whole");
            assert!(
                found == model.held || Some(&found) == after.as_ref(),
                "found {}, written were {}",
                found.len(),
                model.held.len()
            );
            model.held = found;
        }
    });
}

/// Writes until the power fails. Returns what there may be instead of what was written: the last transaction
/// may have come through.
fn run(disk: &Disk, model: &mut Model, rng: &mut impl Rng) -> Option<Vec<Record>> {
    let Ok(file) = open(disk) else { return None };
    for _ in 0..rng.random_range(1..30) {
        let (pending, held) = model.next(rng);
        match file.commit(&pending) {
            Ok(()) => model.held = held,
            Err(_) => return Some(held),
        }
    }
    None
}
