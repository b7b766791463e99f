//! [`CheckReport`]: what a [`Check`](crate::Check) found, to be asserted on and to be read.

use std::fmt;

/// Examples of each finding that are written out.
const EXAMPLES: usize = 10;

/// What became of the events of a run.
///
/// Its `Display` is one line of figures, and a line for each kind of finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many events were sent.
    pub sent: usize,
    /// How many arrived, each arrival counted.
    pub received: usize,
    /// By how many links.
    pub links: usize,
    /// How many events there is a receipt for.
    pub receipts: usize,
    /// Events that never arrived, though no receipt says so.
    pub lost: Vec<u64>,
    /// Events that never arrived, with a receipt that says rejected, dropped, expired or unknown. Not wrong
    /// by itself.
    pub given_up: Vec<u64>,
    /// Events that arrived without having been sent.
    pub stray: Vec<u64>,
    /// Events that arrived after one that was sent later: by the same link, or both for the first time.
    pub inverted: Vec<u64>,
    /// Events whose receipt said delivered before the link was open by which they first arrived.
    pub released_early: Vec<u64>,
    /// Events with more than one receipt.
    pub told_twice: Vec<u64>,
    /// Every arrival but the first of each event.
    pub duplicates: Vec<Duplicate>,
}

/// An event that arrived again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate {
    /// The event.
    pub number: u64,
    /// The link by which it arrived before.
    pub link: u64,
    /// The link by which it arrived again.
    pub again: u64,
    /// Why.
    pub cause: DuplicateCause,
}

/// Why an event arrived again; the first two are as promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DuplicateCause {
    /// The link before was cut, and the server had not acknowledged the event.
    Unacknowledged,
    /// The link before was cut. The server had acknowledged the event, but the connector may not have read
    /// that: of what was acknowledged by the link before, everything later arrived again, too.
    AcknowledgementLost,
    /// The server had acknowledged the event, and the connector had read a later acknowledgement.
    Acknowledged,
    /// The link was opened after the receipt had said that the event was delivered.
    AfterReceipt,
    /// The link before was not cut.
    LinkNotCut,
    /// It arrived twice by one link.
    SameLink,
}

impl DuplicateCause {
    /// Whether the event lay in an unacknowledged tail of a link that was cut.
    pub fn is_tail(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::AcknowledgementLost)
    }
}

impl CheckReport {
    /// Whether nothing is wrong: nothing lost, nothing out of order, nothing twice but tails.
    pub fn is_clean(&self) -> bool {
        let Self { lost, stray, inverted, released_early, told_twice, .. } = self;
        [lost, stray, inverted, released_early, told_twice].iter().all(|found| found.is_empty())
            && self.undue_duplicates().next().is_none()
    }

    /// Asserts that nothing is wrong.
    ///
    /// # Panics
    ///
    /// With the whole report, when something is.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }

    /// The duplicates that do not lie in an unacknowledged tail of a link that was cut.
    pub fn undue_duplicates(&self) -> impl Iterator<Item = &Duplicate> {
        self.duplicates.iter().filter(|duplicate| !duplicate.cause.is_tail())
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let undue: Vec<_> = self.undue_duplicates().collect();
        write!(
            f,
            "{} sent, {} received by {} links, {} receipts: {} lost, {} given up, {} inverted, {} duplicates of tails, {} undue duplicates",
            self.sent,
            self.received,
            self.links,
            self.receipts,
            self.lost.len(),
            self.given_up.len(),
            self.inverted.len(),
            self.duplicates.len() - undue.len(),
            undue.len(),
        )?;
        list(f, "lost", &self.lost)?;
        list(f, "given up", &self.given_up)?;
        list(f, "never sent", &self.stray)?;
        list(f, "inverted", &self.inverted)?;
        list(f, "released before they arrived", &self.released_early)?;
        list(f, "with a second receipt", &self.told_twice)?;
        list(f, "duplicates that are no tails", &undue)
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.cause {
            DuplicateCause::Unacknowledged => "unacknowledged",
            DuplicateCause::AcknowledgementLost => "the acknowledgement was lost",
            DuplicateCause::Acknowledged => "acknowledged, and a later acknowledgement was read",
            DuplicateCause::AfterReceipt => "after its receipt",
            DuplicateCause::LinkNotCut => "the link was not cut",
            DuplicateCause::SameLink => "twice by one link",
        };
        write!(f, "{} by link {} and {} ({why})", self.number, self.link, self.again)
    }
}

/// A line with the first few of what was found, if anything was.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, what: &str, found: &[T]) -> fmt::Result {
    if found.is_empty() {
        return Ok(());
    }
    write!(f, "\n  {} {what}:", found.len())?;
    for (index, one) in found.iter().take(EXAMPLES).enumerate() {
        write!(f, "{} {one}", if index == 0 { "" } else { "," })?;
    }
    if found.len() > EXAMPLES { f.write_str(", ...") } else { Ok(()) }
}
