//! [`Incidents`]: what happened to links, and what was done to sources on purpose.
//!
//! They have their place between the messages of the [recording](crate::recording), but are none: the numbers of
//! messages are without gaps, and whoever looks at messages sees nothing else.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use crate::cut::Ending;
use crate::fault_word::Fault;

/// The youngest that are kept.
const KEPT: usize = 10_000;

/// One that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    /// From 1.
    pub(crate) number: u64,
    /// Number of the last message before it; 0 where there was none.
    pub(crate) after: u64,
    pub(crate) at: SystemTime,
    pub(crate) link: Option<u64>,
    /// The sources that it is about, as far as they are known.
    pub(crate) sources: Vec<Arc<str>>,
    pub(crate) what: Happening,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    Opened,
    Ended(Ending),
    /// Something is out of order from now on.
    Inflicted(Fault),
    /// And not any more.
    Healed(Lasting),
}

/// What lasts until it is healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    Pace,
    Refusal,
    Policy,
}

/// Those of the recent past, in order.
#[derive(Debug, Default)]
pub(crate) struct Incidents {
    last: u64,
    kept: VecDeque<Incident>,
}

impl Incidents {
    /// `after` is the number of the youngest message.
    pub(crate) fn push(&mut self, after: u64, link: Option<u64>, sources: Vec<Arc<str>>, what: Happening) {
        self.last += 1;
        let at = SystemTime::now();
        self.kept.push_back(Incident { number: self.last, after, at, link, sources, what });
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// The number of the youngest.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The number of the last that happened before this message, or 0.
    pub(crate) fn last_before(&self, message: u64) -> u64 {
        let older = self.kept.partition_point(|incident| incident.after < message);
        older.checked_sub(1).map_or(0, |index| self.kept[index].number)
    }

    /// Those behind the one with this number, but none behind a message younger than `message`.
    pub(crate) fn between(&self, number: u64, message: u64) -> impl Iterator<Item = &Incident> {
        let known = self.kept.partition_point(|incident| incident.number <= number);
        self.kept.range(known..).take_while(move |incident| incident.after <= message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place_between_messages() {
        let mut incidents = Incidents::default();
        for after in [0, 4, 4, 9] {
            incidents.push(after, None, Vec::new(), Happening::Opened);
        }
        assert_eq!([0, 1, 4, 5, 10].map(|message| incidents.last_before(message)), [0, 1, 1, 3, 4]);
        let numbers = |number, message| {
            let found = incidents.between(number, message).map(|incident| incident.number);
            found.collect::<Vec<_>>()
        };
        assert_eq!(numbers(0, 3), [1]);
        assert_eq!(numbers(1, 4), [2, 3]);
        assert_eq!(numbers(3, u64::MAX), [4]);
        assert_eq!((numbers(4, u64::MAX), incidents.last()), (vec![], 4));
    }

    #[test]
    fn the_oldest_go() {
        let mut incidents = Incidents::default();
        for after in 0..=KEPT as u64 {
            incidents.push(after, None, Vec::new(), Happening::Opened);
        }
        assert_eq!(incidents.between(0, u64::MAX).next().map(|incident| incident.number), Some(2));
        assert_eq!(incidents.last_before(1), 0, "it is forgotten");
    }
}
