//! [`Report`]: says what came of each publish and query, and counts.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::super::error::ProgramError;
use super::super::exit::Exit;
use super::super::output::{BAD, DIM, GOOD, PLAIN, count, json_line, people, plain};
use super::recording::{Recorded, Request, Unsent};
use super::verdict::{Given, Verdict, short};

/// Written to by all queries that are on their way.
pub(super) struct Report {
    as_json: bool,
    started: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    publishes: usize,
    queries: usize,
    same: usize,
    different: usize,
    incomparable: usize,
    failed: usize,
    not_replayed: usize,
}

/// One outcome as it is told.
struct Told<'a> {
    op: &'static str,
    /// Where it is in the recording.
    line: usize,
    source: &'a str,
    /// What was sent, if it was.
    object: Option<&'a Value>,
    outcome: &'static str,
    /// For people, with its style.
    text: (String, clap::builder::styling::Style),
    /// For scripts, beside what all have.
    more: Value,
}

impl Report {
    pub(super) fn new(as_json: bool) -> Self {
        Self { as_json, started: Instant::now(), counts: Mutex::default() }
    }

    pub(super) fn published(&self, request: &Request) -> io::Result<()> {
        self.count(|counts| counts.publishes += 1);
        let text = ("done".to_owned(), PLAIN);
        self.tell(&Told::of("publish", request, "done", text, json!({})))
    }

    pub(super) fn answered(&self, request: &Request, given: &Given, recorded: &Recorded) -> io::Result<()> {
        let verdict = Verdict::of(given, recorded);
        self.count(|counts| {
            counts.queries += 1;
            match verdict {
                Verdict::Same => counts.same += 1,
                Verdict::Different(_) => counts.different += 1,
                Verdict::Incomparable => counts.incomparable += 1,
            }
        });
        let mut more = json!({"status": given.status, "rows": given.rows.len(), "ms": given.ms});
        if let Recorded::Answer { status, rows } = recorded {
            more["recordedStatus"] = json!(status);
            more["recordedRows"] = json!(rows.len());
        }
        let (outcome, words, style) = match verdict {
            Verdict::Same => ("same", "as recorded".to_owned(), GOOD),
            Verdict::Incomparable => ("incomparable", "no whole answer was recorded".to_owned(), DIM),
            Verdict::Different(how) => {
                more["difference"] = json!(how);
                ("different", format!("otherwise than recorded: {how}"), BAD)
            }
        };
        let rows = count(given.rows.len(), "row");
        let text = (format!("{}, {rows} in {:.1} ms, {words}", given.status, given.ms), style);
        self.tell(&Told::of("query", request, outcome, text, more))
    }

    pub(super) fn failed(
        &self,
        op: &'static str,
        request: &Request,
        code: &str,
        message: &str,
    ) -> io::Result<()> {
        self.count(|counts| {
            *counts.of(op) += 1;
            counts.failed += 1;
        });
        let more = json!({"error": {"code": code, "message": message}});
        self.tell(&Told::of(op, request, "failed", (message.to_owned(), BAD), more))
    }

    pub(super) fn not_replayed(&self, unsent: &Unsent) -> io::Result<()> {
        let Unsent { line, op, source, why } = unsent;
        self.count(|counts| {
            *counts.of(op) += 1;
            counts.not_replayed += 1;
        });
        let text = (format!("not replayed: {why}"), BAD);
        let more = json!({ "why": why });
        self.tell(&Told { op, line: *line, source, object: None, outcome: "notReplayed", text, more })
    }

    /// Sums up.
    pub(super) fn conclude(&self) -> Result<Exit, ProgramError> {
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { publishes, queries, same, different, incomparable, failed, not_replayed } = counts;
        if self.as_json {
            json_line(&json!({"summary": {"publishes": publishes, "queries": queries, "same": same,
                "different": different, "incomparable": incomparable, "failed": failed,
                "notReplayed": not_replayed}}))?;
        } else {
            let queries = if queries == 1 { "1 query".to_owned() } else { format!("{queries} queries") };
            let rest =
                if not_replayed == 0 { String::new() } else { format!(", {not_replayed} not replayed") };
            writeln!(
                people(),
                "{}, {queries}: {same} as recorded, {different} otherwise, {incomparable} without comparison, \
                 {failed} failed{rest}",
                count(publishes, "publish").replace("publishs", "publishes"),
            )?;
        }
        Ok(if different + failed + not_replayed == 0 { Exit::Done } else { Exit::NotDone })
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, line: &Told<'_>) -> io::Result<()> {
        let Told { op, line, source, object, outcome, text: (text, style), more } = line;
        if self.as_json {
            let mut told = more.clone();
            told["line"] = json!(line);
            told["op"] = json!(op);
            told["source"] = json!(source);
            told["outcome"] = json!(outcome);
            return json_line(&told);
        }
        let (elapsed, source) = (self.started.elapsed().as_secs_f64(), plain(source));
        let (object, text) = (object.map_or_else(|| "-".to_owned(), short), plain(text));
        let mut out = people();
        writeln!(out, "{DIM}{elapsed:9.3} s{DIM:#}  {op:<7}  {source}  {object}  {style}{text}{style:#}")?;
        out.flush()
    }
}

impl Counts {
    fn of(&mut self, op: &str) -> &mut usize {
        if op == "query" { &mut self.queries } else { &mut self.publishes }
    }
}

impl<'a> Told<'a> {
    fn of(
        op: &'static str,
        request: &'a Request,
        outcome: &'static str,
        text: (String, clap::builder::styling::Style),
        more: Value,
    ) -> Self {
        let Request { line, source, object, .. } = request;
        Self { op, line: *line, source, object: Some(object), outcome, text, more }
    }
}
