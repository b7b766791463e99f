//! The recording, and what comes after it; with incidents for those who want them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use super::frame_line::{self, FrameLine};
use super::incident_line::IncidentLine;
use super::lines::{Lines, line, push};
use super::wanted;
use crate::fault::Direction;
use crate::http::Door;
use crate::incident::Incident;
use crate::recording::Entry;
use crate::rest::{Authorized, RestError};
use crate::shared::{Shared, World};

/// Frames that are looked at in one go.
const BATCH: usize = 1_000;
/// The same for whoever wants only so many a second, and shall not fall behind.
const SAMPLE: usize = 50_000;
/// What comes within this time is told together.
const PAUSE: Duration = Duration::from_millis(20);
/// The same for whoever wants only so many a second.
const SAMPLING: Duration = Duration::from_millis(100);

/// Which frames are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    after: u64,
    source: Option<String>,
    op: Option<String>,
    direction: Option<Way>,
    last: Option<usize>,
    follow: bool,
    rate: Option<u32>,
    /// Whether incidents are told, too, each behind the message that it came after.
    events: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Received,
    Sent,
}

/// Somebody who reads on.
struct Reader {
    door: Arc<Door>,
    wanted: Wanted,
    changes: watch::Receiver<()>,
    /// Number of the last frame that was looked at.
    at: u64,
    /// Number of the youngest frame when the reader came. Up to there everything is told, and without `follow` nothing
    /// more.
    end: u64,
    /// The same for incidents.
    incident: u64,
    last_incident: u64,
    /// Whether a gap from here on is one.
    has_begun: bool,
    /// When the next sample is taken.
    next_sample: Instant,
}

/// What is looked at in one go.
struct Batch {
    entries: Vec<Entry>,
    /// Number of the last of them or, where there is none, of the last that is forgotten.
    last: u64,
    /// How many frames before them are forgotten.
    forgotten: u64,
    incidents: Vec<Incident>,
}

pub(super) async fn read(
    _: Authorized,
    State(door): State<Arc<Door>>,
    uri: Uri,
) -> Result<Lines<impl Stream<Item = String> + Send + 'static>, RestError> {
    let wanted: Wanted = wanted(&uri)?;
    let changes = door.shared.changes();
    let (end, last_incident) =
        door.shared.read(|world| (world.recording.next_number() - 1, world.incidents.last()));
    let (at, has_begun, next_sample) = (wanted.after, wanted.after > 0, Instant::now());
    let incident = 0;
    let mut reader =
        Reader { door, wanted, changes, at, end, incident, last_incident, has_begun, next_sample };
    let left_out = match reader.wanted.last {
        Some(last) => reader.skip_to_the_last(last).await,
        None => 0,
    };
    reader.skip_incidents();
    let left_out = (left_out > 0).then(|| line(&json!({ "skipped": left_out })));
    Ok(Lines(stream::iter(left_out).chain(stream::unfold(reader, Reader::next))))
}

impl Reader {
    /// The next lines, and the reader behind them.
    async fn next(mut self) -> Option<(String, Self)> {
        loop {
            if self.at >= self.end && self.incident >= self.last_incident {
                if !self.wanted.follow {
                    return None;
                }
                self.wait().await?;
            }
            let mut lines = String::new();
            self.look(&mut lines);
            if !lines.is_empty() {
                return Some((lines, self));
            }
            // Much may have been looked at in vain.
            yield_now().await;
        }
    }

    /// Waits until there may be more, and it is time to look.
    async fn wait(&mut self) -> Option<()> {
        if !self.door.shared.read(|world| self.has_more(world)) {
            self.changes.changed().await.ok()?;
            sleep(PAUSE).await;
        }
        if self.wanted.rate.is_some() {
            sleep_until(self.next_sample).await;
            self.next_sample = Instant::now() + SAMPLING;
        }
        Some(())
    }

    fn has_more(&self, world: &World) -> bool {
        world.recording.next_number() - 1 > self.at
            || self.wanted.events && world.incidents.last() > self.incident
    }

    /// Passes over the incidents before the first frame that is told, or over all.
    fn skip_incidents(&mut self) {
        self.incident = if self.wanted.events {
            self.door.shared.read(|world| world.incidents.last_before(self.at))
        } else {
            self.last_incident
        };
    }

