//! [`Desk`]: what a person can do while the simulator runs.

use std::io::{self, BufRead, Write};
use std::str::FromStr;

use serde::Deserialize as _;
use serde::de::value::{self, StrDeserializer};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::cut::Cut;
use crate::error::SimulatorError;
use crate::fault_word::CutWord;
use crate::json_text::{Slip, json_text};
use crate::query::PendingQuery;
use crate::simulator::Simulator;
use crate::source::Source;

/// Lines that wait while one is worked on; the terminal waits behind them.
const LINES: usize = 16;

// Begun on this line: a `\` at its end would eat the blanks of the next.
const HELP: &str = "  publish NAME JSON      send a publish
  query NAME JSON        send a query and print the answer
  configure NAME JSON    change the configuration document (creates the source, sends reconnectRequired)
  remove NAME            the source no longer exists
  reconnect NAME         send reconnectRequired
  cut NAME [HOW]         end the link: close (default), abort, midframe
  silent NAME            stop reading and writing, keep the connection open
  speak NAME             end that
  help                   print this
  quit                   end the simulator
";

/// The simulator and the person in front of it.
///
/// Commands come in on standard input, one on each line, and results go out on standard output; `help` lists them.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    simulator: &'a Simulator,
}

#[derive(Debug, PartialEq)]
enum Command {
    Publish(String, Value),
    Query(String, Value),
    Configure(String, Value),
    Remove(String),
    Reconnect(String),
    Cut(String, Cut),
    Silent(String),
    Speak(String),
    Help,
    Quit,
}

/// Whether to go on after a command.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Quit,
}

impl<'a> Desk<'a> {
    /// Bytes of [recording](crate::SimulatorBuilder::recording_limit) for a person to look back at.
    pub const RECORDING_LIMIT: usize = 64 << 20;

    /// A desk for this simulator.
    pub const fn new(simulator: &'a Simulator) -> Self {
        Self { simulator }
    }

    /// Does what is typed, until `quit`. The end of standard input, as under a supervisor, is no reason to stop.
    ///
    /// For one desk in a process: each reads lines in a thread of its own, which ends with the process.
    pub async fn run(self) {
        let mut lines_rx = lines();
        while let Some(line) = lines_rx.recv().await {
            if line.trim().is_empty() {
                continue;
            }
            let done = match line.parse() {
                Ok(command) => self.obey(command).await.map_err(|error| error.to_string()),
                Err(complaint) => Err(complaint),
            };
            match done {
                Ok(Then::Quit) => return,
                Ok(Then::GoOn) => {}
                Err(complaint) => say(&format!("  {complaint}")),
            }
        }
        std::future::pending::<()>().await;
    }

    async fn obey(self, command: Command) -> Result<Then, SimulatorError> {
        match command {
            Command::Publish(name, object) => self.source(&name).publish(object).await?,
            Command::Query(name, object) => {
                let pending = self.source(&name).start_query(object).await?;
                // Beside everything else: an answer may take half a minute.
                tokio::spawn(async move { print_answer(&name, pending).await });
            }
            Command::Configure(name, document) => self.source(&name).configure(document).await?,
            Command::Remove(name) => self.source(&name).remove().await?,
            Command::Reconnect(name) => self.source(&name).reconnect_required().await?,
            Command::Cut(name, cut) => self.source(&name).cut(cut).await?,
            Command::Silent(name) => self.source(&name).go_silent()?,
            Command::Speak(name) => self.source(&name).speak()?,
            Command::Help => say(HELP),
            Command::Quit => return Ok(Then::Quit),
        }
        Ok(Then::GoOn)
    }

    fn source(self, name: &str) -> Source {
        self.simulator.source(name)
    }
}

impl FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let (verb, rest) = split_word(line);
        let (name, rest) = split_word(rest);
        let named = || {
            if name.is_empty() { Err(format!("{verb}: the name is missing")) } else { Ok(name.to_owned()) }
        };
        let json = || parse_json(rest).map_err(|complaint| format!("{verb}: {complaint}"));
        let end =
            |command| if rest.is_empty() { Ok(command) } else { Err(format!("{verb}: what is `{rest}`?")) };
        match verb {
            "publish" => Ok(Self::Publish(named()?, json()?)),
            "query" => Ok(Self::Query(named()?, json()?)),
            "configure" => Ok(Self::Configure(named()?, json()?)),
            "cut" => Ok(Self::Cut(named()?, parse_cut(rest)?)),
            "remove" => end(Self::Remove(named()?)),
            "reconnect" => end(Self::Reconnect(named()?)),
            "silent" => end(Self::Silent(named()?)),
            "speak" => end(Self::Speak(named()?)),
            "help" => Ok(Self::Help),
            "quit" => Ok(Self::Quit),
            _ => Err(format!("there is no `{verb}` here; type `help`")),
        }
    }
}

