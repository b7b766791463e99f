//! [`InForce`]: what of the faults of a source lasts at present.

use serde::Serialize;

use super::milliseconds;
use crate::fault_word::{AcknowledgeWord, RefusalWord, policy_numbers};
use crate::link::Pace;
use crate::seat::Seat;
use crate::shared::{Shared, World};

/// What is out of order on purpose, with its numbers where it has some.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InForce {
    pace: &'static str,
    /// Between two messages.
    pace_ms: Option<f64>,
    refusing: Option<RefusalWord>,
    /// How often still; absent where it does not end by itself.
    refusing_times: Option<usize>,
    acknowledge: AcknowledgeWord,
    acknowledge_ms: Option<f64>,
    acknowledge_every: Option<u64>,
}

impl InForce {
    /// Of a source of this name, also where it was never mentioned.
    pub(super) fn now(shared: &Shared, name: &str) -> Self {
        shared.read(|world| match world.registry.find(name) {
            Some(seat) => Self::of(world, shared, seat),
            None => Self::of(world, shared, &Seat::default()),
        })
    }

    pub(super) fn of(world: &World, shared: &Shared, seat: &Seat) -> Self {
        let handle = seat.link().and_then(|link| world.links.get(&link));
        let (pace, pace_ms) = told(handle.map_or(Pace::Normal, |handle| handle.pace));
        let policy = seat.acknowledge().unwrap_or(&shared.settings.acknowledge);
        let (delay, acknowledge_every) = policy_numbers(policy);
        let refusing = seat.refusals.peek().as_ref().map(RefusalWord::of);
        Self {
            pace,
            pace_ms,
            refusing,
            refusing_times: refusing.and(seat.refusals.left()),
            acknowledge: AcknowledgeWord::of(policy),
            acknowledge_ms: delay.map(milliseconds),
            acknowledge_every,
        }
    }
}

/// The word of a pace, which is that of its fault, and its number.
fn told(pace: Pace) -> (&'static str, Option<f64>) {
    match pace {
        Pace::Normal => ("normal", None),
        Pace::Slow(pause) => ("slow", Some(milliseconds(pause))),
        Pace::NotReading => ("deaf", None),
        Pace::Silent => ("silent", None),
    }
}