    /// Adds lines for what came since.
    fn look(&mut self, lines: &mut String) {
        // What was there when the reader came is told in full.
        let is_new = self.at >= self.end;
        let before = if is_new && self.wanted.follow { u64::MAX } else { self.end + 1 };
        let (batch, budget) = match self.wanted.rate.filter(|_| is_new) {
            Some(rate) => (SAMPLE, budget(rate)),
            None => (BATCH, usize::MAX),
        };
        let Batch { entries, last, forgotten, incidents } = self.batch(before, batch);
        self.at = last;
        self.incident = incidents.last().map_or(self.incident, |last| last.number);
        if self.at >= self.end {
            self.incident = self.incident.max(self.last_incident);
        }
        let found: Vec<_> = entries.iter().filter(|entry| self.wanted.takes(entry)).collect();
        // The youngest in a row: what answers or acknowledges another mostly stands right behind it, whereas every
        // second frame would be nothing but acknowledgements.
        let (left_out, told) = found.split_at(found.len() - budget.min(found.len()));
        let skipped = left_out.len() as u64 + if self.has_begun { forgotten } else { 0 };
        if skipped > 0 {
            push(lines, &json!({ "skipped": skipped }));
        }
        let mut incidents =
            incidents.iter().filter(|incident| self.wanted.takes_incident(incident)).peekable();
        for entry in told {
            while let Some(incident) = incidents.next_if(|incident| incident.after < entry.number) {
                push(lines, &IncidentLine::of(incident));
            }
            push(lines, &FrameLine::of(entry));
        }
        incidents.for_each(|incident| push(lines, &IncidentLine::of(incident)));
        self.has_begun |= !entries.is_empty();
    }

    /// The next frames before this one, and the incidents between them and behind the last.
    fn batch(&self, before: u64, most: usize) -> Batch {
        let (after, incident, wants_incidents) = (self.at, self.incident, self.wanted.events);
        self.door.shared.read(|world| {
            let entries: Vec<_> = world.recording.between(after, before).take(most).cloned().collect();
            // Where there is none, all are forgotten: the youngest, too, where it alone is beyond the limit.
            let youngest = after.max(world.recording.next_number().min(before) - 1);
            let forgotten = entries.first().map_or(youngest, |first| first.number - 1) - after;
            let last = entries.last().map_or(youngest, |last| last.number);
            // Incidents behind later frames have their turn with those.
            let incidents = world.incidents.between(incident, last).filter(|_| wants_incidents);
            Batch { last, forgotten, incidents: incidents.cloned().collect(), entries }
        })
    }

    /// Goes to the youngest `count` frames of those that are wanted. Gives how many it passes over, where that can be
    /// said: behind a frame that the reader knows, and of frames of all kinds.
    async fn skip_to_the_last(&mut self, count: usize) -> u64 {
        let (mut before, mut found) = (self.end + 1, 0);
        let mut first = before;
        while found < count {
            let entries = batch_before(&self.door.shared, before, self.wanted.after);
            let Some(oldest) = entries.last() else { break };
            before = oldest.number;
            for entry in entries.iter().filter(|entry| self.wanted.takes(entry)).take(count - found) {
                found += 1;
                first = entry.number;
            }
            yield_now().await;
        }
        let is_known = self.has_begun && self.wanted.takes_all();
        let left_out = if is_known { (first - 1).saturating_sub(self.at) } else { 0 };
        self.at = self.at.max(first - 1);
        left_out
    }
}

impl Wanted {
    fn takes(&self, entry: &Entry) -> bool {
        let frame = &entry.frame;
        let way = match frame.direction {
            Direction::ToServer => Way::Received,
            Direction::ToClient => Way::Sent,
        };
        self.direction.is_none_or(|wanted| wanted == way)
            && self.source.as_ref().is_none_or(|source| frame.source.as_deref() == Some(source))
            && self.op.as_ref().is_none_or(|op| frame_line::op(entry).as_ref() == Some(op))
    }

    fn takes_incident(&self, incident: &Incident) -> bool {
        // It has neither operation nor direction; a link has no source before its connector names one.
        let is_about = |source: &String| incident.sources.iter().any(|of| **of == **source);
        self.op.is_none() && self.direction.is_none() && self.source.as_ref().is_none_or(is_about)
    }

    fn takes_all(&self) -> bool {
        self.source.is_none() && self.op.is_none() && self.direction.is_none()
    }
}

/// How many frames are told of one sample at most, for so many a second.
fn budget(rate: u32) -> usize {
    let budget = u128::from(rate) * SAMPLING.as_millis() / 1_000;
    usize::try_from(budget).unwrap_or(usize::MAX).max(1)
}

/// The frames before this one but behind `after`, the youngest first.
fn batch_before(shared: &Shared, number: u64, after: u64) -> Vec<Entry> {
    shared.read(|world| world.recording.between(after, number).rev().take(BATCH).cloned().collect())
}
