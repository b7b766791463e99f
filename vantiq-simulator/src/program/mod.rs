//! The program: a Vantiq server on your desk, in a terminal of its own.
//!
//! Standard output has what a person asked for, standard error the log. See [`serve`] for the command line
//! and [`Desk`] for what can be typed while it runs. It ends with `quit` or a signal.

mod serve;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use vantiq_simulator::{Desk, Simulator};

use self::serve::Options;

/// The simulator could not be started.
const NOT_STARTED: u8 = 1;
/// The command line makes no sense; clap's own errors end with this code too.
const USAGE: u8 = 2;

#[tokio::main]
pub(crate) async fn run() -> ExitCode {
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
    let signalled = match signals() {
        Ok(signalled) => signalled,
        Err(error) => return complain(&error, NOT_STARTED),
    };
    greet(&simulator);
    tokio::select! {
        () = Desk::new(&simulator).run() => {}
        () = signalled => {}
    }
    if let Err(error) = simulator.stop().await {
        complain(&error, NOT_STARTED);
    }
    ExitCode::SUCCESS
}

/// Says where it is and what to do next; a closed standard output is no reason to stop.
fn greet(simulator: &Simulator) {
    let (url, token, config) = (simulator.url(), simulator.token(), simulator.server_config());
    let mut out = io::stdout().lock();
    let greeted = write!(
        out,
        "A Vantiq server is simulated at {url}\nAccess token: {token}\n\nThe server.config to paste:\n\n{config}\n\
         Type `help` for what can be done here; Ctrl-C ends it.\n\n"
    );
    let _ = greeted.and_then(|()| out.flush());
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

/// Listens to Ctrl-C and SIGTERM from now on; the future ends with the first of them.
#[cfg(unix)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Listens to Ctrl-C from now on; the future ends with it.
#[cfg(windows)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
