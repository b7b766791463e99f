//! Serving: a simulator, and the person in front of it.
//!
//! [`Desk`] is what can be typed while it runs. It ends with `quit` or a signal.

mod options;

use std::io::{self, Write as _};

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;
use vantiq_simulator::{Desk, Simulator};

pub(super) use self::options::Options;

use super::error::complain;
use super::exit::Exit;
use super::signals::Signals;

#[tokio::main]
pub(super) async fn run(options: Options) -> Exit {
    log_to_stderr();
    let builder = match options.into_builder() {
        Ok(builder) => builder,
        Err(error) => return end(&error, Exit::Usage),
    };
    let simulator = match builder.start().await {
        Ok(simulator) => simulator,
        Err(error) => return end(&error, Exit::NotDone),
    };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return end(&error, Exit::NotDone),
    };
    greet(&simulator);
    tokio::select! {
        () = Desk::new(&simulator).run() => {}
        () = signals.next() => {}
    }
    conclude(simulator.stop().await)
}

/// What could not be stopped in time was not served well to its end.
fn conclude(stopped: Result<(), impl std::error::Error>) -> Exit {
    match stopped {
        Ok(()) => Exit::Done,
        Err(error) => end(&error, Exit::NotDone),
    }
}

fn end(error: &dyn std::error::Error, exit: Exit) -> Exit {
    complain(error, "");
    exit
}

/// Says where it is and what to do next; a closed standard output is no reason to stop.
fn greet(simulator: &Simulator) {
    let (url, token, config) = (simulator.url(), simulator.token(), simulator.server_config());
    let console = simulator.console_url();
    let mut out = io::stdout().lock();
    let greeted = write!(
        out,
        "A Vantiq server is simulated at {url}\nAccess token: {token}\nIts console: {console}\n\nThe server.config to paste:\n\n{config}\n\
         Type `help` for what can be done here; Ctrl-C ends it.\n\n"
    );
    let _ = greeted.and_then(|()| out.flush());
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // Colours are for people; a file or a pipe would only show their codes.
    let has_colours = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    format.with_ansi(has_colours).with_target(false).compact().init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_stopped_is_not_done() {
        assert_eq!(conclude(Ok::<_, io::Error>(())), Exit::Done);
        assert_eq!(conclude(Err(io::Error::other("links are open"))), Exit::NotDone);
    }
}
