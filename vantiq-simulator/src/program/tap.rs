//! `tap`: every frame, as it passes, and what happens to links meanwhile.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::ProgramError;
use super::exit::Exit;
use super::frames::Frames;
use super::output::{count, note, raw_line};
use super::place::Place;
use super::remote::Remote;

const EXAMPLES: &str = r#"Examples:
  vantiq-simulator tap
  vantiq-simulator tap --source thermostat --last 20 --no-follow
  vantiq-simulator tap --op query | jq .message.object
  vantiq-simulator tap --save recording.jsonl

It prints the frames that are kept and goes on with those that come, one JSON object a line:
  number, at        which one, and when, in milliseconds since 1970
  link, source      by which connection, and for which source, if any
  direction         received from the connector or sent to it
  frame, bytes      text or binary, and its size
  op, status        what the message says, if it does
  address           pairs a query with its answers
  acknowledges      numbers of the notifications that this status is for
  message           the JSON; or text, if it is none or too long, and then "cut":true
What happens to links and is done to sources on purpose has lines of its own, with neither --op nor --direction:
  incident, after   which one, and the number of the frame before it
  at, link, sources as above; a link has no source before its connector names one
  event             linkOpened; linkEnded, with why, code and how; fault, with what was asked for; healed, with what
Secrets are replaced. A line {"skipped":N} says that so many went by too fast. Ctrl-C ends it with exit code 0."#;

/// Those of the protocol (PROTOCOL sections 4 and 11). Whoever mistypes one would wait for frames that never come.
const OPERATIONS: [&str; 11] = [
    "validate",
    "authenticate",
    "connectExtension",
    "configureExtension",
    "reconnectRequired",
    "publish",
    "notification",
    "query",
    "subscribe",
    "unsubscribe",
    "acknowledge",
];

/// Prints or saves frames.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Tap {
    /// Only those of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// Only those with this operation; answers and acknowledgements have none
    #[arg(long, value_parser = OPERATIONS)]
    op: Option<String>,

    /// Only those in this direction
    #[arg(long, value_enum)]
    direction: Option<Direction>,

    /// Begin with the last so many
    #[arg(long, value_name = "NUMBER")]
    last: Option<usize>,

    /// End where there are no more
    #[arg(long)]
    no_follow: bool,

    /// Write them to this file, in place of what is there, for `replay`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    #[command(flatten)]
    place: Place,
}

/// As the simulator sees it.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Direction {
    /// From connectors
    Received,
    /// To connectors
    Sent,
}

impl Tap {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        let remote = self.place.remote()?;
        match &self.save {
            None => self.frames().each(&remote, |line| Ok(raw_line(line)?))?,
            Some(path) => self.save(&remote, path)?,
        }
        Ok(Exit::Done)
    }

    /// Each line is written at once: whatever ends this, what was said to be saved is.
    fn save(&self, remote: &Remote, path: &PathBuf) -> Result<(), ProgramError> {
        let name = path.display().to_string();
        let failed = |source| ProgramError::Save { file: name.clone(), source };
        // Not before there is something to write: where nothing listens, what is there stays.
        remote.state()?;
        let mut file = File::create(path).map_err(failed)?;
        let mut saved = 0;
        let result = self.frames().each(remote, |line| {
            file.write_all(&[line, b"\n"].concat()).map_err(failed)?;
            saved += 1;
            Ok(())
        });
        note(&format!("{} saved in {name}", count(saved, "line")));
        result
    }

    fn frames(&self) -> Frames<'_> {
        Frames {
            source: self.source.as_deref(),
            op: self.op.as_deref(),
            direction: self.direction.map(|direction| match direction {
                Direction::Received => "received",
                Direction::Sent => "sent",
            }),
            last: self.last,
            events: true,
            follow: !self.no_follow,
        }
    }
}
