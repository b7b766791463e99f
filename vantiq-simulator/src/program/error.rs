//! [`complain`]: how the program says that something went wrong.

use std::error::Error;
use std::fmt::Write as _;

/// Prints the error with its causes in one line.
pub(super) fn complain(error: &dyn Error) {
    let mut line = format!("vantiq-simulator: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}"); // a string takes everything
        cause = error.source();
    }
    eprintln!("{line}");
}
