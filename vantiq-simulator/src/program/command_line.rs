//! [`CommandLine`]: what can be asked of the program.

use clap::{Parser, Subcommand};

use super::completions::Completions;
use super::configure::Configure;
use super::fault::Fault;
use super::notifications::Notifications;
use super::publish::Publish;
use super::query::Query;
use super::replay::Replay;
use super::serve::Options;
use super::sources::Sources;
use super::tap::Tap;

const AFTER_HELP: &str = r#"Examples:
  vantiq-simulator --source 'thermostat={"unit":"celsius"}'
  vantiq-simulator sources
  vantiq-simulator publish thermostat '{"target": 23}'
  vantiq-simulator query thermostat @query.json --json
  vantiq-simulator tap --save recording.jsonl
  vantiq-simulator help fault

Exit codes:
  0  done
  1  not done: no connector is attached, it answered with an error, a replay differs, the port is taken
  2  the command line, or a file that it names, makes no sense
  3  no simulator listens there, or it refuses the token"#;

/// A Vantiq server on your desk, to develop and test connectors against.
///
/// Without a command it serves: it listens on 127.0.0.1 unless told otherwise; type `help` while it runs.
/// The commands are for one that runs already, in another terminal or in a connector with --simulate.
#[derive(Debug, Parser)]
#[command(name = "vantiq-simulator", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(super) struct CommandLine {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve, as without a command
    Serve(Box<Options>),
    /// Send a publish to a source, as a rule or a person in Vantiq would
    Publish(Publish),
    /// Query a source and print the rows as they come
    Query(Query),
    /// Print what a source notified
    Notifications(Notifications),
    /// List the sources and how they are
    Sources(Sources),
    /// Create a source or change its configuration document; its connector is told to attach again
    Configure(Configure),
    /// Do to a source's link or connector what networks and servers do
    Fault(Fault),
    /// Print every frame, in both directions, as JSON lines
    Tap(Tap),
    /// Do again what applications did in a recording, and compare the answers
    Replay(Replay),
    /// Print a completion script for a shell
    Completions(Completions),
}

impl CommandLine {
    pub(super) fn into_command(self) -> Command {
        self.command.unwrap_or_else(|| Command::Serve(Box::new(self.options)))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let words =
            std::iter::once("vantiq-simulator").chain(line.split(' ').filter(|word| !word.is_empty()));
        CommandLine::try_parse_from(words).map(CommandLine::into_command).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    /// What is understood, as a part of how it is understood.
    #[test]
    fn commands_are_understood() {
        for (line, understood) in [
            ("", "Serve(Options { port: 8081"),
            ("--port 0 --only-listed", "Serve(Options { port: 0"),
            ("serve --port 9", "Serve(Options { port: 9"),
            ("publish a {}", r#"Publish(Publish { source: "a", json: Inline("{}")"#),
            ("publish a -1", r#"json: Inline("-1")"#),
            ("publish a @b.json", r#"json: File("b.json")"#),
            (
                "publish a - --port 9",
                "json: Stdin, as_json: false, place: Place { url: None, port: Some(9), token: None }",
            ),
            (
                "query a {} --url http://b:1 --token t --json",
                r#"url: Some("http://b:1"), port: None, token: Some"#,
            ),
            ("notifications a --follow --last 2", "follow: true, last: Some(2)"),
            (
                "sources --json",
                "Sources(Sources { json: true, place: Place { url: None, port: None, token: None }",
            ),
            ("configure a b.json", r#"file: File("b.json")"#),
            ("configure a -", "file: Stdin"),
            ("configure a @b.json", r#"file: File("b.json")"#),
            ("configure a {}", r#"file: Inline("{}")"#),
            ("fault cut a", r#"Cut { source: "a", how: Close }"#),
            ("fault cut a --how midframe", "how: Midframe"),
            ("fault cut a --port 9", "port: Some(9)"),
            ("fault --port 9 cut a", "port: Some(9)"),
            ("fault abort a", "Abort"),
            ("fault silent a", "Silent"),
            ("fault blackhole a", "Silent"),
            ("fault deaf a", "Deaf"),
            ("fault slow a --ms 20", "ms: 20"),
            ("fault refuse a", "kind: AlreadyConnected, times: None"),
            ("fault refuse a --as no-answer --times 2", "kind: NoAnswer, times: Some(2)"),
            ("fault ack a nothing", "what: Nothing, ms: None, every: None"),
            ("fault ack a delayed --ms 20", "what: Delayed, ms: Some(20)"),
            ("fault ack a omit --every 10", "what: Omit, ms: None, every: Some(10)"),
            ("fault reconnect a", "Reconnect"),
            ("fault heal a", "Heal"),
            ("tap --source a --op query --direction sent --last 9 --no-follow", "no_follow: true"),
            ("tap --save b", r#"save: Some("b")"#),
            ("replay b", "speed: Times(1.0)"),
            ("replay b --speed 2.5 --source a", "speed: Times(2.5)"),
            ("replay b --speed max", "speed: Max"),
            ("replay -", "file: Stdin"),
            ("completions zsh", "Zsh"),
        ] {
            let command = format!("{:?}", parse(line).unwrap_or_else(|error| panic!("{line}: {error}")));
            assert!(command.contains(understood), "{line}: {command}");
        }
    }

    #[test]
    fn complaints_say_what_is_wrong() {
        for (line, words) in [
            ("dance", "unrecognized subcommand 'dance'"),
            ("--port 1 publish a {}", "cannot be used with"),
            ("publish a", "<JSON>"),
            ("publish a {} --port 1 --url http://b", "cannot be used with"),
            ("query a @", "the file's name is missing"),
            ("fault cut a --how gently", "possible values: close, abort, midframe"),
            ("fault slow a", "--ms"),
            ("fault ack a omit", "--every"),
            ("fault ack a delayed", "--ms"),
            ("tap --direction up", "possible values: received, sent"),
            (
                "tap --op bogus",
                "possible values: validate, authenticate, connectExtension, configureExtension, reconnectRequired",
            ),
            ("replay b --speed 0", "expected a number above 0, or max"),
            ("replay b --speed nan", "expected a number above 0, or max"),
            ("completions csh", "possible values"),
            ("--ping-interval 0", "'--ping-interval <SECONDS>': write a number of seconds above 0"),
            ("--idle-timeout 0", "'--idle-timeout <SECONDS>': write a number of seconds above 0"),
            ("--query-timeout 0", "'--query-timeout <SECONDS>': write a number of seconds above 0"),
            ("--query-timeout 1e18", "up to 31536000"),
        ] {
            let complaint = parse(line).expect_err(line);
            assert!(complaint.contains(words), "{line}: {complaint}");
        }
    }
}
