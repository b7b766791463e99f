//! The program: a Vantiq server on your desk, in a terminal of its own, and commands for one that runs.
//!
//! Standard output has what a person or a script asked for, standard error the log, remarks and complaints. See
//! [`CommandLine`] for what can be asked; each command is a file, [`Remote`](remote::Remote) is what they talk to.

mod answer;
mod command_line;
mod completions;
mod configure;
mod error;
mod exit;
mod fault;
mod following;
mod frames;
mod in_force;
mod json_argument;
mod notifications;
mod output;
mod peer;
mod place;
mod publish;
mod query;
mod remote;
mod replay;
mod serve;
mod signals;
mod sources;
mod table;
mod tap;

use std::process::ExitCode;

use clap::Parser;

use self::command_line::{Command, CommandLine};
use self::error::ProgramError;
use self::exit::Exit;

pub(crate) fn run() -> ExitCode {
    let command = CommandLine::parse().into_command();
    obey(command).unwrap_or_else(|error| error.complain()).into()
}

fn obey(command: Command) -> Result<Exit, ProgramError> {
    match command {
        Command::Serve(options) => Ok(serve::run(*options)),
        Command::Publish(publish) => publish.run(),
        Command::Query(query) => query.run(),
        Command::Notifications(notifications) => notifications.run(),
        Command::Sources(sources) => sources.run(),
        Command::Configure(configure) => configure.run(),
        Command::Fault(fault) => fault.run(),
        Command::Tap(tap) => tap.run(),
        Command::Replay(replay) => replay.run(),
        Command::Completions(completions) => completions.run(),
    }
}