fn parse_json(text: &str) -> Result<Value, String> {
    json_text(text).map_err(|error| {
        let hint = match error.slip {
            Some(Slip::Missing) => r#"; write it behind the name, such as {"target": 23}"#,
            Some(Slip::Unfinished) => "; write all of it on this line",
            Some(Slip::Unquoted) => r#"; write keys and texts in double quotes, such as {"target": 23}"#,
            None => "",
        };
        format!("{error}{hint}")
    })
}

fn parse_cut(word: &str) -> Result<Cut, String> {
    if word.is_empty() {
        return Ok(CutWord::default().into());
    }
    let how = CutWord::deserialize(StrDeserializer::<value::Error>::new(word));
    how.map(Cut::from).map_err(|error| format!("cut: {error}"))
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

async fn print_answer(name: &str, mut pending: PendingQuery) {
    loop {
        match pending.next_partial().await {
            Ok(Some(part)) => say(&format!("  {name} answers in part: {part}")),
            Ok(None) => break,
            Err(error) => return say(&format!("  {error}")),
        }
    }
    match pending.reply().await {
        Ok(reply) => say(&format!("  {name} answers with status {}: {}", reply.status, reply.body)),
        Err(error) => say(&format!("  {error}")),
    }
}

/// Prints a line; a closed standard output is no reason to stop.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// The lines of standard input. Read by a thread of its own, which ends with the process: a pending read
/// of a terminal cannot be cancelled, and must not keep the runtime from shutting down.
fn lines() -> mpsc::Receiver<String> {
    let (lines_tx, lines_rx) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if lines_tx.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines_rx
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Where the second column of the help begins.
    const HELP_COLUMN: usize = 25;

    #[test]
    fn commands_are_a_verb_a_name_and_what_it_needs() {
        assert_eq!("publish a {\"b\": 1}".parse(), Ok(Command::Publish("a".into(), json!({"b": 1}))));
        assert_eq!("  query   a   [1, 2] ".parse(), Ok(Command::Query("a".into(), json!([1, 2]))));
        assert_eq!("cut a".parse(), Ok(Command::Cut("a".into(), Cut::Close)));
        assert_eq!("cut a abort".parse(), Ok(Command::Cut("a".into(), Cut::Abort)));
        assert_eq!("quit".parse(), Ok(Command::Quit));
    }

    #[test]
    fn complaints_say_what_is_wrong() {
        for (line, words) in [
            ("dance", "there is no `dance`"),
            ("publish", "the name is missing"),
            (
                "publish a",
                r#"publish: the JSON is missing; write it behind the name, such as {"target": 23}"#,
            ),
            ("query a {", "query: not JSON: EOF while parsing an object at line 1 column 1; write all of it"),
            (
                "query a {target: 23}",
                r"key must be a string at line 1 column 2; write keys and texts in double quotes",
            ),
            ("query a {'target': 23}", "write keys and texts in double quotes"),
            (r#"query a {"target": warm}"#, "write keys and texts in double quotes"),
            ("cut a gently", "unknown variant `gently`, expected one of `close`, `abort`, `midframe`"),
            ("speak a b", "what is `b`?"),
        ] {
            let complaint = line.parse::<Command>().expect_err("the line is wrong");
            assert!(complaint.contains(words), "{line}: {complaint}");
        }
    }

    #[test]
    fn everything_in_the_help_is_understood_and_in_line() {
        for line in HELP.lines() {
            let (command, what) = line.split_at(HELP_COLUMN);
            assert!(command.starts_with("  ") && command.ends_with("  "), "{line}");
            assert!(!command[2..].starts_with(' ') && !what.starts_with(' '), "{line}");
            let line = line.trim_start().split("  ").next().unwrap_or_default();
            let line = line.replace("JSON", "{}").replace(" [HOW]", "");
            line.parse::<Command>().unwrap_or_else(|complaint| panic!("{complaint}"));
        }
    }
}
