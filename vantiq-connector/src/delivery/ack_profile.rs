//! [`AckProfile`]: what the operator knows of the server's acknowledgements.

/// Which messages the server acknowledges: the key `ackProfile` (`docs/PROTOCOL.md`, section 8).
///
/// An acknowledgement does not say what it acknowledges, and nobody knows for certain whether a server
/// acknowledges more than notifications. Whoever knows can say so; then no receipt has to wait until the
/// connector has found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AckProfile {
    /// Find out. The default: receipts may come late, never early.
    #[default]
    Auto,
    /// Notifications, and neither `connectExtension` nor answers to queries. A status that comes before the
    /// first notification does no harm.
    Notifications,
    /// Every message once: `connectExtension`, answers and notifications.
    All,
    /// Nothing. Receipts say [`Arrived`](crate::Delivery::Arrived), or with `sendPings=false`
    /// [`Sent`](crate::Delivery::Sent); statuses are logged where they refuse something.
    None,
}

impl AckProfile {
    /// All of them, as `server.config` spells them.
    pub(crate) const ALL: [(&str, Self); 4] = [
        ("auto", Self::Auto),
        ("notifications", Self::Notifications),
        ("all", Self::All),
        ("none", Self::None),
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, profile)| *profile)
    }

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, profile)| *profile == self).map_or("auto", |(name, _)| name)
    }
}
