//! [`Exit`]: what the program's exit code says.

use std::process::ExitCode;

/// How a command ended, in the numbers that scripts see. They are in `--help` and in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done. Also where a signal ended what has no end, and where nobody reads on.
    Done = 0,
    /// Not done: no connector is attached, it answered with an error, a replay differs, a port is taken.
    NotDone = 1,
    /// The command line, or a file that it names, makes no sense. Clap ends with this, too.
    Usage = 2,
    /// Nothing listens there that could be asked, or the token is refused.
    NoSimulator = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
