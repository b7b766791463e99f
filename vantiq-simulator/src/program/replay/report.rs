//! [`Report`]: says what came of each publish and query, and counts.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::super::error::ProgramError;
use super::super::exit::Exit;
use super::super::output::{BAD, DIM, GOOD, PLAIN, count, json_line, people, plain};
use super::recording::{Recorded, Request};
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
}

/// One outcome as it is told.
struct Line<'a> {
    op: &'static str,
    request: &'a Request,
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
        self.tell(&Line { op: "publish", request, outcome: "done", text, more: json!({}) })
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
        self.tell(&Line { op: "query", request, outcome, text, more })
    }

    pub(super) fn failed(
        &self,
        op: &'static str,
        request: &Request,
        code: &str,
        message: &str,
    ) -> io::Result<()> {
        self.count(|counts| {
            *(if op == "query" { &mut counts.queries } else { &mut counts.publishes }) += 1;
            counts.failed += 1;
        });
        let more = json!({"error": {"code": code, "message": message}});
        self.tell(&Line { op, request, outcome: "failed", text: (message.to_owned(), BAD), more })
    }

    /// Sums up.
    pub(super) fn conclude(&self) -> Result<Exit, ProgramError> {
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { publishes, queries, same, different, incomparable, failed } = counts;
        if self.as_json {
            json_line(&json!({"summary": {"publishes": publishes, "queries": queries, "same": same,
                "different": different, "incomparable": incomparable, "failed": failed}}))?;
        } else {
            let queries = if queries == 1 { "1 query".to_owned() } else { format!("{queries} queries") };
            writeln!(
                people(),
                "{}, {queries}: {same} as recorded, {different} otherwise, {incomparable} without comparison, \
                 {failed} failed",
                count(publishes, "publish").replace("publishs", "publishes"),
            )?;
        }
        Ok(if different + failed == 0 { Exit::Done } else { Exit::NotDone })
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, line: &Line<'_>) -> io::Result<()> {
        let Line { op, request, outcome, text: (text, style), more } = line;
        if self.as_json {
            let mut told = more.clone();
            told["line"] = json!(request.line);
            told["op"] = json!(op);
            told["source"] = json!(request.source);
            told["outcome"] = json!(outcome);
            return json_line(&told);
        }
        let (elapsed, source) = (self.started.elapsed().as_secs_f64(), plain(&request.source));
        let (object, text) = (short(&request.object), plain(text));
        let mut out = people();
        writeln!(out, "{DIM}{elapsed:9.3} s{DIM:#}  {op:<7}  {source}  {object}  {style}{text}{style:#}")?;
        out.flush()
    }
}
