//! `fault`: what networks and servers do to connectors.

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use vantiq_simulator::{AcknowledgeWord, CutWord, Fault as Request, RefusalWord};

use super::error::ProgramError;
use super::exit::Exit;
use super::in_force::InForce;
use super::output::{json_line, people, plain, tell_error};
use super::place::Place;

const EXAMPLES: &str = r#"Examples:
  vantiq-simulator fault cut thermostat --how midframe
  vantiq-simulator fault slow thermostat --ms 200
  vantiq-simulator fault refuse thermostat --as already-connected --times 3
  vantiq-simulator fault ack thermostat nothing
  vantiq-simulator fault heal thermostat

It says what is in force then. With --json it prints {"done":FAULT,"source":NAME,"inForce":{"pace":...,"paceMs":...,
"refusing":...,"refusingTimes":...,"acknowledge":...,"acknowledgeMs":...,"acknowledgeEvery":...}} or
{"error":{"code":...,"message":...}}."#;

/// Does one thing to a source.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Fault {
    #[command(subcommand)]
    kind: Kind,

    /// Print the outcome as JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// End the link
    Cut {
        /// Name of the source
        source: String,
        /// By the closing handshake, a TCP reset, or half a frame and the end of the connection
        #[arg(long, value_enum, default_value_t = CutWord::Close)]
        how: CutWord,
    },
    /// Reset the TCP connection, as `cut --how abort`
    Abort {
        /// Name of the source
        source: String,
    },
    /// Neither read nor write, with the connection open
    // What it was called before.
    #[command(alias = "blackhole")]
    Silent {
        /// Name of the source
        source: String,
    },
    /// Do not read, nor answer pings, but write
    Deaf {
        /// Name of the source
        source: String,
    },
    /// Take one message, of whichever direction, every so many milliseconds
    Slow {
        /// Name of the source
        source: String,
        /// Milliseconds for each message
        #[arg(long)]
        ms: u64,
    },
    /// Refuse connectors that want to attach
    Refuse {
        /// Name of the source
        source: String,
        /// With which answer
        #[arg(long = "as", value_enum, value_name = "KIND", default_value_t = RefusalWord::AlreadyConnected)]
        kind: RefusalWord,
        /// So many times; until it is healed, if absent
        #[arg(long)]
        times: Option<usize>,
    },
    /// Acknowledge in another way
    Ack {
        /// Name of the source
        source: String,
        /// What is acknowledged, or how
        #[arg(value_enum)]
        what: AcknowledgeWord,
        /// Milliseconds until the acknowledgement; needed for delayed
        #[arg(long, required_if_eq("what", "delayed"))]
        ms: Option<u64>,
        /// How many get one status (merged), or every which gets none (omit) or an error (error; all, if absent)
        #[arg(long, required_if_eq_any([("what", "merged"), ("what", "omit")]))]
        every: Option<u64>,
    },
    /// Tell the connector to attach again, by reconnectRequired
    Reconnect {
        /// Name of the source
        source: String,
    },
    /// End what lasts of all this
    Heal {
        /// Name of the source
        source: String,
    },
}

impl Fault {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        let (word, source, body) = self.kind.request();
        let in_force = tell_error(self.send(source, body.as_ref()), self.json)?;
        if self.json {
            json_line(&json!({"done": word, "source": source, "inForce": in_force}))?;
        } else {
            let afterwards = if self.kind.is_over() { String::new() } else { afterwards(in_force) };
            writeln!(people(), "{}: {word}{}", plain(source), plain(&afterwards))?;
        }
        Ok(Exit::Done)
    }

    fn send(&self, source: &str, body: Option<&Request>) -> Result<Value, ProgramError> {
        body.map_or(Ok(()), Request::check).map_err(ProgramError::Fault)?;
        let remote = self.place.remote()?;
        match body {
            Some(fault) => remote.fault(source, fault),
            None => remote.heal(source),
        }
    }
}

/// What is in force now; older simulators do not say.
fn afterwards(in_force: Value) -> String {
    let Ok(in_force) = serde_json::from_value::<InForce>(in_force) else { return String::new() };
    match &*in_force.remarks() {
        [] => "; nothing is in force now".to_owned(),
        remarks => format!("; in force now: {}", remarks.join("; ")),
    }
}

impl Kind {
    /// Whether it is done with, and changes nothing of what lasts.
    fn is_over(&self) -> bool {
        matches!(self, Self::Cut { .. } | Self::Abort { .. } | Self::Reconnect { .. })
    }

    /// Its name, the source, and what to ask for; nothing asks for the end of all.
    fn request(&self) -> (&'static str, &str, Option<Request>) {
        match self {
            Self::Cut { source, how } => ("cut", source, Some(Request::Cut { how: *how })),
            Self::Abort { source } => ("abort", source, Some(Request::Cut { how: CutWord::Abort })),
            Self::Silent { source } => ("silent", source, Some(Request::Silent)),
            Self::Deaf { source } => ("deaf", source, Some(Request::Deaf)),
            Self::Slow { source, ms } => ("slow", source, Some(Request::Slow { ms: *ms })),
            Self::Refuse { source, kind, times } => {
                ("refuse", source, Some(Request::Refuse { kind: *kind, times: *times }))
            }
            Self::Ack { source, what, ms, every } => {
                ("ack", source, Some(Request::Acknowledge { what: *what, ms: *ms, every: *every }))
            }
            Self::Reconnect { source } => ("reconnect", source, Some(Request::Reconnect)),
            Self::Heal { source } => ("heal", source, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn choices_are_words_of_the_control_interface() {
        fn agree<T: ValueEnum + serde::Serialize>() {
            for choice in T::value_variants() {
                let word = choice.to_possible_value().expect("no choice is skipped");
                assert_eq!(json!(choice), word.get_name());
            }
        }
        agree::<CutWord>();
        agree::<RefusalWord>();
        agree::<AcknowledgeWord>();
    }
}
