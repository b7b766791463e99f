//! What an outbox file must survive, one trial for each seed; a trial panics where something does not hold. The
//! disk of these files is in memory, and fails on demand.

mod damage;
mod disk;
mod model;
mod power;

use rand::{SeedableRng, rngs::StdRng};

pub use self::damage::Found;
#[cfg(test)]
pub(super) use self::damage::damage;
pub(super) use self::{
    damage::used,
    disk::Disk,
    model::{Model, load},
};

/// Damages a file at random, and opens it. Whatever is done to a file, it is opened, or it is an error. What can
/// be carved out of it was in it, and where it is whole that is all there is.
///
/// # Panics
/// If that does not hold.
pub fn damaged(seed: u64) -> Found {
    damage::trial(&mut StdRng::seed_from_u64(seed))
}

/// Opens `bytes` as a file: it is opened, or it is an error, and what can be carved out of it tells so itself.
///
/// # Panics
/// If that does not hold.
pub fn opened(bytes: Vec<u8>) -> Found {
    damage::open(bytes)
}

/// A file as the connector leaves it, the same for each seed.
#[must_use]
pub fn genuine(seed: u64) -> Vec<u8> {
    used(&mut StdRng::seed_from_u64(seed)).0
}

/// The power fails at any moment, also while the file is repaired: what was synced is there, of what was changed
/// since any part may be. Nothing that was written is lost, and nothing is half there. (A file that is only begun
/// does not have its name yet.) Returns how many notifications had been written.
///
/// # Panics
/// If that does not hold.
pub fn power_failure(seed: u64) -> usize {
    power::trial(&mut StdRng::seed_from_u64(seed))
}
