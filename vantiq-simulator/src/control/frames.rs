//! The recording, and what comes after it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::frame_line::{self, FrameLine};
use super::lines::{Lines, push};
use super::wanted;
use crate::fault::Direction;
use crate::http::Door;
use crate::recording::Entry;
use crate::rest::{Authorized, RestError};
use crate::shared::Shared;

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
    /// Found already.
    first: VecDeque<Entry>,
    /// Number of the last frame that was looked at.
    at: u64,
    has_begun: bool,
}

pub(super) async fn read(
    _: Authorized,
    State(door): State<Arc<Door>>,
    uri: Uri,
) -> Result<Lines<impl Stream<Item = String> + Send + 'static>, RestError> {
    let wanted: Wanted = wanted(&uri)?;
    let changes = door.shared.changes();
    let at = wanted.after;
    let mut reader = Reader { door, wanted, changes, first: VecDeque::new(), at, has_begun: false };
    if let Some(last) = reader.wanted.last {
        reader.find_last(last);
    }
    Ok(Lines(stream::unfold(reader, Reader::next)))
}

impl Reader {
    /// The next lines, and the reader behind them.
    async fn next(mut self) -> Option<(String, Self)> {
        loop {
            let mut lines = String::new();
            let is_at_the_end = self.look(&mut lines);
            let has_found = !lines.is_empty();
            if is_at_the_end && !self.wanted.follow {
                // The second time there is nothing left.
                return has_found.then_some((lines, self));
            }
            if has_found {
                return Some((lines, self));
            }
            if is_at_the_end {
                self.changes.changed().await.ok()?;
            }
            self.pause(is_at_the_end).await;
        }
    }

    async fn pause(&self, is_at_the_end: bool) {
        match (self.wanted.is_sampled(), is_at_the_end) {
            (true, _) => sleep(SAMPLING).await,
            (false, true) => sleep(PAUSE).await,
            (false, false) => {}
        }
    }

    /// Adds lines for what came since, and says whether that was all.
    fn look(&mut self, lines: &mut String) -> bool {
        if !self.first.is_empty() {
            self.first.drain(..).for_each(|entry| push(lines, &FrameLine::of(&entry)));
            return false;
        }
        let batch = if self.wanted.is_sampled() { SAMPLE } else { BATCH };
        let (entries, forgotten) = batch_after(&self.door.shared, self.at, batch);
        let Some(last) = entries.last() else { return true };
        let is_at_the_end = entries.len() < batch;
        self.at = last.number;
        let found: Vec<_> = entries.iter().filter(|entry| self.wanted.takes(entry)).collect();
        // The youngest in a row: what answers or acknowledges another mostly stands right behind it, whereas every
        // second frame would be nothing but acknowledgements.
        let (left_out, told) = found.split_at(found.len() - self.wanted.budget().min(found.len()));
        let skipped = left_out.len() as u64 + if self.has_begun { forgotten } else { 0 };
        if skipped > 0 {
            push(lines, &json!({ "skipped": skipped }));
        }
        for entry in told {
            push(lines, &FrameLine::of(entry));
        }
        self.has_begun = true;
        is_at_the_end
    }

    /// Finds the youngest `count` frames, and goes on behind them.
    fn find_last(&mut self, count: usize) {
        let (mut before, end) = self.door.shared.read(|world| {
            let next = world.recording.next_number();
            (next, next - 1)
        });
        while self.first.len() < count {
            let entries = batch_before(&self.door.shared, before, self.wanted.after);
            let Some(oldest) = entries.last() else { break };
            before = oldest.number;
            for entry in entries {
                if self.first.len() < count && self.wanted.takes(&entry) {
                    self.first.push_front(entry);
                }
            }
        }
        self.at = self.at.max(end);
        self.has_begun = true;
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

    fn is_sampled(&self) -> bool {
        self.follow && self.rate.is_some()
    }

    /// How many frames are told in one go at most.
    fn budget(&self) -> usize {
        let Some(rate) = self.rate.filter(|_| self.follow) else { return usize::MAX };
        let budget = u128::from(rate) * SAMPLING.as_millis() / 1_000;
        usize::try_from(budget).unwrap_or(usize::MAX).max(1)
    }
}

/// The frames behind this one, and how many between them are forgotten.
fn batch_after(shared: &Shared, number: u64, batch: usize) -> (Vec<Entry>, u64) {
    shared.read(|world| {
        let entries: Vec<_> = world.recording.after(number).take(batch).cloned().collect();
        let forgotten = entries.first().map_or(0, |first| first.number - number - 1);
        (entries, forgotten)
    })
}

/// The frames before this one but behind `after`, the youngest first.
fn batch_before(shared: &Shared, number: u64, after: u64) -> Vec<Entry> {
    shared.read(|world| world.recording.between(after, number).rev().take(BATCH).cloned().collect())
}
