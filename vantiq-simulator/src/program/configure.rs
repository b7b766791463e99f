//! `configure`: what a developer in Vantiq saves as the configuration document of a source.

use clap::Args;

use super::error::ProgramError;
use super::exit::Exit;
use super::json_argument::JsonArgument;
use super::output::{done, tell_error};
use super::place::Place;

const EXAMPLES: &str = r#"Examples:
  vantiq-simulator configure thermostat document.json
  vantiq-simulator configure thermostat '{"unit": "celsius"}'
  echo '{"unit": "celsius"}' | vantiq-simulator configure thermostat -

With --json it prints {"done":"configured","source":NAME} or {"error":{"code":...,"message":...}}."#;

/// Creates a source or changes its configuration document.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Configure {
    /// Name of the source
    source: String,

    /// The file with the configuration document, the document itself, or - for standard input
    #[arg(value_parser = JsonArgument::document)]
    file: JsonArgument,

    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

impl Configure {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        tell_error(self.configure(), self.json)?;
        done("configured", &self.source, self.json)
    }

    fn configure(&self) -> Result<(), ProgramError> {
        let document = self.file.value()?;
        self.place.remote()?.configure(&self.source, &document)
    }
}
