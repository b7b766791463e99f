//! `notifications`: what a source has to tell.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::ProgramError;
use super::exit::Exit;
use super::frames::Frames;
use super::output::{count, note, raw_line};
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

/// A line of the simulator. The event is passed on unread: it may have what no [`serde_json::Value`] can hold.
#[derive(Debug, Deserialize)]
struct Frame<'a> {
    skipped: Option<u64>,
    #[serde(default)]
    bytes: u64,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
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
            events: false,
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
        match event(&remote.peer.read(line)?) {
            Ok(event) => raw_line(event.as_bytes())?,
            Err(remark) => note(&remark),
        }
        Ok(())
    }
}

/// The event in a frame as it came, or what else there is to say.
fn event<'a>(frame: &Frame<'a>) -> Result<&'a str, String> {
    if let Some(skipped) = frame.skipped {
        return Err(format!(
            "{} went by too fast to be kept",
            count(usize::try_from(skipped).unwrap_or(usize::MAX), "frame")
        ));
    }
    let Some(message) = frame.message else {
        return Err(format!("a notification of {} bytes is too long to be shown", frame.bytes));
    };
    let message: Message<'_> = serde_json::from_str(message.get())
        .map_err(|error| format!("a notification of {} bytes cannot be shown: {error}", frame.bytes))?;
    Ok(message.object.map_or("null", RawValue::get))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<&str, String> {
        event(&serde_json::from_str(line).expect("it is a frame"))
    }

    #[test]
    fn an_event_is_the_object_of_a_message() {
        assert_eq!(read(r#"{"number":1,"bytes":9,"message":{"op":"x","object":{"a":1}}}"#), Ok(r#"{"a":1}"#));
        assert_eq!(read(r#"{"message":{"object":null}}"#), Ok("null"));
        assert_eq!(read(r#"{"skipped":1}"#), Err("1 frame went by too fast to be kept".to_owned()));
        let cut = read(r#"{"text":"x","cut":true,"bytes":9}"#);
        assert!(cut.is_err_and(|remark| remark.contains("9 bytes is too long")));
        let odd = read(r#"{"bytes":9,"message":{"\ud800":1}}"#);
        assert!(odd.is_err_and(|remark| remark.contains("9 bytes cannot be shown")));
    }

    #[test]
    fn an_event_may_be_whatever_is_json() {
        for event in [r#""\ud800""#.to_owned(), "1e400".to_owned(), "[".repeat(140) + &"]".repeat(140)] {
            let line = format!(r#"{{"message":{{"object":{event}}}}}"#);
            assert_eq!(read(&line), Ok(event.as_str()));
        }
    }
}
