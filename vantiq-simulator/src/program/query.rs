//! `query`: asks a source, and prints the answer as it comes.

use std::io;

use clap::Args;
use serde_json::Value;

use super::answer::{Answers, TimedAnswer};
use super::error::ProgramError;
use super::exit::Exit;
use super::json_argument::JsonArgument;
use super::output::{count, json_line, note, raw_line, tell_error};
use super::place::Place;

const EXAMPLES: &str = r#"Examples:
  vantiq-simulator query thermostat '{"op": "current"}'
  vantiq-simulator query thermostat @query.json | jq .celsius

Standard output has the rows, one JSON value a line; status, counts and times are on standard error.
With --json standard output has a line for each message as it comes, with the milliseconds since the query:
{"partial":BODY,"ms":1.2} for each part, then {"status":200,"body":BODY,"ms":3.4}, or {"error":{"code":...,
"message":...}} where there is no answer."#;

/// Queries a source.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Query {
    /// Name of the source
    source: String,

    /// The query: JSON, @FILE, or - for standard input
    #[arg(value_parser = JsonArgument::inline, allow_negative_numbers = true)]
    json: JsonArgument,

    /// Print messages with their times as JSON lines
    #[arg(long = "json")]
    as_json: bool,

    #[command(flatten)]
    place: Place,
}

/// What has come so far.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    rows: usize,
    parts: usize,
    /// Milliseconds to the first rows.
    first: Option<f64>,
}

impl Query {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        let mut answers = tell_error(self.ask(), self.as_json)?;
        let mut tally = Tally::default();
        loop {
            let (line, TimedAnswer { answer, ms }) = tell_error(answers.next(), self.as_json)?;
            self.show(&line, answer.rows())?;
            tally.add(answer.rows().len(), ms);
            let Some(status) = answer.good_status()? else { continue };
            if !self.as_json {
                note(&tally.summary(status, ms));
            }
            return Ok(Exit::Done);
        }
    }

    fn ask(&self) -> Result<Answers, ProgramError> {
        let object = self.json.value()?;
        self.place.remote()?.query(&self.source, &object)
    }

    fn show(&self, line: &[u8], rows: &[Value]) -> io::Result<()> {
        if self.as_json { raw_line(line) } else { rows.iter().try_for_each(json_line) }
    }
}

impl Tally {
    fn add(&mut self, rows: usize, ms: f64) {
        if rows > 0 {
            self.rows += rows;
            self.parts += 1;
            self.first.get_or_insert(ms);
        }
    }

    fn summary(&self, status: u16, ms: f64) -> String {
        let rows = count(self.rows, "row");
        let parts = count(self.parts, "part");
        match self.first {
            Some(first) => {
                format!("{status}: {rows} in {parts}, the first after {first:.1} ms, all after {ms:.1} ms")
            }
            None => format!("{status}: {rows} after {ms:.1} ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_without_rows_do_not_count() {
        let mut tally = Tally::default();
        tally.add(0, 1.0);
        assert_eq!(tally.summary(204, 2.0), "204: 0 rows after 2.0 ms");
        tally.add(2, 3.0);
        tally.add(1, 4.0);
        assert_eq!(
            tally.summary(200, 4.0),
            "200: 3 rows in 2 parts, the first after 3.0 ms, all after 4.0 ms"
        );
    }
}
