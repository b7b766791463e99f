//! What a failure of power leaves: everything that was written, and nothing half.

use rand::{Rng, RngExt};
use redb::StorageBackend;

use super::{Disk, Model, load};
use crate::delivery::store::{
    OutboxSync,
    durable::{
        file::{Fault, StoreFile},
        record::Record,
    },
};

fn open(disk: &Disk) -> Result<StoreFile, Fault> {
    StoreFile::open(Box::new(disk.clone()), OutboxSync::Always, u64::MAX)
}

/// What [`super::power_failure`] says.
pub(super) fn trial(rng: &mut impl Rng) -> usize {
    let (mut disk, mut model) = (Disk::default(), Model::default());
    drop(open(&disk).expect("it is new"));
    disk.sync_data().expect("there is power");
    let mut written = 0;
    for _ in 0..rng.random_range(1..4) {
        disk.fail_after(rng.random_range(0..150));
        let after = run(&disk, &mut model, rng);
        written += model.held.len();
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
    written
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
