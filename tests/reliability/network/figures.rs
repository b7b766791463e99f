//! [`Figures`]: what scenes amount to.

/// What happened in scenes that keep the promises: a judge who never sees a thing proves nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Figures {
    pub(super) links: u64,
    pub(super) notifications: u64,
    pub(super) acknowledged: u64,
    pub(super) arrived: u64,
    pub(super) sent: u64,
    pub(super) refused: u64,
    pub(super) unknown: u64,
    pub(super) duplicates: u64,
    pub(super) queries: u64,
    pub(super) answered: u64,
    pub(super) publishes: u64,
    pub(super) handled: u64,
}

impl Figures {
    pub(super) const fn add(&mut self, more: &Self) {
        self.links += more.links;
        self.notifications += more.notifications;
        self.acknowledged += more.acknowledged;
        self.arrived += more.arrived;
        self.sent += more.sent;
        self.refused += more.refused;
        self.unknown += more.unknown;
        self.duplicates += more.duplicates;
        self.queries += more.queries;
        self.answered += more.answered;
        self.publishes += more.publishes;
        self.handled += more.handled;
    }
}
