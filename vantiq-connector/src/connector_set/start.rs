//! [`start`]: a whole program around a connector set, as [`main!`](crate::main) writes it.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use super::ConnectorSetBuilder;
#[cfg(feature = "simulator")]
use super::simulation::{Simulation, Wanted};
use crate::{ConnectorError, error};

/// Runs a connector set as a whole program: reads the command line, sets up the log, runs until a signal
/// asks to stop, and turns the result into an exit code. [`main!`](crate::main) is a `fn main` around it.
///
/// The command line is empty or names the `server.config` to use. With the feature `simulator` it may be
/// `--simulate` instead, which brings a simulated server along. On an error, one line with all causes
/// goes to standard error. Exit codes, after `sysexits.h`:
///
/// | code | when |
/// |---|---|
/// | 0 | stopped as asked for |
/// | 64 | a mistake in the settings or the command line |
/// | 69 | the server cannot be reached, with `failOnConnectionError=true` |
/// | 70 | anything else |
/// | 74 | the outbox file cannot be used |
/// | 75 | stopped as asked for, with work left undone; the last line of the log says how much |
/// | 77 | the server refused the access token on the first connect |
#[must_use]
pub fn start(builder: ConnectorSetBuilder) -> ExitCode {
    let result = match command_line(std::env::args_os().skip(1).collect()) {
        Ok(Command::Help) => {
            print!("{}", help(&program_name()));
            Ok(())
        }
        Ok(Command::Run(None)) => run(builder),
        Ok(Command::Run(Some(path))) => run(builder.config_file(path)),
        #[cfg(feature = "simulator")]
        Ok(Command::Simulate(wanted)) => simulate(builder, wanted),
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error::chain(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

/// The name under which the program was started.
fn program_name() -> String {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    path.file_name().map_or_else(|| "connector".into(), |name| name.to_string_lossy().into_owned())
}

/// What the help says of `--simulate`, where there is such.
#[cfg(feature = "simulator")]
const SIMULATE: &str = "
Options:
  --simulate[=PORT]     bring a simulated server along, and use no settings; on port 8081 if it is free
  --source-config FILE  the configuration document of all simulated sources, as JSON; {} where not given
";
#[cfg(not(feature = "simulator"))]
const SIMULATE: &str = "";

fn help(program: &str) -> String {
    format!(
        "\
A connector for Vantiq.

Usage: {program} [SERVER_CONFIG]

Arguments:
  [SERVER_CONFIG]  the settings; serverConfig/server.config or server.config where not given
{SIMULATE}
Environment:
  CONNECTOR_AUTH_TOKEN  the access token, where the settings have none
  RUST_LOG              what to log, such as info or vantiq_connector=debug
"
    )
}

/// What to write where something else was.
#[cfg(feature = "simulator")]
const INSTEAD: &str = "write nothing, or the path of a server.config, or `--simulate`";
#[cfg(not(feature = "simulator"))]
const INSTEAD: &str = "write nothing, or the path of a server.config";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Run(Option<PathBuf>),
    #[cfg(feature = "simulator")]
    Simulate(Wanted),
}

fn command_line(arguments: Vec<OsString>) -> Result<Command, ConnectorError> {
    use lexopt::Arg;
    #[cfg(feature = "simulator")]
    use lexopt::ValueExt as _;

    let usage = |error: lexopt::Error| ConnectorError::Usage(format!("{error}; {INSTEAD}"));
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut path = None;
    #[cfg(feature = "simulator")]
    let (mut simulates, mut wanted) = (false, Wanted::default());
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            #[cfg(feature = "simulator")]
            Arg::Long("simulate") => {
                simulates = true;
                let port = parser.optional_value().map(|port| port.parse()).transpose();
                wanted.port = port.map_err(|error: lexopt::Error| {
                    ConnectorError::Usage(format!(
                        "{error}; write `--simulate` or, for a port, `--simulate=8082`"
                    ))
                })?;
            }
            #[cfg(feature = "simulator")]
            Arg::Long("source-config") => {
                wanted.source_config = Some(parser.value().map_err(usage)?.into());
            }
            #[cfg(not(feature = "simulator"))]
            Arg::Long("simulate" | "source-config") => {
                let what = "`--simulate` needs the feature `simulator`: cargo run --features simulator -- --simulate";
                return Err(ConnectorError::Usage(what.to_owned()));
            }
            Arg::Value(value) if path.is_none() => path = Some(PathBuf::from(value)),
            other => return Err(usage(other.unexpected())),
        }
    }
    #[cfg(feature = "simulator")]
    {
        let wrong = |what: &str| Err(ConnectorError::Usage(what.to_owned()));
        match (simulates, path.is_some()) {
            (true, false) => return Ok(Command::Simulate(wanted)),
            (true, true) => return wrong("`--simulate` has settings of its own; leave the path out"),
            (false, _) if wanted.source_config.is_some() => {
                return wrong(
                    "`--source-config` is for `--simulate`; write `--simulate --source-config FILE`",
                );
            }
            (false, _) => {}
        }
    }
    Ok(Command::Run(path))
}

fn run(builder: ConnectorSetBuilder) -> Result<(), ConnectorError> {
    #[cfg(feature = "logging")]
    crate::setup_logging().map_err(ConnectorError::Logging)?;
    let set = builder.build()?;
    block_on(set.run())
}

#[cfg(feature = "simulator")]
fn simulate(builder: ConnectorSetBuilder, wanted: Wanted) -> Result<(), ConnectorError> {
    #[cfg(feature = "logging")]
    crate::setup_logging().map_err(ConnectorError::Logging)?;
    block_on(async {
        let simulation = Simulation::start(wanted, builder.patterns()).await?;
        let set = builder.config(simulation.config()?).build()?;
        simulation.run(set).await
    })
}

fn block_on(running: impl Future<Output = Result<(), ConnectorError>>) -> Result<(), ConnectorError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ConnectorError::Runtime)?;
    let result = runtime.block_on(running);
    // A handler that blocks its thread must not keep the process.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Command, String> {
        let arguments = arguments.iter().map(OsString::from).collect();
        command_line(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_empty_or_names_the_settings() {
        assert_eq!(read(&[]), Ok(Command::Run(None)));
        assert_eq!(read(&["a/server.config"]), Ok(Command::Run(Some("a/server.config".into()))));
        assert_eq!(read(&["--help"]), Ok(Command::Help));
    }

    #[cfg(feature = "simulator")]
    #[test]
    fn a_simulated_server_may_come_along() {
        assert_eq!(read(&["--simulate"]), Ok(Command::Simulate(Wanted::default())));
        let wanted = Wanted { port: Some(0), source_config: Some("a.json".into()) };
        assert_eq!(read(&["--source-config", "a.json", "--simulate=0"]), Ok(Command::Simulate(wanted)));
        for (arguments, words) in [
            (&["--simulate", "server.config"][..], "has settings of its own"),
            (&["--source-config", "a.json"], "is for `--simulate`"),
            (&["--simulate=x"], "cannot parse"),
            (&["--source-config"], "missing argument"),
        ] {
            let error = read(arguments).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[cfg(not(feature = "simulator"))]
    #[test]
    fn without_the_simulator_one_learns_what_it_takes() {
        let error = read(&["--simulate"]).unwrap_err();
        assert!(error.contains("cargo run --features simulator -- --simulate"), "{error}");
    }

    #[test]
    fn anything_else_says_what_to_write() {
        for arguments in [&["a", "b"][..], &["--config"], &["-x"]] {
            let error = read(arguments).unwrap_err();
            assert!(error.contains("write nothing, or the path"), "{error}");
        }
    }
}
