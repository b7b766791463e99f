//! `vantiq-simulator`: a Vantiq server on your desk, in a terminal of its own. See [`program`].
#![forbid(unsafe_code)]

mod program;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::run()
}
