//! What an outbox file must survive, one trial for each seed; a trial panics where something does not hold. The
//! [`Disk`] of these files is in memory, and fails on demand.

mod damage;
mod disk;
mod model;
mod power;

use rand::{SeedableRng, rngs::StdRng};

pub use self::damage::Found;
#[cfg(test)]
pub(super) use self::damage::{damage, used};
pub(super) use self::{
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

/// The power fails at any moment, also while the file is repaired: what was synced is there, of what was changed
/// since any part may be. Nothing that was written is lost, and nothing is half there. (A file that is only begun
/// does not have its name yet.) Returns how many notifications had been written.
///
/// # Panics
/// If that does not hold.
pub fn power_failure(seed: u64) -> usize {
    power::trial(&mut StdRng::seed_from_u64(seed))
}
