//! [`TransportError`]: why a WebSocket could not be opened, or was lost.

use std::{error::Error, fmt};

type Source = Box<dyn Error + Send + Sync>;

/// A WebSocket that could not be opened, or was lost. [`kind`](Self::kind) is for programs, `Display` for
/// people, [`source`](Error::source) has the cause.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Source>,
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The host is unknown or refuses connections.
    Unreachable {
        /// The URL that was dialled.
        url: String,
    },
    /// The proxy did not open a tunnel.
    Proxy,
    /// No encrypted connection came about: a certificate that is not trusted, most often.
    Tls {
        /// The URL that was dialled.
        url: String,
    },
    /// The server answered the upgrade with another HTTP status than 101: `targetServer` may be another
    /// program's address.
    Upgrade {
        /// The HTTP status.
        status: u16,
        /// The URL that was dialled.
        url: String,
    },
    /// What answered the upgrade does not speak HTTP or WebSocket.
    NotWebSocket {
        /// The URL that was dialled.
        url: String,
    },
    /// A step took longer than its deadline.
    Deadline {
        /// The URL that was dialled.
        url: String,
    },
    /// The settings of the connection cannot be used, such as a proxy without the feature `proxy`.
    Settings,
    /// The connection was lost.
    Lost,
    /// The peer closed the WebSocket.
    Closed {
        /// The close code of RFC 6455, section 7.4, where it sent one.
        code: Option<u16>,
    },
    /// The peer sent more than a message may have.
    TooLarge,
}

impl TransportError {
    pub(crate) fn new(kind: TransportErrorKind, source: impl Into<Source>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What failed.
    pub fn kind(&self) -> &TransportErrorKind {
        &self.kind
    }
}

impl From<TransportErrorKind> for TransportError {
    fn from(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TransportErrorKind::Unreachable { url } => write!(f, "cannot connect to {url}"),
            TransportErrorKind::Proxy => f.write_str("the proxy opened no tunnel"),
            TransportErrorKind::Tls { url } => write!(f, "no encrypted connection to {url}"),
            TransportErrorKind::Upgrade { status, url } => {
                write!(
                    f,
                    "{url} answered with HTTP status {status}, not with a WebSocket; check `targetServer`"
                )
            }
            TransportErrorKind::NotWebSocket { url } => {
                write!(f, "{url} does not speak WebSocket; check `targetServer`")
            }
            TransportErrorKind::Deadline { url } => write!(f, "{url} did not answer in time"),
            TransportErrorKind::Settings => f.write_str("the settings of the connection cannot be used"),
            TransportErrorKind::Lost => f.write_str("the connection was lost"),
            TransportErrorKind::Closed { code: Some(code) } => {
                write!(f, "the server closed the connection with code {code}")
            }
            TransportErrorKind::Closed { code: None } => f.write_str("the server closed the connection"),
            TransportErrorKind::TooLarge => f.write_str("the server sent a message that is too large"),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
