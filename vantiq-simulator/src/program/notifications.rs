//! `notifications`: what a source has to tell.

use clap::Args;
use serde_json::Value;

use super::error::ProgramError;
use super::exit::Exit;
use super::frames::Frames;
use super::output::{count, json_line, note, raw_line};
use super::place::Place;
use super::remote::Remote;

const EXAMPLES: &str = "Examples:
  vantiq-simulator notifications thermostat
  vantiq-simulator notifications thermostat --follow --last 1 | jq .celsius

It prints one event a line. With --json it prints whole frames as lines, as `tap` does. Ctrl-C ends it with exit code 0.
The simulator keeps notifications for some time only; `sources` has their number.";

/// Prints notifications.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Notifications {
    /// Name of the source
    source: String,

    /// Go on with those that are to come
    #[arg(long)]
    follow: bool,

    /// Begin with the last so many
    #[arg(long, value_name = "NUMBER")]
    last: Option<usize>,

    /// Print whole frames as JSON lines
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

impl Notifications {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        let remote = self.place.remote()?;
        self.remark(&remote)?;
        let frames = Frames {
            source: Some(&self.source),
            op: Some("notification"),
            direction: Some("received"),
            last: self.last,
            follow: self.follow,
        };
        frames.each(&remote, |line| self.show(&remote, line))?;
        Ok(Exit::Done)
    }

    /// A slip in the name would otherwise look like a source that has nothing to say.
    fn remark(&self, remote: &Remote) -> Result<(), ProgramError> {
        let state = remote.state()?;
        let mut sources = state["sources"].as_array().into_iter().flatten();
        if !sources.any(|source| source["name"] == *self.source) {
            note(&format!("there is no source `{}` so far", self.source));
        }
        Ok(())
    }

    fn show(&self, remote: &Remote, line: &[u8]) -> Result<(), ProgramError> {
        if self.json {
            return Ok(raw_line(line)?);
        }
        match event(&remote.read(line)?) {
            Ok(event) => json_line(&event)?,
            Err(remark) => note(&remark),
        }
        Ok(())
    }
}

/// The event in a frame, or what else there is to say.
fn event(frame: &Value) -> Result<Value, String> {
    if let Some(skipped) = frame["skipped"].as_u64() {
        return Err(format!(
            "{} went by too fast to be kept",
            count(usize::try_from(skipped).unwrap_or(usize::MAX), "frame")
        ));
    }
    match frame.get("message") {
        Some(message) => Ok(message["object"].clone()),
        None => Err(format!("a notification of {} bytes is too long to be shown", frame["bytes"])),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_the_object_of_a_message() {
        assert_eq!(event(&json!({"message": {"object": {"a": 1}}})), Ok(json!({"a": 1})));
        assert_eq!(event(&json!({"skipped": 1})), Err("1 frame went by too fast to be kept".to_owned()));
        assert!(
            event(&json!({"text": "x", "cut": true, "bytes": 9}))
                .is_err_and(|remark| remark.contains("9 bytes"))
        );
    }
}
