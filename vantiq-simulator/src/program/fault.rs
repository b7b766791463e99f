//! `fault`: what networks and servers do to connectors.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::error::ProgramError;
use super::exit::Exit;
use super::output::{done, tell_error};
use super::place::Place;

const EXAMPLES: &str = r#"Examples:
  vantiq-simulator fault cut thermostat --how midframe
  vantiq-simulator fault slow thermostat --ms 200
  vantiq-simulator fault refuse thermostat --as already-connected --times 3
  vantiq-simulator fault ack thermostat nothing
  vantiq-simulator fault heal thermostat

With --json it prints {"done":FAULT,"source":NAME} or {"error":{"code":...,"message":...}}."#;

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
        #[arg(long, value_enum, default_value_t = How::Close)]
        how: How,
    },
    /// Reset the TCP connection, as `cut --how abort`
    Abort {
        /// Name of the source
        source: String,
    },
    /// Neither read nor write, with the connection open
    Blackhole {
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
        #[arg(long = "as", value_enum, value_name = "KIND", default_value_t = Refusal::AlreadyConnected)]
        kind: Refusal,
        /// So many times; until it is healed, if absent
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        times: Option<u32>,
    },
    /// Acknowledge in another way
    Ack {
        /// Name of the source
        source: String,
        /// What is acknowledged, or how
        #[arg(value_enum)]
        what: What,
        /// Milliseconds until the acknowledgement; needed for delayed
        #[arg(long, required_if_eq("what", "delayed"))]
        ms: Option<u64>,
        /// How many get one status (merged), or every which gets none (omit) or an error (error; all, if absent)
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..),
            required_if_eq_any([("what", "merged"), ("what", "omit")]))]
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    Close,
    Abort,
    Midframe,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Refusal {
    AlreadyConnected,
    UnknownSource,
    NoStream,
    OwnershipTimeout,
    NotActive,
    NoBody,
    /// There is none
    NoAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Notifications, as it is by default
    Notifications,
    /// Query answers and connectExtension, too
    Everything,
    /// Nothing, but notifications are accepted
    Nothing,
    /// Notifications, but --ms later
    Delayed,
    /// Notifications are refused with an error
    Error,
    /// One status for --every so many
    Merged,
    /// All but --every which
    Omit,
}

impl Fault {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        let (word, source, body) = self.kind.request();
        let sent = self.place.remote().and_then(|remote| match &body {
            Some(fault) => remote.fault(source, fault),
            None => remote.heal(source),
        });
        tell_error(sent, self.json)?;
        done(word, source, self.json)
    }
}

impl Kind {
    /// Its name, the source, and what to ask for; nothing asks for the end of all.
    fn request(&self) -> (&'static str, &str, Option<Value>) {
        match self {
            Self::Cut { source, how } => ("cut", source, Some(json!({"fault": "cut", "how": word(how)}))),
            Self::Abort { source } => ("abort", source, Some(json!({"fault": "cut", "how": "abort"}))),
            Self::Blackhole { source } => ("blackhole", source, Some(json!({"fault": "silent"}))),
            Self::Deaf { source } => ("deaf", source, Some(json!({"fault": "deaf"}))),
            Self::Slow { source, ms } => ("slow", source, Some(json!({"fault": "slow", "ms": ms}))),
            Self::Refuse { source, kind, times } => {
                ("refuse", source, Some(json!({"fault": "refuse", "as": word(kind), "times": times})))
            }
            Self::Ack { source, what, ms, every } => {
                let fault = json!({"fault": "acknowledge", "what": word(what), "ms": ms, "every": every});
                ("ack", source, Some(fault))
            }
            Self::Reconnect { source } => ("reconnect", source, Some(json!({"fault": "reconnect"}))),
            Self::Heal { source } => ("heal", source, None),
        }
    }
}

/// A choice as it is written, here and in requests.
fn word(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().expect("no choice is skipped").get_name().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_words_of_the_control_interface() {
        let (source, kind) = ("a".to_owned(), Refusal::OwnershipTimeout);
        let refuse = Kind::Refuse { source, kind, times: Some(3) };
        let fault = json!({"fault": "refuse", "as": "ownership-timeout", "times": 3});
        assert_eq!(refuse.request(), ("refuse", "a", Some(fault)));
        let cut = Kind::Cut { source: "a".to_owned(), how: How::Midframe };
        assert_eq!(cut.request().2, Some(json!({"fault": "cut", "how": "midframe"})));
        assert_eq!(Kind::Heal { source: "a".to_owned() }.request(), ("heal", "a", None));
    }
}
