//! `vantiq-simulator`: a Vantiq server on your desk, in a terminal of its own.
//!
//! Standard output has what a person asked for, standard error the log. See [`cli`] for the command line
//! and [`desk`] for what can be typed while it runs.
#![forbid(unsafe_code)]

mod cli;
mod desk;

use std::error::Error;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::Options;
use crate::desk::Desk;

/// The simulator could not be started.
const NOT_STARTED: u8 = 1;
/// The command line makes no sense; clap's own errors end with this code too.
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    log_to_stderr();
    let builder = match options.into_builder() {
        Ok(builder) => builder,
        Err(error) => return complain(&error, USAGE),
    };
    let simulator = match builder.start().await {
        Ok(simulator) => simulator,
        Err(error) => return complain(&error, NOT_STARTED),
    };
    match Desk::new(simulator).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, NOT_STARTED),
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // Colours are for people; a file or a pipe would only show their codes.
    format.with_ansi(io::stderr().is_terminal()).with_target(false).compact().init();
}

/// Prints the error with its causes in one line.
fn complain(error: &dyn Error, code: u8) -> ExitCode {
    let mut line = format!("vantiq-simulator: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}"); // a string takes everything
        cause = error.source();
    }
    eprintln!("{line}");
    ExitCode::from(code)
}
