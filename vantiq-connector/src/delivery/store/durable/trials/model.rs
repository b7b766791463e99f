//! [`Model`]: what a file should hold.

use rand::{Rng, RngExt};

use super::super::{
    file::{Fault, StoreFile},
    pending::Pending,
    record::Record,
};

/// What a file should hold, and what is done to it next.
#[derive(Default)]
pub(in super::super) struct Model {
    pub(in super::super) held: Vec<Record>,
    last: u64,
}

impl Model {
    /// The next transaction: some come, some of the oldest go. Returns what is held after it.
    pub(in super::super) fn next(&mut self, rng: &mut impl Rng) -> (Pending, Vec<Record>) {
        let (mut pending, mut held) = (Pending::default(), self.held.clone());
        for record in held.drain(..rng.random_range(0..=self.held.len())) {
            pending.remove(record.number);
        }
        for _ in 0..rng.random_range(0..8) {
            self.last += 1;
            let size = if rng.random_bool(0.1) { 20_000 } else { 300 };
            let frame = vec![rng.random(); rng.random_range(0..size)];
            let (number, frame) = (self.last, frame.into());
            let source = ["a", "b"][rng.random_range(0..2)];
            let oldest =
                held.iter().find(|record| record.source == source).map_or(number, |record| record.number);
            let record =
                Record { number, oldest, source: source.into(), frame, request_id: None, expires_at: None };
            pending.insert(record.clone());
            held.push(record);
        }
        (pending, held)
    }
}

/// All that is in `file`, in order.
pub(in super::super) fn load(file: &StoreFile) -> Result<Vec<Record>, Fault> {
    Ok(file.load()?.into_values().collect())
}
