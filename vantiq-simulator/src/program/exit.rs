//! [`Exit`]: what the program's exit code says.

use std::process::ExitCode;

/// How a command ended, in the numbers that scripts see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done, by `quit` or a signal.
    Done = 0,
    /// The simulator could not be started.
    NotDone = 1,
    /// The command line, or a file that it names, makes no sense. Clap ends with this, too.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
