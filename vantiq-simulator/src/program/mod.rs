//! The program: a Vantiq server on your desk, in a terminal of its own.
//!
//! Standard output has what a person asked for, standard error the log.

mod error;
mod exit;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use self::serve::Options;

pub(crate) fn run() -> ExitCode {
    serve::run(Options::parse()).into()
}
