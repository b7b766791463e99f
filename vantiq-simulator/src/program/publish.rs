//! `publish`: what a rule or a person in Vantiq sends to a source.

use clap::Args;

use super::error::ProgramError;
use super::exit::Exit;
use super::json_argument::JsonArgument;
use super::output::{done, tell_error};
use super::place::Place;

const EXAMPLES: &str = r#"Examples:
  vantiq-simulator publish thermostat '{"target": 23}'
  vantiq-simulator publish thermostat @message.json
  jq -n '{target: 23}' | vantiq-simulator publish thermostat -

With --json it prints {"done":"published","source":NAME} or {"error":{"code":...,"message":...}}."#;

/// Publishes to a source.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Publish {
    /// Name of the source
    source: String,

    /// The message: JSON, @FILE, or - for standard input
    #[arg(value_parser = JsonArgument::inline, allow_negative_numbers = true)]
    json: JsonArgument,

    /// Print the outcome as JSON
    #[arg(long = "json")]
    as_json: bool,

    #[command(flatten)]
    place: Place,
}

impl Publish {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        tell_error(self.publish(), self.as_json)?;
        done("published", &self.source, self.as_json)
    }

    fn publish(&self) -> Result<(), ProgramError> {
        let object = self.json.value()?;
        self.place.remote()?.publish(&self.source, &object)
    }
}
