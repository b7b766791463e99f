//! [`Check`]: whether anything was lost, repeated without need, or overtaken.
//!
//! No I/O and no clock: it is told what happened, in any order between the kinds of facts, and gives a
//! [`CheckReport`].

mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

pub use self::report::{CheckReport, Duplicate, DuplicateCause};
use crate::simulator::Simulator;

/// What a connector said in the end about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptSays {
    /// It was delivered, however well that is known.
    Delivered,
    /// The server refused it.
    Rejected,
    /// It was dropped because of a bound.
    Dropped,
    /// It was too old.
    Expired,
    /// It is not known whether it arrived.
    Unknown,
}

/// Takes the facts of a run in which numbered events were sent over links that were cut.
///
/// The events must carry numbers that differ; the order in which they were [sent](Self::sent) counts, not
/// their values. Links are numbered in the order in which they were opened, and one ends before the next
/// carries anything.
///
/// ```
/// use vantiq_simulator::{Check, DuplicateCause};
///
/// let mut check = Check::new();
/// for number in 1..=3 {
///     check.sent(number);
/// }
/// check.received(1, 1);
/// check.acknowledged(1, 1);
/// check.received(1, 2);
/// check.cut(1);
/// check.received(2, 2); // again, for it was not acknowledged
/// check.received(2, 3);
///
/// let report = check.report();
/// assert_eq!(report.duplicates[0].cause, DuplicateCause::Unacknowledged);
/// report.assert_clean();
/// println!("{report}");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Check {
    sent: Vec<u64>,
    received: Vec<Arrival>,
    /// Link and number.
    acknowledged: HashSet<(u64, u64)>,
    cut: HashSet<u64>,
    receipts: HashMap<u64, Receipt>,
    told_twice: Vec<u64>,
}

/// One arrival of an event.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    link: u64,
    number: u64,
}

#[derive(Debug, Clone, Copy)]
struct Receipt {
    says: ReceiptSays,
    /// Links that had been opened by then.
    links: u64,
}

impl Check {
    /// Without any facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The connector accepted this event, after those before.
    pub fn sent(&mut self, number: u64) {
        self.sent.push(number);
    }

    /// The server received this event by this link, after what was received by that link before.
    pub fn received(&mut self, link: u64, number: u64) {
        self.received.push(Arrival { link, number });
    }

    /// The server sent an acknowledgement for this event by this link. A cut may have swallowed it.
    pub fn acknowledged(&mut self, link: u64, number: u64) {
        self.acknowledged.insert((link, number));
    }

    /// This link has ended, however it did.
    pub fn cut(&mut self, link: u64) {
        self.cut.insert(link);
    }

    /// A receipt said this about an event, and it was seen when so many links had been opened: look at
    /// [`Simulator::links_opened`] after the receipt. [`u64::MAX`] where that is not known.
    pub fn receipt(&mut self, number: u64, says: ReceiptSays, links: u64) {
        if self.receipts.insert(number, Receipt { says, links }).is_some() {
            self.told_twice.push(number);
        }
    }

    /// Takes all that the simulator knows of a source: what it received and acknowledged by which link, and
    /// which links have ended. `number` finds the number in an event; an event without one does not count.
    ///
    /// # Panics
    ///
    /// When the simulator has forgotten notifications, see
    /// [`recording_limit`](crate::SimulatorBuilder::recording_limit).
    pub fn server(&mut self, simulator: &Simulator, source: &str, number: impl Fn(&Value) -> Option<u64>) {
        let source = simulator.source(source);
        let (notifications, count) = (source.notifications(), source.notification_count());
        let forgotten = count.saturating_sub(notifications.len() as u64);
        assert_eq!(forgotten, 0, "{forgotten} notifications are forgotten; raise the recording limit");
        for notification in notifications {
            let Some(number) = number(&notification.object) else { continue };
            self.received(notification.link, number);
            if notification.acknowledged {
                self.acknowledged(notification.link, number);
            }
        }
        for end in simulator.link_ends() {
            self.cut(end.link);
        }
    }

    /// What the facts amount to.
    pub fn report(&self) -> CheckReport {
        let mut received = self.received.clone();
        // A server may get to the rest of an old link after it has begun to read the new one; the connector
        // sent it before all the same. The sort is stable.
        received.sort_by_key(|arrival| arrival.link);
        let routes = routes(&received);
        CheckReport {
            sent: self.sent.len(),
            received: received.len(),
            links: received.chunk_by(|one, next| one.link == next.link).count(),
            receipts: self.receipts.len(),
            lost: self.missing(&routes, false),
            given_up: self.missing(&routes, true),
            stray: self.stray(&routes),
            inverted: self.inverted(&received),
            released_early: self.released_early(&routes),
            told_twice: self.told_twice.clone(),
            duplicates: self.duplicates(&received, &routes),
        }
    }

