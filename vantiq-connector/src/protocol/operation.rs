//! [`Operation`]: the `op` of a message.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// The `op` of a message (`docs/PROTOCOL.md`, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Connector to server: authenticate with an access token.
    Validate,
    /// Connector to server: authenticate with a name and a password. Never sent by this crate: such a login
    /// may land in any namespace of the user (section 3).
    Authenticate,
    /// Connector to server: attach to a source.
    ConnectExtension,
    /// Server to connector: attached; here is the configuration.
    ConfigureExtension,
    /// Server to connector: attach again, on the same WebSocket.
    ReconnectRequired,
    /// Server to connector: a message for the source.
    Publish,
    /// Server to connector: a question to the source.
    Query,
    /// Connector to server: an event of the source.
    Notification,
}

impl Operation {
    const ALL: [Self; 8] = [
        Self::Validate,
        Self::Authenticate,
        Self::ConnectExtension,
        Self::ConfigureExtension,
        Self::ReconnectRequired,
        Self::Publish,
        Self::Query,
        Self::Notification,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Authenticate => "authenticate",
            Self::ConnectExtension => "connectExtension",
            Self::ConfigureExtension => "configureExtension",
            Self::ReconnectRequired => "reconnectRequired",
            Self::Publish => "publish",
            Self::Query => "query",
            Self::Notification => "notification",
        }
    }
}

/// The `op` is none that this crate knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown operation")]
pub struct UnknownOperation;

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(word: &str) -> Result<Self, UnknownOperation> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == word).ok_or(UnknownOperation)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_read_from_its_own_word() {
        for operation in Operation::ALL {
            assert_eq!(operation.as_str().parse(), Ok(operation));
        }
        assert_eq!("testRequestsClientClose".parse::<Operation>(), Err(UnknownOperation));
    }
}
