//! `replay`: what applications did in a recording is done again.
//!
//! A [`Recording`] says what to do and what came of it then; the [`performance`] does it, and a [`Verdict`] says whether
//! the same came of it now.

mod performance;
mod recording;
mod report;
mod verdict;

use std::str::FromStr;

use clap::Args;

pub(super) use self::recording::RecordingError;

use self::recording::Recording;
use self::report::Report;
use super::error::ProgramError;
use super::exit::Exit;
use super::json_argument::JsonArgument;
use super::place::Place;

const EXAMPLES: &str = r#"Examples:
  vantiq-simulator tap --save recording.jsonl
  vantiq-simulator replay recording.jsonl
  vantiq-simulator replay recording.jsonl --speed max --source thermostat-2

It sends the publishes and queries of the recording again, at the same intervals. What came after the answer to a
query then comes after it now, too. An answer is as recorded if its status and its rows are the same, in whatever parts
they come. What is too long to have been recorded as a whole (64 KiB) is not replayed, or not compared. The exit code is
1 if something failed, was not replayed or was answered otherwise.

With --json it prints an object for each publish and query, with line, op, source, outcome (done, same, different,
incomparable, failed or notReplayed), and of a query status, rows, recordedStatus, recordedRows, ms, difference; and then
{"summary":{"publishes":...,"queries":...,"same":...,"different":...,"incomparable":...,"failed":...,"notReplayed":...}}."#;

/// Does again what a recording has.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Replay {
    /// The recording: JSON lines as of `tap`, or - for standard input
    file: JsonArgument,

    /// So many times as fast, or max: one after the other without waiting
    #[arg(long, default_value = "1", value_name = "NUMBER")]
    speed: Speed,

    /// Send all of it to this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// Print outcomes as JSON lines
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

/// How the intervals of the recording become those of the replay.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Speed {
    Times(f64),
    Max,
}

impl Replay {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        let text = self.file.text()?;
        let mut recording = Recording::read(&text).map_err(|error| error.in_file(&self.file.place()))?;
        if let Some(name) = &self.source {
            recording.redirect(name);
        }
        let remote = self.place.remote()?;
        // Where nothing listens, that is to be said before the first interval is over.
        remote.state()?;
        let report = Report::new(self.json);
        performance::perform(&recording, self.speed, &remote, &report)?;
        report.conclude()
    }
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            _ => Err("expected a number above 0, or max"),
        }
    }
}
