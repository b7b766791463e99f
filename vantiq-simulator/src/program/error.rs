//! [`ProgramError`]: why a command was not done, with a hint and an exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use super::exit::Exit;
use super::json_argument::InputError;
use super::output::plain;
use super::place::TokenOrigin;
use super::replay::RecordingError;

/// What servers call a source without a connector; their words need some explanation.
const NO_SESSION: &str = "com.accessg2.ag2rs.streams.source.not_found";
/// What servers say of a source that does not exist.
const NO_SOURCE: &str = "io.vantiq.resource.not.found";

#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error("`{url}` is no address of a simulator")]
    Url { url: String },
    #[error("nothing listens at {url}")]
    NothingListens { url: String },
    #[error("{url} cannot be reached")]
    Unreachable { url: String, source: Box<dyn Error + Send + Sync> },
    #[error("{origin} is refused at {url}")]
    TokenRefused { url: String, origin: TokenOrigin },
    #[error("what listens at {url} is not what this command needs: {why}")]
    OtherServer { url: String, why: String },
    #[error("the simulator at {url} went away")]
    Gone { url: String },
    /// The simulator was asked and said no, or the connector did.
    #[error("{}", plain(message.strip_suffix('.').unwrap_or(message)))]
    Refused { code: String, message: String },
    #[error(transparent)]
    Input(#[from] InputError),
    /// What does nothing, and what to write instead.
    #[error("{0}")]
    Fault(&'static str),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("cannot write {file}")]
    Save { file: String, source: io::Error },
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
}

impl ProgramError {
    /// Says it in one line, with the causes and what helps, and gives the exit code.
    pub(super) fn complain(&self) -> Exit {
        let exit = self.exit();
        if exit != Exit::Done {
            complain(self, self.hint());
        }
        exit
    }

    fn exit(&self) -> Exit {
        match self {
            // Such as `| head`, which has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Refused { .. } | Self::Save { .. } | Self::Output(_) | Self::Signals(_) => Exit::NotDone,
            Self::Url { .. } | Self::Input(_) | Self::Fault(_) | Self::Recording(_) => Exit::Usage,
            Self::NothingListens { .. }
            | Self::Unreachable { .. }
            | Self::TokenRefused { .. }
            | Self::OtherServer { .. }
            | Self::Gone { .. } => Exit::NoSimulator,
        }
    }

    /// For scripts: the server's or the connector's, or a word; nothing where standard output is what does not work.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Output(_) => None,
            Self::TokenRefused { .. } => Some("token-refused"),
            Self::OtherServer { .. } => Some("other-server"),
            Self::Url { .. } | Self::Input(_) | Self::Fault(_) | Self::Recording(_) => Some("usage"),
            Self::NothingListens { .. } | Self::Unreachable { .. } | Self::Gone { .. } => Some("unreachable"),
            Self::Save { .. } | Self::Signals(_) => Some("failed"),
        }
    }

    /// For scripts: the words of whoever refused it, or else those of the complaint.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Refused { message, .. } => message.clone(),
            error => with_causes(error),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Url { .. } => "write it like http://127.0.0.1:8081",
            Self::NothingListens { .. } => "start it with `vantiq-simulator`, or say where it is with --url",
            Self::TokenRefused { .. } => {
                "the simulator printed the right one when it started; give that with --token or VANTIQ_SIMULATOR_TOKEN"
            }
            Self::OtherServer { .. } => "say where the simulator is with --url",
            Self::Refused { code, .. } if code == NO_SESSION => {
                "no connector is attached at present; `vantiq-simulator sources` tells of each source since when"
            }
            Self::Refused { code, .. } if code == NO_SOURCE => {
                "`vantiq-simulator sources` lists those that there are"
            }
            Self::Input(error) => error.hint(),
            Self::Recording(error) => error.hint(),
            _ => "",
        }
    }
}

/// Prints the error with its causes in one line.
pub(super) fn complain(error: &dyn Error, hint: &str) {
    let mut line = format!("vantiq-simulator: {}", with_causes(error));
    if !hint.is_empty() {
        line.extend(["; ", hint]);
    }
    eprintln!("{line}");
}

fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}"); // a string takes everything
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        let broken = ProgramError::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(broken.exit(), Exit::Done);
        assert_eq!(ProgramError::Output(io::ErrorKind::StorageFull.into()).exit(), Exit::NotDone);
    }
}