    /// What never arrived, with or without a receipt that says so.
    fn missing(&self, routes: &Routes, given_up: bool) -> Vec<u64> {
        let missing = self.sent.iter().filter(|number| !routes.contains_key(number));
        missing.filter(|number| given_up != self.is_delivered(**number)).copied().collect()
    }

    /// Whether nothing says that the event was not delivered.
    fn is_delivered(&self, number: u64) -> bool {
        self.receipts.get(&number).is_none_or(|receipt| receipt.says == ReceiptSays::Delivered)
    }

    /// How many links had been opened when the receipt said that the event was delivered.
    fn links_at_delivery(&self, number: u64) -> u64 {
        let receipt = self.receipts.get(&number).filter(|receipt| receipt.says == ReceiptSays::Delivered);
        receipt.map_or(u64::MAX, |receipt| receipt.links)
    }

    fn stray(&self, routes: &Routes) -> Vec<u64> {
        let sent: HashSet<_> = self.sent.iter().collect();
        routes.keys().filter(|number| !sent.contains(number)).copied().collect()
    }

    /// Events that arrived after one that was sent later: by the same link, or both for the first time.
    fn inverted(&self, received: &[Arrival]) -> Vec<u64> {
        let places: HashMap<_, _> =
            self.sent.iter().zip(0..).map(|(number, place)| (*number, place)).collect();
        let (mut seen, mut last_first, mut inverted) = (HashSet::new(), 0, Vec::new());
        for link in received.chunk_by(|one, next| one.link == next.link) {
            let mut last = 0;
            for &Arrival { number, .. } in link {
                let Some(&place) = places.get(&number) else { continue };
                let is_first = seen.insert(number);
                if place < last || is_first && place < last_first {
                    inverted.push(number);
                }
                last = last.max(place);
                last_first = last_first.max(place);
            }
        }
        inverted
    }

    /// Events that arrived by a link which was not yet open when they were said to be delivered.
    fn released_early(&self, routes: &Routes) -> Vec<u64> {
        let early = routes.iter().filter(|(number, links)| links[0] > self.links_at_delivery(**number));
        early.map(|(number, _)| *number).collect()
    }

    fn duplicates(&self, received: &[Arrival], routes: &Routes) -> Vec<Duplicate> {
        let read_up_to = self.read_up_to(received, routes);
        let mut duplicates = Vec::new();
        let mut before: HashMap<u64, Place> = HashMap::new();
        for (index, &Arrival { link: again, number }) in received.iter().enumerate() {
            if let Some(Place { link, index }) = before.insert(number, Place { link: again, index }) {
                let was_read = read_up_to.get(&link).is_some_and(|last| index < *last);
                let cause = self.cause(number, link, again, was_read);
                duplicates.push(Duplicate { number, link, again, cause });
            }
        }
        duplicates
    }

    fn cause(&self, number: u64, link: u64, again: u64, was_read: bool) -> DuplicateCause {
        if link == again {
            DuplicateCause::SameLink
        } else if !self.cut.contains(&link) {
            DuplicateCause::LinkNotCut
        } else if again > self.links_at_delivery(number) {
            DuplicateCause::AfterReceipt
        } else if !self.acknowledged.contains(&(link, number)) {
            DuplicateCause::Unacknowledged
        } else if was_read {
            DuplicateCause::Acknowledged
        } else {
            DuplicateCause::AcknowledgementLost
        }
    }

    /// For each link, the place of the last event whose acknowledgement the connector must have read: it was
    /// acknowledged there, and the connector was content. Acknowledgements come in order, so those before
    /// were read, too.
    fn read_up_to(&self, received: &[Arrival], routes: &Routes) -> HashMap<u64, usize> {
        let read = received.iter().enumerate().filter(|(_, arrival)| {
            let Arrival { link, number } = **arrival;
            let is_last = routes[&number].last() == Some(&link);
            is_last && self.acknowledged.contains(&(link, number)) && self.is_delivered(number)
        });
        read.map(|(index, arrival)| (arrival.link, index)).collect()
    }
}

/// The links by which each event arrived, in order.
type Routes = BTreeMap<u64, Vec<u64>>;

/// Where an event arrived before.
#[derive(Debug, Clone, Copy)]
struct Place {
    link: u64,
    index: usize,
}

fn routes(received: &[Arrival]) -> Routes {
    let mut routes = Routes::new();
    for arrival in received {
        routes.entry(arrival.number).or_default().push(arrival.link);
    }
    routes
}
