//! [`Chance`]: where jitter comes from.

#[cfg(any(test, feature = "internals"))]
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(any(test, feature = "internals"))]
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Numbers between 0 and 1 by which delays are spread. Those that a test has seeded are the same in each run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chance {
    #[cfg(any(test, feature = "internals"))]
    seeded: Option<Arc<Mutex<SmallRng>>>,
}

impl Chance {
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seeded: Some(Arc::new(Mutex::new(SmallRng::seed_from_u64(seed)))) }
    }

    /// Drawn evenly from 0 to 1.
    #[cfg_attr(
        not(any(test, feature = "internals")),
        expect(clippy::unused_self, reason = "only tests seed it")
    )]
    pub(crate) fn draw(&self) -> f64 {
        #[cfg(any(test, feature = "internals"))]
        if let Some(seeded) = &self.seeded {
            // No code that can panic runs under the lock.
            return seeded.lock().unwrap_or_else(PoisonError::into_inner).random();
        }
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_the_same_numbers_again() {
        let draw = |seed| {
            let chance = Chance::seeded(seed);
            [chance.draw(), chance.clone().draw(), chance.draw()].map(f64::to_bits)
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
