//! [`Peer`]: the simulator that is talked to, as complaints name it.

use std::io::ErrorKind;

use serde::Deserialize;

use super::error::ProgramError;
use super::output::plain;
use super::place::TokenOrigin;

/// Knows where the simulator is, and what to say where it does not do what it should.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    url: String,
}

impl Peer {
    pub(super) fn new(url: String) -> Self {
        Self { url }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What an answer says, or a line of one.
    pub(super) fn read<'a, T: Deserialize<'a>>(&self, text: &'a [u8]) -> Result<T, ProgramError> {
        serde_json::from_slice(text).map_err(|error| self.not_json(&error))
    }

    /// That it answers with what is not expected.
    pub(super) fn not_json(&self, error: &serde_json::Error) -> ProgramError {
        self.other(&format!("it answers with something else: {error}"))
    }

    /// That it is something else than a simulator.
    pub(super) fn other(&self, why: &str) -> ProgramError {
        ProgramError::OtherServer { url: self.url.clone(), why: plain(why).into_owned() }
    }

    /// That it went away while it was listened to.
    pub(super) fn gone(&self) -> ProgramError {
        ProgramError::Gone { url: self.url.clone() }
    }

    pub(super) fn token_refused(&self, origin: TokenOrigin) -> ProgramError {
        ProgramError::TokenRefused { url: self.url.clone(), origin }
    }

    pub(super) fn unreachable(&self, error: ureq::Error) -> ProgramError {
        let url = self.url.clone();
        match error {
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                ProgramError::NothingListens { url }
            }
            ureq::Error::ConnectionFailed => ProgramError::NothingListens { url },
            ureq::Error::Protocol(_) => self.other("it does not speak HTTP"),
            error => ProgramError::Unreachable { url, source: error.into() },
        }
    }
}
