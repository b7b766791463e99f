//! How the simulator acknowledges what a connector sends (PROTOCOL section 8).
//!
//! Nobody outside Vantiq knows for certain what a real server acknowledges besides notifications,
//! so it is a switch: [`Acknowledge`] for the server or one source, [`AcknowledgeOrder`] for the
//! status messages around `configureExtension`.

use std::time::Duration;

use crate::envelope::Status;

/// What is acknowledged, and how.
///
/// Set for the server with [`SimulatorBuilder::acknowledge`](crate::SimulatorBuilder::acknowledge) and
/// for one source with [`Source::acknowledge`](crate::Source::acknowledge). Acknowledgements leave in the
/// order of the messages they are for, also when the policy changes in between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Acknowledge {
    /// Each notification is answered by a bare `{"status":200}`.
    #[default]
    NotificationsOnly,
    /// Notifications, query responses and `connectExtension` are, the latter at least once.
    Everything,
    /// Nothing is ever acknowledged; notifications are accepted all the same.
    Nothing,
    /// Like [`NotificationsOnly`](Self::NotificationsOnly), but this much later.
    ///
    /// What waits is kept in memory; the connector's own window bounds it.
    Delayed(Duration),
    /// Notifications are refused with this error. They show up in
    /// [`received`](crate::Simulator::received) but not among the
    /// [`notifications`](crate::Source::notifications) of the source.
    WithError {
        /// Status of the message, 300 or above.
        status: u16,
        /// `code` in the error body.
        code: String,
        /// `message` in the error body.
        message: String,
    },
}

impl Acknowledge {
    /// Whether a notification counts as received.
    pub(crate) fn accepts(&self) -> bool {
        !matches!(self, Self::WithError { .. })
    }

    /// How long after the message.
    pub(crate) fn delay(&self) -> Duration {
        if let Self::Delayed(delay) = self { *delay } else { Duration::ZERO }
    }

    /// The answer to a notification, if there is one.
    pub(crate) fn notification(&self) -> Option<Status> {
        match self {
            Self::Nothing => None,
            Self::WithError { status, code, message } => Some(Status::failure(*status, code, message)),
            Self::NotificationsOnly | Self::Everything | Self::Delayed(_) => Some(Status::bare(200)),
        }
    }
}

/// Where the status messages for `connectExtension` go (PROTOCOL section 5: both have been seen).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcknowledgeOrder {
    /// Before `configureExtension`.
    #[default]
    BeforeConfiguration,
    /// After `configureExtension`.
    AfterConfiguration,
}
