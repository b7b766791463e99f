//! The outbox file after damage, and after a failure of power.

use std::thread;

use vantiq_connector::internals::outbox_trials::{Found, damaged, power_failure};

use crate::run::{Run, named};

/// What many trials amount to.
#[derive(Default)]
struct Totals {
    opened: u64,
    refused: u64,
    /// Notifications that could not be read in a file that was opened.
    unread: usize,
    /// Notifications that were synced when the power failed.
    synced: usize,
}

pub(crate) fn survives_damage_and_loses_nothing_synced(run: &Run) -> String {
    let cases = run.count(10_000);
    let seed = |case| run.seed.wrapping_add(case);
    let (first, second) = (0..cases / 2, cases / 2..cases);
    let Totals { opened, refused, unread, synced } = thread::scope(|scope| {
        let other = scope.spawn(|| trials(first.map(seed)));
        let mut totals = trials(second.map(seed));
        totals.add(&other.join().expect("no trial panics"));
        totals
    });
    assert!(opened > 0 && refused > 0, "{opened} were opened, {refused} were errors");
    format!(
        "{cases} files damaged: {opened} opened ({unread} notifications gone with the damage), {refused} clear errors, \
         no panic; {cases} failures of power: {synced} notifications synced, 0 lost"
    )
}

fn trials(seeds: impl Iterator<Item = u64>) -> Totals {
    let mut totals = Totals::default();
    for seed in seeds {
        named(|| format!("the trial of seed {seed}"), || totals.try_one(seed));
    }
    totals
}

impl Totals {
    fn try_one(&mut self, seed: u64) {
        match damaged(seed) {
            Found::Opened { lost, .. } => {
                self.opened += 1;
                self.unread += lost;
            }
            Found::Damaged => self.refused += 1,
        }
        self.synced += power_failure(seed);
    }

    fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.refused += other.refused;
        self.unread += other.unread;
        self.synced += other.synced;
    }
}
