//! The errors of a connector set as a whole, and their exit codes.

use std::{error::Error, io, iter};

use crate::{Abandoned, ConfigError, StoreError, TransportError, protocol::ServerError};

/// Why a connector set could not be built, or ended on its own.
///
/// [`exit_code`](Self::exit_code) translates it for the process's parent, after `sysexits.h`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The settings have a mistake in them. Exit code 64.
    #[error("wrong settings")]
    Config(#[source] ConfigError),
    /// The log's settings have a mistake in them. Exit code 64.
    #[cfg(feature = "logging")]
    #[error("wrong settings of the log")]
    Logging(#[source] crate::config::LoggingError),
    /// The command line has a mistake in it. Exit code 64.
    #[error("{0}")]
    Usage(String),
    /// The file given with `--source-config` cannot be used. Exit code 64.
    #[cfg(feature = "simulator")]
    #[error("{path} is no configuration document for a source: {problem}", path = path.display())]
    SourceConfig {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The simulated server of `--simulate` cannot be started. Exit code 70.
    #[cfg(feature = "simulator")]
    #[error("the server cannot be simulated")]
    Simulator(#[source] vantiq_simulator::SimulatorError),
    /// The settings are well-formed and of no use for a connection, such as a proxy without the feature
    /// `proxy`. Exit code 64.
    #[error("wrong settings of the connection")]
    Connection(#[source] TransportError),
    /// A source of `server.config` has no handler. Exit code 64.
    #[error(
        "source `{name}` has no handler; serve it with `#[vantiq_source(\"{name}\")]`, or take it out of `sources`"
    )]
    NoHandler {
        /// The source.
        name: String,
    },
    /// Two handlers serve the same source, and neither is more specific than the other. Exit code 64.
    #[error(
        "source `{name}` has two handlers, `{first}` and `{second}`; let one of them name another source"
    )]
    TwoHandlers {
        /// The source.
        name: String,
        /// The type of one handler.
        first: &'static str,
        /// The type of the other handler.
        second: &'static str,
    },
    /// The outbox file cannot be used, and `outboxOnError=refuse`. Exit code 74.
    #[error("the outbox cannot be kept in its file")]
    Outbox(#[source] StoreError),
    /// The server could not be reached, and `failOnConnectionError=true`. Exit code 69.
    #[error("the server cannot be reached")]
    Unreachable(#[source] TransportError),
    /// The server refused the access token on the first connect. Exit code 77.
    #[error("the server refused the access token; check `authToken`")]
    CredentialsRefused(#[source] ServerError),
    /// The operating system refused threads or signals. Exit code 70.
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
    /// It was asked to stop, and not all work could be finished within the grace. Exit code 75: whoever has it
    /// may look into it; nothing is wrong with the settings.
    #[error("stopped with work left undone: {0}")]
    Abandoned(Abandoned),
    /// A second signal came before the connector had stopped. Exit code 70.
    #[error("stopped at once by a second signal; work may have been left undone")]
    Interrupted,
    /// A defect of this crate. Exit code 70.
    #[error("a task of the connector ended unexpectedly; please report it")]
    Defect,
}

impl ConnectorError {
    /// The exit code of the process: 64 for settings, 69 for a server that cannot be reached, 74 for an outbox
    /// file that cannot be used, 75 for work left undone at a stop, 77 for refused credentials, 70 for anything
    /// else.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Connection(_)
            | Self::Usage(_)
            | Self::NoHandler { .. }
            | Self::TwoHandlers { .. } => 64,
            #[cfg(feature = "logging")]
            Self::Logging(_) => 64,
            #[cfg(feature = "simulator")]
            Self::SourceConfig { .. } => 64,
            #[cfg(feature = "simulator")]
            Self::Simulator(_) => 70,
            Self::Unreachable(_) => 69,
            Self::Outbox(_) => 74,
            Self::Abandoned(_) => 75,
            Self::CredentialsRefused(_) => 77,
            Self::Runtime(_) | Self::Interrupted | Self::Defect => 70,
        }
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl From<ConfigError> for ConnectorError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
