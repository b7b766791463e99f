//! What follows the end of a link: [`LinkEnd`] says why it ended, [`next`] what to do. Pure.

use crate::{
    ConnectorError, TransportError, error,
    protocol::{ServerError, Status},
};

/// A step of the handshake that the server has to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Validate,
    ConnectExtension,
}

/// Why a link ended, or did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkEnd {
    /// We closed it.
    #[error("stopped")]
    Stopped,
    /// It could not be opened.
    #[error(transparent)]
    NotOpened(TransportError),
    /// It was lost, or the server closed it.
    #[error(transparent)]
    Lost(TransportError),
    /// The peer is silent for too long.
    #[error("the server is silent; the connection is taken for dead")]
    Dead,
    /// The peer takes nothing for too long.
    #[error("the server takes no data; the connection is taken for dead")]
    Stuck,
    /// A refusal came that answers `connectExtension` or a notification, and what came afterwards did not tell which.
    #[error("it cannot be told what the server refused")]
    Ambiguous,
    /// A step of the handshake was not answered in time.
    #[error("the server did not answer `{}`", .0.operation())]
    Silent(Step),
    /// The server does not accept the token.
    #[error("the server refused the access token")]
    CredentialsRefused(#[source] ServerError),
    /// The server cannot check the token at present.
    #[error("the server could not check the access token")]
    ServerBusy(#[source] ServerError),
}

/// Equal where a test would call them so: errors of the operating system by their kind only.
impl PartialEq for LinkEnd {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NotOpened(a), Self::NotOpened(b)) | (Self::Lost(a), Self::Lost(b)) => a.kind() == b.kind(),
            (Self::Silent(a), Self::Silent(b)) => a == b,
            (Self::CredentialsRefused(a), Self::CredentialsRefused(b))
            | (Self::ServerBusy(a), Self::ServerBusy(b)) => a == b,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }
}

impl Eq for LinkEnd {}

impl Step {
    const fn operation(self) -> crate::protocol::Operation {
        match self {
            Self::Validate => crate::protocol::Operation::Validate,
            Self::ConnectExtension => crate::protocol::Operation::ConnectExtension,
        }
    }
}

impl LinkEnd {
    /// A refused `validate`: a server that is overloaded or broken says nothing about the token.
    pub(crate) fn of_refused_validate(error: ServerError) -> Self {
        let transient = matches!(error.status, Status(408 | 429 | 500..));
        if transient { Self::ServerBusy(error) } else { Self::CredentialsRefused(error) }
    }

    /// The error of the whole connector set, for an end that [`next`] calls fatal.
    pub(crate) fn into_error(self) -> ConnectorError {
        match self {
            Self::NotOpened(error) => ConnectorError::Unreachable(error),
            Self::CredentialsRefused(error) => ConnectorError::CredentialsRefused(error),
            _ => ConnectorError::Defect,
        }
    }

    /// The whole chain on one line.
    pub(crate) fn chain(&self) -> String {
        error::chain(self)
    }
}

/// What is to be done after a link ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing more: the source was closed.
    Stop,
    /// End the whole connector set; [`LinkEnd::into_error`] says how.
    Fatal,
    /// Dial again after the next delay.
    Retry,
    /// Dial again after the longest delay: trying often would only look like an attack.
    RetryLate,
}

/// What the decision depends on, beside the end itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// Whether any source of the process has ever been authenticated.
    pub(crate) authenticated_before: bool,
    /// The setting `failOnConnectionError`.
    pub(crate) fail_on_connection_error: bool,
}

/// Decides what follows `end`.
pub(crate) fn next(end: &LinkEnd, circumstances: Circumstances) -> Next {
    match end {
        LinkEnd::Stopped => Next::Stop,
        LinkEnd::CredentialsRefused(_) if !circumstances.authenticated_before => Next::Fatal,
        LinkEnd::CredentialsRefused(_) => Next::RetryLate,
        LinkEnd::NotOpened(_)
            if circumstances.fail_on_connection_error && !circumstances.authenticated_before =>
        {
            Next::Fatal
        }
        _ => Next::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::Payload, transport::TransportErrorKind};

    fn refused(status: u16) -> LinkEnd {
        LinkEnd::of_refused_validate(ServerError::read(Status(status), &Payload::NULL))
    }

    fn not_opened() -> LinkEnd {
        LinkEnd::NotOpened(TransportErrorKind::Proxy.into())
    }

    fn after(end: &LinkEnd, authenticated_before: bool, fail_on_connection_error: bool) -> Next {
        next(end, Circumstances { authenticated_before, fail_on_connection_error })
    }

    #[test]
    fn refused_credentials_are_fatal_only_at_first() {
        assert_eq!(after(&refused(400), false, false), Next::Fatal);
        assert_eq!(after(&refused(401), true, true), Next::RetryLate);
    }

    #[test]
    fn a_busy_server_says_nothing_about_the_token() {
        for status in [408, 429, 500, 503] {
            assert!(matches!(refused(status), LinkEnd::ServerBusy(_)), "{status}");
            assert_eq!(after(&refused(status), false, false), Next::Retry);
        }
        for status in [300, 400, 401, 403, 404] {
            assert!(matches!(refused(status), LinkEnd::CredentialsRefused(_)), "{status}");
        }
    }

    #[test]
    fn an_unreachable_server_is_fatal_only_at_first_and_only_where_asked_for() {
        assert_eq!(after(&not_opened(), false, true), Next::Fatal);
        assert_eq!(after(&not_opened(), false, false), Next::Retry);
        assert_eq!(after(&not_opened(), true, true), Next::Retry);
    }

    #[test]
    fn everything_else_is_tried_again_but_not_after_a_stop() {
        for end in [LinkEnd::Dead, LinkEnd::Stuck, LinkEnd::Silent(Step::Validate)] {
            assert_eq!(after(&end, false, true), Next::Retry, "{end}");
        }
        assert_eq!(after(&LinkEnd::Stopped, false, true), Next::Stop);
    }
}
