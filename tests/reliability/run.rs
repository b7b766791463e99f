//! [`Run`]: how much a property is attacked, with which seed, and on which runtime.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use rand::{SeedableRng, rngs::SmallRng};
use tokio::runtime::Builder;

/// One run of one property.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Of all that is random.
    pub(crate) seed: u64,
    full: bool,
}

impl Run {
    /// As `SEED` and `FULL_COUNTS` say.
    pub(crate) fn from_environment() -> Self {
        let seed = env::var("SEED").map(|seed| seed.parse().expect("SEED is a whole number"));
        Self {
            seed: seed.unwrap_or_else(|_| rand::random::<u32>().into()),
            full: env::var_os("FULL_COUNTS").is_some(),
        }
    }

    /// The count of a full run, or a tenth of it.
    pub(crate) const fn count(&self, full: u64) -> u64 {
        if self.full { full } else { full.div_ceil(10) }
    }

    pub(crate) fn random(&self) -> SmallRng {
        SmallRng::seed_from_u64(self.seed)
    }
}

/// Runs one trial of many, and says `which` it was where it panics.
pub(crate) fn named<T>(which: impl Fn() -> String, trial: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(trial)).unwrap_or_else(|panic| {
        eprintln!("{}", which());
        resume_unwind(panic)
    })
}

/// Runs `attack` on a runtime such as `main!` has.
pub(crate) fn block_on<F: Future>(attack: F) -> F::Output {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("there are threads");
    let output = runtime.block_on(attack);
    runtime.shutdown_background();
    output
}

/// The same on the present thread alone.
pub(crate) fn block_on_one_thread<F: Future>(attack: F) -> F::Output {
    Builder::new_current_thread().enable_all().build().expect("there is a thread").block_on(attack)
}

/// Runs `attack` with a clock that stands still, and jumps to the next timer whenever nothing else is to do.
pub(crate) fn block_on_paused<F: Future>(attack: F) -> F::Output {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().expect("there is a thread").block_on(attack)
}
